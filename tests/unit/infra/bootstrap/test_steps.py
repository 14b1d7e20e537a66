"""The steps of the warehouse as data: what is said of each, and whether Redshift would read it."""

from __future__ import annotations

import re

import pytest
import sqlglot
from pydantic import ValidationError
from sqlglot import exp
from sqlglot.errors import ParseError

from infra.bootstrap.errors import BootstrapError
from infra.bootstrap.steps import Name, Step, WarehouseNames, load_steps
from infra.bootstrap.warehouse import chosen, shown

NAMES = WarehouseNames(
    database="watershed",
    lake_schema="lake",
    lake_database="lake",
    marts="marts",
    dbt_user="IAMR:watershed-dev-dbt",
    serving_user="IAMR:watershed-dev-serving",
    unload_role="arn:aws:iam::123456789012:role/watershed-dev-redshift",
).model_dump() | {"password_digest": "sha256|ab|cd"}

STEPS = [step.with_names(NAMES) for step in load_steps()]

# What sqlglot has no grammar for in Redshift's dialect: it keeps such a statement as it is. For these the shape of the
# statement is held against the syntax in the Amazon Redshift Database Developer Guide, by its head here.
NO_GRAMMAR = {
    "CREATE EXTERNAL SCHEMA": (
        r"create external schema if not exists \"\w+\" from data catalog database '\w+' iam_role default"
    ),
    "CREATE ROLE": r"create role \"\w+\"",
    "CREATE USER": r"create user \".+\" password (disable|'sha256\|.+')",
    "ALTER USER": r"alter user \".+\" password 'sha256\|.+'",
    "ALTER DEFAULT PRIVILEGES": (
        r"alter default privileges for user \".+\" in schema \"\w+\" grant select on tables to role \"\w+\""
    ),
    "GRANT ASSUMEROLE": r"grant assumerole on 'arn:.+' to \".+\" for unload",
    "REVOKE ASSUMEROLE": r"revoke assumerole on all from public for all",
    "GRANT SELECT ON ALL TABLES": r"grant select on all tables in schema \"\w+\" to role \"\w+\"",
    "GRANT ROLE": r"grant role \"\w+\" to \".+\"",
}


def _parsed(sql: str) -> exp.Expr | None:
    """None where sqlglot knows no such statement."""
    try:
        found = sqlglot.parse_one(sql, read="redshift")
    except ParseError:
        return None
    return None if isinstance(found, exp.Command) else found


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_redshift_reads_each_statement(step: Step) -> None:
    if step.missing is not None:
        assert isinstance(_parsed(step.missing), exp.Query)
    without = next((shape for head, shape in NO_GRAMMAR.items() if step.run.upper().startswith(head)), None)
    if without is None:
        assert _parsed(step.run) is not None
    else:
        assert re.fullmatch(without, step.run)
        assert _parsed(step.run) is None, "sqlglot knows it now: take it from NO_GRAMMAR"


def test_every_exception_is_used() -> None:
    used = {head for head in NO_GRAMMAR for step in STEPS if step.run.upper().startswith(head)}
    assert used == set(NO_GRAMMAR)


def test_what_has_no_if_not_exists_in_redshift_is_looked_for_first() -> None:
    """A role or a user that is there is an error in Redshift, so nothing may be made without a look."""
    assert [step.name for step in STEPS if step.missing is None] == ["QuickSight's password is that of its secret"]
    assert len({step.name for step in STEPS}) == len(STEPS)


def test_names_are_quoted_as_what_they_are() -> None:
    assert format(Name('a"b'), "id") == '"a""b"'
    assert format(Name("a'b"), "text") == "'a''b'"
    with pytest.raises(ValueError, match="no way to quote"):
        format(Name("a"))
    with pytest.raises(BootstrapError, match=r"step 's': there is no name 'nobody'"):
        Step(name="s", why="w", run="create role {nobody:id}", missing="select 1").with_names(NAMES)


def test_a_step_looks_in_one_way() -> None:
    for looks in ({}, {"missing": "select 1", "sign_in": True}):
        with pytest.raises(ValidationError, match="write missing"):
            Step(name="s", why="w", run="select 1", **looks)


def test_without_dashboards_their_steps_are_left_out_and_named() -> None:
    kept, skipped = chosen(STEPS, dashboards=False)
    assert not any("quicksight" in step.run for step in kept)
    assert all("quicksight" in step.run for step in skipped)
    assert chosen(STEPS, dashboards=True) == (tuple(STEPS), ())


def test_a_digest_is_never_shown() -> None:
    assert not any("ab|cd" in shown(step) for step in STEPS)
