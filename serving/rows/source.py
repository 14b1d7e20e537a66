"""What a source of rows is, whatever the engine; and the SQL that all engines share."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

import pyarrow as pa

BATCH_ROWS = 5_000
"""Rows of one batch unless told: some megabytes of a wide model."""

NO_EXPRESSIONS: Mapping[str, str] = MappingProxyType({})

_NAME = re.compile(r"[a-z_][a-z0-9_]*")


class RowsError(Exception):
    """Rows of a model cannot be read. The message says what to do."""


class RowSource(Protocol):
    """An engine that holds models.

    Each engine writes the query's result into Parquet files first, and the batches are read from those: the engine
    is not held open while a slow reader goes through them, and memory is bounded by a batch.
    """

    def batches(
        self, relation: str, columns: Sequence[str], batch_rows: int = BATCH_ROWS
    ) -> Generator[pa.RecordBatch, None, None]:
        """Read a model's rows, as they are at one moment, in no order.

        Args:
            relation: `schema.name`, for example `lake.int_flights`.
            columns: The columns to read; the batches have them in this order.
            batch_rows: The most rows a batch holds.

        Returns:
            The batches; close it (`contextlib.closing`) if not read to the end. Timestamps are `timestamp[us]` in
            UTC, without a zone.

        Raises:
            RowsError: If the model or a column is not there, or the engine fails.
        """
        ...

    def count(self, relation: str) -> int:
        """The number of rows that a model has now.

        Raises:
            RowsError: If the model is not there, or the engine fails.
        """
        ...


def quoted(relation: str) -> str:
    """`schema.name` as SQL.

    Raises:
        ValueError: If it is not of that form in lower case, as every relation here is.
    """
    parts = relation.split(".")
    if len(parts) != 2:
        raise ValueError(f"A relation is named schema.name; this is {relation!r}.")
    return ".".join(quoted_name(part) for part in parts)


def select(relation: str, columns: Sequence[str], expressions: Mapping[str, str] = NO_EXPRESSIONS) -> str:
    """The query for some columns of a model.

    Args:
        relation: `schema.name`.
        columns: The columns to read.
        expressions: SQL in place of a column of this name, where an engine asks for it.

    Raises:
        ValueError: If there are none, or a name is not a plain lower-case identifier.
    """
    if not columns:
        raise ValueError(f"No columns of {relation} are asked for.")
    selected = [
        f"{expressions[column]} as {quoted_name(column)}" if column in expressions else quoted_name(column)
        for column in columns
    ]
    return f"select {', '.join(selected)} from {quoted(relation)}"


def quoted_name(name: str) -> str:
    """A column's or a table's name as SQL.

    Raises:
        ValueError: If it is not a plain lower-case identifier.
    """
    # Names come from dbt's manifest; the check keeps what is sent to an engine to what it can mean.
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"{name!r} is not a plain lower-case identifier.")
    return f'"{name}"'
