"""Stands where Athena and Redshift would: runs the SQL that was sent on DuckDB, leaves in S3 what UNLOAD leaves."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import boto3
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

# The access key that what an engine writes for an actor may be written with, to be told from the actor's own calls.
ENGINE = "engine"


class Engine:
    """Runs what is sent through a boto3 session's botocore events."""

    def __init__(self, session: boto3.Session, s3: Any, tables: Mapping[str, pa.Table]) -> None:
        """`s3` is a client to write with; `tables` are those that there are, by `schema.name`."""
        self.s3 = s3
        self.sql: list[str] = []
        self.failure: str | None = None
        self.manifest = True
        self.stopped: list[str] = []
        self.running_forever = False
        self.database = duckdb.connect()
        for relation, rows in tables.items():
            self.database.execute(f"create schema if not exists {relation.partition('.')[0]}")
            self.database.register("rows", rows)
            self.database.execute(f"create table {relation} as from rows")
        on: Callable[..., Any] = session.events.register
        on("before-parameter-build.athena.StartQueryExecution", self._remember("QueryString"))
        on("after-call.athena.StartQueryExecution", self._unload)
        on("after-call.athena.GetQueryExecution", self._athena_state)
        on("after-call.athena.GetQueryResults", self._athena_result)
        on("before-call.athena.StopQueryExecution", self._stop)
        on("before-parameter-build.redshift-data.ExecuteStatement", self._remember("Sql"))
        on("after-call.redshift-data.ExecuteStatement", self._unload)
        on("after-call.redshift-data.DescribeStatement", self._redshift_state)
        on("after-call.redshift-data.GetStatementResult", self._redshift_result)
        on("before-call.redshift-data.CancelStatement", self._stop)

    def _remember(self, parameter: str) -> Callable[..., None]:
        def remember(params: dict[str, Any], **_: Any) -> None:
            self.sql.append(params[parameter])

        return remember

    def _unload(self, **_: Any) -> None:
        athena = re.fullmatch(r"unload \((.*)\) to 's3://([^/]+)/(.*)' with \(format = 'PARQUET'\)", self.sql[-1])
        redshift = re.fullmatch(r"unload \('(.*)'\) to 's3://([^/]+)/(.*)' iam_role .* verbose", self.sql[-1])
        told = athena or redshift
        if told is None or self.failure:
            return
        query, bucket, folder = told.groups()
        table = self.database.execute(query.replace("''", "'")).to_arrow_table()
        locations, half = [], table.num_rows // 2
        for number, part in enumerate([table.slice(0, half), table.slice(half)] if table.num_rows else []):
            content = io.BytesIO()
            pq.write_table(part, content, use_deprecated_int96_timestamps=True)
            self._put(bucket, f"{folder}part_{number}", content.getvalue())
            locations.append((f"s3://{bucket}/{folder}part_{number}", part.num_rows))
        if athena and self.manifest:
            self.athena_manifest = f"s3://{bucket}/{folder.removesuffix('data/')}athena/manifest.csv"
            key = self.athena_manifest.partition(f"{bucket}/")[2]
            self._put(bucket, key, "\n".join(location for location, _ in locations).encode())
        if redshift and locations:
            entries = [{"url": location, "meta": {"record_count": rows}} for location, rows in locations]
            self._put(bucket, f"{folder}manifest", json.dumps({"entries": entries}).encode())

    def _put(self, bucket: str, key: str, content: bytes) -> None:
        self.s3.put_object(Bucket=bucket, Key=key, Body=content)

    def _count(self) -> int:
        counted = self.database.execute(self.sql[-1]).fetchone()
        assert counted is not None
        return counted[0]

    def _athena_state(self, parsed: dict[str, Any], **_: Any) -> None:
        execution = parsed["QueryExecution"]
        if self.running_forever:
            raise KeyboardInterrupt
        if self.failure:
            execution["Status"].update(State="FAILED", StateChangeReason=self.failure)
        elif self.manifest and "unload" in self.sql[-1]:
            execution["Statistics"] = {"DataManifestLocation": self.athena_manifest}

    def _athena_result(self, parsed: dict[str, Any], **_: Any) -> None:
        values = ["_col0", str(self._count())]
        parsed["ResultSet"] = {"Rows": [{"Data": [{"VarCharValue": value}]} for value in values]}

    def _redshift_state(self, parsed: dict[str, Any], **_: Any) -> None:
        if self.running_forever:
            raise KeyboardInterrupt
        parsed["Status"] = "FAILED" if self.failure else "FINISHED"
        parsed["Error"] = self.failure

    def _redshift_result(self, parsed: dict[str, Any], **_: Any) -> None:
        parsed["Records"] = [[{"longValue": self._count()}]]

    def _stop(self, params: dict[str, Any], **_: Any) -> None:
        self.stopped.append(next(iter(json.loads(params["body"]).values())))
