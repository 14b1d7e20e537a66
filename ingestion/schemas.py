"""Arrow and Iceberg schemas of a contract's two tables, and their partition specs.

Every row of the landing table carries the contract's fields, what the contract does not know (`_unexpected`, JSON) and
its provenance: where it was read. A row of the quarantine table carries why it was rejected and its original bytes.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import parse_transform
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    IcebergType,
    IntegerType,
    ListType,
    LongType,
    NestedField,
    StringType,
    StructType,
    TimestampType,
)

from ingestion.contract import Contract, Field, KinesisSource, Partition, Type

# https://docs.aws.amazon.com/glue/latest/webapi/API_Column.html
_LONGEST_COMMENT = 255

_ARROW: dict[str, Callable[..., pa.DataType]] = {
    "varchar": lambda *_: pa.string(),
    "binary": pa.binary,
    "bigint": pa.int64,
    "integer": pa.int32,
    "double precision": pa.float64,
    "numeric": pa.decimal128,
    "boolean": pa.bool_,
    "date": pa.date32,
    "timestamp": lambda: pa.timestamp("us"),
}
_ICEBERG: dict[str, Callable[..., IcebergType]] = {
    "varchar": lambda *_: StringType(),
    "binary": BinaryType,
    "bigint": LongType,
    "integer": IntegerType,
    "double precision": DoubleType,
    "numeric": DecimalType,
    "boolean": BooleanType,
    "date": DateType,
    "timestamp": TimestampType,
}


def _column(name: str, type_: str, description: str, *args: int, required: bool = True) -> Field:
    return Field(name, Type(type_, args), description, required)


UNEXPECTED = _column(
    "_unexpected", "varchar", "What the contract does not know of the record, as a JSON object.", 16_384, required=False
)
LANDED_AT = _column("_landed_at", "timestamp", "When the batch that holds the row was committed, in UTC.")
LANDING_ID = _column("_landing_id", "varchar", "The landing that committed the row: one batch, one commit.", 32)
ARRIVED_AT = _column("_arrived_at", "timestamp", "When the source received the record, in UTC.")

_STREAM_PROVENANCE = (
    _column("_stream", "varchar", "Name of the stream.", 128),
    _column("_shard_id", "varchar", "Shard that the record was read from.", 64),
    _column("_sequence_number", "varchar", "Sequence number of the Kinesis record in its shard.", 128),
    _column("_sub_sequence_number", "bigint", "Place of the record inside an aggregated Kinesis record, from 0."),
    ARRIVED_AT,
)
_OBJECT_PROVENANCE = (
    _column("_bucket", "varchar", "Bucket of the object.", 63),
    _column("_key", "varchar", "Key of the object.", 1024),
    _column("_etag", "varchar", "ETag of the object: another one under the same key is a new version.", 64),
    _column("_ordinal", "bigint", "Place of the record in its object, from 0."),
    ARRIVED_AT,
)
_REJECTION = (
    _column("_reason", "varchar", "How the record breaks its contract.", 512),
    _column("_field", "varchar", "Path of the field that breaks the contract, if it is one.", 512, required=False),
    _column("_payload", "binary", "The record's bytes as they came in."),
    _column("_contract_version", "varchar", "Version of the contract that rejected the record.", 32),
)


def provenance_fields(contract: Contract) -> tuple[Field, ...]:
    """The columns that say where a row was read."""
    return _STREAM_PROVENANCE if isinstance(contract.source, KinesisSource) else _OBJECT_PROVENANCE


def landing_fields(contract: Contract) -> tuple[Field, ...]:
    """All columns of the landing table."""
    return (*contract.fields, UNEXPECTED, *provenance_fields(contract), LANDED_AT, LANDING_ID)


def quarantine_fields(contract: Contract) -> tuple[Field, ...]:
    """All columns of the quarantine table."""
    return (*_REJECTION, *provenance_fields(contract), LANDED_AT, LANDING_ID)


def quarantine_partitions() -> tuple[Partition, ...]:
    """The quarantine is looked at by when it was filled."""
    return (Partition(LANDED_AT.name, "day"),)


def arrow_type(field: Field) -> pa.DataType:
    """The Arrow type of a field, nested ones included. Strings are UTF-8, timestamps microseconds in UTC.

    A struct's members are nullable even where the contract requires them: Arrow gives a null struct null members and
    refuses to cast those to a non-nullable one. Decoding is what holds the requirement.
    """
    if field.fields:
        return pa.struct([pa.field(member.name, arrow_type(member)) for member in field.fields])
    if field.element:
        return pa.list_(pa.field("element", arrow_type(field.element), nullable=False))
    return _ARROW[field.type.name](*field.type.args)


def arrow_field(field: Field) -> pa.Field:
    """The Arrow field; not nullable if it is required."""
    return pa.field(field.name, arrow_type(field), nullable=not field.required)


def arrow_schema(fields: Iterable[Field]) -> pa.Schema:
    """The Arrow schema of some columns."""
    return pa.schema([arrow_field(field) for field in fields])


def iceberg_schema(fields: Iterable[Field]) -> Schema:
    """The Iceberg schema of some columns, with ids in order of declaration and descriptions as column docs."""
    ids = iter(range(1, 1_000_000))
    return Schema(*(_nested_field(field, ids, field.required) for field in fields))


def _nested_field(field: Field, ids: Iterator[int], required: bool) -> NestedField:
    field_id = next(ids)
    return NestedField(field_id, field.name, _iceberg_type(field, ids), required=required, doc=_comment(field))


def _comment(field: Field) -> str:
    """The description as Glue takes it of a column: one line, cut short after so many characters."""
    return textwrap.shorten(field.description, _LONGEST_COMMENT, placeholder=" ...")


def _iceberg_type(field: Field, ids: Iterator[int]) -> IcebergType:
    if field.fields:
        return StructType(*(_nested_field(member, ids, required=False) for member in field.fields))
    if field.element:
        element_id = next(ids)
        return ListType(element_id, _iceberg_type(field.element, ids), element_required=True)
    return _ICEBERG[field.type.name](*field.type.args)


def partition_spec(schema: Schema, partitions: Iterable[Partition]) -> PartitionSpec:
    """The Iceberg partition spec. Partition names follow Iceberg's own: `event_time_day`."""
    return PartitionSpec(
        *(
            PartitionField(
                source_id=schema.find_field(partition.field).field_id,
                field_id=1000 + index,
                transform=parse_transform(partition.transform),
                name=partition.field
                if partition.transform == "identity"
                else f"{partition.field}_{partition.transform}",
            )
            for index, partition in enumerate(partitions)
        )
    )
