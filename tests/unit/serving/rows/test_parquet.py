from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from serving.rows.parquet import read_file, split_location
from serving.rows.source import RowsError

_FAR = dt.datetime(3000, 1, 1, 10, 0, 0, 123456)  # past what nanoseconds in 64 bits can hold


def _read(path: Path, *columns: str) -> pa.Table:
    return pa.Table.from_batches(read_file(path, list(columns), batch_rows=100))


def test_columns_come_in_the_order_asked_for_whatever_the_files(tmp_path: Path):
    pq.write_table(pa.table({"a": [1], "b": [2], "c": [3]}), tmp_path / "f")
    assert _read(tmp_path / "f", "c", "a").schema.names == ["c", "a"]


@pytest.mark.parametrize("kind", [pa.timestamp("ms"), pa.timestamp("us", tz="UTC"), pa.timestamp("us")])
def test_a_timestamp_is_one_of_microseconds_without_a_zone_whatever_the_writer(tmp_path: Path, kind: pa.DataType):
    moment = dt.datetime(2013, 1, 1, 10, 0, 0, 123000)
    pq.write_table(pa.table({"at": pa.array([moment, None], kind)}), tmp_path / "f")
    read = _read(tmp_path / "f", "at")
    assert read.schema.field("at").type == pa.timestamp("us")
    assert read.to_pylist() == [{"at": moment}, {"at": None}]


def test_a_far_timestamp_written_as_int96_is_itself(tmp_path: Path):
    table = pa.table({"at": pa.array([_FAR], pa.timestamp("us"))})
    pq.write_table(table, tmp_path / "f", use_deprecated_int96_timestamps=True)
    assert _read(tmp_path / "f", "at").to_pylist() == [{"at": _FAR}]


def test_a_column_that_the_file_lacks_is_named(tmp_path: Path):
    pq.write_table(pa.table({"a": [1]}), tmp_path / "f")
    with pytest.raises(RowsError, match=r"no column b; it has \['a'\]"):
        _read(tmp_path / "f", "a", "b")


def test_a_location_outside_s3_is_refused():
    assert split_location("s3://bucket/some/key") == ("bucket", "some/key")
    with pytest.raises(ValueError, match="s3://bucket/key"):
        split_location("/tmp/some/key")
