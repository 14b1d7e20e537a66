"""`watershed put`: sends a file's records to a contract's source on the local AWS, as a producer would."""

from __future__ import annotations

import gzip
import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import EndpointConnectionError

from infra.local.errors import LocalServicesError
from infra.local.provision import provision
from ingestion.contract import Contract, KinesisSource
from orchestration.settings import Settings

# https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html: the lower limits of both services.
_CALL_RECORDS = 500
_CALL_BYTES = 4 * 1024 * 1024
_RECORD_BYTES = 1000 * 1024
_GZIP_MAGIC = b"\x1f\x8b"
_ATTEMPTS = 8

# Sends some records and returns for each why it was refused, None if it was not.
Send = Callable[[Sequence[bytes]], list[str | None]]


@dataclass(frozen=True)
class Put:
    """What was sent, and where to."""

    records: int | None
    """None for a file, which is sent as it is."""
    target: str


def put(settings: Settings, contract: Contract, path: Path) -> Put:
    """Send a file to a contract's source, which is created if it is not there yet.

    To a stream or a delivery stream each line goes as one record, whatever is in it: what breaks the contract lands in
    the quarantine. What is sent twice lands twice. To a prefix of S3 the file goes as it is.

    Raises:
        LocalServicesError: If the local AWS does not run, the file cannot be read, or records are refused.
    """
    if not path.is_file():
        raise LocalServicesError(f"{path}: there is no such file.")
    try:
        provision(settings, [contract])
        return _put(settings, contract, path)
    except EndpointConnectionError as error:
        raise LocalServicesError(
            f"The local AWS is not running at {settings.aws_endpoint_url}. Start it with `watershed up`."
        ) from error


def _put(settings: Settings, contract: Contract, path: Path) -> Put:
    source = contract.source
    delivery = None if isinstance(source, KinesisSource) else source.delivery
    stream = source.stream if isinstance(source, KinesisSource) else delivery.source_stream if delivery else None
    if stream:
        name = settings.stream_name(stream)
        kinesis = boto3.client("kinesis", **settings.client_args())
        return Put(_send(name, _lines(path), _to_kinesis(kinesis, name)), f"the stream {name}")
    if delivery:
        name = settings.stream_name(delivery.stream)
        firehose = boto3.client("firehose", **settings.client_args())
        return Put(_send(name, _lines(path), _to_firehose(firehose, name)), f"the delivery stream {name}")
    assert not isinstance(source, KinesisSource)
    key = f"{source.prefix}{path.name}"
    with path.open("rb") as file:
        boto3.client("s3", **settings.client_args()).put_object(Bucket=settings.landing_bucket, Key=key, Body=file)
    return Put(None, f"s3://{settings.landing_bucket}/{key}")


def _lines(path: Path) -> Iterator[bytes]:
    """The lines of a file, plain or gzip, without their ends and without empty ones."""
    with path.open("rb") as file:
        zipped = file.read(2) == _GZIP_MAGIC
    try:
        with gzip.open(path, "rb") if zipped else path.open("rb") as file:
            for line in file:
                if record := line.rstrip(b"\r\n"):
                    yield record
    except (OSError, EOFError) as error:
        raise LocalServicesError(f"{path}: cannot be read: {error}") from error


def _send(stream: str, records: Iterable[bytes], send: Send) -> int:
    count = 0
    for call in _calls(stream, records):
        _send_call(stream, call, send)
        count += len(call)
    return count


def _calls(stream: str, records: Iterable[bytes]) -> Iterator[list[bytes]]:
    call: list[bytes] = []
    size = 0
    for number, record in enumerate(records, 1):
        if len(record) > _RECORD_BYTES:
            raise LocalServicesError(
                f"{stream}: record {number} has {len(record):,} bytes, and {_RECORD_BYTES:,} is the most. Those before"
                " it may have been sent. Put large values into S3, and their keys into the record."
            )
        if call and (len(call) == _CALL_RECORDS or size + len(record) > _CALL_BYTES):
            yield call
            call, size = [], 0
        call.append(record)
        size += len(record)
    if call:
        yield call


def _send_call(stream: str, records: Sequence[bytes], send: Send) -> None:
    """Send a call's records; those that are refused again and again, ever more slowly."""
    refused: list[tuple[bytes, str]] = [(record, "") for record in records]
    for attempt in range(_ATTEMPTS):
        answers = send([record for record, _ in refused])
        refused = [(record, why) for (record, _), why in zip(refused, answers, strict=True) if why is not None]
        if not refused:
            return
        time.sleep(min(2.0, 0.05 * 2**attempt))
    raise LocalServicesError(f"{stream} refused {len(refused)} records {_ATTEMPTS} times: {refused[0][1]}. Put again.")


def _to_kinesis(kinesis: Any, stream: str) -> Send:
    def send(records: Sequence[bytes]) -> list[str | None]:
        entries = [{"Data": r, "PartitionKey": hashlib.sha256(r).hexdigest()} for r in records]
        return [_why(answer) for answer in kinesis.put_records(StreamName=stream, Records=entries)["Records"]]

    return send


def _to_firehose(firehose: Any, stream: str) -> Send:
    def send(records: Sequence[bytes]) -> list[str | None]:
        entries = [{"Data": record + b"\n"} for record in records]
        answer = firehose.put_record_batch(DeliveryStreamName=stream, Records=entries)
        return [_why(each) for each in answer["RequestResponses"]]

    return send


def _why(answer: dict[str, str]) -> str | None:
    code = answer.get("ErrorCode")
    return f"{code}: {answer.get('ErrorMessage', '')}" if code else None
