"""`watershed put` on the local AWS: each way in, and what is refused. What arrives is read as landing reads it."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import boto3
import pytest

from infra.local.errors import LocalServicesError
from ingestion.contract import Contract, FirehoseDelivery, KinesisSource, ObjectSource, load_contracts
from ingestion.decode import decode
from orchestration.platform import reader
from orchestration.settings import CONTRACTS_DIR, Settings
from watershed import put as putting
from watershed.put import put

AIRLINES = b'{"carrier": "UA", "name": "United"}\n\n{"carrier": "AA", "name": "American"}\nnothing of the kind\n'
FILES = ObjectSource("landing", "files/airlines/", "json")


@pytest.fixture(scope="module")
def airlines() -> Contract:
    return load_contracts(CONTRACTS_DIR)["airlines"]


def arrived(settings: Settings, contract: Contract) -> tuple[list[str], int]:
    """The carriers that came in, and how many records landing would reject."""
    batches = reader(settings, contract, 1024 * 1024).batches(None, lambda *_: set())
    decoded = [decode(contract, batch) for batch in batches]
    names = [name for each in decoded for name in each.rows["carrier"].to_pylist()]
    return sorted(names), sum(len(each.rejects) for each in decoded)


@pytest.mark.parametrize("zipped", [False, True])
def test_lines_go_to_the_stream_as_they_are(
    fresh_settings: Settings, airlines: Contract, tmp_path: Path, zipped: bool
) -> None:
    path = tmp_path / "airlines.jsonl"
    path.write_bytes(gzip.compress(AIRLINES) if zipped else AIRLINES)
    contract = replace(airlines, source=KinesisSource("airlines", "json"))
    done = put(fresh_settings, contract, path)
    assert (done.records, done.target) == (3, f"the stream {fresh_settings.prefix}-airlines")
    assert arrived(fresh_settings, contract) == (["AA", "UA"], 1)


def test_lines_go_to_the_stream_that_firehose_reads(
    fresh_settings: Settings, airlines: Contract, tmp_path: Path
) -> None:
    path = tmp_path / "airlines.jsonl"
    path.write_bytes(AIRLINES)
    source = replace(FILES, delivery=FirehoseDelivery("airlines", source_stream="feed"))
    done = put(fresh_settings, replace(airlines, source=source), path)
    assert (done.records, done.target) == (3, f"the stream {fresh_settings.prefix}-feed")


def test_lines_go_through_firehose(fresh_settings: Settings, airlines: Contract, tmp_path: Path) -> None:
    path = tmp_path / "airlines.jsonl"
    path.write_bytes(AIRLINES)
    done = put(fresh_settings, replace(airlines, source=replace(FILES, delivery=FirehoseDelivery("airlines"))), path)
    assert (done.records, done.target) == (3, f"the delivery stream {fresh_settings.prefix}-airlines")


def test_a_file_goes_to_the_prefix_as_it_is(fresh_settings: Settings, airlines: Contract, tmp_path: Path) -> None:
    path = tmp_path / "airlines.csv"
    path.write_bytes(b"carrier,name\nUA,United\n")
    done = put(fresh_settings, airlines, path)
    assert (done.records, done.target) == (None, f"s3://{fresh_settings.landing_bucket}/files/airlines/airlines.csv")
    s3 = boto3.client("s3", **fresh_settings.client_args())
    stored = s3.get_object(Bucket=fresh_settings.landing_bucket, Key="files/airlines/airlines.csv")
    assert stored["Body"].read() == path.read_bytes()


def test_what_is_refused_at_first_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(putting.time, "sleep", lambda seconds: None)
    sent: list[bytes] = []

    def send(records: list[bytes]) -> list[str | None]:
        answers: list[str | None] = ["Throttled: later" if record == b"2" and not sent else None for record in records]
        sent.extend(record for record, why in zip(records, answers, strict=True) if why is None)
        return answers

    assert putting._send("orders", [b"1", b"2", b"3"], send) == 3  # pyright: ignore[reportArgumentType]
    assert sent == [b"1", b"3", b"2"]
    with pytest.raises(LocalServicesError, match="orders refused 1 records 8 times: Down: gone"):
        putting._send("orders", [b"1"], lambda records: ["Down: gone"] * len(records))


def test_a_mistake_is_named(fresh_settings: Settings, airlines: Contract, tmp_path: Path, free_url: str) -> None:
    path = tmp_path / "airlines.jsonl"
    with pytest.raises(LocalServicesError, match="there is no such file"):
        put(fresh_settings, airlines, path)
    path.write_bytes(b'{"carrier": "' + b"U" * 1024 * 1000 + b'"}\n')
    with pytest.raises(LocalServicesError, match="record 1 has 1,024,015 bytes"):
        put(fresh_settings, replace(airlines, source=KinesisSource("airlines", "json")), path)
    with pytest.raises(LocalServicesError, match="The local AWS is not running"):
        put(fresh_settings.model_copy(update={"aws_endpoint_url": free_url}), airlines, path)
