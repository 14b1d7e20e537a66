"""The dbt sources that are generated from contracts."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from ingestion.contract import load_contracts
from ingestion.dbt_source import render_source, write_sources
from orchestration.settings import CONTRACTS_DIR, DBT_PROJECT_DIR
from tests.unit.ingestion.conftest import contract_of, document, prop, write


def source_of(text: str) -> dict[str, Any]:
    return yaml.safe_load(text)["sources"][0]


def test_the_committed_sources_are_what_the_contracts_say() -> None:
    stale = write_sources(load_contracts(CONTRACTS_DIR).values(), DBT_PROJECT_DIR / "models" / "sources", check=True)
    assert stale == [], "stale: run `watershed sources` and commit what it writes"


def test_a_source_declares_columns_with_types_tests_and_descriptions(tmp_path: Path) -> None:
    leg = {"logicalType": "object", "physicalType": "struct", "properties": [prop("to", "varchar(3)")]}
    text = render_source(
        contract_of(
            tmp_path,
            prop("size", "varchar(1)", enum=[{"value": "S"}, {"value": "L"}], classification="restricted"),
            prop("route", "array", required=True, items=leg),
        )
    )
    assert text.startswith("# Generated from ingestion/contracts/parcels.yaml by `watershed sources`.")
    source = source_of(text)
    table = source["tables"][0]
    columns = {column["name"]: column for column in table["columns"]}
    assert (source["name"], source["schema"], table["name"]) == ("landing", "landing", "parcels")
    assert table["config"]["loaded_at_field"] == "_arrived_at"
    assert table["config"]["meta"]["primary_key"] == ["id"]
    assert columns["size"] == {
        "name": "size",
        "description": "The size.",
        "data_type": "varchar(1)",
        "config": {"meta": {"classification": "restricted"}},
        "data_tests": [{"accepted_values": {"arguments": {"values": ["S", "L"]}}}],
    }
    assert columns["route"]["data_type"] == "array(row(to varchar(3)))"
    assert columns["route"]["data_tests"] == ["not_null"]
    assert "_sequence_number" in columns


@pytest.mark.parametrize(
    ("value", "unit", "period"),
    [
        (90, "m", {"count": 90, "period": "minute"}),
        (120, "m", {"count": 2, "period": "hour"}),
        (36, "h", {"count": 36, "period": "hour"}),
        (48, "h", {"count": 2, "period": "day"}),
        (0.5, "h", {"count": 30, "period": "minute"}),
        (1, "y", {"count": 365, "period": "day"}),
        (10, "h", {"count": 10, "period": "hour"}),
    ],
)
def test_freshness_is_written_in_dbts_periods(tmp_path: Path, value: float, unit: str, period: dict[str, Any]) -> None:
    content = document()
    content["slaProperties"][0] = {"property": "freshness", "value": value, "unit": unit}
    contract = next(iter(load_contracts(write(tmp_path, content).parent).values()))
    freshness = source_of(render_source(contract))["tables"][0]["config"]["freshness"]
    assert freshness == {"error_after": period}
    assert timedelta(**{f"{period['period']}s": period["count"]}) == contract.freshness


def test_writing_leaves_what_is_current_and_removes_what_has_no_contract(tmp_path: Path) -> None:
    contract = contract_of(tmp_path)
    folder = tmp_path / "sources"
    assert write_sources([contract], folder) == [folder / "parcels.yml"]
    assert write_sources([contract], folder) == []
    (folder / "letters.yml").write_text("version: 2\n")
    assert write_sources([contract], folder, check=True) == [folder / "letters.yml"]
    assert (folder / "letters.yml").exists()
    assert write_sources([contract], folder) == [folder / "letters.yml"]
    assert not (folder / "letters.yml").exists()


def test_a_changed_contract_makes_its_source_stale(tmp_path: Path) -> None:
    folder = tmp_path / "sources"
    write_sources([contract_of(tmp_path)], folder)
    changed = contract_of(tmp_path, prop("weight", "integer"))
    assert write_sources([changed], folder, check=True) == [folder / "parcels.yml"]
