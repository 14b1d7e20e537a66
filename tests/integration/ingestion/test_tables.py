"""The tables of a contract that changes: columns and partitions follow, and all rows stay readable."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

import ingestion.contract
import ingestion.landing
from ingestion.contract import Contract
from ingestion.errors import TableError
from ingestion.landing import land
from ingestion.tables import open_tables
from tests.integration.ingestion.conftest import Lake, Source, compact, new_catalog

UNIT = "      - {name: unit, description: Unit., logicalType: string, physicalType: varchar(8)}\n"
GOOD = 1

Edit = Callable[[str, str], Contract]


@pytest.fixture
def edit(strict: Contract) -> Edit:
    """The contract with some text in place of another."""

    def replaced(old: str, new: str) -> Contract:
        text = strict.path.read_text()
        assert old in text
        strict.path.write_text(text.replace(old, new))
        return ingestion.contract.load_contract(strict.path)

    return replaced


def with_amount(edit: Edit, options: str) -> Contract:
    """The contract, its amount as the options say."""
    return edit("logicalType: integer, physicalType: integer,", f"logicalType: integer, physicalType: {options},")


def test_a_new_field_is_a_new_column(lake: Lake, strict: Contract, edit: Edit) -> None:
    land(strict, Source([GOOD]), lake.tables(strict))
    new = edit("slaProperties:", UNIT + "slaProperties:")
    land(new, Source([GOOD, GOOD]), lake.tables(new))
    assert lake.rows(new) == [0, 1]
    assert "unit" in lake.tables(new).landing.schema().column_names


def test_rows_stay_readable_when_a_required_field_is_gone(lake: Lake, edit: Edit) -> None:
    old = with_amount(edit, "integer, required: true")
    land(old, Source([GOOD]), lake.tables(old))
    text = old.path.read_text()
    start, end = text.index("      - {name: amount"), text.index("slaProperties:")
    new = edit(text[start:end], UNIT)
    land(new, Source([GOOD, GOOD]), lake.tables(new))
    rows = lake.tables(new).landing.scan().to_arrow().sort_by("id")
    assert rows.column("amount").to_pylist() == [1, None]


def test_a_changed_partition_holds_for_what_lands_from_then_on(lake: Lake, strict: Contract, edit: Edit) -> None:
    land(strict, Source([GOOD]), lake.tables(strict))
    assert lake.tables(strict).landing.spec().is_unpartitioned()
    new = with_amount(edit, "integer, partitioned: true")
    land(new, Source([GOOD] * 2), lake.tables(new))
    assert [field.name for field in lake.tables(new).landing.spec().fields] == ["amount"]
    back = edit("partitioned: true", "partitioned: false")
    land(back, Source([GOOD] * 3), lake.tables(back))
    assert lake.tables(back).landing.spec().is_unpartitioned()
    assert lake.rows(back) == [0, 1, 2]
    partitions = lake.tables(back).landing.inspect.files().column("partition").to_pylist()
    assert sorted(str(partition.get("amount")) for partition in partitions) == ["1", "None", "None"]


def test_opening_tables_again_changes_nothing(lake: Lake, edit: Edit) -> None:
    contract = with_amount(edit, "integer, partitioned: true")
    first, second = lake.tables(contract), lake.tables(contract)
    assert first.landing.metadata_location == second.landing.metadata_location


def test_partitions_that_change_under_a_lander_make_it_write_anew(
    lake: Lake, strict: Contract, edit: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit that is tried again after a compaction would enter its files into a manifest of the new partitions."""
    land(strict, Source([GOOD]), lake.tables(strict))
    tables = lake.tables(strict)
    new = with_amount(edit, "integer, partitioned: true")
    real = ingestion.landing.write_files

    def write_files(table: Table, rows: pa.Table) -> list[DataFile]:
        monkeypatch.setattr(ingestion.landing, "write_files", real)
        files = real(table, rows)
        compact(lake.tables(new).landing)
        return files

    monkeypatch.setattr(ingestion.landing, "write_files", write_files)
    landed = land(strict, Source([GOOD] * 3), tables)
    assert landed.races == 1
    assert lake.rows(strict) == [0, 1, 2]
    partitions = lake.tables(new).landing.inspect.files().column("partition").to_pylist()
    assert [partition["amount"] for partition in partitions] == [1, 1]


def test_a_type_that_cannot_become_another_is_refused_with_a_cure(lake: Lake, strict: Contract, edit: Edit) -> None:
    lake.tables(strict)
    text = strict.path.read_text()
    amount = "      - {name: amount, description: A day., logicalType: date, physicalType: date}\n"
    new = edit(text[text.index("      - {name: amount") : text.index("slaProperties:")], amount)
    with pytest.raises(TableError, match="give the field a new name"):
        lake.tables(new)


def test_landers_that_open_the_tables_of_a_changed_contract_at_once_all_do(
    lake: Lake, strict: Contract, edit: Edit
) -> None:
    lake.tables(strict)
    new = edit("slaProperties:", UNIT + "slaProperties:")

    def columns(_: int) -> list[str]:
        return open_tables(new_catalog(lake.settings), new, lake.layout).landing.schema().column_names

    with ThreadPoolExecutor(4) as pool:
        assert all("unit" in names for names in pool.map(columns, range(4)))
