"""The schemas that follow from a contract."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from pyiceberg.io.pyarrow import schema_to_pyarrow

from ingestion.contract import Field, Type, load_contract
from ingestion.schemas import (
    arrow_schema,
    iceberg_schema,
    landing_fields,
    partition_spec,
    provenance_fields,
    quarantine_fields,
    quarantine_partitions,
)
from orchestration.settings import CONTRACTS_DIR
from tests.unit.ingestion.conftest import contract_of, files, prop

MEMBERS = [prop("name", "varchar(9)", required=True), prop("zip", "varchar(5)")]
STOP = {"logicalType": "object", "physicalType": "struct", "properties": [prop("at", "timestamp", required=True)]}
PROPERTIES = [
    prop("count", "integer"),
    prop("weight", "double precision", required=True),
    prop("price", "numeric(12,2)"),
    prop("fragile", "boolean"),
    prop("sent_on", "date", partitioned=True, partitionKeyPosition=2),
    prop("sent_at", "timestamp", partitioned=True, partitionKeyPosition=1),
    prop("sender", "struct", required=True, properties=MEMBERS),
    prop("stops", "array", items=STOP),
]


def test_arrow_types_are_those_of_the_contract(tmp_path: Path) -> None:
    contract = contract_of(tmp_path, *PROPERTIES)
    stop = pa.struct([pa.field("at", pa.timestamp("us"))])
    assert arrow_schema(contract.fields) == pa.schema(
        [
            pa.field("id", pa.int64(), nullable=False),
            pa.field("count", pa.int32()),
            pa.field("weight", pa.float64(), nullable=False),
            pa.field("price", pa.decimal128(12, 2)),
            pa.field("fragile", pa.bool_()),
            pa.field("sent_on", pa.date32()),
            pa.field("sent_at", pa.timestamp("us")),
            pa.field("sender", pa.struct([("name", pa.string()), ("zip", pa.string())]), nullable=False),
            pa.field("stops", pa.list_(pa.field("element", stop, nullable=False))),
        ]
    )


@pytest.mark.parametrize("path", sorted(CONTRACTS_DIR.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_arrow_schema_is_what_the_iceberg_table_takes(path: Path) -> None:
    contract = load_contract(path)
    for fields in (landing_fields(contract), quarantine_fields(contract)):
        taken = schema_to_pyarrow(iceberg_schema(fields), include_field_ids=False)
        assert _without_metadata(taken) == arrow_schema(fields)


def _without_metadata(schema: pa.Schema) -> pa.Schema:
    """The schema in plain Arrow: pyiceberg writes docs as metadata, and large types."""
    return pa.schema([pa.field(f.name, _plain(f.type), f.nullable) for f in schema])


def _plain(type_: pa.DataType) -> pa.DataType:
    if pa.types.is_struct(type_):
        return pa.struct([pa.field(f.name, _plain(f.type), f.nullable) for f in type_.fields])
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        return pa.list_(pa.field("element", _plain(type_.value_type), nullable=type_.value_field.nullable))
    return {pa.large_string(): pa.string(), pa.large_binary(): pa.binary()}.get(type_, type_)


def test_a_long_description_is_one_line_as_short_as_glue_takes_it() -> None:
    field = Field("weight", Type("bigint", ()), "In grams.\n" + "It is weighed twice. " * 20 + "\n", required=True)
    (told,) = iceberg_schema([field]).fields
    assert told.doc is not None
    assert told.doc.startswith("In grams. It is weighed twice. It")
    assert told.doc.endswith(" ...")
    assert len(told.doc) <= 255


def test_iceberg_ids_are_unique_and_descriptions_are_docs(tmp_path: Path) -> None:
    contract = contract_of(tmp_path, *PROPERTIES)
    schema = iceberg_schema(landing_fields(contract))
    ids = list(schema._lazy_id_to_name)
    assert len(ids) == len(set(ids)) == schema.highest_field_id
    assert schema.find_field("weight").doc == "The weight."
    assert schema.find_field("sender.zip").doc == "The zip."
    assert schema.find_field("stops.element.at").doc == "The at."


def test_partitions_are_in_the_contracts_order_and_named_as_iceberg_names_them(tmp_path: Path) -> None:
    contract = contract_of(tmp_path, *PROPERTIES)
    schema = iceberg_schema(landing_fields(contract))
    spec = partition_spec(schema, contract.partitions)
    assert [(f.name, str(f.transform), schema.find_column_name(f.source_id)) for f in spec.fields] == [
        ("sent_at_day", "day", "sent_at"),
        ("sent_on", "identity", "sent_on"),
    ]


def test_the_quarantine_is_partitioned_by_the_day_of_landing(tmp_path: Path) -> None:
    schema = iceberg_schema(quarantine_fields(contract_of(tmp_path)))
    assert [field.name for field in partition_spec(schema, quarantine_partitions()).fields] == ["_landed_at_day"]


def test_rows_say_where_they_were_read(tmp_path: Path) -> None:
    stream, dropped = contract_of(tmp_path), contract_of(tmp_path, server=files("json"))
    assert [f.name for f in provenance_fields(stream)] == [
        "_stream",
        "_shard_id",
        "_sequence_number",
        "_sub_sequence_number",
        "_arrived_at",
    ]
    assert [f.name for f in provenance_fields(dropped)] == ["_bucket", "_key", "_etag", "_ordinal", "_arrived_at"]
    for contract in (stream, dropped):
        landing, quarantine = landing_fields(contract), quarantine_fields(contract)
        assert {f.name for f in provenance_fields(contract)} <= {f.name for f in landing} & {f.name for f in quarantine}
        assert [f.name for f in landing[-2:]] == [f.name for f in quarantine[-2:]] == ["_landed_at", "_landing_id"]
