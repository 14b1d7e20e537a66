"""Parquet files as batches: local ones, and those that an UNLOAD left in S3, which are deleted afterwards."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

from serving.rows.source import RowsError

_KEYS_PER_CALL = 1_000
"""S3's limit of DeleteObjects."""

_MICROSECONDS = pa.timestamp("us")


def read_file(path: Path, columns: list[str], batch_rows: int) -> Iterator[pa.RecordBatch]:
    """Read one Parquet file.

    Args:
        path: The file.
        columns: The columns, in the order that the batches shall have.
        batch_rows: The most rows a batch holds.

    Raises:
        RowsError: If the file lacks a column.
    """
    # Athena and Redshift write timestamps as INT96, which has no unit of its own.
    with pq.ParquetFile(path, coerce_int96_timestamp_unit="us") as file:
        missing = [column for column in columns if column not in file.schema_arrow.names]
        if missing:
            raise RowsError(f"{path.name} has no column {', '.join(missing)}; it has {file.schema_arrow.names}.")
        for batch in file.iter_batches(batch_size=batch_rows, columns=columns):
            yield _in_microseconds(batch)


def read_objects(s3: Any, locations: Iterable[str], columns: list[str], batch_rows: int) -> Iterator[pa.RecordBatch]:
    """Read Parquet objects, one after the other, each through a temporary file.

    Args:
        s3: A boto3 S3 client.
        locations: `s3://bucket/key` of each.
        columns: The columns, in the order that the batches shall have.
        batch_rows: The most rows a batch holds.
    """
    for location in locations:
        bucket, key = split_location(location)
        with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
            s3.download_fileobj(bucket, key, file)
            file.flush()
            yield from read_file(Path(file.name), columns, batch_rows)


def object_locations(s3: Any, location: str) -> list[str]:
    """`s3://bucket/key` of every object whose key starts with a location's.

    Args:
        s3: A boto3 S3 client.
        location: `s3://bucket/prefix/`.
    """
    bucket, prefix = split_location(location)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [f"s3://{bucket}/{found['Key']}" for page in pages for found in page.get("Contents", [])]


def delete_below(s3: Any, location: str) -> None:
    """Delete every object whose key starts with a location's.

    Args:
        s3: A boto3 S3 client.
        location: `s3://bucket/prefix/`.

    Raises:
        RowsError: If S3 kept some.
    """
    keys = [{"Key": split_location(found)[1]} for found in object_locations(s3, location)]
    bucket, _ = split_location(location)
    for start in range(0, len(keys), _KEYS_PER_CALL):
        objects = keys[start : start + _KEYS_PER_CALL]
        errors = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True}).get("Errors", [])
        if errors:
            raise RowsError(
                f"{len(errors)} objects of an UNLOAD are still below {location}, for example {errors[0]['Key']}: "
                f"{errors[0]['Message']}. The role needs s3:DeleteObject there."
            )


def split_location(location: str) -> tuple[str, str]:
    """Bucket and key of `s3://bucket/key`.

    Raises:
        ValueError: If it is none.
    """
    parts = urlsplit(location)
    if parts.scheme != "s3" or not parts.netloc:
        raise ValueError(f"A location in S3 is s3://bucket/key; this is {location!r}.")
    return parts.netloc, parts.path.lstrip("/")


def _in_microseconds(batch: pa.RecordBatch) -> pa.RecordBatch:
    """One type of timestamp whatever the writer: engines differ in unit, and in whether they mark UTC."""
    fields = [field.with_type(_MICROSECONDS) if pa.types.is_timestamp(field.type) else field for field in batch.schema]
    return batch.cast(pa.schema(fields))
