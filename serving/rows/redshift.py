"""Rows of a model in the warehouse: UNLOADed by Redshift to Parquet in S3, read from there.

UNLOAD rather than the driver's cursor, at any size: the driver reads a whole result into this process as Python
objects and the leader node holds it until then, UNLOAD writes typed columns from every slice. The statement goes
through the Data API: no connection into the warehouse's network and no password are needed, only IAM.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import boto3
import pyarrow as pa

from serving.rows.parquet import object_locations, split_location
from serving.rows.source import BATCH_ROWS, RowsError, quoted, select
from serving.rows.unload import Unloaded, unloaded_batches

_FINAL_STATES = {"FINISHED", "FAILED", "ABORTED"}


@dataclass(frozen=True)
class RedshiftRows:
    """A `RowSource` over Redshift Serverless.

    Not tried on AWS yet: here the calls, the SQL, the reading of Parquet and the clean-up are tested, with another
    engine in Redshift's place. What only AWS can show: permissions, and what UNLOAD leaves for an empty model.
    """

    session: boto3.Session
    results: str
    """`s3://bucket/prefix` for what UNLOAD writes; each query has a folder of its own in it."""
    workgroup: str
    database: str
    role_arn: str = ""
    """The role that Redshift writes with; the namespace's default role if empty."""
    poll_seconds: float = 0.5

    def batches(
        self, relation: str, columns: Sequence[str], batch_rows: int = BATCH_ROWS
    ) -> Generator[pa.RecordBatch, None, None]:
        """See `RowSource.batches`."""

        def unload(folder: str) -> Unloaded:
            self._run(unload_statement(select(relation, columns), folder, self.role_arn), relation)
            return self._unloaded(folder)

        return unloaded_batches(
            self._s3(), self.results, relation=relation, columns=columns, batch_rows=batch_rows, unload=unload
        )

    def count(self, relation: str) -> int:
        """See `RowSource.count`."""
        statement = self._run(f"select count(*) from {quoted(relation)}", relation)
        answer = self.session.client("redshift-data").get_statement_result(Id=statement)
        return int(answer["Records"][0][0]["longValue"])

    def _run(self, sql: str, relation: str) -> str:
        """Run a statement to its end, and return its id."""
        data = self.session.client("redshift-data")
        statement = data.execute_statement(WorkgroupName=self.workgroup, Database=self.database, Sql=sql)["Id"]
        try:
            while (told := data.describe_statement(Id=statement))["Status"] not in _FINAL_STATES:
                time.sleep(self.poll_seconds)
        except BaseException:
            # An abandoned statement would keep the warehouse awake and write after the clean-up.
            data.cancel_statement(Id=statement)
            raise
        if told["Status"] != "FINISHED":
            raise RowsError(
                f"Redshift could not read {relation} (statement {statement}, {told['Status']}): "
                f"{told.get('Error', 'no reason given')}. It ran: {sql}"
            )
        return statement

    def _unloaded(self, folder: str) -> Unloaded:
        """What UNLOAD wrote, by its manifest."""
        if not (written := object_locations(self._s3(), folder)):
            return Unloaded([], 0)
        if f"{folder}manifest" not in written:
            raise RowsError(f"Redshift wrote {len(written)} objects below {folder} and no manifest. Try again.")
        bucket, key = split_location(f"{folder}manifest")
        entries = json.load(self._s3().get_object(Bucket=bucket, Key=key)["Body"])["entries"]
        rows = sum(entry["meta"]["record_count"] for entry in entries)
        return Unloaded([entry["url"] for entry in entries], rows)

    def _s3(self) -> Any:
        return self.session.client("s3")


def unload_statement(query: str, folder: str, role_arn: str) -> str:
    """The statement that writes a query's result below a folder, with a manifest that counts the rows of each file.

    Source: UNLOAD in the Amazon Redshift Database Developer Guide.

    Args:
        query: A select.
        folder: `s3://bucket/prefix/`.
        role_arn: The role to write with; the default role if empty.
    """
    text = query.replace("'", "''")
    role = f"'{role_arn}'" if role_arn else "default"
    return f"unload ('{text}') to '{folder}' iam_role {role} format as parquet manifest verbose"
