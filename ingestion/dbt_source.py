"""The dbt source of a contract: columns, tests, freshness and descriptions. Generated, committed, never edited."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from ingestion.contract import Contract, Field
from ingestion.schemas import ARRIVED_AT, landing_fields

_HEADER = "# Generated from {path} by `watershed sources`. Edit the contract, not this file.\n"

# The database of a source differs by engine: Athena's catalog, or the DuckDB file.
_DATABASE = "{{ 'awsdatacatalog' if target.type == 'athena' else target.database }}"


def write_sources(contracts: Iterable[Contract], folder: Path, *, check: bool = False) -> list[Path]:
    """Write one file a contract into `folder`, remove those of contracts that are gone; return what changed.

    With `check` nothing is written: what is returned is stale.
    """
    wanted = {folder / f"{contract.name}.yml": render_source(contract) for contract in contracts}
    gone = [path for path in sorted(folder.glob("*.yml")) if path not in wanted]
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if not check:
        folder.mkdir(parents=True, exist_ok=True)
        for path in stale:
            path.write_text(wanted[path], encoding="utf-8")
        for path in gone:
            path.unlink()
    return [*stale, *gone]


def render_source(contract: Contract) -> str:
    """The YAML of a contract's dbt source."""
    header = _HEADER.format(path=f"ingestion/contracts/{contract.path.name}")
    table = {
        "name": contract.name,
        "description": contract.description,
        "config": {
            "freshness": {"error_after": _period(contract.freshness)},
            "loaded_at_field": ARRIVED_AT.name,
            "meta": {
                "owner": contract.owner,
                "domain": contract.domain,
                "contract_version": contract.version,
                "primary_key": list(contract.primary_key),
            },
        },
        "columns": [_column(field) for field in landing_fields(contract)],
    }
    source = {"name": "landing", "schema": "landing", "database": _DATABASE, "tables": [table]}
    document = {"version": 2, "sources": [source]}
    return header + yaml.safe_dump(document, sort_keys=False, width=120, allow_unicode=True)


def _column(field: Field) -> dict[str, Any]:
    column: dict[str, Any] = {
        "name": field.name,
        "description": field.description,
        "data_type": sql_type(field),
    }
    if field.classification:
        column["config"] = {"meta": {"classification": field.classification}}
    tests: list[Any] = ["not_null"] if field.required else []
    if field.enum:
        tests.append({"accepted_values": {"arguments": {"values": list(field.enum)}}})
    if tests:
        column["data_tests"] = tests
    return column


def sql_type(field: Field) -> str:
    """The SQL type of a field; nested ones as SQL's row and array: `array(row(origin varchar(3)))`."""
    if field.fields:
        return f"row({', '.join(f'{member.name} {sql_type(member)}' for member in field.fields)})"
    if field.element:
        return f"array({sql_type(field.element)})"
    return str(field.type)


def _period(duration: timedelta) -> dict[str, Any]:
    hours, rest = divmod(duration, timedelta(hours=1))
    if rest:
        return {"count": duration // timedelta(minutes=1), "period": "minute"}
    return {"count": hours, "period": "hour"} if hours % 24 else {"count": hours // 24, "period": "day"}
