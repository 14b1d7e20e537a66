"""A small contract in two versions, its tables in the local Glue, and a source that a test scripts."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import boto3
import pyarrow as pa
import pytest
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from ingestion.catalog import glue_catalog
from ingestion.contract import Contract, load_contract
from ingestion.records import Batch, Json, Position, Records
from ingestion.schemas import arrow_schema, provenance_fields
from ingestion.tables import Layout, Tables, open_tables
from orchestration.settings import Settings

CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: readings
name: readings
version: {version}
status: active
domain: test
description: {{purpose: Readings of a meter.}}
team: {{name: tests}}
servers:
{server}
schema:
  - name: readings
    logicalType: object
    properties:
      - {{name: id, description: The reading., logicalType: integer, physicalType: bigint, required: true,
          primaryKey: true, primaryKeyPosition: 1}}
      - {{name: amount, description: What was read., logicalType: integer, physicalType: integer,
          logicalTypeOptions: {{maximum: {maximum}}}}}
slaProperties:
  - {{property: freshness, value: 1, unit: h}}
  - {{property: retention, value: 1, unit: y}}
  - {{property: archive, value: 1, unit: d}}
customProperties: [{{property: quarantineLimit, value: 0.5}}]
"""
STREAM = "  - {server: s, type: kinesis, format: json, customProperties: [{property: stream, value: readings}]}"
FILES = "  - {server: f, type: s3, format: json, location: 's3://{landing}/readings/'}"

MakeContract = Callable[..., Contract]


@pytest.fixture
def make_contract(tmp_path: Path) -> MakeContract:
    """A contract of readings. `maximum` is what a reading may be: others are rejected."""

    return partial(contract_in, tmp_path)


def contract_in(folder: Path, *, maximum: int = 100, server: str = STREAM, version: str = "1.0.0") -> Contract:
    """A contract of readings, written into a folder."""
    path = folder / "readings.yaml"
    path.write_text(CONTRACT.format(version=version, server=server, maximum=maximum))
    return load_contract(path)


@pytest.fixture
def strict(make_contract: MakeContract) -> Contract:
    """Rejects amounts above 100."""
    return make_contract(maximum=100)


@pytest.fixture
def lenient(make_contract: MakeContract) -> Contract:
    """The same contract once it was mended: amounts up to 1,000 hold."""
    return make_contract(maximum=1000, version="1.1.0")


@dataclass(frozen=True)
class Lake:
    """The local AWS with empty databases and buckets, as a lander sees it."""

    settings: Settings
    catalog: Catalog
    layout: Layout

    def tables(self, contract: Contract) -> Tables:
        """The tables as a process sees them that has just started."""
        return open_tables(self.catalog, contract, self.layout)

    def rows(self, contract: Contract) -> list[int]:
        """The ids in the landing table, sorted."""
        return sorted(self.tables(contract).landing.scan().to_arrow().column("id").to_pylist())

    def rejects(self, contract: Contract) -> list[int]:
        """The ids in the quarantine, sorted."""
        payloads = self.tables(contract).quarantine.scan().to_arrow().column("_payload").to_pylist()
        return sorted(json.loads(payload)["id"] for payload in payloads)


@pytest.fixture
def lake(fresh_settings: Settings) -> Lake:
    """A lake that no other test sees."""
    return make_lake(fresh_settings)


def make_lake(fresh_settings: Settings) -> Lake:
    """Create buckets and databases under the names of some settings."""
    s3 = boto3.client("s3", **fresh_settings.client_args())
    glue = boto3.client("glue", **fresh_settings.client_args())
    for bucket in (fresh_settings.lake_bucket, fresh_settings.landing_bucket):
        s3.create_bucket(Bucket=bucket)
    for database in (fresh_settings.landing_database, fresh_settings.quarantine_database):
        glue.create_database(DatabaseInput={"Name": database})
    layout = Layout(
        fresh_settings.landing_database,
        f"s3://{fresh_settings.lake_bucket}/landing",
        fresh_settings.quarantine_database,
        f"s3://{fresh_settings.landing_bucket}/quarantine",
    )
    return Lake(fresh_settings, new_catalog(fresh_settings), layout)


def new_catalog(settings: Settings) -> Catalog:
    """A catalog of its own, as another process has."""
    return glue_catalog(
        region=settings.region,
        endpoint_url=settings.aws_endpoint_url,
        access_key_id=settings.aws_access_key_id,
        secret=settings.aws_secret_access_key,
    )


@dataclass
class Source:
    """A stream of one shard that holds amounts: record n has the id n. Batches of `size` records."""

    amounts: list[int] = field(default_factory=list)
    size: int = 4

    def batches(self, position: Position | None, landed: object = None) -> Generator[Batch, None, None]:
        """What a reader yields."""
        start = position["shards"]["shard-0"] if position else 0
        until = len(self.amounts)
        for first in range(start, until, self.size):
            last = min(first + self.size, until)
            yield Batch([self._records(first, last)], {"shards": {"shard-0": last}, "ended": []})

    def _records(self, first: int, last: int) -> Records:
        ids = range(first, last)
        payload = [json.dumps({"id": n, "amount": self.amounts[n]}).encode() for n in ids]
        columns = [
            pa.array(["readings"] * len(ids)),
            pa.array(["shard-0"] * len(ids)),
            pa.array([str(n) for n in ids]),
            pa.array([0] * len(ids), pa.int64()),
            pa.array([datetime(2026, 1, 1)] * len(ids), pa.timestamp("us")),
        ]
        return Records(pa.array(payload, pa.binary()), pa.table(columns, schema=_provenance()), Json())


@cache
def _provenance() -> pa.Schema:
    """Of every scripted record."""
    with TemporaryDirectory() as folder:
        return arrow_schema(provenance_fields(contract_in(Path(folder))))


def compact(table: Table) -> None:
    """Rewrite a table's files as one, as compaction does. Its position stays."""
    table.refresh().overwrite(table.scan().to_arrow())


def age_snapshots(settings: Settings, table: Table, age: timedelta) -> None:
    """Have a table's commits been made some time ago."""
    s3 = boto3.client("s3", **settings.client_args())
    bucket, key = table.metadata_location.removeprefix("s3://").split("/", 1)
    document = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    shift = int(age.total_seconds() * 1000)
    document["last-updated-ms"] -= shift
    for entry in (*document["snapshots"], *document["snapshot-log"], *document["metadata-log"]):
        entry["timestamp-ms"] -= shift
    s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(document).encode())
