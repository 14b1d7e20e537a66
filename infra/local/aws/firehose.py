"""Firehose to S3 as AWS has it: what is put is buffered, and delivered in objects of AWS' key format.

What moto does otherwise, and what each would hide in a reader of the objects or in a producer:

- an object for each put call, at once: there is never a buffer, a delay or an object of many calls;
- no compression, no custom prefix, no `ErrorOutputPrefix`, no processing: what is configured is passed over;
- a Kinesis source is accepted and never read;
- calls and records of any size are taken (AWS: 500 records or 4 MiB a call, 1,000 KiB a record);
- 50 delivery streams in a region (AWS: 5,000).

As on AWS nothing is written between two records, unless the processor AppendDelimiterToRecord is set. What is not done
here, such as Lambda functions, dynamic partitioning and conversion to Parquet, is refused when the delivery stream is
created. Other destinations than S3 are moto's.

Refusals are off. A test turns them on, for one delivery stream, by a tag: `throttle:PutRecordBatch` with a count. Of
the next so many calls every second record is refused.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import moto.firehose.urls
from moto.core.common_types import TYPE_RESPONSE
from moto.core.responses import ActionResult
from moto.firehose.exceptions import (
    InvalidArgumentException,
    ResourceInUseException,
    ValidationException,
)
from moto.firehose.models import DeliveryStream, FirehoseBackend, firehose_backends
from moto.firehose.responses import FirehoseResponse
from moto.moto_api._internal import mock_random

from infra.local.aws import kinesis, s3
from infra.local.aws.extensions import route
from ingestion.readers.kinesis import deaggregate

# https://docs.aws.amazon.com/firehose/latest/dev/limits.html and the API reference of PutRecordBatch
MAX_RECORDS = 500
MAX_CALL_BYTES = 4 * 1024 * 1024
MAX_RECORD_BYTES = 1_000 * 1024

THROTTLE_TAG = "throttle:PutRecordBatch"

_TICK_SECONDS = 0.1
_RECORDS_A_READ = 10_000
_DEFAULT_TIMES = "!{timestamp:yyyy/MM/dd/HH}/"
_ERROR_TYPE = "!{firehose:error-output-type}"
_EXPRESSION = re.compile(r"!\{(\w+):([^}]*)\}")
# Letters of Java's DateTimeFormatter, as far as they are known here.
_TIMES = {"yyyy": "%Y", "YYYY": "%Y", "MM": "%m", "dd": "%d", "DDD": "%j", "HH": "%H", "mm": "%M", "ss": "%S"}
_TIME_TOKEN = re.compile(r"'([^']*)'|([A-Za-z]+)|([^A-Za-z']+)")

_hoses = threading.RLock()


@dataclass
class _Buffer:
    """What is to become one object. `oldest` is when the oldest record arrived, `opened` the clock's seconds then."""

    data: list[bytes] = field(default_factory=list)
    size: int = 0
    oldest: float | None = None
    opened: float = 0.0

    def add(self, data: bytes, arrived: float) -> None:
        """Add a record that arrived at a time (seconds since 1970)."""
        if self.oldest is None:
            self.opened = time.monotonic()
        self.oldest = arrived if self.oldest is None else min(self.oldest, arrived)
        self.data.append(data)
        self.size += len(data)


@dataclass
class _Hose:
    """A delivery stream's configuration, and what it holds."""

    name: str
    bucket: str
    prefix: str
    error_prefix: str
    max_bytes: int
    seconds: int
    compressed: bool
    delimiter: bytes
    decompresses: bool
    source: str | None = None
    # Of the source: shard -> the sequence number read last.
    positions: dict[str, int] = field(default_factory=dict)
    good: _Buffer = field(default_factory=_Buffer)
    failed: _Buffer = field(default_factory=_Buffer)

    def take(self, data: bytes, arrived: float) -> None:
        """Process a record and buffer it."""
        try:
            processed = gzip.decompress(data) if self.decompresses else data
        except (OSError, EOFError, zlib.error) as error:
            self.failed.add(_error_document(data, arrived, error), arrived)
        else:
            self.good.add(processed + self.delimiter, arrived)


def _error_document(data: bytes, arrived: float, error: Exception) -> bytes:
    """A record that could not be processed, as it lies under the error prefix: a line of JSON."""
    document = {
        "attemptsMade": 1,
        "arrivalTimestamp": int(arrived * 1000),
        "errorCode": "DecompressionFailed",
        "errorMessage": str(error),
        "attemptEndingTimestamp": int(time.time() * 1000),
        "rawData": base64.b64encode(data).decode(),
    }
    return json.dumps(document).encode() + b"\n"


class BufferingFirehoseBackend(FirehoseBackend):
    """Delivery streams to S3 that buffer; one thread delivers for all of them."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self._buffering: dict[str, _Hose] = {}
        self._thread: threading.Thread | None = None

    @property
    def _url_module(self) -> Any:
        return moto.firehose.urls  # moto would look for it beside this module

    def create(self, parameters: Mapping[str, Any], destination: str) -> str:
        """CreateDeliveryStream with a destination in S3. Returns the ARN."""
        name, configuration = parameters["DeliveryStreamName"], parameters[f"{destination}DestinationConfiguration"]
        if name in self.delivery_streams:
            raise ResourceInUseException(f"Firehose {name} under accountId {self.account_id} already exists")
        _check_configuration(configuration)
        tags = parameters.get("Tags") or []
        if wrong := self.tagger.validate_tags(tags):
            raise ValidationException(wrong)
        hose = _hose(name, configuration)
        source = parameters.get("KinesisStreamSourceConfiguration") or {}
        kind = parameters.get("DeliveryStreamType") or "DirectPut"
        if bool(source) != (kind == "KinesisStreamAsSource"):
            raise InvalidArgumentException(f"A delivery stream of type {kind} and KinesisStreamSourceConfiguration")
        if source:
            arn: str = source["KinesisStreamARN"]
            hose.source, hose.positions = arn, self._tip(arn)
        new = DeliveryStream(
            account_id=self.account_id,
            region=self.region_name,
            delivery_stream_name=name,
            delivery_stream_type=kind,
            encryption=parameters.get("DeliveryStreamEncryptionConfigurationInput") or {},
            kinesis_stream_source_configuration=source,
            destination_name=destination,
            destination_config=configuration,
        )
        stream = cast(DeliveryStream, new)  # moto's BaseModel.__new__ is annotated with the base
        self.tagger.tag_resource(stream.delivery_stream_arn, tags)
        self.delivery_streams[name], self._buffering[name] = stream, hose
        if self._thread is None:
            self._thread = threading.Thread(target=self._deliver_for_ever, name="firehose", daemon=True)
            self._thread.start()
        return stream.delivery_stream_arn

    def delete_delivery_stream(self, delivery_stream_name: str) -> None:
        """DeleteDeliveryStream. What is buffered is lost, as on AWS it may be."""
        super().delete_delivery_stream(delivery_stream_name)
        self._buffering.pop(delivery_stream_name, None)

    def update_destination(self, delivery_stream_name: str, *arguments: Any, **more: Any) -> None:
        """UpdateDestination: what is buffered is delivered first, under the old configuration."""
        super().update_destination(delivery_stream_name, *arguments, **more)
        before = self._buffering.get(delivery_stream_name)
        if before is None:
            return
        self._flush(before, all_of_it=True)
        destination = self.delivery_streams[delivery_stream_name].destinations[0]
        after = _hose(delivery_stream_name, destination.get("ExtendedS3") or destination["S3"])
        after.source, after.positions = before.source, before.positions
        after.good, after.failed = before.good, before.failed
        self._buffering[delivery_stream_name] = after

    def put_record_batch(self, delivery_stream_name: str, records: list[dict[str, bytes]]) -> dict[str, Any]:
        """PutRecordBatch. A refused record is in its place in the answer."""
        hose = self._buffering.get(delivery_stream_name)
        if hose is None:
            return super().put_record_batch(delivery_stream_name, records)
        answers = self._take(hose, records, throttled=self._take_throttle(delivery_stream_name))
        failed = sum("ErrorCode" in answer for answer in answers)
        return {"FailedPutCount": failed, "Encrypted": False, "RequestResponses": answers}

    def put_record(self, delivery_stream_name: str, record: dict[str, bytes]) -> dict[str, Any]:
        """PutRecord."""
        hose = self._buffering.get(delivery_stream_name)
        if hose is None:
            return super().put_record(delivery_stream_name, record)
        return {"Encrypted": False, **self._take(hose, [record], throttled=False)[0]}

    def _take(self, hose: _Hose, records: list[dict[str, bytes]], *, throttled: bool) -> list[dict[str, str]]:
        if hose.source:
            raise InvalidArgumentException(
                "This operation is not permitted on KinesisStreamAsSource delivery stream type."
            )
        data = [record["Data"] for record in records]
        _check_call(data)
        answers: list[dict[str, str]] = []
        for place, item in enumerate(data):
            if throttled and place % 2 == 0:
                answers.append({"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down."})
                continue
            hose.take(item, time.time())
            answers.append({"RecordId": f"{mock_random.uuid4()}{mock_random.uuid4()}"})
            self._flush(hose, only_full=True)
        return answers

    def _take_throttle(self, name: str) -> bool:
        arn = self.delivery_streams[name].delivery_stream_arn
        left = int(self.tagger.get_tag_dict_for_resource(arn).get(THROTTLE_TAG, 0))
        if left > 0:
            self.tagger.tag_resource(arn, [{"Key": THROTTLE_TAG, "Value": str(left - 1)}])
        return left > 0

    # --- delivery ---

    def _deliver_for_ever(self) -> None:
        # A reset of moto puts another backend in this one's place.
        while firehose_backends[self.account_id][self.region_name] is self:
            with _hoses:
                for hose in self._buffering.values():
                    self._read_source(hose)
                    self._flush(hose)
            time.sleep(_TICK_SECONDS)

    def _flush(self, hose: _Hose, *, only_full: bool = False, all_of_it: bool = False) -> None:
        """Deliver the buffers that are full or old enough. Where S3 refuses, they stay and are tried again."""

        def due(buffer: _Buffer) -> bool:
            old = not only_full and time.monotonic() - buffer.opened >= hose.seconds
            return buffer.oldest is not None and (all_of_it or old or buffer.size >= hose.max_bytes)

        if due(hose.good):
            hose.good = self._delivered(hose, hose.good, None)
        if due(hose.failed):
            hose.failed = self._delivered(hose, hose.failed, "decompression-failed")

    def _delivered(self, hose: _Hose, buffer: _Buffer, error_type: str | None) -> _Buffer:
        """The buffer once it was delivered: an empty one, or itself if there is no bucket."""
        assert buffer.oldest is not None
        body = b"".join(buffer.data)
        arrived = datetime.fromtimestamp(buffer.oldest, UTC)
        version = self.delivery_streams[hose.name].version_id
        prefix = evaluated(hose.error_prefix if error_type else hose.prefix, arrived, error_type)
        key = f"{prefix}{hose.name}-{version}-{arrived:%Y-%m-%d-%H-%M-%S}-{mock_random.uuid4()}"
        if hose.compressed:
            key, body = f"{key}.gz", gzip.compress(body)
        return _Buffer() if s3.put_object(self.account_id, hose.bucket, key, body) else buffer

    # --- a Kinesis stream as the source ---

    def _tip(self, arn: str) -> dict[str, int]:
        """Where a new delivery stream starts to read: at the newest record of each shard (LATEST), as AWS does.

        https://docs.aws.amazon.com/firehose/latest/dev/writing-with-kinesis-streams.html
        """
        shards = kinesis.shards_of(self.account_id, self.region_name, arn)
        if shards is None:
            raise InvalidArgumentException(f"There is no Kinesis stream {arn}")
        return {shard.shard_id: shard.get_max_sequence_number() for shard in shards}

    def _read_source(self, hose: _Hose) -> None:
        if hose.source is None:
            return
        for shard in kinesis.shards_of(self.account_id, self.region_name, hose.source) or ():
            # A shard that came later by a split or a merge is read from its start.
            last = hose.positions.get(shard.shard_id, shard.get_min_sequence_number())
            records, hose.positions[shard.shard_id], _ = shard.get_records(str(last), _RECORDS_A_READ)
            for record in records:
                for data in deaggregate(base64.b64decode(record.data)):
                    hose.take(data, record.created_at)
                self._flush(hose, only_full=True)


def _check_call(data: list[bytes]) -> None:
    if not 1 <= len(data) <= MAX_RECORDS:
        constraint = f"Member must have length from 1 to {MAX_RECORDS}"
        raise ValidationException(
            f"1 validation error detected: Value at 'records' failed to satisfy constraint: {constraint}"
        )
    for place, item in enumerate(data, start=1):
        if len(item) > MAX_RECORD_BYTES:
            where = f"Value at 'records.{place}.member.data' failed to satisfy constraint"
            constraint = f"Member must have length less than or equal to {MAX_RECORD_BYTES}"
            raise ValidationException(f"1 validation error detected: {where}: {constraint}")
    if sum(map(len, data)) > MAX_CALL_BYTES:
        raise InvalidArgumentException("Records size exceeds 4 MB limit")


# --- configuration ---


def _hose(name: str, configuration: Mapping[str, Any]) -> _Hose:
    hints = configuration.get("BufferingHints") or {}
    processors = dict(_processors(configuration))
    delimiter = processors.get("AppendDelimiterToRecord", {}).get("Delimiter", "\\n")
    prefix, error_prefix = configuration.get("Prefix") or "", configuration.get("ErrorOutputPrefix")
    if error_prefix is None:
        error_prefix = f"{prefix}{_ERROR_TYPE}/{_DEFAULT_TIMES}"
    elif not _EXPRESSION.search(error_prefix):
        error_prefix = f"{error_prefix}{_ERROR_TYPE}/{_DEFAULT_TIMES}"
    return _Hose(
        name=name,
        bucket=configuration["BucketARN"].rpartition(":")[2],
        prefix=prefix if "!{timestamp:" in prefix else f"{prefix}{_DEFAULT_TIMES}",
        error_prefix=error_prefix,
        max_bytes=hints.get("SizeInMBs", 5) * 1024 * 1024,
        seconds=hints.get("IntervalInSeconds", 300),
        compressed=configuration.get("CompressionFormat") == "GZIP",
        delimiter=delimiter.replace("\\n", "\n").encode() if "AppendDelimiterToRecord" in processors else b"",
        decompresses="Decompression" in processors,
    )


def _check_configuration(configuration: Mapping[str, Any]) -> None:
    """Refuse what AWS refuses, and what this stand-in would pass over."""
    _check_prefixes(configuration.get("Prefix") or "", configuration.get("ErrorOutputPrefix") or "")
    hints = configuration.get("BufferingHints") or {}
    if hints and hints.keys() != {"SizeInMBs", "IntervalInSeconds"}:
        raise InvalidArgumentException("BufferingHints must have both SizeInMBs and IntervalInSeconds, or neither")
    for name, least, most in (("SizeInMBs", 1, 128), ("IntervalInSeconds", 0, 900)):
        if not least <= hints.get(name, least) <= most:
            raise InvalidArgumentException(f"{name} must be from {least} to {most}")
    if configuration.get("CompressionFormat", "UNCOMPRESSED") not in ("UNCOMPRESSED", "GZIP"):
        raise InvalidArgumentException("The local Firehose compresses by GZIP only")
    for name in ("DataFormatConversionConfiguration", "DynamicPartitioningConfiguration"):
        if (configuration.get(name) or {}).get("Enabled"):
            raise InvalidArgumentException(f"The local Firehose has no {name}")
    for kind, _ in _processors(configuration):
        if kind not in ("AppendDelimiterToRecord", "Decompression"):
            raise InvalidArgumentException(f"The local Firehose has no processor {kind}")


def _check_prefixes(prefix: str, error_prefix: str) -> None:
    """Rules: https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html#prefix-rules."""
    if _ERROR_TYPE in prefix:
        raise InvalidArgumentException(f"Prefix cannot contain {_ERROR_TYPE}")
    if "!{" in prefix and not error_prefix:
        raise InvalidArgumentException("ErrorOutputPrefix cannot be null or empty when Prefix contains expressions")
    if "!{" in error_prefix and _ERROR_TYPE not in error_prefix:
        raise InvalidArgumentException(f"ErrorOutputPrefix must contain {_ERROR_TYPE}")
    for template in (prefix, error_prefix):
        if len(evaluated(template, datetime.now(UTC), "processing-failed")) > 512:
            raise InvalidArgumentException("A prefix has at most 512 characters once it is evaluated")


def _processors(configuration: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    processing = configuration.get("ProcessingConfiguration") or {}
    for processor in processing.get("Processors") or () if processing.get("Enabled") else ():
        parameters = {p["ParameterName"]: p["ParameterValue"] for p in processor.get("Parameters") or ()}
        yield processor["Type"], parameters


def evaluated(prefix: str, at: datetime, error_type: str | None = None) -> str:
    """A prefix with its expressions evaluated, for a time in UTC.

    Raises:
        InvalidArgumentException: If it has an expression that is not known here.
    """

    def value(match: re.Match[str]) -> str:
        match match.group(1), match.group(2):
            case "timestamp", pattern:
                return "".join(_time(token, at) for token in _TIME_TOKEN.finditer(pattern))
            case "firehose", "error-output-type" if error_type:
                return error_type
            case "firehose", "random-string":
                return str(mock_random.uuid4()).replace("-", "")[:11]
            case _:
                raise InvalidArgumentException(f"The local Firehose does not know {match.group(0)}")

    found = _EXPRESSION.sub(value, prefix)
    if "!{" in found:
        raise InvalidArgumentException(f"!{{ may stand in expressions only: {prefix}")
    return found


def _time(token: re.Match[str], at: datetime) -> str:
    literal, letters, other = token.groups()
    if letters is None:
        return literal if literal is not None else other
    if letters not in _TIMES:
        raise InvalidArgumentException(f"The local Firehose does not know the letters {letters} of a timestamp")
    return at.strftime(_TIMES[letters])


class BufferingFirehoseResponse(FirehoseResponse):
    """Serialises calls, and gives delivery streams to S3 to the backend that buffers."""

    @property
    def backend(self) -> BufferingFirehoseBackend:
        """The backend of the request's account and region."""
        backend = self.firehose_backend
        assert isinstance(backend, BufferingFirehoseBackend)
        return backend

    def call_action(self) -> TYPE_RESPONSE:
        """Answer a request."""
        with _hoses:
            return super().call_action()

    def create_delivery_stream(self) -> ActionResult:
        """CreateDeliveryStream."""
        parameters: Mapping[str, Any] = self._get_params()
        given = [name.removesuffix("DestinationConfiguration") for name in parameters if "DestinationConf" in name]
        if given not in (["S3"], ["ExtendedS3"]):
            return super().create_delivery_stream()
        return ActionResult({"DeliveryStreamARN": self.backend.create(parameters, given[0])})


def install() -> None:
    """Route Firehose here, and keep its delivery streams here."""
    firehose_backends.backend = BufferingFirehoseBackend
    route("firehose", BufferingFirehoseResponse)
