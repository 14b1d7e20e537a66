"""The data sets of a dashboard in memory, as SPICE would hold them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing

import duckdb
import pyarrow as pa

from serving.quicksight.data_sets import Column, Relation
from serving.quicksight.preview.expressions import quoted
from serving.rows.source import RowSource

# What a definition sees a column as, in DuckDB. A decimal keeps the type that it came with.
_TYPES = {"DATETIME": "timestamp", "INTEGER": "bigint", "STRING": "varchar"}


def fill(relations: Iterable[Relation], rows: RowSource) -> duckdb.DuckDBPyConnection:
    """Copy data sets into a database in memory: whole, each a table of its name.

    As in SPICE, booleans are integers and dates are timestamps.

    Args:
        relations: The models that the data sets hold.
        rows: The engine that has them.

    Raises:
        RowsError: If a model cannot be read.
    """
    connection = duckdb.connect()
    try:
        for relation in relations:
            _copy(connection, relation, rows)
    except BaseException:
        connection.close()
        raise
    return connection


def _copy(connection: duckdb.DuckDBPyConnection, relation: Relation, rows: RowSource) -> None:
    names = list(relation.columns)
    with closing(rows.batches(f"{relation.schema}.{relation.name}", names)) as batches:
        read = list(batches)
    # Without rows there is no batch to tell the types: those of the declaration do.
    schema = read[0].schema if read else pa.schema([(name, pa.null()) for name in names])
    connection.register("read", pa.Table.from_batches(read, schema))
    selected = ", ".join(_cast(name, column) for name, column in relation.columns.items())
    connection.execute(f"create table {quoted(relation.name)} as select {selected} from read")
    connection.unregister("read")


def _cast(name: str, column: Column) -> str:
    type_ = _TYPES.get(column.analysis_type)
    return f"cast({quoted(name)} as {type_}) as {quoted(name)}" if type_ else quoted(name)
