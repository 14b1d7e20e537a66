"""What the engines with an UNLOAD have in common: a folder of S3 for each query, read in batches, and then deleted."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from serving.rows.parquet import delete_below, read_objects
from serving.rows.source import RowsError


@dataclass(frozen=True)
class Unloaded:
    """What an UNLOAD has written: `s3://bucket/key` of each object; the rows in all, where the engine tells them."""

    locations: Sequence[str]
    rows: int | None = None


def unloaded_batches(
    s3: Any,
    results: str,
    *,
    relation: str,
    columns: Sequence[str],
    batch_rows: int,
    unload: Callable[[str], Unloaded],
) -> Generator[pa.RecordBatch, None, None]:
    """Let an engine write a model's rows, and read them. See `RowSource.batches`.

    Args:
        s3: A boto3 S3 client.
        results: `s3://bucket/prefix` for what is written.
        relation: The model, for messages.
        columns: The columns, in the order that the batches shall have.
        batch_rows: The most rows a batch holds.
        unload: Has the engine write below a folder, `s3://bucket/prefix/`, and waits for it.

    Raises:
        RowsError: If not as many rows are read as were written.
    """
    with results_folder(s3, results) as folder:
        unloaded = unload(folder)
        read = 0
        for batch in read_objects(s3, unloaded.locations, list(columns), batch_rows):
            read += batch.num_rows
            yield batch
    if unloaded.rows is not None and read != unloaded.rows:
        raise RowsError(f"{unloaded.rows} rows of {relation} were written, and {read} were read. Try again.")


@contextmanager
def results_folder(s3: Any, results: str) -> Iterator[str]:
    """A folder for one query's objects, deleted with all that is in it."""
    folder = f"{results.rstrip('/')}/rows/{uuid.uuid4().hex}/"
    try:
        yield folder
    finally:
        delete_below(s3, folder)
