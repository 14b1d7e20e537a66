"""What the macro `mask` compiles to for each engine. What DuckDB makes of it is tested on January."""

from __future__ import annotations

import pytest

from tests.unit.dbt_project.conftest import Parsed

pytestmark = pytest.mark.slow

_SALTED = "'0123456789abcdef0123456789abcdef:' || tail_number"


@pytest.mark.parametrize(
    ("target", "digest"),
    [
        ("local", f"sha256({_SALTED})"),
        ("athena", f"lower(to_hex(sha256(to_utf8({_SALTED}))))"),
        ("redshift", f"sha2({_SALTED}, 256)"),
    ],
)
def test_each_engine_takes_the_same_digest_of_the_same_bytes(
    parsed: dict[str, Parsed], target: str, digest: str
) -> None:
    assert parsed[target].masked == f"select cast(substring({digest}, 1, 32) as varchar(32)) as aircraft_key"


def test_without_a_salt_nothing_is_masked_outside_of_this_machine(project: Parsed) -> None:
    assert "WATERSHED_MASK_SALT is not set, and inline_query masks a column." in project.unsalted
    assert "openssl rand -hex 32" in project.unsalted


def test_no_salt_is_kept_in_what_parsing_leaves(project: Parsed) -> None:
    left = project.compiled.parent.parent / "partial_parse.msgpack"
    assert b"0123456789abcdef" not in left.read_bytes()
