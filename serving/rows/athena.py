"""Rows of a model in the lake: UNLOADed by Athena to Parquet in S3, read from there."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import boto3
import pyarrow as pa

from serving.rows.parquet import object_locations, split_location
from serving.rows.source import BATCH_ROWS, RowsError, quoted, quoted_name, select
from serving.rows.unload import Unloaded, results_folder, unloaded_batches


@dataclass(frozen=True)
class AthenaRows:
    """A `RowSource` over Athena.

    Not tried on AWS yet: here the calls, the SQL, the reading of Parquet and the clean-up are tested, with another
    engine in Athena's place. What only AWS can show: permissions, and the limits of the workgroup.
    """

    session: boto3.Session
    results: str
    """`s3://bucket/prefix` for what UNLOAD writes; each query has a folder of its own in it."""
    workgroup: str = "primary"
    poll_seconds: float = 0.5

    def batches(
        self, relation: str, columns: Sequence[str], batch_rows: int = BATCH_ROWS
    ) -> Generator[pa.RecordBatch, None, None]:
        """See `RowSource.batches`. Timestamps come in milliseconds: UNLOAD writes no finer ones."""

        def unload(folder: str) -> Unloaded:
            query = unload_query(relation, columns, self._types(relation))
            # Parentheses and quotes: https://docs.aws.amazon.com/athena/latest/ug/unload.html
            done = self._run(f"unload ({query}) to '{folder}data/' with (format = 'PARQUET')", relation, folder)
            return Unloaded(self._unloaded(done, f"{folder}data/"))

        return unloaded_batches(
            self._s3(), self.results, relation=relation, columns=columns, batch_rows=batch_rows, unload=unload
        )

    def count(self, relation: str) -> int:
        """See `RowSource.count`."""
        with results_folder(self._s3(), self.results) as folder:
            done = self._run(f"select count(*) from {quoted(relation)}", relation, folder)
            query = done["QueryExecutionId"]
            answer: Any = self.session.client("athena").get_query_results(QueryExecutionId=query)
        _heading, row = answer["ResultSet"]["Rows"]
        return int(row["Data"][0]["VarCharValue"])

    def _types(self, relation: str) -> Mapping[str, str]:
        import awswrangler

        schema, _, name = relation.partition(".")
        types = awswrangler.catalog.get_table_types(schema, name, boto3_session=self.session)
        if types is None:
            raise RowsError(
                f"{relation} is not in the Glue catalog. Run `dbt build --target athena --select {name}` first."
            )
        return types

    def _run(self, sql: str, relation: str, folder: str) -> dict[str, Any]:
        import awswrangler

        athena = awswrangler.athena
        query = athena.start_query_execution(
            sql,
            database=relation.partition(".")[0],
            s3_output=f"{folder}athena",
            workgroup=self.workgroup,
            boto3_session=self.session,
        )
        assert isinstance(query, str)
        try:
            return athena.wait_query(
                query, boto3_session=self.session, athena_query_wait_polling_delay=self.poll_seconds
            )
        except (awswrangler.exceptions.QueryFailed, awswrangler.exceptions.QueryCancelled) as error:
            raise RowsError(f"Athena could not read {relation} (query {query}): {error}. It ran: {sql}") from error
        except BaseException:
            # An abandoned query would go on, cost money and write after the clean-up.
            athena.stop_query_execution(query, boto3_session=self.session)
            raise

    def _unloaded(self, done: Mapping[str, Any], folder: str) -> list[str]:
        """What the query wrote, by Athena's manifest; it writes none where the workgroup keeps results itself."""
        manifest = done.get("Statistics", {}).get("DataManifestLocation")
        if manifest is None:
            return object_locations(self._s3(), folder)
        bucket, key = split_location(manifest)
        listed = self._s3().get_object(Bucket=bucket, Key=key)["Body"].read().decode()
        return [line.strip() for line in listed.splitlines() if line.strip()]

    def _s3(self) -> Any:
        return self.session.client("s3")


def unload_query(relation: str, columns: Sequence[str], types: Mapping[str, str]) -> str:
    """The query whose result Athena can UNLOAD.

    Args:
        relation: `schema.name`.
        columns: The columns to read.
        types: Glue's type of each column that there is.

    Raises:
        RowsError: If the table lacks a column.
    """
    missing = [column for column in columns if column not in types]
    if missing:
        raise RowsError(f"{relation} has no column {', '.join(missing)}; it has {', '.join(types)}.")
    # An Iceberg timestamp has microseconds, and UNLOAD refuses it: "Incorrect timestamp precision for timestamp(6);
    # the configured precision is MILLISECONDS" (aws/aws-sdk-pandas issue 2252).
    expressions = {
        column: f"cast({quoted_name(column)} as timestamp(3))" for column in columns if types[column] == "timestamp"
    }
    return select(relation, columns, expressions)
