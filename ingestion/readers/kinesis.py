"""Reads a Kinesis stream: all shards, from a position up to the tip, a bounded number of bytes at a time.

The position is `{"stream": which, "shards": {shard id: last sequence number read}, "ended": [shard id, ...]}`. A closed
shard that was read to its end stays in `ended` for as long as the stream still lists it; without that it would be read
again. `stream` is there because every stream calls its shards alike: the position of a stream that was deleted and made
anew says nothing of the new one, and its `ended` shards would never be read.

A batch ends on a whole Kinesis record, so the position needs no sub-sequence number; provenance has it.

`read_at` is when the stream was read up to its tip last, or else when its first reading began. Where that is longer ago
than the stream keeps its records, some may have gone unread, also of shards that are not listed any more: that is
logged, and kept in the position as one of its `gaps`. So that a silent stream is not taken for one, `read_at` is
renewed while nothing comes.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from aws_kinesis_agg.deaggregator import messages_pb2
from botocore.exceptions import ClientError
from google.protobuf.message import DecodeError
from tenacity import Retrying, before_sleep_log, retry_if_exception, stop_after_delay, wait_random_exponential

from ingestion.contract import Contract
from ingestion.errors import SourceError
from ingestion.records import Batch, Json, Position, Records
from ingestion.schemas import arrow_schema, provenance_fields

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_kinesis.type_defs import GetRecordsOutputTypeDef, RecordTypeDef, ShardTypeDef

logger = logging.getLogger(__name__)

# The format of records that the Kinesis Producer Library aggregates.
# https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md
_KPL_MAGIC = b"\xf3\x89\x9a\xc2"
_KPL_DIGEST_BYTES = 16

# GetRecords returns at most 10 MB and 10,000 records; a shard takes 5 calls and 2 MB a second.
# https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html
_RECORDS_A_CALL = 10_000
_SHARDS_AT_ONCE = 4
_THROTTLES = ("ProvisionedThroughputExceededException", "LimitExceededException", "KMSThrottlingException")
_GIVE_UP_AFTER_SECONDS = 300
_MOST_GAPS = 10
_GAPS_TOLD_FOR = timedelta(days=7)


@dataclass
class _Shard:
    """A shard that is being read."""

    shard_id: str
    sequence_number: str | None
    iterator: str | None
    parents: tuple[str, ...]
    at_tip: bool = False

    @property
    def ended(self) -> bool:
        """The shard is closed and has been read to its end."""
        return self.iterator is None


@dataclass(frozen=True)
class _Stream:
    """The stream as it is: what tells it from another of its name, and how long it keeps a record."""

    identity: str
    retention: timedelta


@dataclass
class _Reach:
    """What of a position is not told by the shards: when the tip was reached last, and what was lost before."""

    read_at: str
    gaps: list[dict[str, str]]

    def is_old(self, now: datetime, age: timedelta) -> bool:
        """Whether the tip was reached longer ago than an age."""
        return now - datetime.fromisoformat(self.read_at) > age


@dataclass
class _Buffer:
    """User records of the batch that is being filled."""

    payload: list[bytes] = field(default_factory=list)
    shard: list[str] = field(default_factory=list)
    sequence: list[str] = field(default_factory=list)
    sub_sequence: list[int] = field(default_factory=list)
    arrived: list[datetime] = field(default_factory=list)
    nbytes: int = 0

    def add(self, shard_id: str, record: RecordTypeDef) -> None:
        """Add the user records of one Kinesis record."""
        user_records = deaggregate(record["Data"])
        count = len(user_records)
        self.payload += user_records
        self.shard += [shard_id] * count
        self.sequence += [record["SequenceNumber"]] * count
        self.sub_sequence += range(count)
        self.arrived += [_naive_utc(record["ApproximateArrivalTimestamp"])] * count
        self.nbytes += len(record["Data"])


class KinesisReader:
    """Reads one contract's stream. `max_bytes` bounds a batch, `stream` is the deployed name."""

    def __init__(
        self,
        client: KinesisClient,
        contract: Contract,
        stream: str,
        *,
        max_bytes: int,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._contract = contract
        self._stream = stream
        self._max_bytes = max_bytes
        self._clock = clock

    def batches(self, position: Position | None, landed: object = None) -> Generator[Batch, None, None]:
        """Batches after a position (None: from the oldest record kept), up to the tip as it is when reading starts.

        Raises SourceError if the stream does not exist or throttling does not end.
        """
        started = self._clock()
        stream = self._describe()
        position = self._own(position or {}, stream.identity)
        shards = self._open(position)
        reach = _Reach(position.get("read_at", _seconds(started)), list(position.get("gaps", ())))
        gaps = self._gaps(position, shards, reach, started, stream.retention)
        reach.gaps = [*reach.gaps, *gaps][-_MOST_GAPS:]
        ended = {shard.shard_id for shard in shards if shard.ended}
        with ThreadPoolExecutor(_SHARDS_AT_ONCE, thread_name_prefix="shard") as pool:
            buffer = _Buffer()
            moved = bool(gaps) or reach.is_old(started, stream.retention / 2)
            while active := [s for s in shards if not s.ended and not s.at_tip][:_SHARDS_AT_ONCE]:
                for shard, records in zip(active, pool.map(lambda s: self._page(s, started), active), strict=True):
                    for record in records:
                        buffer.add(shard.shard_id, record)
                    moved = moved or bool(records)
                if buffer.nbytes >= self._max_bytes:
                    yield self._batch(buffer, shards, stream.identity, reach)
                    buffer, moved, ended = _Buffer(), False, {s.shard_id for s in shards if s.ended}
            if moved or {s.shard_id for s in shards if s.ended} != ended:
                reach.read_at = _seconds(started)
                yield self._batch(buffer, shards, stream.identity, reach)

    def _batch(self, buffer: _Buffer, shards: Sequence[_Shard], stream: str, reach: _Reach) -> Batch:
        count = len(buffer.payload)
        columns = [
            pa.repeat(pa.scalar(self._stream), count),
            pa.array(buffer.shard, pa.string()),
            pa.array(buffer.sequence, pa.string()),
            pa.array(buffer.sub_sequence, pa.int64()),
            pa.array(buffer.arrived, pa.timestamp("us")),
        ]
        provenance = pa.table(columns, schema=arrow_schema(provenance_fields(self._contract)))
        position: dict[str, Any] = {
            "stream": stream,
            "shards": {s.shard_id: s.sequence_number for s in shards if s.sequence_number and not s.ended},
            "ended": sorted(s.shard_id for s in shards if s.ended),
            "read_at": reach.read_at,
        }
        if reach.gaps:
            position["gaps"] = list(reach.gaps)
        return Batch([Records(pa.array(buffer.payload, pa.binary()), provenance, Json())], position)

    def _gaps(
        self, position: Position, shards: Sequence[_Shard], reach: _Reach, now: datetime, retention: timedelta
    ) -> list[dict[str, str]]:
        """Shards whose records may have been removed by the stream's retention before they were read."""
        if not reach.is_old(now, retention):
            return []
        until = _seconds(now - retention)
        told = {(gap["shard"], gap["from"]) for gap in reach.gaps}  # by a run that broke off
        gaps: list[dict[str, str]] = []
        for shard_id in self._overtaken(position, shards):
            if (shard_id, reach.read_at) in told:
                continue
            gaps.append({"shard": shard_id, "from": reach.read_at, "to": until})
            logger.error(
                "%s: shard %s of %s was read last at %s, and the stream has removed what is older than %s: records that"
                " arrived in between, in it or in what it was split or merged into, if any, are gone. Send them again;"
                " land more often than every %s hours, or raise the stream's retention.",
                self._contract.name,
                shard_id,
                self._stream,
                reach.read_at,
                until,
                retention // timedelta(hours=1),
            )
        return gaps

    def _overtaken(self, position: Position, shards: Sequence[_Shard]) -> Iterator[str]:
        """Of which shards it is not known that they still have all that was not read, all of it being kept no longer.

        One that is not listed any more was closed, and its last record removed. One of which no record was ever read
        may have had some, unless it came out of a shard that had not ended then: that one tells, for both.
        """
        read = position.get("shards", {})
        yield from sorted(read.keys() - {shard.shard_id for shard in shards})
        told_for = set(read)
        for shard in sorted(shards, key=lambda each: each.shard_id):  # a child's identifier is above its parents'
            if shard.ended:
                continue
            if shard.sequence_number:
                if not self._keeps(shard.shard_id, shard.sequence_number):
                    yield shard.shard_id
            elif told_for.isdisjoint(shard.parents):
                yield shard.shard_id
            else:
                told_for.add(shard.shard_id)

    def _keeps(self, shard_id: str, sequence_number: str) -> bool:
        """Whether the shard still has the record that was read last: then it has all that came after it."""
        iterator: str | None = self._iterator(shard_id, None)
        while iterator:
            answer = _retrying()(self._client.get_records, ShardIterator=iterator, Limit=1)
            if answer["Records"]:
                return int(answer["Records"][0]["SequenceNumber"]) <= int(sequence_number)
            # A page may be empty though records follow.
            iterator = None if answer.get("MillisBehindLatest") == 0 else answer.get("NextShardIterator")
        return False

    def _open(self, position: Position) -> list[_Shard]:
        """All shards that the stream lists, each with an iterator at the position."""
        read, ended = position.get("shards", {}), set(position.get("ended", ()))
        shards: list[_Shard] = []
        for listed in list_shards(self._client, self._stream):
            shard_id = listed["ShardId"]
            number = read.get(shard_id)
            iterator = None if shard_id in ended else self._iterator(shard_id, number)
            parents = (listed.get("ParentShardId"), listed.get("AdjacentParentShardId"))
            shards.append(_Shard(shard_id, number, iterator, tuple(parent for parent in parents if parent)))
        return shards

    def _describe(self) -> _Stream:
        try:
            answer = _retrying()(self._client.describe_stream_summary, StreamName=self._stream)
        except self._client.exceptions.ResourceNotFoundException as error:
            raise SourceError(
                f"{self._contract.name}: there is no Kinesis stream {self._stream!r}. Create it (`terraform apply`;"
                f" locally `watershed up`), or mend the contract's stream in {self._contract.path}."
            ) from error
        summary = answer["StreamDescriptionSummary"]
        created = _seconds(summary["StreamCreationTimestamp"])
        return _Stream(f"{self._stream} of {created}", timedelta(hours=summary["RetentionPeriodHours"]))

    def _own(self, position: Position, stream: str) -> Position:
        """The position, unless it is another stream's."""
        before = position.get("stream", stream)
        if before == stream:
            return position
        logger.warning(
            "%s: landed up to now from %s, from now on from %s: it is read from its oldest record on. What was not read"
            " of the other is not read any more.",
            self._contract.name,
            before,
            stream,
        )
        return {}

    def _iterator(self, shard_id: str, sequence_number: str | None) -> str:
        start: dict[str, Any] = (
            {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": sequence_number}
            if sequence_number
            else {"ShardIteratorType": "TRIM_HORIZON"}
        )
        answer = _retrying()(self._client.get_shard_iterator, StreamName=self._stream, ShardId=shard_id, **start)
        return answer["ShardIterator"]

    def _page(self, shard: _Shard, started: datetime) -> list[RecordTypeDef]:
        """One GetRecords of a shard, whose state moves on with it."""
        answer = self._get_records(shard)
        records = answer["Records"]
        shard.iterator = answer.get("NextShardIterator")
        if records:
            shard.sequence_number = records[-1]["SequenceNumber"]
        past_start = bool(records) and records[-1]["ApproximateArrivalTimestamp"] >= started
        shard.at_tip = past_start or answer.get("MillisBehindLatest") == 0
        return records

    def _get_records(self, shard: _Shard) -> GetRecordsOutputTypeDef:
        assert shard.iterator, "only shards that have not ended are read"
        for attempt in _retrying():
            with attempt:
                try:
                    return self._client.get_records(ShardIterator=shard.iterator, Limit=_RECORDS_A_CALL)
                except self._client.exceptions.ExpiredIteratorException:
                    # An iterator lives for five minutes: a commit may have taken longer.
                    shard.iterator = self._iterator(shard.shard_id, shard.sequence_number)
                    return self._client.get_records(ShardIterator=shard.iterator, Limit=_RECORDS_A_CALL)
        raise AssertionError("the loop above returns or raises")


def list_shards(client: KinesisClient, stream: str) -> list[ShardTypeDef]:
    """All shards that a stream lists, in their order. Throttling is waited out, up to five minutes a page.

    botocore's paginator would name the stream beside the token, which AWS refuses on the second page, after 1,000
    shards: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_ListShards.html
    """
    answer = _retrying()(client.list_shards, StreamName=stream)
    shards = list(answer["Shards"])
    while token := answer.get("NextToken"):
        answer = _retrying()(client.list_shards, NextToken=token)
        shards += answer["Shards"]
    return shards


def losses(contract: Contract, position: Position, now: datetime) -> list[str]:
    """What of the stream may have gone unread, of the last week: a sentence for each gap in a position."""
    recent = [gap for gap in position.get("gaps", ()) if now - datetime.fromisoformat(gap["to"]) < _GAPS_TOLD_FOR]
    return [
        f"{contract.name}: what arrived in shard {gap['shard']}, or in what it was split or merged into, from"
        f" {gap['from']} to {gap['to']} may have been removed by the stream's retention before it was read. Send it"
        " again; land more often, or raise the stream's retention."
        for gap in recent
    ]


def deaggregate(data: bytes) -> list[bytes]:
    """The user records in a Kinesis record: several if a producer aggregated them, else the record itself."""
    if not data.startswith(_KPL_MAGIC) or len(data) <= len(_KPL_MAGIC) + _KPL_DIGEST_BYTES:
        return [data]
    body, digest = data[len(_KPL_MAGIC) : -_KPL_DIGEST_BYTES], data[-_KPL_DIGEST_BYTES:]
    if hashlib.md5(body, usedforsecurity=False).digest() != digest:
        return [data]
    try:
        message = messages_pb2.AggregatedRecord.FromString(body)  # pyright: ignore[reportAttributeAccessIssue]
    except DecodeError:
        return [data]
    return [record.data for record in message.records]


def _retrying() -> Retrying:
    """Back off while the stream throttles: exponentially, with jitter, up to five minutes in all."""
    return Retrying(
        retry=retry_if_exception(_is_throttle),
        wait=wait_random_exponential(multiplier=0.2, max=10),
        stop=stop_after_delay(_GIVE_UP_AFTER_SECONDS),
        before_sleep=before_sleep_log(logger, logging.WARNING),
        reraise=True,
    )


def _is_throttle(error: BaseException) -> bool:
    return isinstance(error, ClientError) and error.response.get("Error", {}).get("Code") in _THROTTLES


def _naive_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def _seconds(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
