"""Traffic into Kinesis and S3, read back as a consumer reads it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date
from typing import Any

import pyarrow as pa
import pytest
from botocore.config import Config

from infra.local import traffic
from infra.local.aws.firehose import THROTTLE_TAG as THROTTLE_FIREHOSE_TAG
from infra.local.aws.kinesis import THROTTLE_TAG
from infra.local.errors import LocalServicesError, StreamAlreadyPlayedError
from infra.local.flights import events
from infra.local.provision import SHARDS, Provisioned, provision
from infra.local.weather import observations
from ingestion.contract import Contract, load_contracts
from ingestion.decode import decode
from ingestion.readers import objects
from ingestion.readers.arrivals import receive
from ingestion.readers.kinesis import KinesisReader
from ingestion.readers.objects import ObjectReader, losses
from ingestion.records import Batch
from orchestration.settings import CONTRACTS_DIR, Settings

DAY = date(2013, 1, 1)


@pytest.fixture(scope="module")
def contracts() -> dict[str, Contract]:
    return load_contracts(CONTRACTS_DIR)


@pytest.fixture
def settings(fresh_settings: Settings, contracts: dict[str, Contract]) -> Settings:
    """Provisioned."""
    provision(fresh_settings, contracts.values())
    return fresh_settings


@pytest.fixture
def kinesis(settings: Settings) -> Any:
    import boto3

    once = Config(retries={"total_max_attempts": 1})
    return boto3.client("kinesis", config=once, **settings.client_args())  # pyright: ignore


@pytest.fixture
def stream(settings: Settings) -> str:
    return settings.stream_name("flight-events")


@pytest.fixture
def read(kinesis: Any, stream: str, contracts: dict[str, Contract]) -> Callable[[], list[Batch]]:
    reader = KinesisReader(kinesis, contracts["flight_events"], stream, max_bytes=64 * 1024 * 1024)
    return lambda: list(reader.batches(None))


def payloads(batches: list[Batch]) -> list[str]:
    return [payload.as_py().decode() for batch in batches for records in batch.records for payload in records.payload]


def told(day: date) -> pa.Table:
    return pa.Table.from_batches(events(day, day))


@pytest.mark.parametrize("aggregate", [True, False])
def test_every_event_arrives_once_and_holds_the_contract(
    kinesis: Any, stream: str, read: Callable[[], list[Batch]], contracts: dict[str, Contract], aggregate: bool
) -> None:
    played = traffic.play(kinesis, stream, DAY, DAY, aggregate=aggregate)
    batches = read()
    assert sorted(payloads(batches)) == sorted(told(DAY)["payload"].to_pylist())
    assert played.events == told(DAY).num_rows
    assert (played.records == played.events) is not aggregate
    for batch in batches:
        assert decode(contracts["flight_events"], batch).rejects.to_pylist() == []


def test_the_events_of_a_flight_arrive_in_order(kinesis: Any, stream: str, read: Callable[[], list[Batch]]) -> None:
    traffic.play(kinesis, stream, DAY, DAY)
    by_flight: dict[str, list[str]] = {}
    for flight, payload in zip(told(DAY)["flight_id"].to_pylist(), told(DAY)["payload"].to_pylist(), strict=True):
        by_flight.setdefault(flight, []).append(payload)
    place = {payload: index for index, payload in enumerate(payloads(read()))}
    assert all([place[p] for p in own] == sorted(place[p] for p in own) for own in by_flight.values())


def test_every_shard_is_used_and_an_aggregate_is_small(kinesis: Any, stream: str) -> None:
    traffic.play(kinesis, stream, DAY, DAY)
    for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
        start = kinesis.get_shard_iterator(
            StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        records = kinesis.get_records(ShardIterator=start)["Records"]
        assert 0 < max(len(record["Data"]) for record in records) <= traffic.MAX_AGGREGATE_BYTES


def test_refused_records_are_sent_again(kinesis: Any, stream: str, read: Callable[[], list[Batch]]) -> None:
    kinesis.add_tags_to_stream(StreamName=stream, Tags={f"{THROTTLE_TAG}PutRecords": "3"})
    traffic.play(kinesis, stream, DAY, DAY, aggregate=False)
    assert sorted(payloads(read())) == sorted(told(DAY)["payload"].to_pylist())


def test_a_stream_that_goes_on_refusing_ends_the_play_with_what_to_do(
    kinesis: Any, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traffic, "_FIRST_WAIT_SECONDS", 0)
    kinesis.add_tags_to_stream(StreamName=stream, Tags={f"{THROTTLE_TAG}PutRecords": "1000"})
    with pytest.raises(LocalServicesError, match="more shards"):
        traffic.play(kinesis, stream, DAY, DAY)


def test_a_second_play_is_refused(kinesis: Any, stream: str) -> None:
    assert traffic.already_played(kinesis, stream) is None
    played = traffic.play(kinesis, stream, DAY, DAY)
    assert traffic.already_played(kinesis, stream) == traffic.Mark("2013-01-01/2013-01-01", played.events, True)
    for day in (DAY, date(2013, 1, 2)):
        with pytest.raises(StreamAlreadyPlayedError, match="watershed reset"):
            traffic.play(kinesis, stream, day, day)


def test_an_interrupted_play_goes_on_where_it_stopped(
    kinesis: Any, stream: str, read: Callable[[], list[Batch]]
) -> None:
    last = date(2013, 1, 3)

    def interrupt(events_sent: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        traffic.play(kinesis, stream, DAY, last, progress=interrupt)
    mark = traffic.already_played(kinesis, stream)
    assert mark is not None
    assert not mark.complete
    with pytest.raises(StreamAlreadyPlayedError):
        traffic.play(kinesis, stream, DAY, DAY)
    progress: list[int] = []
    rest = traffic.play(kinesis, stream, DAY, last, progress=progress.append)
    everything = pa.Table.from_batches(events(DAY, last))
    assert rest.resumed_after == mark.events
    assert progress[-1] == mark.events + rest.events == everything.num_rows
    assert sorted(payloads(read())) == sorted(everything["payload"].to_pylist())


def test_a_play_of_more_days_goes_on_after_whole_months(
    kinesis: Any, stream: str, read: Callable[[], list[Batch]]
) -> None:
    first, last = date(2013, 1, 31), date(2013, 2, 1)
    january = traffic.play(kinesis, stream, first, first)
    both = traffic.play(kinesis, stream, first, last)
    assert both.resumed_after == january.events
    assert traffic.already_played(kinesis, stream) == traffic.Mark(
        f"{first}/{last}", january.events + both.events, True
    )
    everything = [*pa.Table.from_batches(events(first, last))["payload"].to_pylist()]
    assert sorted(payloads(read())) == sorted(everything)


@pytest.mark.parametrize(
    ("played", "complete", "first", "last", "goes_on"),
    [
        ("2013-01-01/2013-01-31", True, DAY, date(2013, 12, 31), True),
        ("2013-01-01/2013-01-31", False, DAY, date(2013, 12, 31), True),
        ("2013-01-01/2013-12-31", False, DAY, date(2013, 12, 31), True),
        ("2013-01-01/2013-12-31", True, DAY, date(2013, 12, 31), False),
        ("2013-01-01/2013-12-31", True, DAY, date(2013, 1, 31), False),
        ("2013-01-01/2013-12-31", False, DAY, date(2013, 1, 31), False),
        # Within a month the events of its days are mixed.
        ("2013-01-01/2013-01-15", True, DAY, date(2013, 1, 31), False),
        ("2013-01-02/2013-01-31", True, DAY, date(2013, 12, 31), False),
    ],
)
def test_a_play_goes_on_only_with_what_it_is_the_beginning_of(
    played: str, complete: bool, first: date, last: date, goes_on: bool
) -> None:
    assert traffic.Mark(played, 1, complete).is_continued_by(first, last) is goes_on


def test_reference_files_are_dropped_once(settings: Settings, client: Any, contracts: dict[str, Contract]) -> None:
    s3 = client(settings, "s3")
    keys = traffic.drop_files(s3, settings.landing_bucket, contracts.values())
    assert keys == tuple(f"files/{name}/{name}.csv" for name in ("airlines", "airports", "planes"))
    assert traffic.drop_files(s3, settings.landing_bucket, contracts.values()) == ()
    body = s3.get_object(Bucket=settings.landing_bucket, Key=keys[0])["Body"].read()
    assert body.startswith(b"carrier,name\n")


def test_the_weather_is_delivered_once_and_holds_the_contract(
    settings: Settings, client: Any, contracts: dict[str, Contract]
) -> None:
    firehose, s3, name = client(settings, "firehose"), client(settings, "s3"), settings.stream_name("weather")
    firehose.tag_delivery_stream(DeliveryStreamName=name, Tags=[{"Key": THROTTLE_FIREHOSE_TAG, "Value": "1"}])
    assert traffic.put_weather(firehose, name, DAY, date(2013, 1, 10)) == 714
    put_at = time.monotonic()
    assert traffic.put_weather(firehose, name, DAY, date(2013, 1, 10)) == 0
    traffic.await_delivery(firehose, name, put_at)
    (batch,) = ObjectReader(s3, contracts["weather"], settings.landing_bucket, max_bytes=2**30).batches(
        None, lambda _: set()
    )
    decoded = decode(contracts["weather"], batch)
    assert decoded.rejects.to_pylist() == []
    assert sorted(payloads([batch])) == sorted(
        p for b in observations(DAY, date(2013, 1, 10)) for p in b["payload"].to_pylist()
    )
    assert all(records.provenance["_key"][0].as_py().endswith(".gz") for records in batch.records)
    assert losses(s3, contracts["weather"], settings.landing_bucket) == []


def test_what_firehose_cannot_process_is_told(
    settings: Settings, client: Any, contracts: dict[str, Contract], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The producer sends what it does not send zipped to a delivery stream that unzips."""
    firehose, s3, name = client(settings, "firehose"), client(settings, "s3"), settings.stream_name("weather")
    zipped = {"Type": "Decompression", "Parameters": [{"ParameterName": "CompressionFormat", "ParameterValue": "GZIP"}]}
    firehose.update_destination(
        DeliveryStreamName=name,
        CurrentDeliveryStreamVersionId="1",
        DestinationId="destinationId-000000000001",
        ExtendedS3DestinationUpdate={"ProcessingConfiguration": {"Enabled": True, "Processors": [zipped]}},
    )
    traffic.put_weather(firehose, name, DAY, DAY)
    traffic.await_delivery(firehose, name, time.monotonic())
    (told,) = losses(s3, contracts["weather"], settings.landing_bucket)
    assert "Firehose could not process the records of 1 objects under" in told
    assert "the newest errors/firehose/weather/decompression-failed/" in told
    monkeypatch.setattr(objects, "_MOST_ERRORS", 1)
    (told,) = losses(s3, contracts["weather"], settings.landing_bucket)
    assert "1 or more objects" in told
    assert "one of them errors/firehose/weather/" in told


def test_provisioning_creates_what_the_contracts_need_once(
    fresh_settings: Settings, client: Any, contracts: dict[str, Contract]
) -> None:
    made = provision(fresh_settings, contracts.values())
    assert made.streams == (fresh_settings.stream_name("flight-events"),)
    assert made.delivery_streams == (fresh_settings.stream_name("weather"),)
    assert len(client(fresh_settings, "kinesis").list_shards(StreamName=made.streams[0])["Shards"]) == SHARDS
    for bucket in made.buckets:
        client(fresh_settings, "s3").head_bucket(Bucket=bucket)
    for database in made.databases:
        client(fresh_settings, "glue").get_database(Name=database)
    again = provision(fresh_settings, contracts.values())
    assert again == Provisioned((), (), (), (), ())


def test_what_one_contract_needs_takes_nothing_from_the_others(
    fresh_settings: Settings, client: Any, contracts: dict[str, Contract]
) -> None:
    """`watershed put` makes what its contract needs: the queue goes on to be told of the other contracts' folders."""

    def folders() -> set[str]:
        s3 = client(fresh_settings, "s3")
        told = s3.get_bucket_notification_configuration(Bucket=fresh_settings.landing_bucket)["QueueConfigurations"]
        return {each["Filter"]["Key"]["FilterRules"][0]["Value"] for each in told}

    provision(fresh_settings, [contracts["planes"]])
    assert folders() == {"files/"}
    provision(fresh_settings, contracts.values())
    provision(fresh_settings, [contracts["planes"]])
    assert folders() == {"files/", "firehose/"}


def test_the_queue_is_told_of_files_and_of_deliveries(
    fresh_settings: Settings, client: Any, contracts: dict[str, Contract]
) -> None:
    provision(fresh_settings, contracts.values())
    firehose = client(fresh_settings, "firehose")
    keys = traffic.drop_files(client(fresh_settings, "s3"), fresh_settings.landing_bucket, contracts.values())
    traffic.put_weather(firehose, fresh_settings.stream_name("weather"), DAY, DAY)
    traffic.await_delivery(firehose, fresh_settings.stream_name("weather"), time.monotonic())
    arrived = {
        key for each in receive(client(fresh_settings, "sqs"), fresh_settings.arrivals_queue) for key, _ in each.objects
    }
    assert arrived >= set(keys)
    assert {key.split("/")[1] for key in arrived - set(keys)} == {"weather"}


def test_provisioning_works_in_another_region(fresh_settings: Settings, contracts: dict[str, Contract]) -> None:
    elsewhere = fresh_settings.model_copy(update={"region": "eu-central-1"})
    assert len(provision(elsewhere, contracts.values()).buckets) == 3
