"""The readers of Athena and Redshift against the local AWS.

The local AWS takes their calls and runs nothing; `Engine` stands where the engine would.
"""

from __future__ import annotations

import datetime as dt
import re
from contextlib import closing
from typing import Any

import boto3
import pyarrow as pa
import pytest

from orchestration.settings import Settings
from serving.rows.athena import AthenaRows
from serving.rows.redshift import RedshiftRows
from serving.rows.source import RowsError, RowSource
from tests.integration.serving.unloading import Engine

_COLUMNS = ["flight_id", "flight_date", "scheduled_departure_at", "delay", "share"]
_GLUE_TYPES = ["varchar(48)", "date", "timestamp", "int", "double"]
_ROWS = [
    {
        "flight_id": f"20130101-UA-{n}",
        "flight_date": dt.date(2013, 1, 1),
        "scheduled_departure_at": dt.datetime(2013, 1, 1, 10, n, 0, 123000) if n % 3 else None,
        "delay": n - 5 if n % 4 else None,
        "share": n / 7,
    }
    for n in range(10)
]


@pytest.fixture
def session(fresh_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> boto3.Session:
    monkeypatch.setenv("AWS_ENDPOINT_URL", str(fresh_settings.aws_endpoint_url))
    return boto3.Session("local", "local", region_name=fresh_settings.region)


@pytest.fixture
def bucket(session: boto3.Session, fresh_settings: Settings) -> str:
    session.client("s3").create_bucket(Bucket=fresh_settings.results_bucket)
    return fresh_settings.results_bucket


@pytest.fixture
def schema(fresh_settings: Settings) -> str:
    return fresh_settings.lake_database


@pytest.fixture
def engine(session: boto3.Session, schema: str) -> Engine:
    rows = pa.Table.from_pylist(_ROWS)
    return Engine(session, session.client("s3"), {f"{schema}.int_flights": rows, f"{schema}.nothing": rows[:0]})


@pytest.fixture
def catalog(session: boto3.Session, schema: str) -> None:
    glue: Any = session.client("glue")
    glue.create_database(DatabaseInput={"Name": schema})
    columns = [{"Name": name, "Type": kind} for name, kind in zip(_COLUMNS, _GLUE_TYPES, strict=True)]
    for name in ("int_flights", "nothing"):
        table = {"Name": name, "StorageDescriptor": {"Columns": columns}}
        glue.create_table(DatabaseName=schema, TableInput=table)


@pytest.fixture(params=["athena", "redshift"])
def rows(request: pytest.FixtureRequest, session: boto3.Session, bucket: str, catalog: None) -> RowSource:
    if request.param == "athena":
        return AthenaRows(session, f"s3://{bucket}/search", "primary", poll_seconds=0.01)
    role = "arn:aws:iam::123456789012:role/unload"
    return RedshiftRows(session, f"s3://{bucket}/search", "watershed", "watershed", role, poll_seconds=0.01)


def _left(session: boto3.Session, bucket: str) -> list[str]:
    return [found["Key"] for found in session.client("s3").list_objects_v2(Bucket=bucket).get("Contents", [])]  # pyright: ignore[reportTypedDictNotRequiredAccess]


def test_unloaded_rows_are_those_of_the_model_and_nothing_is_left(
    rows: RowSource, engine: Engine, schema: str, session: boto3.Session, bucket: str
):
    table = pa.Table.from_batches(rows.batches(f"{schema}.int_flights", _COLUMNS, batch_rows=3))
    assert table.to_pylist() == _ROWS
    assert table.schema.field("scheduled_departure_at").type == pa.timestamp("us")
    assert max(len(batch) for batch in table.to_batches()) <= 3
    assert _left(session, bucket) == []


def test_an_empty_model_gives_no_rows(rows: RowSource, engine: Engine, schema: str):
    assert list(rows.batches(f"{schema}.nothing", _COLUMNS)) == []


def test_rows_are_counted_by_the_engine(rows: RowSource, engine: Engine, schema: str):
    assert rows.count(f"{schema}.int_flights") == 10


def test_nothing_is_left_when_the_reader_stops_early(
    rows: RowSource, engine: Engine, schema: str, session: boto3.Session, bucket: str
):
    with closing(rows.batches(f"{schema}.int_flights", _COLUMNS, batch_rows=1)) as batches:
        next(batches)
        assert _left(session, bucket) != []
    assert _left(session, bucket) == []


def test_a_failed_query_is_told_with_the_engines_reason_and_the_sql(
    rows: RowSource, engine: Engine, schema: str, session: boto3.Session, bucket: str
):
    engine.failure = "GENERIC_INTERNAL_ERROR: disk on fire"
    with pytest.raises(RowsError, match=r"\.int_flights.*disk on fire.*unload"):
        list(rows.batches(f"{schema}.int_flights", _COLUMNS))
    assert _left(session, bucket) == []


def test_an_interrupted_query_is_stopped(rows: RowSource, engine: Engine, schema: str):
    engine.running_forever = True
    with pytest.raises(KeyboardInterrupt):
        list(rows.batches(f"{schema}.int_flights", _COLUMNS))
    assert len(engine.stopped) == 1


def test_athena_is_asked_for_timestamps_that_it_can_unload(
    session: boto3.Session, bucket: str, catalog: None, engine: Engine, schema: str
):
    list(
        AthenaRows(session, f"s3://{bucket}/search").batches(
            f"{schema}.int_flights", ["delay", "scheduled_departure_at"]
        )
    )
    (sql,) = engine.sql
    assert re.fullmatch(
        r'unload \(select "delay", cast\("scheduled_departure_at" as timestamp\(3\)\) as "scheduled_departure_at" '
        r'from "[a-z0-9_]+"\."int_flights"\) '
        r"to 's3://[^/]+/search/rows/[0-9a-f]{32}/data/' with \(format = 'PARQUET'\)",
        sql,
    )


def test_athenas_objects_are_found_without_a_manifest(
    session: boto3.Session, bucket: str, catalog: None, engine: Engine, schema: str
):
    engine.manifest = False
    table = pa.Table.from_batches(AthenaRows(session, f"s3://{bucket}/s").batches(f"{schema}.int_flights", _COLUMNS))
    assert table.to_pylist() == _ROWS


def test_a_model_or_column_that_the_catalog_lacks_costs_no_query(
    session: boto3.Session, bucket: str, catalog: None, engine: Engine, schema: str
):
    rows = AthenaRows(session, f"s3://{bucket}/search")
    with pytest.raises(RowsError, match=r"\.absent is not in the Glue catalog.*--select absent"):
        list(rows.batches(f"{schema}.absent", ["a"]))
    with pytest.raises(RowsError, match=r"no column a; it has flight_id"):
        list(rows.batches(f"{schema}.int_flights", ["a"]))
    assert engine.sql == []


def test_redshift_unloads_with_its_role_and_a_manifest_that_counts(
    session: boto3.Session, bucket: str, engine: Engine, schema: str
):
    rows = RedshiftRows(session, f"s3://{bucket}/search", "watershed", "watershed", "arn:aws:iam::1:role/r")
    list(rows.batches(f"{schema}.int_flights", ["delay"]))
    (sql,) = engine.sql
    assert re.fullmatch(
        r"unload \('select \"delay\" from \"[a-z0-9_]+\"\.\"int_flights\"'\) to 's3://[^/]+/search/rows/[0-9a-f]{32}/' "
        r"iam_role 'arn:aws:iam::1:role/r' format as parquet manifest verbose",
        sql,
    )
