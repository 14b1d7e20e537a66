"""Plays the real flights into Kinesis, puts the weather into Firehose, and drops the reference files into S3."""

from __future__ import annotations

import hashlib
import time
from calendar import monthrange
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
from aws_kinesis_agg.aggregator import AggRecord
from botocore.exceptions import ClientError

from infra.local.errors import LocalServicesError, StreamAlreadyPlayedError
from infra.local.flights import data_file, events
from infra.local.weather import observations
from ingestion.contract import Contract, ObjectSource
from ingestion.readers.kinesis import list_shards

MAX_CALL_RECORDS = 500
MAX_CALL_BYTES = 5 * 1024 * 1024
MAX_AGGREGATE_BYTES = 50 * 1024
REFERENCE_FILES = ("airlines", "airports", "planes")

_ATTEMPTS = 10
_FIRST_WAIT_SECONDS = 0.1
_LONGEST_WAIT_SECONDS = 5.0
# The local Firehose looks ten times a second which buffer is due.
_DELIVERY_SECONDS = 0.5

# A (delivery) stream's own tags say what was played into it, so that this is forgotten with the stream.
_DATES_TAG, _EVENTS_TAG, _STATE_TAG = "played-dates", "played-events", "played-state"
_COMPLETE, _INCOMPLETE = "complete", "incomplete"

Record = dict[str, Any]
"""An entry of a PutRecords call."""


@dataclass(frozen=True)
class Mark:
    """What was played into a stream."""

    dates: str
    """`<first>/<last>`, local dates of departure (ISO 8601)."""
    events: int
    complete: bool

    def is_continued_by(self, first: date, last: date) -> bool:
        """Whether a play of these days would go on where this one is: with the rest of its own days, or with more."""
        here_first, here_last = map(date.fromisoformat, self.dates.split("/"))
        if first != here_first:
            return False
        if last == here_last:
            return not self.complete
        return last > here_last and _is_end_of_month(here_last)


@dataclass(frozen=True)
class Played:
    """What a play sent."""

    events: int
    records: int
    """Kinesis records: fewer than events, as one holds many."""
    bytes: int
    seconds: float
    resumed_after: int
    """Events that an earlier play, which was interrupted, had sent."""


def already_played(kinesis: Any, stream: str) -> Mark | None:
    """What was played into a stream; None if nothing was.

    Args:
        kinesis: A boto3 client.
        stream: The stream's deployed name.
    """
    tags = tags_of(kinesis, stream)
    if _DATES_TAG not in tags:
        return None
    return Mark(tags[_DATES_TAG], int(tags[_EVENTS_TAG]), tags[_STATE_TAG] == _COMPLETE)


def tags_of(kinesis: Any, stream: str) -> dict[str, str]:
    """The tags of a stream: what was played into it is noted there."""
    return {tag["Key"]: tag["Value"] for tag in kinesis.list_tags_for_stream(StreamName=stream)["Tags"]}


def play(
    kinesis: Any,
    stream: str,
    first: date,
    last: date,
    *,
    aggregate: bool = True,
    progress: Callable[[int], None] | None = None,
) -> Played:
    """Send the events of the flights of some days: month after month, each in the order in which they happened.

    So a play of more days from the same first one goes on where a shorter one ended: the year after its January. One
    that was interrupted goes on where it was. The events of its last batch may then be sent again, under the same
    `event_id`, as by any producer that retries.

    Args:
        kinesis: A boto3 client.
        stream: The stream's deployed name.
        first: First local date of a scheduled departure, in 2013.
        last: Last one, inclusive.
        aggregate: Pack many events into a Kinesis record, as the Kinesis Producer Library does; else one into each.
        progress: Told the number of events sent so far, earlier plays included, after each batch.

    Raises:
        StreamAlreadyPlayedError: If these events, or others, were played into the stream.
        LocalServicesError: If there is no data for these days, or the stream refuses records for too long.
    """
    dates = f"{first}/{last}"
    mark = already_played(kinesis, stream) or Mark(dates, 0, complete=False)
    if not mark.is_continued_by(first, last):
        held = "were played" if mark.complete else "were being played, when that was interrupted,"
        raise StreamAlreadyPlayedError(
            f"The flights of {mark.dates} {held} into {stream} already ({mark.events:,} events)."
            f" A play of {dates} would double some. Run `watershed reset` first, or play into another stream; whole"
            " months are gone on with by a play of more days from the same first one."
        )
    started, position, records, size = time.monotonic(), 0, 0, 0
    batches = (batch for days in _months(first, last) for batch in events(*days))
    for batch in batches:
        position += batch.num_rows
        if position <= mark.events:
            continue
        sent = send(kinesis, stream, batch, aggregate=aggregate)
        records, size = records + sent[0], size + sent[1]
        _mark(kinesis, stream, Mark(dates, position, complete=False))
        if progress is not None:
            progress(position)
    _mark(kinesis, stream, Mark(dates, position, complete=True))
    return Played(position - mark.events, records, size, time.monotonic() - started, mark.events)


def _months(first: date, last: date) -> Iterator[tuple[date, date]]:
    """The days from first to last, cut at the ends of months."""
    while first <= last:
        end = min(last, date(first.year, first.month, monthrange(first.year, first.month)[1]))
        yield first, end
        first = end + timedelta(days=1)


def _is_end_of_month(day: date) -> bool:
    return (day + timedelta(days=1)).day == 1


def send(kinesis: Any, stream: str, batch: pa.RecordBatch, *, aggregate: bool = True) -> tuple[int, int]:
    """Send events and return when each is acknowledged.

    The events of a flight go to one shard, in order. A record that was refused at first comes after the others of its
    call.

    Args:
        kinesis: A boto3 client.
        stream: The stream's deployed name.
        batch: Columns `flight_id`, the partition key, and `payload`.
        aggregate: Pack many events into a Kinesis record, as the Kinesis Producer Library does; else one into each.

    Returns:
        The number of Kinesis records sent, and their bytes.

    Raises:
        LocalServicesError: If the stream refuses records for too long.
    """
    pairs = zip(batch["flight_id"].to_pylist(), batch["payload"].to_pylist(), strict=True)
    if aggregate:
        records = _aggregated(pairs, _shard_ranges(kinesis, stream))
    else:
        records = ({"PartitionKey": key, "Data": payload.encode()} for key, payload in pairs)
    count, size = 0, 0
    for call in _calls(records):
        _put(kinesis, stream, call)
        count += len(call)
        size += sum(len(record["Data"]) for record in call)
    return count, size


def put_weather(firehose: Any, delivery_stream: str, first: date, last: date) -> int:
    """Put the observations of some days into a delivery stream, in the order in which they were made.

    Days that were put before are left: more days from the same first one go on after them. Where that was interrupted,
    the days are put again, as a producer would that does not know what arrived.

    Args:
        firehose: A boto3 client.
        delivery_stream: The delivery stream's deployed name.
        first: First date, in 2013.
        last: Last one, inclusive.

    Returns:
        The number of observations that were put now: 0 if they, or those from another first day, were put before.

    Raises:
        LocalServicesError: If there is no data for these days, or Firehose refuses records for too long.
    """
    tags = firehose.list_tags_for_delivery_stream(DeliveryStreamName=delivery_stream)["Tags"]
    put = {tag["Key"]: tag["Value"] for tag in tags}
    put_first, put_last = put.get(_DATES_TAG, f"{first}/{first - timedelta(days=1)}").split("/")
    count, start = 0, date.fromisoformat(put_last) + timedelta(days=1)
    if put_first != str(first) or start > last:
        return 0
    for batch in observations(start, last, MAX_CALL_RECORDS):
        _put_batch(firehose, delivery_stream, [{"Data": payload.encode()} for payload in batch["payload"].to_pylist()])
        count += batch.num_rows
    played = {_DATES_TAG: f"{first}/{last}", _EVENTS_TAG: str(int(put.get(_EVENTS_TAG, 0)) + count)}
    firehose.tag_delivery_stream(
        DeliveryStreamName=delivery_stream, Tags=[{"Key": key, "Value": value} for key, value in played.items()]
    )
    return count


def await_delivery(firehose: Any, delivery_stream: str, put_at: float) -> None:
    """Wait until what was put into a delivery stream has been delivered.

    Args:
        firehose: A boto3 client.
        delivery_stream: The delivery stream's deployed name.
        put_at: When the last record was put, by `time.monotonic()`.
    """
    description = firehose.describe_delivery_stream(DeliveryStreamName=delivery_stream)["DeliveryStreamDescription"]
    hints = description["Destinations"][0]["ExtendedS3DestinationDescription"]["BufferingHints"]
    due = put_at + hints["IntervalInSeconds"] + _DELIVERY_SECONDS
    time.sleep(max(0.0, due - time.monotonic()))


def put_observations(firehose: Any, delivery_stream: str, batch: pa.RecordBatch) -> None:
    """Put observations and return when each is acknowledged.

    Args:
        firehose: A boto3 client.
        delivery_stream: The delivery stream's deployed name.
        batch: Column `payload`; at most as many rows as a call takes.

    Raises:
        LocalServicesError: If Firehose refuses records for too long.
    """
    _put_batch(firehose, delivery_stream, [{"Data": payload.encode()} for payload in batch["payload"].to_pylist()])


def _put_batch(firehose: Any, delivery_stream: str, call: Sequence[Record]) -> None:
    """Put a call's records; those that are refused again and again, ever more slowly."""
    refused, why = list(call), ""
    for attempt in range(_ATTEMPTS):
        answers = firehose.put_record_batch(DeliveryStreamName=delivery_stream, Records=refused)["RequestResponses"]
        failed = [(record, answer) for record, answer in zip(refused, answers, strict=True) if "ErrorCode" in answer]
        if not failed:
            return
        refused = [record for record, _ in failed]
        why = f"{failed[0][1]['ErrorCode']}: {failed[0][1].get('ErrorMessage', '')}"
        time.sleep(min(_LONGEST_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2**attempt))
    raise LocalServicesError(f"{delivery_stream} refused {len(refused)} records {_ATTEMPTS} times ({why}). Put again.")


def drop_files(s3: Any, bucket: str, contracts: Iterable[Contract]) -> tuple[str, ...]:
    """Drop the reference files under the prefixes that their contracts name. A file that is there already is left.

    Args:
        s3: A boto3 client.
        bucket: The landing bucket.
        contracts: The contracts; those named in `REFERENCE_FILES` are served.

    Returns:
        The keys of the files that were dropped now.
    """
    dropped: list[str] = []
    for contract in contracts:
        if contract.name in REFERENCE_FILES and isinstance(contract.source, ObjectSource):
            content = data_file(f"{contract.name}.csv").read_bytes()
            key = f"{contract.source.prefix}{contract.name}.csv"
            if _etag(s3, bucket, key) != hashlib.md5(content, usedforsecurity=False).hexdigest():
                s3.put_object(Bucket=bucket, Key=key, Body=content, ContentType="text/csv")
                dropped.append(key)
    return tuple(dropped)


def _etag(s3: Any, bucket: str, key: str) -> str | None:
    try:
        return s3.head_object(Bucket=bucket, Key=key)["ETag"].strip('"')
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "404":
            raise
        return None


def _mark(kinesis: Any, stream: str, mark: Mark) -> None:
    state = _COMPLETE if mark.complete else _INCOMPLETE
    tags = {_DATES_TAG: mark.dates, _EVENTS_TAG: str(mark.events), _STATE_TAG: state}
    kinesis.add_tags_to_stream(StreamName=stream, Tags=tags)


def _shard_ranges(kinesis: Any, stream: str) -> list[range]:
    """The ranges of hash keys of the open shards."""
    return [
        range(int(shard["HashKeyRange"]["StartingHashKey"]), int(shard["HashKeyRange"]["EndingHashKey"]) + 1)
        for shard in list_shards(kinesis, stream)
        if "EndingSequenceNumber" not in shard["SequenceNumberRange"]
    ]


def _aggregated(pairs: Iterable[tuple[str, str]], shards: Sequence[range]) -> Iterator[Record]:
    """Pack events into aggregated records. Each record holds events of one shard: readers drop those of another."""
    open_records: dict[range, AggRecord] = {}
    for key, payload in pairs:
        hash_key = int.from_bytes(hashlib.md5(key.encode(), usedforsecurity=False).digest(), "big")
        shard = next(shard for shard in shards if hash_key in shard)
        record = open_records.get(shard)
        if record is None or not record.add_user_record(key, payload):
            if record is not None:
                yield _entry(record, shard)
            record = open_records[shard] = AggRecord(MAX_AGGREGATE_BYTES)
            record.add_user_record(key, payload)
    for shard, record in open_records.items():
        yield _entry(record, shard)


def _entry(record: AggRecord, shard: range) -> Record:
    partition_key, _, data = record.get_contents()
    return {"PartitionKey": partition_key, "ExplicitHashKey": str(shard.start), "Data": data}


def _calls(records: Iterable[Record]) -> Iterator[list[Record]]:
    """Group records into calls of a size that PutRecords takes."""
    call: list[Record] = []
    size = 0
    for record in records:
        record_size = len(record["Data"]) + len(record["PartitionKey"].encode())
        if call and (len(call) == MAX_CALL_RECORDS or size + record_size > MAX_CALL_BYTES):
            yield call
            call, size = [], 0
        call.append(record)
        size += record_size
    if call:
        yield call


def _put(kinesis: Any, stream: str, call: Sequence[Record]) -> None:
    """Send a call's records; those that are refused again and again, ever more slowly."""
    refused, why = list(call), ""
    for attempt in range(_ATTEMPTS):
        try:
            answers = kinesis.put_records(StreamName=stream, Records=refused)["Records"]
        except kinesis.exceptions.ProvisionedThroughputExceededException as error:
            why = str(error)
        else:
            failed = [
                (record, answer) for record, answer in zip(refused, answers, strict=True) if "ErrorCode" in answer
            ]
            if not failed:
                return
            refused = [record for record, _ in failed]
            why = f"{failed[0][1]['ErrorCode']}: {failed[0][1].get('ErrorMessage', '')}"
        time.sleep(min(_LONGEST_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2**attempt))
    raise LocalServicesError(
        f"{stream} refused {len(refused)} records {_ATTEMPTS} times ({why}). "
        "Give the stream more shards, then play again: the play goes on where it stopped."
    )
