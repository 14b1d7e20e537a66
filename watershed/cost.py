"""What an environment costs on AWS in a month: prices, what is there, what is assumed, the arithmetic."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict

from ingestion.contract import Contract, KinesisSource, ObjectSource
from orchestration.settings import PROJECT_ROOT

COST_DIR = PROJECT_ROOT / "infra" / "cost"

HOURS = 730
"""Of a month, as AWS counts."""
GB = 1024**3
_HOURS_OF = {"daily": 24, "weekly": 7 * 24, "monthly": HOURS}
_MIN_ATHENA_BYTES = 10 * 1024**2
# Of a shard: records and bytes in a second. https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
_SHARD_RECORDS, _SHARD_BYTES = 1_000, 1024**2
# Of a Firehose stream that producers put records into, in us-east-1: records in a second, until AWS is asked for more.
# https://docs.aws.amazon.com/firehose/latest/dev/limits.html
_FIREHOSE_RECORDS = 5_000


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Price(_Value):
    """What `per` units cost. `usd` is None where no price was found; `seen` says where the figure was read."""

    usd: float | None
    per: int
    unit: str
    source: str
    seen: str


class Prices(_Value):
    """The price table of a region, by name, as it was read on a day."""

    region: str
    read: date
    prices: Mapping[str, Price]

    def with_given(self, given: Mapping[str, float]) -> Prices:
        """The table with some prices replaced, in dollars. Raises KeyError for a name that it lacks."""
        replaced = {
            name: self.prices[name].model_copy(update={"usd": usd, "seen": "--price"}) for name, usd in given.items()
        }
        return self.model_copy(update={"prices": {**self.prices, **replaced}})


class Search(_Value):
    """The OpenSearch domain: `price` names that of an hour of one of its nodes."""

    price: str
    instance: str
    nodes: int
    volume_gib: int


class Warehouse(_Value):
    """The Redshift Serverless workgroup, and the RPU-hours that its usage limit grants in a period."""

    base_rpu: int
    limit_rpu_hours: int
    limit_period: Literal["daily", "weekly", "monthly"]


class Dashboards(_Value):
    """Users of QuickSight who are paid for."""

    authors: int
    readers: int


class Environment(_Value):
    """What of an environment costs money while it is there.

    `planned` names the fields of what Terraform does not make yet. `shards` is of each stream; None: on demand.
    `alarm_metrics` are those beyond a contract's.
    """

    aim_idle_usd: float | None
    planned: tuple[str, ...]
    shards: int | None
    retention_hours: int
    alarm_metrics: int
    keys: int
    secrets: int
    egress: str
    nat_gateways: int
    nat_instance_gib: int
    endpoints: int
    search: Search | None
    spark_workers: int
    warehouse: Warehouse | None
    dashboards: Dashboards


class Assumption(_Value):
    """A figure about the work that nothing here decides, and the reason for it."""

    value: float
    why: str


@dataclass(frozen=True)
class Sources:
    """How many of each a folder of contracts makes."""

    streams: int
    deliveries: int
    landed_streams: int

    @classmethod
    def of(cls, contracts: Mapping[str, Contract]) -> Sources:
        """Count what contracts name, as Terraform does."""
        sources = [contract.source for contract in contracts.values()]
        objects = [source for source in sources if isinstance(source, ObjectSource)]
        deliveries = {source.delivery.stream: source.delivery for source in objects if source.delivery}
        landed = {source.stream for source in sources if isinstance(source, KinesisSource)}
        read = {delivery.source_stream for delivery in deliveries.values() if delivery.source_stream}
        return cls(len(landed | read), len(deliveries), len(landed))

    @property
    def alarm_metrics(self) -> int:
        """Metrics that alarms watch: a stream's age, and what came and was read; two of a delivery; three of queues."""
        return 3 * self.streams + 2 * self.deliveries + 3


@dataclass(frozen=True)
class Line:
    """One item of the bill: `factors` are multiplied; dollars are None where the price is not known."""

    service: str
    what: str
    factors: tuple[tuple[float, str], ...]
    price_name: str
    price: Price

    @property
    def quantity(self) -> float:
        """How much of the price's unit."""
        return math.prod(factor for factor, _ in self.factors)

    @property
    def usd(self) -> float | None:
        """What it costs in a month."""
        return None if self.price.usd is None else self.quantity * self.price.usd / self.price.per


@dataclass(frozen=True)
class Estimate:
    """The bill of a month at a rate of events, and what would not hold at that rate."""

    rate: float
    lines: tuple[Line, ...]
    warnings: tuple[str, ...]

    @property
    def usd(self) -> float:
        """The sum of what has a price: at least so much."""
        return sum(line.usd or 0.0 for line in self.lines)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Names of the prices that are missing from the sum."""
        return tuple(dict.fromkeys(line.price_name for line in self.lines if line.usd is None))


@dataclass(frozen=True)
class Model:
    """Everything that an estimate follows from."""

    prices: Prices
    environment: Environment
    sources: Sources
    assumptions: Mapping[str, Assumption]

    def estimate(self, events_per_second: float) -> Estimate:
        """The bill at a rate; 0 is idle: everything is there and nothing comes."""
        lines = tuple(
            Line(service, what, tuple(factors), price, self.prices.prices[price])
            for service, what, price, *factors in _items(self, events_per_second)
            if math.prod(factor for factor, _ in factors)
        )
        return Estimate(events_per_second, lines, tuple(_warnings(self, events_per_second, lines)))

    def assumed(self, name: str) -> float:
        """The value of an assumption."""
        return self.assumptions[name].value


def load_prices(path: Path = COST_DIR / "prices.yaml") -> Prices:
    """The price table."""
    return Prices(**_read(path))


def load_environments(path: Path = COST_DIR / "environments.yaml") -> dict[str, Environment]:
    """What is in each environment."""
    return {name: Environment(**values) for name, values in _read(path).items()}


def load_assumptions(path: Path = COST_DIR / "assumptions.yaml") -> dict[str, Assumption]:
    """What is assumed of the work."""
    return {name: Assumption(**values) for name, values in _read(path).items()}


def _read(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


# Service, what, name of the price, then factors. An item of which a factor is 0 is no line.
_Item = tuple[Any, ...]


def _items(model: Model, rate: float) -> Iterator[_Item]:
    yield from _streams(model, rate)
    yield from _deliveries(model, rate)
    yield from _storage(model, rate)
    yield from _engines(model, rate)
    yield from _standing(model, rate)


def _seconds(rate: float) -> tuple[tuple[float, str], ...]:
    return (rate, "events/s"), (HOURS * 3600, "s")


def _streams(model: Model, rate: float) -> Iterator[_Item]:
    """Kinesis. All that does not come through Firehose comes on one stream; the others are there."""
    environment, streams = model.environment, model.sources.streams
    share = (1 - model.assumed("firehose_share"), "of them")
    size = model.assumed("bytes_per_event")
    if environment.shards is None:
        kib = math.ceil(size / 1024) * 1024
        written = (*_seconds(rate), share, (kib / GB, "GB, an event in whole KB"))
        kept_hours = max(0, min(environment.retention_hours, 168) - 24)
        yield "Kinesis", "streams on demand", "kinesis_on_demand_stream_hour", (streams, "streams"), (HOURS, "h")
        yield "Kinesis", "written", "kinesis_on_demand_in_gb", *written
        yield "Kinesis", "read", "kinesis_on_demand_out_gb", *_seconds(rate), share, (size / GB, "GB an event")
        kept = (rate, "events/s"), (kept_hours * 3600, "s kept"), share, (kib / GB, "GB, an event in whole KB")
        yield "Kinesis", "kept beyond a day", "kinesis_on_demand_retention_gb_month", *kept
        return
    shards = streams * environment.shards + _more_shards(model, rate)
    yield "Kinesis", "shards", "kinesis_shard_hour", (shards, "shards"), (HOURS, "h")
    if environment.retention_hours > 24:
        hours = (shards, "shards"), (HOURS, "h")
        yield "Kinesis", "kept beyond a day", "kinesis_extended_retention_shard_hour", *hours
    units = math.ceil(size / (25 * 1024))
    yield "Kinesis", "put", "kinesis_put_units", *_seconds(rate), share, (units, "PUT units an event")


def _more_shards(model: Model, rate: float) -> int:
    """Shards that one stream needs beyond those that it has."""
    own = rate * (1 - model.assumed("firehose_share"))
    needed = math.ceil(max(own / _SHARD_RECORDS, own * model.assumed("bytes_per_event") / _SHARD_BYTES))
    return max(0, needed - (model.environment.shards or needed))


def _deliveries(model: Model, rate: float) -> Iterator[_Item]:
    """Firehose, and the messages about its objects."""
    if not model.sources.deliveries:
        return
    billed = math.ceil(model.assumed("bytes_per_event") / (5 * 1024)) * 5 * 1024
    share = (model.assumed("firehose_share"), "of them")
    yield "Firehose", "taken in", "firehose_gb", *_seconds(rate), share, (billed / GB, "GB, an event in 5 KB")
    yield "SQS", "messages about objects", "sqs_requests", *_looks_at_objects(model, rate), (3, "requests a look")
    looks = (model.assumed("queue_looks_per_hour"), "looks/h"), (HOURS, "h")
    yield "SQS", "looking for messages", "sqs_requests", *looks, (2, "requests a look")


def _looks_at_objects(model: Model, rate: float) -> tuple[tuple[float, str], ...]:
    """Each landing has an object of each delivery."""
    objects = (model.assumed("landings_per_hour") * (rate > 0), "objects/h"), (HOURS, "h")
    return (model.sources.deliveries, "deliveries"), *objects, (model.assumed("looks_per_object"), "looks an object")


def _landings(model: Model, rate: float) -> tuple[tuple[float, str], ...]:
    landed = model.sources.landed_streams + model.sources.deliveries
    return (landed, "contracts"), (model.assumed("landings_per_hour") * (rate > 0), "landings/h"), (HOURS, "h")


def _builds(model: Model, rate: float) -> tuple[tuple[float, str], ...]:
    builds = (model.assumed("lake_builds_per_hour") * (rate > 0), "builds/h")
    return builds, (HOURS, "h"), (model.assumed("queries_per_lake_build"), "queries a build")


def _storage(model: Model, rate: float) -> Iterator[_Item]:
    """S3, KMS and Glue's catalog."""
    landings, builds = _landings(model, rate), _builds(model, rate)
    kept = (model.assumed("months_kept"), "months"), (model.assumed("lake_copies"), "copies")
    stored = (*_seconds(rate), *kept, (model.assumed("lake_bytes_per_event") / GB, "GB an event"))
    reads = (model.assumed("requests_per_lake_query"), "requests a query")
    yield "S3", "stored", "s3_gb_month", *stored
    yield "S3", "looking at objects", "s3_puts", *_looks_at_objects(model, rate)
    yield "S3", "written by landings", "s3_puts", *landings, (model.assumed("puts_per_landing"), "PUTs a landing")
    yield "S3", "read by landings", "s3_gets", *landings, (model.assumed("gets_per_landing"), "GETs a landing")
    yield "S3", "read by Athena", "s3_gets", *builds, reads
    each = (model.assumed("catalog_requests_per_landing"), "requests a landing")
    yield "Glue", "catalog, landings", "glue_catalog_requests", *landings, each
    yield "Glue", "catalog, Athena", "glue_catalog_requests", *builds, reads
    yield "KMS", "landings", "kms_requests", *landings, (model.assumed("kms_requests_per_landing"), "requests")
    # Kinesis asks for a new data key about every five minutes, and a reader has it decrypted.
    keys = (model.sources.streams, "streams"), (12 * 2, "requests/h"), (HOURS, "h")
    yield "KMS", "streams", "kms_requests", *keys


def _engines(model: Model, rate: float) -> Iterator[_Item]:
    """Athena, Spark, Redshift, OpenSearch, QuickSight."""
    environment = model.environment
    read = max(_MIN_ATHENA_BYTES, rate * 3600 * model.assumed("lookback_hours") * model.assumed("lake_bytes_per_event"))
    yield "Athena", "models of the lake", "athena_tb", *_builds(model, rate), (read / 1024**4, "TB a query")
    runs = (model.assumed("maintenances_per_month"), "runs"), (model.assumed("maintenance_minutes") / 60, "h a run")
    yield "Glue", "maintenance on Spark", "glue_dpu_hour", (environment.spark_workers, "DPU"), *runs
    if warehouse := environment.warehouse:
        builds = (model.assumed("mart_builds_per_hour") * (rate > 0), "builds/h"), (HOURS, "h")
        length = (max(1.0, model.assumed("mart_build_minutes")) / 60, "h a build")
        yield "Redshift", "marts", "redshift_rpu_hour", (warehouse.base_rpu, "RPU"), *builds, length
        row = (model.assumed("mart_bytes_per_row") / GB, "GB a row")
        yield "Redshift", "stored", "redshift_gb_month", *_rows(model, rate), row
    if search := environment.search:
        yield "OpenSearch", search.instance, search.price, (search.nodes, "nodes"), (HOURS, "h")
        volume = (search.nodes, "nodes"), (search.volume_gib, "GB")
        yield "OpenSearch", "volumes", "opensearch_gp3_gb_month", *volume
    yield "QuickSight", "authors", "quicksight_author_month", (environment.dashboards.authors, "authors")
    yield "QuickSight", "readers", "quicksight_reader_month", (environment.dashboards.readers, "readers")


def _rows(model: Model, rate: float) -> tuple[tuple[float, str], ...]:
    """Rows of a model that has all events of the months that are kept."""
    return *_seconds(rate), (model.assumed("months_kept"), "months"), (1 / model.assumed("events_per_row"), "rows")


def _standing(model: Model, rate: float) -> Iterator[_Item]:
    """Network, keys, alarms, secrets: there whether anything comes or not."""
    environment = model.environment
    if environment.egress == "nat-instance":
        yield "Network", "NAT instance", "ec2_t4g_micro_hour", (1, "instance"), (HOURS, "h")
        yield "Network", "its volume", "ebs_gp3_gb_month", (environment.nat_instance_gib, "GB")
    addresses = environment.nat_gateways + (environment.egress == "nat-instance")
    yield "Network", "public addresses", "public_ipv4_hour", (addresses, "addresses"), (HOURS, "h")
    yield "Network", "NAT gateways", "nat_gateway_hour", (environment.nat_gateways, "gateways"), (HOURS, "h")
    through = (*_landings(model, rate), (model.assumed("egress_gb_per_landing"), "GB a landing"))
    yield "Network", "through NAT", "nat_gateway_gb", (min(1, environment.nat_gateways), "way out"), *through
    yield "Network", "endpoints", "interface_endpoint_hour", (environment.endpoints, "endpoints"), (HOURS, "h")
    yield "KMS", "keys", "kms_key_month", (environment.keys, "keys")
    metrics = model.sources.alarm_metrics + environment.alarm_metrics
    yield "CloudWatch", "alarms", "cloudwatch_alarm_metric_month", (metrics, "metrics")
    yield "Secrets Manager", "secrets", "secret_month", (environment.secrets, "secrets")


def _warnings(model: Model, rate: float, lines: Sequence[Line]) -> Iterator[str]:
    """What the environment as it is would not stand."""
    if model.environment.shards is not None and (more := _more_shards(model, rate)):
        yield (
            f"{rate:,g} events/s need {more} shards more on one stream than Terraform gives it (stream_capacities);"
            " the sum counts them."
        )
    firehose = rate * model.assumed("firehose_share")
    if firehose > _FIREHOSE_RECORDS:
        yield f"Firehose takes {_FIREHOSE_RECORDS:,} records/s until AWS raises the quota; {firehose:,.0f} would come."
    if warehouse := model.environment.warehouse:
        month = sum(line.quantity for line in lines if line.price_name == "redshift_rpu_hour")
        used = month / HOURS * _HOURS_OF[warehouse.limit_period]
        if used > warehouse.limit_rpu_hours:
            yield (
                f"Marts use {used:,.0f} RPU-hours {warehouse.limit_period}, and Redshift's usage limit is"
                f" {warehouse.limit_rpu_hours:,}: then its queries fail until the period ends."
            )
    if search := model.environment.search:
        rows = math.prod(factor for factor, _ in _rows(model, rate))
        needed = rows * model.assumed("index_bytes_per_row") / GB
        # A full build holds the index twice, and a quarter of a volume stays free.
        room = search.nodes * search.volume_gib * 0.75 / 2
        if needed > room:
            yield (
                f"After {model.assumed('months_kept'):g} months the search index has {needed:,.0f} GB and no replica;"
                f" the domain has room for {room:,.1f} GB of index, and the sum does not count a larger one."
            )
