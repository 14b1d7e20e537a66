"""Kinesis as moto has it, with shards that keep every record where it was put and that end once they are closed.

What moto does otherwise, and what each would hide in a reader or a writer:

- concurrent puts may take the same sequence number: a record is lost;
- a split or a merge moves or copies records into the new shards, and a closed shard still takes new ones: a record is
  read twice, or never;
- an iterator on a closed shard never ends;
- `MillisBehindLatest` is 0 before the tip when records arrived in the same moment: a reader stops early;
- GetRecords has no limit of its own (AWS: 10,000 records or 10 MiB), PutRecord takes a record of any size (AWS: 1 MiB
  unless the stream allows more, up to 10 MiB);
- sequence numbers are small integers (AWS: some 186 bits): a reader that keeps them in 64 bits passes;
- records are kept for ever (AWS: for the stream's retention): what a reader that comes late has lost is still there;
- a closed shard is listed for ever (AWS: until its last record has expired): such a reader still finds it;
- ListShards takes a stream's name beside a token (AWS refuses that) and lists 10,000 shards a page (AWS: 1,000 unless
  asked for more): a reader that never gets past the first page passes.

A test makes a stream's records older than they are by a tag of the stream: `clock:hours-ahead`.
Throttling is off. A test turns it on, for one stream, by a tag of the stream: `throttle:<action>` with a count. The
next so many calls of GetRecords or PutRecord are refused, and of PutRecords every second record. botocore itself tries
such a call up to five times.
"""

from __future__ import annotations

import time
from base64 import b64decode, b64encode
from bisect import bisect_right
from itertools import count
from threading import RLock
from typing import Any, cast

import moto.kinesis.urls
from moto.core.common_types import TYPE_RESPONSE
from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult, EmptyResult
from moto.kinesis.exceptions import InvalidArgumentError, TooManyRecords
from moto.kinesis.models import KinesisBackend, Record, Shard, Stream, kinesis_backends
from moto.kinesis.responses import KinesisResponse
from moto.kinesis.utils import compose_shard_iterator, decompose_shard_iterator
from moto.utilities.utils import md5_hash

from infra.local.aws.extensions import route

# Limits: "Quotas and limits" and "Handle large records" of the Kinesis Data Streams Developer Guide.
MAX_RECORDS_READ = 10_000
MAX_BYTES_READ = 10 * 1024 * 1024
MAX_BYTES_WRITTEN = 10 * 1024 * 1024
# https://docs.aws.amazon.com/kinesis/latest/APIReference/API_ListShards.html
DEFAULT_SHARDS_LISTED = 1000
MAX_SHARDS_LISTED = 10_000
DEFAULT_MAX_RECORD_KIB = 1024
LARGEST_MAX_RECORD_KIB = 10_240

THROTTLE_TAG = "throttle:"
CLOCK_TAG = "clock:hours-ahead"

# As long as AWS' own sequence numbers are.
_FIRST_SEQUENCE_NUMBER = 49_590_338_271_490_256_608 * 10**36

_streams = RLock()


class ValidationError(JsonRESTError):
    """A request that does not satisfy a constraint of the API."""

    def __init__(self, value: object, field: str, constraint: str) -> None:
        super().__init__(
            "ValidationException",
            f"1 validation error detected: Value {value} at '{field}' failed to satisfy constraint: {constraint}",
        )


class ThrottledError(JsonRESTError):
    """A call over the throughput of its shard."""

    def __init__(self, message: str) -> None:
        super().__init__("ProvisionedThroughputExceededException", message)


class OrderedShard(Shard):
    """A shard whose sequence numbers come from its stream: those of a child are above those of its parents."""

    def __init__(self, *arguments: Any, starting_sequence_number: int, **parents: Any) -> None:
        super().__init__(*arguments, **parents)
        self.starting_sequence_number = starting_sequence_number
        self.ending_sequence_number: int | None = None
        self.closed_at: float | None = None
        self.sequence_numbers: list[int] = []

    def append(self, record: Record) -> None:
        """Add a record whose sequence number is above all that are here."""
        self.records[record.sequence_number] = record
        self.sequence_numbers.append(record.sequence_number)

    def close(self, ending_sequence_number: int) -> None:
        """Take no more records."""
        self.is_open = False
        self.ending_sequence_number = ending_sequence_number
        self.closed_at = time.time()

    def get_min_sequence_number(self) -> int:
        """Where the shard starts."""
        return self.starting_sequence_number

    def get_max_sequence_number(self) -> int:
        """Where the shard ends if it is closed, else its newest record."""
        if self.ending_sequence_number is not None:
            return self.ending_sequence_number
        return self.sequence_numbers[-1] if self.sequence_numbers else self.starting_sequence_number

    def get_records(self, last_sequence_id: str, limit: int | None) -> tuple[list[Record], int, int]:
        """The records after a sequence number.

        Returns:
            The records; the sequence number to go on from; how far that is behind the newest record, in milliseconds:
            0 only if nothing is left.
        """
        first = bisect_right(self.sequence_numbers, int(last_sequence_id))
        records: list[Record] = []
        size = 0
        for sequence_number in self.sequence_numbers[first : first + (limit or MAX_RECORDS_READ)]:
            record = self.records[sequence_number]
            size += _decoded_bytes(record.data)
            if records and size > MAX_BYTES_READ:
                break
            records.append(record)
        reached = first + len(records)
        behind = 0
        if reached < len(self.sequence_numbers):
            behind = max(1, int(1000 * (time.time() - self.records[self.sequence_numbers[reached]].created_at)))
        return records, records[-1].sequence_number if records else int(last_sequence_id), behind

    def trim(self, before: float) -> None:
        """Remove the records that arrived before a time (seconds since 1970)."""
        kept = 0
        while kept < len(self.sequence_numbers) and self.records[self.sequence_numbers[kept]].created_at < before:
            del self.records[self.sequence_numbers[kept]]
            kept += 1
        del self.sequence_numbers[:kept]

    def is_expired(self, before: float) -> bool:
        """Whether the shard was closed before a time (seconds since 1970) up to which all records were removed."""
        return self.closed_at is not None and self.closed_at < before

    def is_read_to_its_end(self, last_sequence_id: int) -> bool:
        """Whether no record can ever come after `last_sequence_id`."""
        return not self.is_open and bisect_right(self.sequence_numbers, last_sequence_id) == len(self.sequence_numbers)


class OrderedStream(Stream):
    """A stream of ordered shards."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        self.next_sequence_number = count(_FIRST_SEQUENCE_NUMBER)
        self.max_record_kib = DEFAULT_MAX_RECORD_KIB
        super().__init__(*arguments, **settings)

    def init_shards(self, shard_count: int) -> None:
        """Divide the hash keys evenly among the first shards."""
        self.shard_count = shard_count
        step = 2**128 // shard_count
        for index in range(shard_count):
            last = 2**128 - 1 if index == shard_count - 1 else (index + 1) * step - 1
            self._open_shard(index * step, last)

    def _open_shard(self, starting_hash: int, ending_hash: int, **parents: str) -> None:
        number = next(self.next_sequence_number)
        new = OrderedShard(len(self.shards), starting_hash, ending_hash, starting_sequence_number=number, **parents)
        shard = cast(OrderedShard, new)  # moto's BaseModel.__new__ is annotated with the base
        self.shards[shard.shard_id] = shard

    def _close_shard(self, shard_id: str) -> Shard:
        shard = self.shards[shard_id]
        if not isinstance(shard, OrderedShard) or not shard.is_open:
            raise InvalidArgumentError(
                f"Shard {shard_id} in stream {self.stream_name} has already been split or merged."
            )
        shard.close(next(self.next_sequence_number))
        return shard

    def split_shard(self, shard_to_split: str, new_starting_hash_key: str) -> None:
        """Close a shard, open two. Its records stay in it until they expire."""
        shard, boundary = self.shards[shard_to_split], int(new_starting_hash_key)
        if not shard.starting_hash < boundary < shard.ending_hash:
            raise InvalidArgumentError(
                f"NewStartingHashKey {boundary} is not inside the range of shard {shard_to_split}."
            )
        self._close_shard(shard_to_split)
        self._open_shard(shard.starting_hash, boundary - 1, parent=shard_to_split)
        self._open_shard(boundary, shard.ending_hash, parent=shard_to_split)

    def merge_shards(self, shard_to_merge: str, adjacent_shard_to_merge: str) -> None:
        """Close two neighbours, open one. Their records stay in them until they expire."""
        lower, upper = sorted(
            (self.shards[shard_to_merge], self.shards[adjacent_shard_to_merge]), key=lambda shard: shard.starting_hash
        )
        if lower.ending_hash + 1 != upper.starting_hash:
            raise InvalidArgumentError(f"Shards {shard_to_merge} and {adjacent_shard_to_merge} are not adjacent.")
        self._close_shard(shard_to_merge)
        self._close_shard(adjacent_shard_to_merge)
        self._open_shard(
            lower.starting_hash, upper.ending_hash, parent=shard_to_merge, adjacent_parent=adjacent_shard_to_merge
        )

    def get_shard_for_key(self, partition_key: str, explicit_hash_key: str) -> Shard:
        """The open shard whose range holds the key."""
        if not isinstance(partition_key, str) or not 1 <= len(partition_key) <= 256:
            raise InvalidArgumentError("A partition key has 1 to 256 characters.")
        hash_key = int(
            explicit_hash_key or md5_hash(partition_key.encode()).hexdigest(), 10 if explicit_hash_key else 16
        )
        for shard in self.shards.values():
            if shard.is_open and shard.starting_hash <= hash_key <= shard.ending_hash:
                return shard
        raise InvalidArgumentError(f"ExplicitHashKey {explicit_hash_key} is not below 2^128.")

    def put_record(self, partition_key: str, explicit_hash_key: str, data: str) -> tuple[str, str]:
        """Add a record, given in base64.

        Returns:
            Its sequence number and its shard's identifier.
        """
        shard = self.get_shard_for_key(partition_key, explicit_hash_key)
        assert isinstance(shard, OrderedShard)
        record = cast(Record, Record(partition_key, data, next(self.next_sequence_number), explicit_hash_key))
        shard.append(record)
        return str(record.sequence_number), shard.shard_id

    def to_json_summary(self) -> dict[str, Any]:
        """DescribeStreamSummary's answer."""
        summary = super().to_json_summary()
        summary["StreamDescriptionSummary"]["MaxRecordSizeInKiB"] = self.max_record_kib
        return summary

    def oldest_kept(self) -> float:
        """When the oldest record arrived that retention keeps, in seconds since 1970."""
        ahead = float(self.tags.get(CLOCK_TAG, 0))
        return time.time() + (ahead - self.retention_period_hours) * 3600

    def listed_after(self, shard_id: str) -> list[OrderedShard]:
        """The shards above an identifier, in the order of theirs, without those that have expired.

        https://docs.aws.amazon.com/kinesis/latest/APIReference/API_ListShards.html
        """
        before = self.oldest_kept()
        ordered = (cast(OrderedShard, self.shards[each]) for each in sorted(self.shards) if each > shard_id)
        return [shard for shard in ordered if not shard.is_expired(before)]

    def take_throttle(self, action: str) -> bool:
        """Whether this call is to be refused; counts it down."""
        tag = THROTTLE_TAG + action
        left = int(self.tags.get(tag, 0))
        if left > 0:
            self.tags[tag] = str(left - 1)
        return left > 0


class OrderedKinesisBackend(KinesisBackend):
    """Streams of ordered shards, with AWS' limits."""

    @property
    def _url_module(self) -> Any:
        return moto.kinesis.urls  # moto would look for it beside this module

    def stream(self, stream_arn: str | None, stream_name: str | None) -> OrderedStream:
        """The stream of this name or ARN."""
        stream = self.describe_stream(stream_arn, stream_name)
        assert isinstance(stream, OrderedStream)
        return stream

    def create_stream(
        self,
        stream_name: str,
        shard_count: int,
        stream_mode: dict[str, str] | None = None,
        retention_period_hours: int | None = None,
    ) -> Stream:
        """Create a stream. moto's checks hold; its stream gives way to one of ours."""
        super().create_stream(stream_name, shard_count or 1, stream_mode, retention_period_hours)
        stream = OrderedStream(
            stream_name, shard_count or 1, stream_mode, retention_period_hours, self.account_id, self.region_name
        )
        self.streams[stream_name] = cast(OrderedStream, stream)
        return self.streams[stream_name]

    def get_shard_iterator(self, stream_arn: str | None, stream_name: str | None, *position: Any, **at: Any) -> str:
        """An iterator, which knows its stream by name however the stream was named."""
        return super().get_shard_iterator(stream_arn, self.stream(stream_arn, stream_name).stream_name, *position, **at)

    def read(self, shard_iterator: str, limit: int | None) -> dict[str, Any]:
        """GetRecords: the records, and the next iterator or, at a closed shard's end, its children."""
        if limit is not None and not 1 <= limit <= MAX_RECORDS_READ:
            raise ValidationError(limit, "limit", f"Member must be from 1 to {MAX_RECORDS_READ}")
        stream_name, shard_id, last = decompose_shard_iterator(shard_iterator)
        stream = self.stream(None, stream_name)
        shard = stream.get_shard(shard_id)
        assert isinstance(shard, OrderedShard)
        if stream.take_throttle("GetRecords"):
            raise ThrottledError(f"Rate exceeded for shard {shard_id} in stream {stream_name}.")
        shard.trim(stream.oldest_kept())
        records, last_read, behind = shard.get_records(last, limit)
        answer = {"Records": [record.to_json() for record in records], "MillisBehindLatest": behind}
        if shard.is_read_to_its_end(last_read):
            return answer | {"ChildShards": _children(stream, shard_id)}
        return answer | {"NextShardIterator": compose_shard_iterator(stream_name, shard, last_read)}

    def put_record(
        self, stream_arn: str, stream_name: str, partition_key: str, explicit_hash_key: str, data: str
    ) -> tuple[str, str]:
        """PutRecord."""
        stream = self.stream(stream_arn, stream_name)
        _check_size(stream, "data", _record_bytes(partition_key, data))
        if stream.take_throttle("PutRecord"):
            raise ThrottledError(f"Rate exceeded for stream {stream.stream_name}.")
        return stream.put_record(partition_key, explicit_hash_key, data)

    def put_records(self, stream_arn: str, stream_name: str, records: list[dict[str, Any]]) -> dict[str, Any]:
        """PutRecords. A refused record is in its place in the answer."""
        stream = self.stream(stream_arn, stream_name)
        if len(records) > 500:
            raise TooManyRecords
        sizes = [_record_bytes(record["PartitionKey"], record["Data"]) for record in records]
        for position, size in enumerate(sizes, start=1):
            _check_size(stream, f"records.{position}.member.data", size)
        if sum(sizes) > MAX_BYTES_WRITTEN:
            raise InvalidArgumentError("Records size exceeds 10 MiB limit")
        throttled = stream.take_throttle("PutRecords")
        answers: list[dict[str, str]] = []
        for position, record in enumerate(records):
            if throttled and position % 2 == 0:
                message = f"Rate exceeded for stream {stream.stream_name}."
                answers.append({"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": message})
                continue
            sequence_number, shard_id = stream.put_record(
                record["PartitionKey"], record.get("ExplicitHashKey", ""), record["Data"]
            )
            answers.append({"SequenceNumber": sequence_number, "ShardId": shard_id})
        return {"FailedRecordCount": sum("ErrorCode" in answer for answer in answers), "Records": answers}


class OrderedKinesisResponse(KinesisResponse):
    """Serialises calls, and takes the parameters that moto passes over."""

    @property
    def backend(self) -> OrderedKinesisBackend:
        """The backend of the request's account and region."""
        backend = self.kinesis_backend
        assert isinstance(backend, OrderedKinesisBackend)
        return backend

    def call_action(self) -> TYPE_RESPONSE:
        """Answer a request."""
        with _streams:
            return super().call_action()

    def create_stream(self) -> ActionResult:
        """CreateStream, with tags and the largest record size."""
        result = super().create_stream()
        stream = self.backend.stream(None, self._get_param("StreamName"))
        stream.tags.update(self._get_param("Tags") or {})
        stream.max_record_kib = self._get_param("MaxRecordSizeInKiB") or DEFAULT_MAX_RECORD_KIB
        return result

    def update_max_record_size(self) -> ActionResult:
        """UpdateMaxRecordSize."""
        size = self._get_param("MaxRecordSizeInKiB")
        if not DEFAULT_MAX_RECORD_KIB <= size <= LARGEST_MAX_RECORD_KIB:
            constraint = f"Member must be from {DEFAULT_MAX_RECORD_KIB} to {LARGEST_MAX_RECORD_KIB}"
            raise ValidationError(size, "maxRecordSizeInKiB", constraint)
        self.backend.stream(self._get_param("StreamARN"), None).max_record_kib = size
        return EmptyResult()

    def list_shards(self) -> ActionResult:
        """ListShards. A token names the stream and the last shard of the page before."""
        token, limit = self._get_param("NextToken"), self._get_param("MaxResults", DEFAULT_SHARDS_LISTED)
        if not 1 <= limit <= MAX_SHARDS_LISTED:
            raise ValidationError(limit, "maxResults", f"Member must be from 1 to {MAX_SHARDS_LISTED}")
        arn, name, last = self._get_param("StreamARN"), self._get_param("StreamName"), ""
        if token:
            for parameter in ("StreamName", "StreamARN"):
                if self._get_param(parameter):
                    raise InvalidArgumentError(f"NextToken and {parameter} cannot be provided together.")
            name, last = _decomposed_list_token(token)
        stream = self.backend.stream(arn, name)
        shards = stream.listed_after(last)
        page = shards[:limit]
        answer: dict[str, Any] = {"Shards": [shard.to_json() for shard in page]}
        if len(shards) > limit:
            answer["NextToken"] = b64encode(f"{stream.stream_name}:{page[-1].shard_id}".encode()).decode()
        return ActionResult(answer)

    def get_records(self) -> ActionResult:
        """GetRecords."""
        return ActionResult(self.backend.read(self._get_param("ShardIterator"), self._get_param("Limit")))


def shards_of(account_id: str, region: str, stream_arn: str) -> list[OrderedShard] | None:
    """The shards of a stream, for another service of this server; None if there is no such stream."""
    with _streams:
        backend = kinesis_backends[account_id][region]
        stream = next((s for s in backend.streams.values() if s.arn == stream_arn), None)
        return None if stream is None else [s for s in stream.shards.values() if isinstance(s, OrderedShard)]


def _children(stream: Stream, shard_id: str) -> list[dict[str, Any]]:
    return [
        {
            "ShardId": child.shard_id,
            "ParentShards": [parent for parent in (child.parent, child.adjacent_parent) if parent],
            "HashKeyRange": child.to_json()["HashKeyRange"],
        }
        for child in stream.shards.values()
        if shard_id in (child.parent, child.adjacent_parent)
    ]


def _decomposed_list_token(token: str) -> tuple[str, str]:
    try:
        stream_name, shard_id = b64decode(token, validate=True).decode().split(":")
    except ValueError:  # that of an encoding is one, too
        raise InvalidArgumentError("NextToken is not one that ListShards gave.") from None
    return stream_name, shard_id


def _decoded_bytes(base64: str) -> int:
    return len(base64) * 3 // 4 - base64.count("=", -2)


def _record_bytes(partition_key: str, data: str) -> int:
    return len(partition_key.encode()) + _decoded_bytes(data)


def _check_size(stream: OrderedStream, field: str, size: int) -> None:
    if size > stream.max_record_kib * 1024:
        raise ValidationError("of the record", field, f"Member must have at most {stream.max_record_kib * 1024} bytes")


def install() -> None:
    """Route Kinesis here, and keep its streams here."""
    kinesis_backends.backend = OrderedKinesisBackend
    route("kinesis", OrderedKinesisResponse)
