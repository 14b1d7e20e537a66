"""Resources: what an asset does its work with, joined from the settings, ingestion and serving.

A test swaps a resource for its own; nothing here knows an asset.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import dagster as dg
from botocore.config import Config
from opensearchpy.exceptions import ConnectionError as NoAnswerError
from pydantic import Field
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.table import Table

from ingestion.catalog import glue_catalog
from ingestion.contract import Contract, KinesisSource, load_contracts
from ingestion.errors import TableError
from ingestion.landing import Landed, Reader, has_news, land, waiting
from ingestion.maintenance import Expiry, expire_snapshots, require_enough_kept
from ingestion.readers import arrivals, kinesis, objects
from ingestion.readers.arrivals import Arrival
from ingestion.readers.kinesis import KinesisReader
from ingestion.readers.objects import ObjectReader, Waiting
from ingestion.tables import Layout, Tables, open_tables
from orchestration.glue_jobs import run_job
from orchestration.settings import CONTRACTS_DIR, Settings, settings
from serving import quicksight
from serving.opensearch.build import BuildResult, build
from serving.opensearch.client import connect
from serving.opensearch.spec import IndexSpec
from serving.rows.athena import AthenaRows
from serving.rows.duckdb import DuckDBRows
from serving.rows.redshift import RedshiftRows
from serving.rows.source import RowSource

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# botocore backs off by itself where AWS throttles; `adaptive` also slows down the calls that follow.
_RETRYING = Config(retries={"mode": "adaptive", "max_attempts": 8})
_MIB = 1024 * 1024


def layout(config: Settings) -> Layout:
    """Where the landed tables are."""
    return Layout(
        config.landing_database,
        f"s3://{config.lake_bucket}/landing",
        config.quarantine_database,
        f"s3://{config.landing_bucket}/quarantine",
    )


def reader(config: Settings, contract: Contract, max_bytes: int, *, whole: bool = False) -> Reader:
    """What reads a contract's source, in batches of about so many bytes. `whole` lists all of a Firehose prefix."""
    if isinstance(contract.source, KinesisSource):
        client = boto3.client("kinesis", config=_RETRYING, **config.client_args())
        return KinesisReader(client, contract, config.stream_name(contract.source.stream), max_bytes=max_bytes)
    return _object_reader(config, contract, max_bytes, whole=whole)


def _object_reader(config: Settings, contract: Contract, max_bytes: int, *, whole: bool = False) -> ObjectReader:
    s3 = boto3.client("s3", config=_RETRYING, **config.client_args())
    return ObjectReader(s3, contract, config.landing_bucket, max_bytes=max_bytes, whole=whole)


def _losses(config: Settings, contract: Contract, landed: Landed) -> list[str]:
    """What of a contract's source cannot land any more, or not yet."""
    if isinstance(contract.source, KinesisSource):
        return kinesis.losses(contract, landed.position or {}, datetime.now(UTC))
    if contract.source.delivery is None:
        return []
    return objects.losses(boto3.client("s3", config=_RETRYING, **config.client_args()), contract, config.landing_bucket)


class Lander(dg.ConfigurableResource):
    """Lands contracts into the lake."""

    whole_listing: bool = Field(
        default=False, description="List all of a Firehose prefix now: for objects that came later than its look-back."
    )

    def land(self, contract: Contract, progress: Callable[[Landed], None]) -> Landed:
        """Land what a contract's source has after the table's position."""
        config = settings()
        batches = reader(config, contract, config.landing_batch_mib * _MIB, whole=self.whole_listing)
        landed = land(contract, batches, _tables(config, contract), progress=progress)
        return replace(landed, losses=tuple(_losses(config, contract, landed)))

    def has_news(self, contract: Contract) -> bool:
        """Whether a contract's source has anything after the table's position."""
        config = settings()
        return has_news(contract, reader(config, contract, max_bytes=1), _tables(config, contract))

    def waiting(self, contract: Contract, told: Set[tuple[str, str]]) -> Waiting:
        """Which of the versions of objects (key, ETag) that somebody told of have not landed."""
        config = settings()
        return waiting(contract, _object_reader(config, contract, max_bytes=1), _tables(config, contract), told)

    def snapshots(self, contract: Contract) -> int:
        """The snapshots that a landing table keeps. Each commit makes one, until maintenance removes old ones."""
        return len(_tables(settings(), contract).landing.metadata.snapshots)


class Arrivals(dg.ConfigurableResource):
    """The queue that S3 tells of objects that arrived."""

    def receive(self) -> list[Arrival]:
        """What the queue has; some of it, if that is a lot. It is hidden for a while, and comes again until removed."""
        return arrivals.receive(self._client(), settings().arrivals_queue)

    def remove(self, done: Sequence[Arrival]) -> None:
        """Remove messages whose objects have landed or are gone."""
        arrivals.remove(self._client(), settings().arrivals_queue, done)

    def _client(self) -> SQSClient:
        return boto3.client("sqs", config=_RETRYING, **settings().client_args())


def open_catalog(config: Settings) -> Catalog:
    """The Glue catalog."""
    return glue_catalog(
        region=config.region,
        endpoint_url=config.aws_endpoint_url,
        access_key_id=config.aws_access_key_id,
        secret=config.aws_secret_access_key,
    )


def _tables(config: Settings, contract: Contract) -> Tables:
    return open_tables(open_catalog(config), contract, layout(config))


def expire(config: Settings, keep: timedelta, *, dry_run: bool = False) -> Iterator[Expiry]:
    """Expire the snapshots of each contract's tables that are older than so long, and tell of each table.

    Raises:
        TableError: At the end, if a table changes all the time; at once, if less than an hour's are to be kept.
    """
    require_enough_kept(keep)
    now = datetime.now(UTC)
    failed: list[str] = []
    for table in _landed_tables(config):
        try:
            yield expire_snapshots(table, before=now - keep, dry_run=dry_run, now=now)
        except TableError as error:
            failed.append(str(error))
    if failed:
        raise TableError("\n".join(failed))


def _landed_tables(config: Settings) -> Iterator[Table]:
    """The tables that are there. They are opened as they are: a maintenance changes no column."""
    catalog, where = open_catalog(config), layout(config)
    for database in (where.landing_database, where.quarantine_database):
        for contract in load_contracts(CONTRACTS_DIR):
            try:
                yield catalog.load_table((database, contract))
            except NoSuchTableError:
                continue


class Maintenance(dg.ConfigurableResource):
    """Keeps tables quick."""

    def expire(self, keep: timedelta) -> Iterator[Expiry]:
        """Expire the snapshots of the landed tables that are older than so long. See `expire`."""
        return expire(settings(), keep)

    def rewrite(self, progress: Callable[[str], None]) -> None:
        """Run the Spark job that keeps tables small, to its end. Raises GlueJobError if it does not succeed."""
        config = settings()
        client = boto3.client("glue", config=_RETRYING, **config.client_args())
        run_job(client, config.maintenance_job, progress)


class DashboardDeployer(dg.ConfigurableResource):
    """Deploys dashboards to QuickSight and fills their data sets."""

    def declare(
        self, dashboard: str, title: str, definition: Path, relations: Mapping[str, quicksight.Relation]
    ) -> quicksight.Deployment:
        """Check a dashboard against the models that it reads. Makes no call."""
        config = settings()
        warehouse = quicksight.Redshift(
            config.redshift_host,
            config.redshift_port,
            config.redshift_database,
            config.quicksight_secret_arn,
            config.quicksight_vpc_connection_arn,
        )
        return quicksight.declare(
            account_id=config.account_id,
            prefix=config.prefix,
            warehouse=warehouse,
            relations=relations,
            definition_path=definition,
            dashboard=dashboard,
            title=title,
            principal_arn=config.quicksight_principal_arn,
        )

    def deploy(self, deployment: quicksight.Deployment) -> tuple[quicksight.Applied, tuple[quicksight.Refresh, ...]]:
        """Bring QuickSight to what is declared, then refill the data sets from the warehouse."""
        client = boto3.client("quicksight", config=_RETRYING, **settings().client_args())
        applied = quicksight.apply(client, quicksight.plan(client, deployment))
        refreshed = quicksight.refresh(
            client,
            deployment.account_id,
            list(deployment.data_set_ids.values()),
            under_way=applied.ingestions,
        )
        return applied, refreshed


class IndexBuilder(dg.ConfigurableResource):
    """Builds search indexes from models."""

    def unreachable(self) -> str | None:
        """Why nobody answers where the search engine should be; None if somebody does.

        Raises:
            opensearchpy.exceptions.TransportError: If it answers, but refuses: a permission, a signature.
        """
        config = settings()
        try:
            connect(config.opensearch_url, config.region, timeout=10).info()
        except NoAnswerError as error:
            return f"OpenSearch does not answer at {config.opensearch_url} ({type(error).__name__})"
        return None

    @property
    def required(self) -> bool:
        """Whether the environment must have a search engine."""
        return settings().opensearch_required

    def build(self, spec: IndexSpec, layer: str, progress: Callable[[int], None]) -> BuildResult:
        """Build an index from the engine that holds a layer's models."""
        config = settings()
        client = connect(config.opensearch_url, config.region)
        return build(client, spec, rows_of(config, layer), progress)


def rows_of(config: Settings, layer: str) -> RowSource:
    """The engine that holds the models of a layer, `lake` or `warehouse`."""
    target = {"lake": config.lake_target, "warehouse": config.warehouse_target}[layer]
    return _ROW_SOURCES[target](config)


def _athena(config: Settings) -> RowSource:
    return AthenaRows(_session(config), f"s3://{config.results_bucket}/unload", config.athena_workgroup)


def _redshift(config: Settings) -> RowSource:
    return RedshiftRows(
        _session(config),
        f"s3://{config.results_bucket}/unload",
        config.redshift_workgroup,
        config.redshift_database,
        config.redshift_unload_role_arn,
    )


def _session(config: Settings) -> boto3.Session:
    if config.aws_endpoint_url:
        # A session has no endpoint, and awswrangler takes none: without this, calls would leave for AWS.
        os.environ["AWS_ENDPOINT_URL"] = config.aws_endpoint_url
    return boto3.Session(
        region_name=config.region,
        aws_access_key_id=config.aws_access_key_id,
        aws_secret_access_key=config.aws_secret_access_key,
    )


# dbt's target -> what reads its tables. An unknown target is a KeyError.
_ROW_SOURCES: Mapping[str, Callable[[Settings], RowSource]] = {
    "local": lambda config: DuckDBRows(config.duckdb_path),
    "athena": _athena,
    "redshift": _redshift,
}
