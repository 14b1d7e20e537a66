"""Rows of a model in the DuckDB file of the local environment."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import tenacity

from serving.rows.parquet import read_file
from serving.rows.source import BATCH_ROWS, RowsError, quoted, select


@dataclass(frozen=True)
class DuckDBRows:
    """A `RowSource` over a DuckDB file, opened read-only and for one query at a time.

    DuckDB lets one process write, or several read. The result is copied to a temporary Parquet file and the database
    closed before the first batch is handed out, so that a slow reader keeps no dbt run waiting.
    """

    path: Path
    wait_seconds: float = 15.0
    """How long to wait for a process that holds the file."""

    def batches(
        self, relation: str, columns: Sequence[str], batch_rows: int = BATCH_ROWS
    ) -> Generator[pa.RecordBatch, None, None]:
        """See `RowSource.batches`. A view over landed tables is not readable here: it needs DuckDB extensions."""
        query = select(relation, columns)
        with tempfile.TemporaryDirectory(prefix="rows-") as folder:
            copied = Path(folder) / "rows.parquet"
            with self._connection(relation) as connection:
                connection.execute(f"copy ({query}) to '{copied}' (format parquet)")
            yield from read_file(copied, list(columns), batch_rows)

    def count(self, relation: str) -> int:
        """See `RowSource.count`."""
        with self._connection(relation) as connection:
            counted = connection.execute(f"select count(*) from {quoted(relation)}").fetchone()
        assert counted is not None
        return int(counted[0])

    @contextmanager
    def _connection(self, relation: str) -> Iterator[duckdb.DuckDBPyConnection]:
        if not self.path.exists():
            raise RowsError(f"{relation} cannot be read: there is no DuckDB file {self.path}. Run `dbt build` first.")
        with self._open() as connection:
            try:
                yield connection
            except (duckdb.CatalogException, duckdb.BinderException) as error:
                raise RowsError(
                    f"{relation} cannot be read from {self.path}: {error}. "
                    f"Run `dbt build --select {relation.rpartition('.')[2]}`."
                ) from error

    def _open(self) -> duckdb.DuckDBPyConnection:
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_is_lock),
            stop=tenacity.stop_after_delay(self.wait_seconds),
            wait=tenacity.wait_fixed(0.25),
            reraise=True,
        )
        try:
            return retrying(duckdb.connect, self.path, read_only=True)
        except duckdb.ConnectionException as error:
            # DuckDB has one instance of a file in a process: the other opening differs, in mode or in settings.
            raise RowsError(
                f"{self.path} cannot be read: this very process has it open in another way ({error}). "
                f"Close that connection first; dbt's is closed by DuckDBConnectionManager.close_all_connections()."
            ) from error
        except duckdb.IOException as error:
            if not _is_lock(error):
                raise
            raise RowsError(
                f"{self.path} cannot be read: {_holder(str(error))} has had it open for writing for "
                f"{self.wait_seconds:.0f} s. End it, or try again when it is done."
            ) from error


def _is_lock(error: BaseException) -> bool:
    return isinstance(error, duckdb.IOException) and "Could not set lock" in str(error)


def _holder(message: str) -> str:
    """Who holds the lock, from DuckDB's `Conflicting lock is held in /usr/bin/python (PID 123)`."""
    told = re.search(r"held in (.+?) \(PID (\d+)\)", message)
    return f"process {told[2]} ({told[1]})" if told else "another process"
