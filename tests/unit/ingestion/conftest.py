"""Contracts made for a test, and records as a reader hands them over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from ingestion.contract import Contract, load_contract
from ingestion.decode import Decoded, decode
from ingestion.records import Batch, Encoding, Json, Records
from ingestion.schemas import arrow_schema, provenance_fields

Document = dict[str, Any]

STREAM: Document = {
    "server": "stream",
    "type": "kinesis",
    "format": "json",
    "customProperties": [{"property": "stream", "value": "parcels"}],
}
_LOGICAL = {
    "varchar": "string",
    "bigint": "integer",
    "integer": "integer",
    "double precision": "number",
    "numeric": "number",
    "struct": "object",
}


def files(format_: str, **custom: Any) -> Document:
    """A server of files."""
    server: Document = {"server": "files", "type": "s3", "format": format_, "location": "s3://{landing}/parcels/"}
    return server | {"customProperties": [{"property": name, "value": value} for name, value in custom.items()]}


def prop(name: str, physical: str, **more: Any) -> Document:
    """A property of a contract."""
    base = physical.split("(", maxsplit=1)[0]
    return {
        "name": name,
        "description": f"The {name}.",
        "logicalType": _LOGICAL.get(base, base),
        "physicalType": physical,
    } | more


KEY = prop("id", "bigint", required=True, primaryKey=True, primaryKeyPosition=1)


def document(*properties: Document, server: Document = STREAM) -> Document:
    """An ODCS document of the data set `parcels`: nothing is wrong with it."""
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": "parcels",
        "name": "parcels",
        "version": "1.0.0",
        "status": "active",
        "domain": "post",
        "description": {"purpose": "Parcels."},
        "team": {"name": "post-office"},
        "servers": [server],
        "schema": [{"name": "parcels", "logicalType": "object", "properties": [KEY, *properties]}],
        "slaProperties": [
            {"property": "freshness", "value": 90, "unit": "m"},
            {"property": "retention", "value": 3, "unit": "y"},
            {"property": "archive", "value": 30, "unit": "d"},
        ],
        "customProperties": [{"property": "quarantineLimit", "value": 0.01}],
    }


def write(folder: Path, content: Document) -> Path:
    """The contract's file."""
    path = folder / "parcels.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def contract_of(folder: Path, *properties: Document, server: Document = STREAM) -> Contract:
    """A contract of the key `id` and some properties."""
    return load_contract(write(folder, document(*properties, server=server)))


def records_of(contract: Contract, payloads: Sequence[bytes], encoding: Encoding | None = None) -> Records:
    """Records in order: the n-th has the sub-sequence number, or the ordinal, n."""
    numbers = pa.array(range(len(payloads)), pa.int64())
    fixed: dict[str, pa.Scalar] = {
        "_arrived_at": pa.scalar(datetime(2026, 1, 1), pa.timestamp("us")),
    }
    schema = arrow_schema(provenance_fields(contract))
    columns = [
        numbers
        if field.name in ("_sub_sequence_number", "_ordinal")
        else pa.repeat(fixed.get(field.name, pa.scalar("x", pa.string())), len(payloads))
        for field in schema
    ]
    return Records(pa.array(payloads, pa.binary()), pa.table(columns, schema=schema), encoding or Json())


def decode_all(contract: Contract, payloads: Sequence[bytes], encoding: Encoding | None = None) -> Decoded:
    """Decode payloads as one batch."""
    return decode(contract, Batch([records_of(contract, payloads, encoding)], {}))


def rejections(decoded: Decoded) -> list[tuple[str | None, str]]:
    """Field and reason of each reject."""
    fields, reasons = (decoded.rejects.column(name).to_pylist() for name in ("_field", "_reason"))
    return list(zip(fields, reasons, strict=True))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for contracts that a module's tests share."""
    return tmp_path_factory.mktemp("contracts")
