"""Firehose: what a producer and a reader of the delivered objects must be able to rely on."""

from __future__ import annotations

import gzip
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from aws_kinesis_agg.aggregator import RecordAggregator
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.firehose.exceptions import InvalidArgumentException

from infra.local.aws.firehose import MAX_RECORD_BYTES, THROTTLE_TAG, evaluated
from orchestration.settings import Settings

HOUR = r"\d{4}/\d{2}/\d{2}/\d{2}/"
NAME = r"-1-\d{4}-\d{2}-\d{2}-\d{2}-\d{2}-\d{2}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_WAIT_SECONDS = 10
# A long buffer: it is delivered when it is full, or never within a test.
LONG = {"SizeInMBs": 1, "IntervalInSeconds": 900}
SHORT = {"SizeInMBs": 1, "IntervalInSeconds": 1}
NONE = {"SizeInMBs": 1, "IntervalInSeconds": 0}


@dataclass(frozen=True)
class Hoses:
    """The local Firehose, and a bucket that no other test sees."""

    settings: Settings

    def client(self, service: str) -> Any:
        once = Config(retries={"total_max_attempts": 1})
        return boto3.client(service, config=once, **self.settings.client_args())  # pyright: ignore

    @property
    def name(self) -> str:
        return f"{self.settings.prefix}-hose"

    def create(self, hints: dict[str, int] = SHORT, **configuration: Any) -> None:
        more = {k: configuration.pop(k) for k in tuple(configuration) if k.startswith(("Kinesis", "DeliveryStreamT"))}
        destination = {
            "RoleARN": "arn:aws:iam::123456789012:role/firehose",
            "BucketARN": f"arn:aws:s3:::{self.settings.landing_bucket}",
            "BufferingHints": hints,
            **configuration,
        }
        firehose = self.client("firehose")
        firehose.create_delivery_stream(
            DeliveryStreamName=self.name, ExtendedS3DestinationConfiguration=destination, **more
        )

    def put(self, *data: bytes) -> dict[str, Any]:
        records = [{"Data": item} for item in data]
        return self.client("firehose").put_record_batch(DeliveryStreamName=self.name, Records=records)

    def objects(self) -> dict[str, bytes]:
        s3, bucket = self.client("s3"), self.settings.landing_bucket
        keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", ())]
        return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}

    def delivered(self, count: int = 1) -> dict[str, bytes]:
        """The objects, once there are so many."""
        deadline = time.monotonic() + _WAIT_SECONDS
        while len(found := self.objects()) < count:
            assert time.monotonic() < deadline, f"only {list(found)}"
            time.sleep(0.1)
        return found


@pytest.fixture
def hoses(fresh_settings: Settings) -> Hoses:
    found = Hoses(fresh_settings)
    found.client("s3").create_bucket(Bucket=fresh_settings.landing_bucket)
    return found


def test_what_calls_put_within_the_interval_is_one_object_without_delimiters(hoses: Hoses) -> None:
    hoses.create(SHORT, Prefix="in/", ErrorOutputPrefix="errors/")
    hoses.put(b'{"id":1}', b'{"id":2}')
    hoses.client("firehose").put_record(DeliveryStreamName=hoses.name, Record={"Data": b'{"id":3}'})
    assert hoses.objects() == {}
    ((key, body),) = hoses.delivered().items()
    assert re.fullmatch(f"in/{HOUR}{hoses.name}{NAME}", key)
    assert body == b'{"id":1}{"id":2}{"id":3}'


def test_a_full_buffer_is_delivered_at_once(hoses: Hoses) -> None:
    hoses.create(LONG, CompressionFormat="GZIP")
    hoses.put(*[b"x" * 600_000] * 3)
    ((key, body),) = hoses.objects().items()
    assert re.fullmatch(rf"{HOUR}{hoses.name}{NAME}\.gz", key)
    assert gzip.decompress(body) == b"x" * 1_200_000


def test_prefixes_are_evaluated_and_a_delimiter_is_appended_where_asked_for(hoses: Hoses) -> None:
    append = {
        "Type": "AppendDelimiterToRecord",
        "Parameters": [{"ParameterName": "Delimiter", "ParameterValue": "\\n"}],
    }
    hoses.create(
        NONE,
        Prefix="in/day=!{timestamp:yyyy-MM-dd}/",
        ErrorOutputPrefix="out/!{firehose:error-output-type}/",
        ProcessingConfiguration={"Enabled": True, "Processors": [append]},
    )
    hoses.put(b"1", b"2")
    found = hoses.delivered()
    assert all(re.fullmatch(rf"in/day=\d{{4}}-\d{{2}}-\d{{2}}/{hoses.name}{NAME}", key) for key in found)
    assert b"".join(found.values()) == b"1\n2\n"


def test_a_record_that_cannot_be_processed_lies_under_the_error_prefix(hoses: Hoses) -> None:
    decompress = {
        "Type": "Decompression",
        "Parameters": [{"ParameterName": "CompressionFormat", "ParameterValue": "GZIP"}],
    }
    hoses.create(
        NONE,
        Prefix="in/",
        ErrorOutputPrefix="errors/in/",
        ProcessingConfiguration={"Enabled": True, "Processors": [decompress]},
    )
    hoses.put(gzip.compress(b"good"), b"not gzip")
    error, good = sorted(hoses.delivered(2).items())
    assert re.fullmatch(f"errors/in/decompression-failed/{HOUR}{hoses.name}{NAME}", error[0])
    document = json.loads(error[1])
    assert (document["rawData"], document["errorCode"]) == ("bm90IGd6aXA=", "DecompressionFailed")
    assert good[1] == b"good"


def test_a_kinesis_stream_is_read_from_its_tip_on_and_deaggregated(hoses: Hoses) -> None:
    kinesis, stream = hoses.client("kinesis"), hoses.settings.stream_name("source")
    kinesis.create_stream(StreamName=stream, ShardCount=2)
    kinesis.put_record(StreamName=stream, PartitionKey="a", Data=b"before")
    arn = f"arn:aws:kinesis:{hoses.settings.region}:123456789012:stream/{stream}"
    role = "arn:aws:iam::123456789012:role/firehose"
    hoses.create(
        DeliveryStreamType="KinesisStreamAsSource",
        KinesisStreamSourceConfiguration={"KinesisStreamARN": arn, "RoleARN": role},
    )
    aggregator = RecordAggregator()
    for part in (b"1", b"2"):
        aggregator.add_user_record("a", part)
    _, _, data = aggregator.clear_and_get().get_contents()  # pyright: ignore[reportOptionalMemberAccess]
    kinesis.put_record(StreamName=stream, PartitionKey="a", Data=data)
    kinesis.put_record(StreamName=stream, PartitionKey="b", Data=b"3")
    shard = kinesis.list_shards(StreamName=stream)["Shards"][0]
    kinesis.split_shard(StreamName=stream, ShardToSplit=shard["ShardId"], NewStartingHashKey="5")
    kinesis.put_record(StreamName=stream, PartitionKey="c", ExplicitHashKey="7", Data=b"4")
    assert sorted(b"".join(hoses.delivered().values())) == sorted(b"1234")
    with pytest.raises(ClientError, match="not permitted on KinesisStreamAsSource"):
        hoses.put(b"x")


def test_the_key_has_the_hour_of_the_oldest_record(hoses: Hoses) -> None:
    assert evaluated("!{timestamp:yyyy/MM/dd/HH}/", datetime(2013, 1, 2, 3, tzinfo=UTC)) == "2013/01/02/03/"
    assert evaluated("!{timestamp:'year'yyyy-DDD}", datetime(2013, 1, 2, 3, tzinfo=UTC)) == "year2013-002"
    with pytest.raises(InvalidArgumentException):
        evaluated("!{partitionKeyFromQuery:day}", datetime.now(UTC))
    hoses.create(NONE)
    hoses.put(b"x")
    before = f"{datetime.now(UTC):%Y-%m-%d-%H-%M-%S}"
    (key,) = hoses.delivered()
    stamp = re.search(r"-1-(\d{4}(?:-\d{2}){5})-", key)
    assert stamp
    assert stamp.group(1) <= before


CALLS: list[tuple[str, Callable[[Hoses], object]]] = [
    ("1 to 500", lambda h: h.put(*[b"x"] * 501)),
    ("1024000", lambda h: h.put(b"x" * (MAX_RECORD_BYTES + 1))),
    ("4 MB", lambda h: h.put(*[b"x" * MAX_RECORD_BYTES] * 5)),
    ("already exists", lambda h: h.create()),
]
CONFIGURATIONS: list[tuple[str, dict[str, Any]]] = [
    ("IntervalInSeconds must be", {"hints": {"SizeInMBs": 1, "IntervalInSeconds": 901}}),
    ("both SizeInMBs and", {"hints": {"SizeInMBs": 1}}),
    ("cannot be null or empty", {"Prefix": "!{timestamp:yyyy}/"}),
    ("Prefix cannot contain", {"Prefix": "!{firehose:error-output-type}/", "ErrorOutputPrefix": "x/"}),
    ("must contain", {"ErrorOutputPrefix": "!{timestamp:yyyy}/"}),
    ("does not know", {"Prefix": "!{nothing:x}/", "ErrorOutputPrefix": "x/"}),
    ("has no processor Lambda", {"ProcessingConfiguration": {"Enabled": True, "Processors": [{"Type": "Lambda"}]}}),
    ("GZIP only", {"CompressionFormat": "ZIP"}),
    ("DynamicPartitioning", {"DynamicPartitioningConfiguration": {"Enabled": True}}),
    (
        "no Kinesis stream",
        {
            "DeliveryStreamType": "KinesisStreamAsSource",
            "KinesisStreamSourceConfiguration": {
                "KinesisStreamARN": "arn:aws:kinesis:us-east-1:123456789012:stream/none",
                "RoleARN": "arn:aws:iam::123456789012:role/firehose",
            },
        },
    ),
]


def test_what_aws_refuses_is_refused(hoses: Hoses) -> None:
    for message, configuration in CONFIGURATIONS:
        with pytest.raises(ClientError, match=message):
            hoses.create(**configuration)
    hoses.create(LONG)
    for message, call in CALLS:
        with pytest.raises(ClientError, match=message):
            call(hoses)
    assert hoses.objects() == {}


def test_some_records_of_a_call_may_be_refused(hoses: Hoses) -> None:
    hoses.create(NONE)
    tag = {"Key": THROTTLE_TAG, "Value": "1"}
    hoses.client("firehose").tag_delivery_stream(DeliveryStreamName=hoses.name, Tags=[tag])
    answer = hoses.put(b"1", b"2", b"3")
    assert answer["FailedPutCount"] == 2
    assert ["ErrorCode" in response for response in answer["RequestResponses"]] == [True, False, True]
    assert list(hoses.delivered().values()) == [b"2"]


def test_what_is_buffered_waits_for_its_bucket(fresh_settings: Settings) -> None:
    hoses = Hoses(fresh_settings)
    hoses.create(NONE)
    hoses.put(b"1")
    hoses.client("s3").create_bucket(Bucket=fresh_settings.landing_bucket)
    assert list(hoses.delivered().values()) == [b"1"]


def test_without_the_correction_each_call_is_an_object_and_nothing_else_holds(plain_moto: Settings) -> None:
    """No buffer, no compression, no prefix's expressions, no limits, no source."""
    hoses = Hoses(plain_moto)
    hoses.client("s3").create_bucket(Bucket=plain_moto.landing_bucket)
    hoses.create(LONG, Prefix="in/!{timestamp:yyyy}/", CompressionFormat="GZIP")
    hoses.put(b"1")
    hoses.put(*[b"2"] * 501)
    hoses.put(b"3" * (MAX_RECORD_BYTES + 1))
    found = hoses.objects()
    assert len(found) == 3
    assert b"1" in found.values()
    assert all(key.startswith("in/!{timestamp:yyyy}/") for key in found)
    kinesis, stream = hoses.client("kinesis"), plain_moto.stream_name("source")
    kinesis.create_stream(StreamName=stream, ShardCount=1)
    sourced = Hoses(plain_moto.model_copy(update={"prefix": f"{plain_moto.prefix}-sourced"}))
    arn = f"arn:aws:kinesis:{plain_moto.region}:123456789012:stream/{stream}"
    source = {"KinesisStreamARN": arn, "RoleARN": "arn:aws:iam::123456789012:role/firehose"}
    sourced.create(NONE, DeliveryStreamType="KinesisStreamAsSource", KinesisStreamSourceConfiguration=source)
    kinesis.put_record(StreamName=stream, PartitionKey="a", Data=b"4")
    time.sleep(0.5)
    assert sourced.objects() == found
