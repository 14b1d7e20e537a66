"""Reading a stream of the local AWS: each record once, in its shard's order, in bounded batches, up to the tip."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from aws_kinesis_agg.aggregator import RecordAggregator
from botocore.config import Config
from botocore.exceptions import ClientError

import ingestion.readers.kinesis
from infra.local.aws.kinesis import CLOCK_TAG, THROTTLE_TAG
from ingestion.contract import Contract
from ingestion.errors import SourceError
from ingestion.readers.kinesis import KinesisReader, list_shards, losses
from ingestion.records import Batch, Position
from orchestration.settings import Settings

KIB = 1024


@dataclass
class Stream:
    """A stream of the local AWS, and how a test writes to it."""

    client: Any
    name: str
    contract: Contract

    def put(self, *numbers: int, key: str | None = None, size: int = 0) -> None:
        """Put one record a number. Records of one key are in one shard."""
        for first in range(0, len(numbers), 100):
            entries = [
                {"PartitionKey": key or str(number), "Data": payload(number, size)}
                for number in numbers[first : first + 100]
            ]
            assert self.client.put_records(StreamName=self.name, Records=entries)["FailedRecordCount"] == 0

    def put_aggregated(self, *numbers: int, key: str = "a") -> None:
        """Put one Kinesis record that a producer aggregated."""
        aggregator = RecordAggregator()
        for number in numbers:
            aggregator.add_user_record(key, payload(number))
        record = aggregator.clear_and_get()
        assert record is not None
        self.client.put_record(StreamName=self.name, PartitionKey=key, Data=record.get_contents()[2])

    def shards(self) -> list[str]:
        return [shard["ShardId"] for shard in self.client.list_shards(StreamName=self.name)["Shards"]]

    def split(self, shard: int = 0) -> None:
        found = self.client.list_shards(StreamName=self.name)["Shards"][shard]
        low, high = (int(found["HashKeyRange"][end]) for end in ("StartingHashKey", "EndingHashKey"))
        self.client.split_shard(
            StreamName=self.name, ShardToSplit=found["ShardId"], NewStartingHashKey=str((low + high) // 2)
        )

    def merge(self, one: int, other: int) -> None:
        shards = self.shards()
        self.client.merge_shards(StreamName=self.name, ShardToMerge=shards[one], AdjacentShardToMerge=shards[other])

    def throttle(self, calls: int) -> None:
        """Have the next calls of GetRecords refused."""
        self.client.add_tags_to_stream(StreamName=self.name, Tags={f"{THROTTLE_TAG}GetRecords": str(calls)})

    def pass_hours(self, hours: int) -> None:
        """Have the stream's records be so much older."""
        self.client.add_tags_to_stream(StreamName=self.name, Tags={CLOCK_TAG: str(hours)})

    def reader(self, max_bytes: int = 1024 * KIB, client: Any = None, hours: int = 0) -> KinesisReader:
        def clock() -> datetime:
            return datetime.now(UTC) + timedelta(hours=hours)

        return KinesisReader(client or self.client, self.contract, self.name, max_bytes=max_bytes, clock=clock)

    def read(self, position: Position | None = None, **arguments: Any) -> Reading:
        """Read up to the tip."""
        return Reading(list(self.reader(**arguments).batches(position)), position)


@dataclass
class Reading:
    """What a run read."""

    batches: list[Batch]
    before: Position | None = None

    @property
    def position(self) -> Any:
        """As the table would hold it."""
        return json.loads(json.dumps(self.batches[-1].position if self.batches else self.before))

    @property
    def numbers(self) -> list[int]:
        payloads = [p for b in self.batches for records in b.records for p in records.payload.to_pylist()]
        return [json.loads(p)["id"] for p in payloads]

    def column(self, name: str) -> list[Any]:
        return [v for b in self.batches for records in b.records for v in records.provenance.column(name).to_pylist()]


def payload(number: int, size: int = 0) -> bytes:
    return json.dumps({"id": number, "pad": "x" * size}).encode()


MakeStream = Callable[..., Stream]


@pytest.fixture
def stream_of(fresh_settings: Settings, strict: Contract) -> MakeStream:
    """A stream of some shards that no other test sees."""
    once = Config(retries={"total_max_attempts": 1})
    client = boto3.client("kinesis", config=once, **fresh_settings.client_args())  # pyright: ignore

    def make(shards: int = 1) -> Stream:
        name = fresh_settings.stream_name("readings")
        client.create_stream(StreamName=name, ShardCount=shards)
        return Stream(client, name, strict)

    return make


def test_all_shards_are_read_up_to_the_tip(stream_of: MakeStream) -> None:
    stream = stream_of(6)
    stream.put(*range(200))
    reading = stream.read()
    assert sorted(reading.numbers) == list(range(200))
    assert set(reading.column("_shard_id")) == set(stream.shards()) == set(reading.position["shards"])
    assert set(reading.column("_stream")) == {stream.name}
    places = list(zip(reading.column("_shard_id"), map(int, reading.column("_sequence_number")), strict=True))
    assert len(set(places)) == 200
    for shard in stream.shards():
        own = [place for place in places if place[0] == shard]
        assert own == sorted(own)
        assert reading.position["shards"][shard] == str(own[-1][1])


def test_arrival_is_told_in_utc(stream_of: MakeStream) -> None:
    stream = stream_of()
    stream.put(1)
    arrived = stream.read().column("_arrived_at")[0]
    assert abs(datetime.now(UTC).replace(tzinfo=None) - arrived) < timedelta(minutes=1)


def test_a_position_is_gone_on_from(stream_of: MakeStream) -> None:
    stream = stream_of(3)
    stream.put(*range(50))
    first = stream.read()
    stream.put(*range(50, 80))
    second = stream.read(first.position)
    assert sorted(second.numbers) == list(range(50, 80))
    assert stream.read(second.position).batches == []


def test_a_stream_without_records_yields_nothing(stream_of: MakeStream) -> None:
    assert stream_of(2).read().batches == []


def test_aggregated_and_plain_records_are_told_apart(stream_of: MakeStream) -> None:
    stream = stream_of()
    stream.put(1, key="a")
    stream.put_aggregated(2, 3, 4)
    stream.put(5, key="a")
    reading = stream.read()
    assert reading.numbers == [1, 2, 3, 4, 5]
    assert reading.column("_sub_sequence_number") == [0, 0, 1, 2, 0]
    sequence = reading.column("_sequence_number")
    assert len(set(sequence)) == 3
    assert sequence[1] == sequence[2] == sequence[3]


def test_a_batch_is_bounded_and_each_position_can_be_gone_on_from(
    stream_of: MakeStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch is at most max_bytes and one more page of each shard that is read at once."""
    monkeypatch.setattr(ingestion.readers.kinesis, "_RECORDS_A_CALL", 2)
    stream = stream_of(3)
    stream.put(*range(120), size=KIB)
    reading = stream.read(max_bytes=10 * KIB)
    record = len(payload(100, KIB))
    assert sorted(reading.numbers) == list(range(120))
    assert len(reading.batches) >= 120 // 16
    assert all(len(b) * record <= 10 * KIB + 2 * 3 * record for b in reading.batches)
    read: list[int] = []
    for index, batch in enumerate(reading.batches):
        read += Reading([batch]).numbers
        if index % 3 == 0:
            rest = stream.read(json.loads(json.dumps(batch.position)))
            assert sorted([*read, *rest.numbers]) == list(range(120))


def test_more_than_one_call_returns_is_read_whole(stream_of: MakeStream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingestion.readers.kinesis, "_RECORDS_A_CALL", 7)
    stream = stream_of()
    stream.put(*range(100), key="a")
    assert stream.read().numbers == list(range(100))


def test_what_arrives_while_it_is_read_does_not_keep_it_reading(stream_of: MakeStream) -> None:
    """A busy stream: something more arrives after each page. The run ends; the next one goes on without a gap."""
    stream = stream_of()
    stream.put(*range(10), key="a")
    more = iter(range(10, 1000))

    class Busy:
        def __getattr__(self, name: str) -> Any:
            return getattr(stream.client, name)

        def get_records(self, **arguments: Any) -> Any:
            answer = stream.client.get_records(**arguments)
            stream.put(next(more), key="a")
            return answer | {"MillisBehindLatest": 1}

    first = stream.read(client=Busy())
    assert first.numbers[:10] == list(range(10))
    assert len(first.numbers) < 20
    assert [*first.numbers, *stream.read(first.position).numbers] == list(range(next(more)))


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    wait = ingestion.readers.kinesis.wait_random_exponential
    monkeypatch.setattr(ingestion.readers.kinesis, "wait_random_exponential", lambda **_: wait(multiplier=0.001))


@pytest.mark.usefixtures("quick_retries")
def test_throttling_is_waited_out(stream_of: MakeStream, caplog: pytest.LogCaptureFixture) -> None:
    stream = stream_of(2)
    stream.put(*range(20))
    stream.throttle(4)
    assert sorted(stream.read().numbers) == list(range(20))
    assert "ProvisionedThroughputExceededException" in caplog.text


@pytest.mark.usefixtures("quick_retries")
def test_throttling_that_does_not_end_is_an_error(stream_of: MakeStream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingestion.readers.kinesis, "_GIVE_UP_AFTER_SECONDS", 0.05)
    stream = stream_of()
    stream.put(1)
    stream.throttle(1_000_000)
    with pytest.raises((SourceError, ClientError), match="Rate exceeded"):
        stream.read()


def test_an_error_that_is_no_throttling_is_not_tried_again(stream_of: MakeStream) -> None:
    stream = stream_of()
    stream.put(1)
    calls: list[str] = []

    class Denied:
        def __getattr__(self, name: str) -> Any:
            return getattr(stream.client, name)

        def get_records(self, **_: Any) -> Any:
            calls.append("get_records")
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetRecords")

    with pytest.raises(ClientError, match="AccessDenied"):
        stream.read(client=Denied())
    assert calls == ["get_records"]


@pytest.mark.parametrize("closing", ["split", "merge"])
def test_a_closed_shard_is_read_to_its_end_and_never_again(stream_of: MakeStream, closing: str) -> None:
    stream = stream_of(2)
    stream.put(*range(20))
    first = stream.read()
    stream.put(*range(20, 40))
    if closing == "split":
        stream.split(0)
    else:
        stream.merge(0, 1)
    stream.put(*range(40, 60))
    closed = stream.shards()[: 1 if closing == "split" else 2]
    second = stream.read(first.position)
    assert sorted(second.numbers) == list(range(20, 60))
    assert second.position["ended"] == closed
    assert not set(closed) & set(second.position["shards"])
    stream.put(*range(60, 70))
    third = stream.read(second.position)
    assert sorted(third.numbers) == list(range(60, 70))
    assert third.position["ended"] == closed
    assert stream.read(third.position).batches == []


def test_a_shard_that_ends_without_a_record_more_is_noted(stream_of: MakeStream) -> None:
    """Else it would be asked for ever; and the note is a batch without records, so nothing is said to have landed."""
    stream = stream_of()
    stream.put(1)
    first = stream.read()
    stream.split()
    second = stream.read(first.position)
    assert [len(batch) for batch in second.batches] == [0]
    assert second.position["ended"] == [stream.shards()[0]]
    assert stream.read(second.position).batches == []


def test_resharding_while_a_batch_is_committed_loses_nothing(stream_of: MakeStream) -> None:
    stream = stream_of()
    stream.put(*range(10), size=KIB)
    batches = stream.reader(max_bytes=1).batches(None)
    first = next(batches)
    stream.split()
    stream.put(*range(10, 30))
    rest = list(batches)
    read = Reading([first, *rest])
    later = stream.read(read.position)
    assert sorted([*read.numbers, *later.numbers]) == list(range(30))


def test_a_shard_that_the_stream_no_longer_lists_is_dropped_from_the_position(stream_of: MakeStream) -> None:
    stream = stream_of()
    stream.put(1)
    gone = {"shards": {"shardId-000000000009": "1"}, "ended": ["shardId-000000000008"]}
    reading = stream.read(gone)
    assert reading.numbers == [1]
    assert reading.position["ended"] == []
    assert list(reading.position["shards"]) == stream.shards()


def test_a_stream_that_was_made_anew_is_read_from_its_start(
    stream_of: MakeStream, caplog: pytest.LogCaptureFixture
) -> None:
    """Its shards are called as those of the old one, of which one has ended: it would never be read."""
    old = stream_of()
    old.put(1)
    old.split()
    before = old.read().position
    assert before["ended"] == [old.shards()[0]]
    old.client.delete_stream(StreamName=old.name)
    time.sleep(1.1)  # AWS tells of a stream when it was made to the second
    new = stream_of()
    new.put(2, 3)
    reading = new.read(before)
    assert reading.numbers == [2, 3]
    assert reading.position["ended"] == []
    assert reading.position["stream"] != before["stream"]
    assert "is read from its oldest record on" in caplog.text
    assert new.read(reading.position).batches == []


@dataclass
class Expiring:
    """A client whose iterators have expired by when they are used, as AWS' do after five minutes."""

    client: Any
    expired: set[str] = field(default_factory=set)
    refused: int = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def get_records(self, **arguments: Any) -> Any:
        if arguments["ShardIterator"] in self.expired:
            self.expired.clear()
            self.refused += 1
            error = {"Error": {"Code": "ExpiredIteratorException", "Message": "Iterator expired"}}
            raise self.client.exceptions.ExpiredIteratorException(error, "GetRecords")
        answer = self.client.get_records(**arguments)
        self.expired.add(answer["NextShardIterator"])
        return answer


def test_an_iterator_that_expired_is_asked_for_anew(stream_of: MakeStream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingestion.readers.kinesis, "_RECORDS_A_CALL", 3)
    stream = stream_of()
    stream.put(*range(10), key="a")
    client = Expiring(stream.client)
    assert stream.read(client=client, max_bytes=1).numbers == list(range(10))
    assert client.refused == 3


def test_a_missing_stream_is_told_with_its_cure(stream_of: MakeStream, fresh_settings: Settings) -> None:
    stream = stream_of()
    stream.name = fresh_settings.stream_name("other")
    with pytest.raises(SourceError) as caught:
        stream.read()
    message = str(caught.value)
    assert "readings: there is no Kinesis stream" in message
    assert stream.name in message
    assert "watershed up" in message
    assert "readings.yaml" in message


def test_what_retention_removed_before_it_was_read_is_told(
    stream_of: MakeStream, caplog: pytest.LogCaptureFixture
) -> None:
    stream = stream_of()
    stream.put(1)
    first = stream.read()
    stream.put(2)
    stream.pass_hours(25)
    stream.put(3)  # as old as the others
    second = stream.read(first.position, hours=25)
    assert second.numbers == []
    (gap,) = second.position["gaps"]
    assert (gap["shard"], gap["from"]) == (stream.shards()[0], first.position["read_at"])
    assert "if any, are gone. Send them again" in caplog.text
    assert stream.read(second.position, hours=25).batches == []
    now = datetime.now(UTC) + timedelta(hours=25)
    assert "may have been removed by the stream's retention" in losses(stream.contract, second.position, now)[0]
    assert losses(stream.contract, second.position, now + timedelta(days=8)) == []


def test_a_silent_stream_is_not_taken_for_one_that_lost_records(stream_of: MakeStream) -> None:
    stream = stream_of()
    stream.put(1)
    position = stream.read().position
    for hours in (13, 26, 39):
        stream.pass_hours(hours)
        assert stream.read(position, hours=hours - 2).batches == []
        position = stream.read(position, hours=hours).position
    assert "gaps" not in position


def test_what_retention_took_along_with_its_shard_is_told(
    stream_of: MakeStream, caplog: pytest.LogCaptureFixture
) -> None:
    """Resharded during an outage: the shard with the unread rest is not listed any more, its children begin anew."""
    stream = stream_of()
    stream.put(1)
    first = stream.read()
    parent = stream.shards()[0]
    stream.put(2)
    stream.split()
    stream.pass_hours(25)
    assert parent not in stream.shards()
    second = stream.read(first.position, hours=25)
    assert second.numbers == []
    assert [(gap["shard"], gap["from"]) for gap in second.position["gaps"]] == [(parent, first.position["read_at"])]
    assert f"shard {parent} of {stream.name} was read last at" in caplog.text
    assert stream.read(second.position, hours=25).batches == []


def test_what_retention_took_of_a_shard_that_had_nothing_before_is_told(stream_of: MakeStream) -> None:
    stream = stream_of(2)
    stream.put(1, key="a")
    first = stream.read()
    (quiet,) = set(stream.shards()) - set(first.position["shards"])
    stream.put(*range(2, 20))
    stream.pass_hours(25)
    assert quiet in [gap["shard"] for gap in stream.read(first.position, hours=25).position["gaps"]]


def test_of_a_shard_that_was_read_to_its_end_nothing_is_said_to_be_lost(stream_of: MakeStream) -> None:
    """Of what it was split into, something may be: these were there when the stream was read, and had no record."""
    stream = stream_of()
    stream.put(1)
    parent = stream.shards()[0]
    stream.split()
    first = stream.read()
    assert first.position["ended"] == [parent]
    stream.pass_hours(25)
    assert [gap["shard"] for gap in stream.read(first.position, hours=25).position["gaps"]] == stream.shards()


def test_late_but_with_all_records_still_kept_nothing_is_said_to_be_lost(stream_of: MakeStream) -> None:
    """Neither of a shard that still has the record that was read last, nor of those that came out of it since."""
    stream = stream_of()
    stream.put(1)
    first = stream.read()
    stream.split(0)
    stream.split(1)
    stream.put(2)
    second = stream.read(first.position, hours=25)
    assert second.numbers == [2]
    assert "gaps" not in second.position


def test_an_empty_page_does_not_say_that_a_record_is_gone(stream_of: MakeStream) -> None:
    """GetRecords may return none before it comes to those that there are."""
    stream = stream_of()
    stream.put(1)
    first = stream.read()
    stream.put(2)

    class Halting:
        halted = False

        def __getattr__(self, name: str) -> Any:
            return getattr(stream.client, name)

        def get_records(self, **arguments: Any) -> Any:
            if self.halted:
                return stream.client.get_records(**arguments)
            self.halted = True
            return {"Records": [], "NextShardIterator": arguments["ShardIterator"], "MillisBehindLatest": 5000}

    second = stream.read(first.position, hours=25, client=Halting())
    assert second.numbers == [2]
    assert "gaps" not in second.position


def test_what_is_lost_is_told_once_though_the_run_that_found_it_breaks_off(
    stream_of: MakeStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingestion.readers.kinesis, "_RECORDS_A_CALL", 1)
    stream = stream_of(2)
    stream.put(1, key="a")
    first = stream.read()
    (quiet,) = set(stream.shards()) - set(first.position["shards"])
    stream.put(2, 3, key="a")
    position: Any = first.position
    for hours in (25, 26):
        position = next(stream.reader(max_bytes=1, hours=hours).batches(position)).position
    assert [gap["shard"] for gap in position["gaps"]] == [quiet]


def test_a_first_reading_that_broke_off_counts_from_its_start(
    stream_of: MakeStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingestion.readers.kinesis, "_RECORDS_A_CALL", 1)
    stream = stream_of()
    stream.put(1, 2)
    broken_off = next(stream.reader(max_bytes=1).batches(None)).position
    stream.pass_hours(25)
    assert [gap["shard"] for gap in stream.read(broken_off, hours=25).position["gaps"]] == stream.shards()


class Paging:
    """A client that lists two shards a page, as AWS lists a thousand."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.listed: list[dict[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def list_shards(self, **arguments: Any) -> Any:
        self.listed.append(arguments)
        return self.client.list_shards(**arguments, MaxResults=2)


def test_shards_beyond_the_first_page_are_read(stream_of: MakeStream) -> None:
    stream = stream_of(5)
    stream.put(*range(50))
    client = Paging(stream.client)
    assert sorted(stream.read(client=client).numbers) == list(range(50))
    assert [sorted(call) for call in client.listed] == [["StreamName"], ["NextToken"], ["NextToken"]]


def test_more_than_a_thousand_shards_are_listed(stream_of: MakeStream) -> None:
    stream = stream_of(1001)
    assert len({shard["ShardId"] for shard in list_shards(stream.client, stream.name)}) == 1001
