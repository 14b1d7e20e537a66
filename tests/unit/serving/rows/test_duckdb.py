from __future__ import annotations

import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from serving.rows.duckdb import DuckDBRows
from serving.rows.source import RowsError

_HOLD = """
import duckdb, sys, time
connection = duckdb.connect(sys.argv[1])
print("held", flush=True)
time.sleep(float(sys.argv[2]))
connection.close()
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "watershed.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute("create schema lake")
        connection.execute(
            "create table lake.flights as select i::integer as n, 'f' || i as id, "
            "case when i % 2 = 0 then timestamp '2013-01-01 10:00:00.123456' end as at, "
            "date '2013-01-01' as day, (i / 4)::decimal(9, 2) as share from range(10) r(i)"
        )
    return path


def _hold(database: Path, seconds: float) -> subprocess.Popen[str]:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(database), str(seconds)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def test_rows_come_in_batches_with_the_columns_in_the_order_asked_for(database: Path):
    batches = list(DuckDBRows(database).batches("lake.flights", ["id", "n"], batch_rows=4))
    assert [batch.num_rows for batch in batches] == [4, 4, 2]
    assert batches[0].schema.names == ["id", "n"]
    assert sorted(row["n"] for batch in batches for row in batch.to_pylist()) == list(range(10))


def test_types_and_nulls_are_those_of_the_table(database: Path):
    columns = ["n", "id", "at", "day", "share"]
    table = pa.Table.from_batches(DuckDBRows(database).batches("lake.flights", columns))
    assert table.schema.types == [pa.int32(), pa.string(), pa.timestamp("us"), pa.date32(), pa.decimal128(9, 2)]
    with duckdb.connect(database, read_only=True) as connection:
        assert table.to_pylist() == connection.execute("from lake.flights").to_arrow_table().select(columns).to_pylist()


def test_an_empty_model_gives_no_rows(database: Path):
    with duckdb.connect(database) as connection:
        connection.execute("create table lake.nothing as from lake.flights limit 0")
    assert sum(batch.num_rows for batch in DuckDBRows(database).batches("lake.nothing", ["n"])) == 0


def test_rows_are_counted(database: Path):
    assert DuckDBRows(database).count("lake.flights") == 10


def test_a_writer_is_not_kept_waiting_by_a_reader_in_the_middle_of_its_batches(database: Path):
    with closing(DuckDBRows(database).batches("lake.flights", ["n"], batch_rows=1)) as batches:
        next(batches)
        with duckdb.connect(database) as writer:
            writer.execute("delete from lake.flights")
        assert sum(batch.num_rows for batch in batches) == 9


def test_what_was_copied_is_gone_when_the_reader_stops_early(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    with closing(DuckDBRows(database).batches("lake.flights", ["n"], batch_rows=1)) as batches:
        next(batches)
        assert list((tmp_path / "temporary").iterdir())
    assert not list((tmp_path / "temporary").iterdir())


def test_a_lock_that_stays_is_told_with_its_holder(database: Path):
    holder = _hold(database, 30)
    try:
        with pytest.raises(RowsError, match=rf"process {holder.pid} "):
            DuckDBRows(database, wait_seconds=0.5).count("lake.flights")
    finally:
        holder.kill()
        holder.communicate()


def test_a_lock_that_goes_is_waited_for(database: Path):
    holder = _hold(database, 0.7)
    try:
        assert DuckDBRows(database, wait_seconds=20).count("lake.flights") == 10
    finally:
        holder.kill()
        holder.communicate()


def test_a_connection_of_this_process_that_is_in_the_way_is_told(database: Path):
    with duckdb.connect(database), pytest.raises(RowsError, match="this very process has it open"):
        DuckDBRows(database, wait_seconds=0).count("lake.flights")


def test_a_missing_file_model_or_column_says_what_to_run(database: Path, tmp_path: Path):
    with pytest.raises(RowsError, match="Run `dbt build` first"):
        DuckDBRows(tmp_path / "none.duckdb").count("lake.flights")
    with pytest.raises(RowsError, match="dbt build --select int_flights"):
        DuckDBRows(database).count("lake.int_flights")
    with pytest.raises(RowsError, match="dbt build --select flights"):
        list(DuckDBRows(database).batches("lake.flights", ["missing"]))
