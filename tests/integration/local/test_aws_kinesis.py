"""Kinesis: what a reader and a writer must be able to rely on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from infra.local.aws.kinesis import CLOCK_TAG, THROTTLE_TAG
from orchestration.settings import Settings

MIB = 1024 * 1024


def kinesis_of(settings: Settings) -> Any:
    once = Config(retries={"total_max_attempts": 1})
    return boto3.client("kinesis", config=once, **settings.client_args())  # pyright: ignore


def create(kinesis: Any, settings: Settings, shards: int = 1, **arguments: Any) -> str:
    name = settings.stream_name("events")
    kinesis.create_stream(StreamName=name, ShardCount=shards, **arguments)
    return name


def shards_of(kinesis: Any, stream: str) -> list[dict[str, Any]]:
    return kinesis.list_shards(StreamName=stream)["Shards"]


def iterator(kinesis: Any, stream: str, shard_id: str = "shardId-000000000000", **position: Any) -> str:
    position = {"ShardIteratorType": "TRIM_HORIZON", **position}
    return kinesis.get_shard_iterator(StreamName=stream, ShardId=shard_id, **position)["ShardIterator"]


def data_of(kinesis: Any, stream: str, shard_id: str) -> list[bytes]:
    answer = kinesis.get_records(ShardIterator=iterator(kinesis, stream, shard_id))
    return [record["Data"] for record in answer["Records"]]


@pytest.fixture
def kinesis(fresh_settings: Settings) -> Any:
    return kinesis_of(fresh_settings)


@pytest.fixture
def stream(kinesis: Any, fresh_settings: Settings) -> str:
    return create(kinesis, fresh_settings)


def put(kinesis: Any, stream: str, *data: bytes) -> dict[str, Any]:
    return kinesis.put_records(StreamName=stream, Records=[{"PartitionKey": "k", "Data": item} for item in data])


def put_at_once(settings: Settings, threads: int, calls: int) -> tuple[int, int]:
    """Put from several threads; the number of records acknowledged, the number on the stream."""
    kinesis = kinesis_of(settings)
    stream = create(kinesis, settings)
    with ThreadPoolExecutor(threads) as pool:
        answers = list(pool.map(lambda _: put(kinesis, stream, *[b"x"] * 500), range(calls)))
    acknowledged = sum(len(answer["Records"]) - answer["FailedRecordCount"] for answer in answers)
    return acknowledged, len(data_of(kinesis, stream, "shardId-000000000000"))


def test_concurrent_puts_lose_nothing(hasty_aws: Settings) -> None:
    assert put_at_once(hasty_aws, threads=4, calls=12) == (6000, 6000)


def test_without_the_correction_concurrent_puts_lose_records(plain_moto: Settings) -> None:
    acknowledged, found = put_at_once(plain_moto, threads=4, calls=12)
    assert found < acknowledged


@pytest.mark.parametrize("reshard", ["split", "merge"])
def test_records_stay_in_a_shard_that_is_closed_and_new_ones_go_to_its_children(
    kinesis: Any, fresh_settings: Settings, reshard: str
) -> None:
    stream = create(kinesis, fresh_settings, shards=1 if reshard == "split" else 2)
    before = put(kinesis, stream, b"before")["Records"][0]
    parents = shards_of(kinesis, stream)
    if reshard == "split":
        middle = str(2**127)
        kinesis.split_shard(StreamName=stream, ShardToSplit=parents[0]["ShardId"], NewStartingHashKey=middle)
    else:
        pair = dict(zip(("ShardToMerge", "AdjacentShardToMerge"), (p["ShardId"] for p in parents), strict=True))
        kinesis.merge_shards(StreamName=stream, **pair)
    after = put(kinesis, stream, b"after")["Records"][0]
    children = [shard for shard in shards_of(kinesis, stream) if "ParentShardId" in shard]
    assert after["ShardId"] in {child["ShardId"] for child in children}
    assert int(after["SequenceNumber"]) > int(before["SequenceNumber"])
    assert data_of(kinesis, stream, before["ShardId"]) == [b"before"]
    assert [item for child in children for item in data_of(kinesis, stream, child["ShardId"])] == [b"after"]


def test_without_the_correction_a_merge_lets_a_record_be_read_twice(plain_moto: Settings) -> None:
    kinesis = kinesis_of(plain_moto)
    stream = create(kinesis, plain_moto, shards=2)
    put(kinesis, stream, b"before")
    shards = [shard["ShardId"] for shard in shards_of(kinesis, stream)]
    kinesis.merge_shards(StreamName=stream, ShardToMerge=shards[0], AdjacentShardToMerge=shards[1])
    everywhere = [item for s in shards_of(kinesis, stream) for item in data_of(kinesis, stream, s["ShardId"])]
    assert everywhere == [b"before", b"before"]


def test_an_iterator_ends_after_the_last_record_of_a_closed_shard_and_names_its_children(
    kinesis: Any, stream: str
) -> None:
    put(kinesis, stream, b"1", b"2")
    kinesis.split_shard(StreamName=stream, ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2**127))
    first = kinesis.get_records(ShardIterator=iterator(kinesis, stream), Limit=1)
    assert [record["Data"] for record in first["Records"]] == [b"1"]
    last = kinesis.get_records(ShardIterator=first["NextShardIterator"], Limit=1)
    assert [record["Data"] for record in last["Records"]] == [b"2"]
    assert "NextShardIterator" not in last
    assert [child["ShardId"] for child in last["ChildShards"]] == ["shardId-000000000001", "shardId-000000000002"]


def test_without_the_correction_an_iterator_on_a_closed_shard_does_not_end(plain_moto: Settings) -> None:
    kinesis = kinesis_of(plain_moto)
    stream = create(kinesis, plain_moto)
    kinesis.split_shard(StreamName=stream, ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2**127))
    assert "NextShardIterator" in kinesis.get_records(ShardIterator=iterator(kinesis, stream))


def test_an_open_shard_goes_on(kinesis: Any, stream: str) -> None:
    empty = kinesis.get_records(ShardIterator=iterator(kinesis, stream))
    put(kinesis, stream, b"later")
    assert [r["Data"] for r in kinesis.get_records(ShardIterator=empty["NextShardIterator"])["Records"]] == [b"later"]


def test_only_the_tip_is_zero_milliseconds_behind(kinesis: Any, stream: str) -> None:
    put(kinesis, stream, b"1", b"2")  # both arrive in the same moment
    first = kinesis.get_records(ShardIterator=iterator(kinesis, stream), Limit=1)
    assert first["MillisBehindLatest"] > 0
    assert kinesis.get_records(ShardIterator=first["NextShardIterator"])["MillisBehindLatest"] == 0


def test_one_call_reads_at_most_ten_thousand_records(kinesis: Any, stream: str) -> None:
    for _ in range(21):
        put(kinesis, stream, *[b"x"] * 500)
    first = kinesis.get_records(ShardIterator=iterator(kinesis, stream))
    rest = kinesis.get_records(ShardIterator=first["NextShardIterator"])
    assert (len(first["Records"]), len(rest["Records"])) == (10_000, 500)
    with pytest.raises(ClientError, match="ValidationException"):
        kinesis.get_records(ShardIterator=first["NextShardIterator"], Limit=10_001)


def test_one_call_reads_at_most_ten_mebibytes(kinesis: Any, stream: str) -> None:
    for _ in range(3):
        put(kinesis, stream, *[bytes(900_000)] * 4)
    first = kinesis.get_records(ShardIterator=iterator(kinesis, stream))
    rest = kinesis.get_records(ShardIterator=first["NextShardIterator"])
    assert (len(first["Records"]), len(rest["Records"])) == (11, 1)


def test_a_record_is_at_most_one_mebibyte_with_its_key(kinesis: Any, stream: str) -> None:
    kinesis.put_record(StreamName=stream, PartitionKey="k", Data=bytes(MIB - 1))
    with pytest.raises(ClientError, match="ValidationException"):
        kinesis.put_record(StreamName=stream, PartitionKey="k", Data=bytes(MIB))
    with pytest.raises(ClientError, match=r"records\.2\.member\.data"):
        put(kinesis, stream, b"", bytes(MIB))


def test_a_stream_may_allow_records_of_ten_mebibytes(kinesis: Any, fresh_settings: Settings) -> None:
    stream = create(kinesis, fresh_settings, MaxRecordSizeInKiB=2048)
    kinesis.put_record(StreamName=stream, PartitionKey="k", Data=bytes(2 * MIB - 1))
    summary = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]
    assert summary["MaxRecordSizeInKiB"] == 2048
    kinesis.update_max_record_size(StreamARN=summary["StreamARN"], MaxRecordSizeInKiB=10_240)
    kinesis.put_record(StreamName=stream, PartitionKey="k", Data=bytes(10 * MIB - 1))
    with pytest.raises(ClientError, match="10 MiB"):
        put(kinesis, stream, bytes(6 * MIB), bytes(5 * MIB))


def test_sequence_numbers_do_not_fit_in_64_bits(kinesis: Any, stream: str) -> None:
    number = put(kinesis, stream, b"x")["Records"][0]["SequenceNumber"]
    assert int(number) > 2**64
    after = iterator(kinesis, stream, ShardIteratorType="AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=number)
    assert kinesis.get_records(ShardIterator=after)["Records"] == []
    at = iterator(kinesis, stream, ShardIteratorType="AT_SEQUENCE_NUMBER", StartingSequenceNumber=number)
    assert len(kinesis.get_records(ShardIterator=at)["Records"]) == 1


def test_latest_starts_after_what_is_there(kinesis: Any, stream: str) -> None:
    put(kinesis, stream, b"old")
    latest = iterator(kinesis, stream, ShardIteratorType="LATEST")
    put(kinesis, stream, b"new")
    assert [record["Data"] for record in kinesis.get_records(ShardIterator=latest)["Records"]] == [b"new"]


def test_a_stream_is_found_by_its_arn(kinesis: Any, stream: str) -> None:
    arn = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamARN"]
    kinesis.put_record(StreamARN=arn, PartitionKey="k", Data=b"x")
    start = kinesis.get_shard_iterator(StreamARN=arn, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON")
    assert len(kinesis.get_records(StreamARN=arn, ShardIterator=start["ShardIterator"])["Records"]) == 1


def test_shards_come_in_pages_of_a_thousand_and_the_next_page_by_its_token_alone(
    kinesis: Any, fresh_settings: Settings
) -> None:
    stream = create(kinesis, fresh_settings, shards=1001)
    first = kinesis.list_shards(StreamName=stream)
    assert len(first["Shards"]) == 1000
    (last,) = kinesis.list_shards(NextToken=first["NextToken"])["Shards"]
    assert last["ShardId"] == "shardId-000000001000"
    assert "NextToken" not in kinesis.list_shards(StreamName=stream, MaxResults=10_000)
    arn = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamARN"]
    for parameter, value in (("StreamName", stream), ("StreamARN", arn)):
        with pytest.raises(kinesis.exceptions.InvalidArgumentException, match=f"NextToken and {parameter} cannot be"):
            kinesis.list_shards(NextToken=first["NextToken"], **{parameter: value})
    with pytest.raises(kinesis.exceptions.InvalidArgumentException, match="NextToken and StreamName cannot be"):
        list(kinesis.get_paginator("list_shards").paginate(StreamName=stream))
    with pytest.raises(kinesis.exceptions.InvalidArgumentException, match="NextToken is not one"):
        kinesis.list_shards(NextToken="x")


def test_without_the_correction_a_name_beside_a_token_passes_and_the_token_alone_does_not(plain_moto: Settings) -> None:
    kinesis = kinesis_of(plain_moto)
    stream = create(kinesis, plain_moto, shards=2)
    token = kinesis.list_shards(StreamName=stream, MaxResults=1)["NextToken"]
    assert len(kinesis.list_shards(StreamName=stream, NextToken=token)["Shards"]) == 1
    with pytest.raises(ClientError):
        kinesis.list_shards(NextToken=token)


def test_a_closed_shard_is_listed_until_its_records_have_expired(kinesis: Any, stream: str) -> None:
    kinesis.split_shard(StreamName=stream, ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2**127))
    for hours, listed in ((23, 3), (25, 2)):
        kinesis.add_tags_to_stream(StreamName=stream, Tags={CLOCK_TAG: str(hours)})
        assert len(shards_of(kinesis, stream)) == listed


def test_the_highest_hash_key_has_a_shard(kinesis: Any, stream: str) -> None:
    kinesis.put_record(StreamName=stream, PartitionKey="k", ExplicitHashKey=str(2**128 - 1), Data=b"x")


def test_tags_are_kept_at_creation(kinesis: Any, fresh_settings: Settings) -> None:
    stream = create(kinesis, fresh_settings, Tags={"team": "flight-operations"})
    assert kinesis.list_tags_for_stream(StreamName=stream)["Tags"] == [{"Key": "team", "Value": "flight-operations"}]


def test_a_throttled_read_is_refused_as_often_as_its_tag_says(kinesis: Any, stream: str) -> None:
    put(kinesis, stream, b"x")
    kinesis.add_tags_to_stream(StreamName=stream, Tags={f"{THROTTLE_TAG}GetRecords": "2"})
    for _ in range(2):
        with pytest.raises(kinesis.exceptions.ProvisionedThroughputExceededException):
            kinesis.get_records(ShardIterator=iterator(kinesis, stream))
    assert len(kinesis.get_records(ShardIterator=iterator(kinesis, stream))["Records"]) == 1


def test_a_throttled_write_refuses_every_second_record(kinesis: Any, stream: str) -> None:
    kinesis.add_tags_to_stream(StreamName=stream, Tags={f"{THROTTLE_TAG}PutRecords": "1"})
    answer = put(kinesis, stream, b"0", b"1", b"2")
    assert answer["FailedRecordCount"] == 2
    assert ["ErrorCode" in record for record in answer["Records"]] == [True, False, True]
    assert data_of(kinesis, stream, "shardId-000000000000") == [b"1"]
    assert put(kinesis, stream, b"0")["FailedRecordCount"] == 0
