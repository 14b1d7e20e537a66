"""User records in Kinesis records: what the Kinesis Producer Library aggregates, and what only looks like it."""

from __future__ import annotations

import hashlib

import pytest
from aws_kinesis_agg.aggregator import RecordAggregator
from hypothesis import given
from hypothesis import strategies as st

from ingestion.readers.kinesis import deaggregate

MAGIC = b"\xf3\x89\x9a\xc2"


def aggregated(user_records: list[bytes]) -> bytes:
    """One Kinesis record, as a producer sends it."""
    aggregator = RecordAggregator()
    for number, data in enumerate(user_records):
        assert aggregator.add_user_record(f"key-{number % 3}", data) is None
    record = aggregator.clear_and_get()
    assert record is not None
    return record.get_contents()[2]


def with_digest(body: bytes) -> bytes:
    return MAGIC + body + hashlib.md5(body, usedforsecurity=False).digest()


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=30))
def test_what_a_producer_aggregated_comes_back_in_order(user_records: list[bytes]) -> None:
    assert deaggregate(aggregated(user_records)) == user_records


@given(st.binary(max_size=60))
def test_a_plain_record_is_its_own_user_record(data: bytes) -> None:
    assert deaggregate(data) == [data]


@pytest.mark.parametrize(
    "data",
    [
        MAGIC,
        MAGIC + b"x" * 16,
        MAGIC + b"some text that only begins like an aggregate",
        aggregated([b"one", b"two"])[:-1],
        aggregated([b"one", b"two"])[:-1] + b"\0",
        # The digest is right, but what it is of is no message.
        with_digest(b"\xff\xff\xff"),
    ],
)
def test_a_broken_aggregate_is_kept_as_it_is(data: bytes) -> None:
    assert deaggregate(data) == [data]


@given(st.integers(0, 60), st.integers(1, 255))
def test_a_changed_byte_never_passes_as_other_records(place: int, change: int) -> None:
    whole = aggregated([b'{"id": 1}', b'{"id": 2}'])
    at = place % len(whole)
    broken = whole[:at] + bytes([whole[at] ^ change]) + whole[at + 1 :]
    assert deaggregate(broken) == [broken]
