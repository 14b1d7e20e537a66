"""The one function that commits to a landed table, whichever engine wrote the files: guarded by the source's position.

The guard is what makes a record land once: at the commit and at each retry of it, the table's position must still be
the one that the lander started from. pyiceberg's own retries would otherwise append a batch a second time after
another lander has committed it. They stay on all the same: without them a commit whose answer was lost deletes the
files of the live snapshot. See docs/landing-protocol.md.

This extends private API of pyiceberg (`_FastAppendFiles._validate_concurrency`): its version is pinned exactly, and
tests/integration/ingestion/test_landing.py holds what is relied on.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
from pyiceberg.exceptions import CommitFailedException, ValidationException
from pyiceberg.expressions import BooleanExpression
from pyiceberg.io.pyarrow import _dataframe_to_data_files
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Operation
from pyiceberg.table.update.snapshot import _FastAppendFiles

from ingestion.errors import PositionMoved, TableError

POSITION_PROPERTY = "watershed.position"

# Snapshots that are out of order by more have Iceberg's Java library, and with it Athena and Spark, refuse the table:
# TableMetadata, "Expected sorted snapshot log entries". pyiceberg stamps them by this machine's clock, and reads all.
_MOST_SKEW_SECONDS = 60
# Glue takes 512,000 characters of a parameter, and pyiceberg makes one of each property.
# https://docs.aws.amazon.com/glue/latest/webapi/API_TableInput.html
_LONGEST_POSITION = 500_000


class _GuardedAppend(_FastAppendFiles):
    """An append that is refused once the table's position, or its partitioning, is no longer the expected one."""

    def __init__(self, *, expected: str | None, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._expected = expected

    def _validate_concurrency(self) -> None:
        # pyiceberg calls this at each retry, after it has loaded the table anew.
        super()._validate_concurrency()
        check_position(self._transaction._table, self._expected)
        _check_spec(self._transaction._table, self._added_data_files)


def check_position(table: Table, expected: str | None) -> None:
    """Raise PositionMoved unless the table's position is the expected one."""
    found = table.metadata.properties.get(POSITION_PROPERTY)
    if found != expected:
        raise _Moved(
            f"{'.'.join(table.name())}: the position is {found}, not {expected}: another lander committed first"
        )


def _check_clock(table: Table) -> None:
    """Raise TableError if the last commit is so far in the future that another one would be out of order."""
    ahead = table.metadata.last_updated_ms / 1000 - time.time()
    if ahead > _MOST_SKEW_SECONDS:
        raise TableError(
            f"{'.'.join(table.name())}: its last commit is {ahead:,.0f} seconds in the future by this machine's clock."
            " A commit that is older than the one before it would make the table unreadable for Athena and Spark. Set"
            " the clock that is wrong, this one's or that of whoever committed last, or wait as long."
        )


def _check_length(table: Table, position: str) -> None:
    """Raise TableError if Glue would refuse the position."""
    if len(position) > _LONGEST_POSITION:
        raise TableError(
            f"{'.'.join(table.name())}: what it has to remember of its source is {len(position):,} characters long, and"
            f" Glue takes {_LONGEST_POSITION:,} of them. It remembers each shard, and each object without a record:"
            " remove such objects from the prefix."
        )


def _check_spec(table: Table, files: Iterable[DataFile]) -> None:
    """Raise PositionMoved if files were written for partitions that the table had before.

    pyiceberg enters appended files into a manifest of the table's partition spec, whichever they were written by.
    """
    if any(file.spec_id != table.metadata.default_spec_id for file in files):
        raise _Moved(f"{'.'.join(table.name())}: it is partitioned in another way now; the files are written anew")


class _Moved(ValidationException, PositionMoved):
    """As a ValidationException it makes pyiceberg remove the manifests of the refused commit."""


def write_files(table: Table, rows: pa.Table) -> list[DataFile]:
    """Write rows as Parquet files of the table, by partition. They belong to no snapshot until they are committed.

    Each carries the `spec_id` of the partition spec that it was written by: `commit` asks for it.
    """
    if not len(rows):
        return []
    files = list(_dataframe_to_data_files(table.metadata, rows, table.io))
    for file in files:
        file.spec_id = table.metadata.default_spec_id
    return files


def commit(
    table: Table,
    files: Iterable[DataFile],
    position: str,
    expected_position: str | None,
    *,
    without: BooleanExpression | None = None,
    summary: dict[str, str] | None = None,
) -> Table:
    """Append files and move the position, in one Iceberg commit. Returns the table after it.

    `files` may be none: a move of the position carries an empty append all the same, since a commit of properties
    alone is not refused when it is stale. `without` deletes rows in the same commit. `summary` goes into the
    snapshot's summary.

    Raises PositionMoved if the position is not `expected_position`, now or by the time that the commit is applied, or
    if the table's partitions have changed since the files were written: nothing is committed then, and the files are
    nobody's. Raises TableError if the table's last commit is of the future, or the position is too long for Glue.
    """
    files = list(files)
    _check_clock(table)
    _check_length(table, position)
    check_position(table, expected_position)
    _check_spec(table, files)
    try:
        with table.transaction() as transaction:
            if without is not None:
                transaction.delete(without)
            append = _GuardedAppend(
                expected=expected_position,
                operation=Operation.APPEND,
                transaction=transaction,
                io=table.io,
                snapshot_properties=summary or {},
            )
            with append:
                for file in files:
                    append.append_data_file(file)
            transaction.set_properties({POSITION_PROPERTY: position})
    except CommitFailedException:
        # Retries are used up. Where that is because the position moved, say so: the batch is to be read again.
        check_position(table.refresh(), expected_position)
        raise
    return table
