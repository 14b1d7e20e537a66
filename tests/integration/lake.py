"""The dbt project on DuckDB, over tables that were landed from a stream and from files of the local AWS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import duckdb

from infra.local.duckdb.connection import connect
from infra.local.provision import provision
from ingestion.catalog import glue_catalog
from ingestion.contract import Contract, KinesisSource, ObjectSource, load_contracts
from ingestion.landing import land
from ingestion.readers.kinesis import KinesisReader
from ingestion.readers.objects import ObjectReader
from ingestion.tables import Layout, Tables, open_tables
from orchestration.settings import CONTRACTS_DIR, DBT_PROJECT_DIR, PROJECT_ROOT, Settings

Event = Mapping[str, Any]
_BATCH_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Lake:
    """A local AWS of one's own names, and the dbt project over it."""

    settings: Settings
    contracts: Mapping[str, Contract]

    def client(self, service: str) -> Any:
        """A boto3 client of the local AWS."""
        return boto3.client(service, **self.settings.client_args())  # pyright: ignore[reportCallIssue, reportArgumentType]

    def send(self, events: Iterable[Event]) -> None:
        """Put flight events on the stream, in order."""
        kinesis, stream = self.client("kinesis"), self.stream
        for event in events:
            kinesis.put_record(StreamName=stream, PartitionKey=event["flight_id"], Data=json.dumps(event).encode())

    def drop(self, contract: str, text: str, name: str = "1.csv") -> None:
        """Put a reference file where its contract says."""
        source = self.contracts[contract].source
        assert isinstance(source, ObjectSource)
        self.client("s3").put_object(Bucket=self.settings.landing_bucket, Key=source.prefix + name, Body=text.encode())

    @property
    def stream(self) -> str:
        """The deployed name of the events' stream."""
        source = self.contracts["flight_events"].source
        assert isinstance(source, KinesisSource)
        return self.settings.stream_name(source.stream)

    def land(self, *names: str, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Land contracts; all of them if none is named."""
        for name in names or self.contracts:
            contract = self.contracts[name]
            if isinstance(contract.source, KinesisSource):
                reader = KinesisReader(self.client("kinesis"), contract, self.stream, max_bytes=_BATCH_BYTES)
            else:
                bucket = self.settings.landing_bucket
                reader = ObjectReader(self.client("s3"), contract, bucket, max_bytes=_BATCH_BYTES)
            land(contract, reader, self.tables(contract), clock=clock)

    def tables(self, contract: Contract) -> Tables:
        """The tables of a contract."""
        catalog = glue_catalog(
            region=self.settings.region,
            endpoint_url=self.settings.aws_endpoint_url,
            access_key_id=self.settings.aws_access_key_id,
            secret=self.settings.aws_secret_access_key,
        )
        layout = Layout(
            self.settings.landing_database,
            f"s3://{self.settings.lake_bucket}/landing",
            self.settings.quarantine_database,
            f"s3://{self.settings.landing_bucket}/quarantine",
        )
        return open_tables(catalog, contract, layout)

    def dbt(self, *arguments: str, target_path: Path | None = None, **environment: str) -> str:
        """Run dbt as in a shell and return what it printed. Fails the test if dbt fails."""
        run = self.try_dbt(*arguments, target_path=target_path, **environment)
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout

    def try_dbt(
        self, *arguments: str, target_path: Path | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run dbt as in a shell, whatever comes of it."""
        settings = self.settings
        names = ("aws_endpoint_url", "prefix", "landing_database", "quarantine_database", "state_dir")
        told = {f"WATERSHED_{name.upper()}": str(getattr(settings, name)) for name in names}
        return subprocess.run(
            [sys.executable, "-m", "dbt.cli.main", "--no-use-colors", *arguments],
            cwd=DBT_PROJECT_DIR,
            env={
                **{k: v for k, v in os.environ.items() if not k.startswith(("WATERSHED_", "AWS_", "DBT_"))},
                **told,
                "PYTHONPATH": str(PROJECT_ROOT),
                "DBT_LOG_PATH": str(settings.state_dir / "logs"),
                "DBT_TARGET_PATH": str(target_path or settings.state_dir / "target"),
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
        )

    def connect(self) -> duckdb.DuckDBPyConnection:
        """What landed and what was built."""
        return connect(self.settings)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The answer to a query, read-only."""
        with self.connect() as connection:
            return connection.sql(query).fetchall()


def new_lake(settings: Settings) -> Lake:
    """Create buckets, streams and databases under the names of some settings."""
    contracts = load_contracts(CONTRACTS_DIR)
    provision(settings, contracts.values())
    return Lake(settings, contracts)
