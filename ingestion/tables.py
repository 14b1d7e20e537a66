"""A contract's two Iceberg tables, `landing.<name>` and `quarantine.<name>`: made and kept as the contract says."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import (
    CommitFailedException,
    NoSuchTableError,
    ResolveError,
    TableAlreadyExistsError,
    ValidationError,
)
from pyiceberg.schema import Schema
from pyiceberg.table import Table

from ingestion.contract import Contract, ObjectSource, Partition
from ingestion.errors import TableError
from ingestion.schemas import iceberg_schema, landing_fields, partition_spec, quarantine_fields, quarantine_partitions

logger = logging.getLogger(__name__)

# How often a table that another process changes at the same moment is looked at again.
_MOST_RACES = 5

_PROPERTIES = {
    "format-version": "2",
    "write.parquet.compression-codec": "zstd",
    # Metadata files are small but many: one a commit.
    "write.metadata.previous-versions-max": "100",
    "write.metadata.delete-after-commit.enabled": "true",
}
# The ledger asks for keys above one: their bounds are kept whole. Cut to 16 characters, as is usual, all are alike.
_OBJECT_PROPERTIES = {**_PROPERTIES, "write.metadata.metrics.column._key": "full"}


@dataclass(frozen=True)
class Layout:
    """Where tables are: two Glue databases, and the S3 location of each (`s3://bucket/prefix`)."""

    landing_database: str
    landing_location: str
    quarantine_database: str
    quarantine_location: str


@dataclass(frozen=True)
class Tables:
    """The two tables of a contract."""

    landing: Table
    quarantine: Table


def open_tables(catalog: Catalog, contract: Contract, layout: Layout) -> Tables:
    """Open both tables; make what is missing, bring columns and partitions to what the contract says.

    Raises TableError if a table's columns cannot become the contract's: a type that changed, a new required column.
    """
    properties = _OBJECT_PROPERTIES if isinstance(contract.source, ObjectSource) else _PROPERTIES
    landing = _Definition(
        (layout.landing_database, contract.name),
        f"{layout.landing_location}/{contract.name}",
        iceberg_schema(landing_fields(contract)),
        contract.partitions,
        properties,
    )
    quarantine = _Definition(
        (layout.quarantine_database, contract.name),
        f"{layout.quarantine_location}/{contract.name}",
        iceberg_schema(quarantine_fields(contract)),
        quarantine_partitions(),
        properties,
    )
    return Tables(_open(catalog, contract, landing), _open(catalog, contract, quarantine))


@dataclass(frozen=True)
class _Definition:
    """What a table is to be."""

    identifier: tuple[str, str]
    location: str
    schema: Schema
    partitions: Sequence[Partition]
    properties: Mapping[str, str]


def _open(catalog: Catalog, contract: Contract, wanted: _Definition) -> Table:
    for _ in range(_MOST_RACES):
        try:
            table = catalog.load_table(wanted.identifier)
        except NoSuchTableError:
            return _create(catalog, wanted)
        try:
            _evolve(table, contract, wanted.schema)
            _repartition(table, wanted.partitions)
            return table
        except CommitFailedException:
            logger.info("%s: the table was changed at the same moment; looking again", contract.name)
    raise TableError(
        f"{contract.name}: the table {'.'.join(wanted.identifier)} changed {_MOST_RACES} times while it was brought to"
        f" {contract.path}. Are landers at work with different versions of it? Let one version run."
    )


def _create(catalog: Catalog, wanted: _Definition) -> Table:
    spec = partition_spec(wanted.schema, wanted.partitions)
    try:
        return catalog.create_table(
            wanted.identifier, wanted.schema, wanted.location, spec, properties=dict(wanted.properties)
        )
    except TableAlreadyExistsError:
        # Another lander was faster.
        return catalog.load_table(wanted.identifier)


def _evolve(table: Table, contract: Contract, schema: Schema) -> None:
    """Add the columns that a changed contract has more, widen types that Iceberg can widen.

    A column that the contract has no longer stays, for the rows that have it. It must not be required any more: files
    without it could be written, but never read.
    """
    gone = [field.name for field in table.schema().fields if field.name not in schema.column_names and field.required]
    try:
        with table.update_schema() as update:
            update.union_by_name(schema)
            for name in gone:
                update.make_column_optional(name)
    except (ValueError, ValidationError, ResolveError) as error:
        raise TableError(
            f"{contract.name}: the table {'.'.join(table.name())} cannot take the columns of {contract.path}: {error}."
            " Iceberg adds optional columns and widens numbers; for anything else give the field a new name."
        ) from error


def _repartition(table: Table, partitions: Sequence[Partition]) -> None:
    """Partition what comes as a changed contract says. Files that are there keep the partitions that they have."""
    current, wanted = table.spec(), partition_spec(table.schema(), partitions)
    if current.compatible_with(wanted):
        return
    logger.warning("%s: partitioned by %s from now on, not by %s", ".".join(table.name()), wanted, current)
    kept = {(field.source_id, field.transform) for field in current.fields}
    kept &= {(field.source_id, field.transform) for field in wanted.fields}
    with table.update_spec() as update:
        for field in current.fields:
            if (field.source_id, field.transform) not in kept:
                update.remove_field(field.name)
        for field in wanted.fields:
            if (field.source_id, field.transform) not in kept:
                update.add_field(table.schema().find_column_name(field.source_id), field.transform, field.name)  # pyright: ignore[reportArgumentType]
