"""Streams and objects landed by their own readers: once, whatever happens in the middle of an object."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.expressions import GreaterThan
from pyiceberg.table import Table

import ingestion.landing
import ingestion.readers.objects
from ingestion.contract import Contract
from ingestion.landing import Landed, has_news, land, waiting
from ingestion.ledger import landed_versions
from ingestion.readers.kinesis import KinesisReader
from ingestion.readers.objects import ObjectReader, Waiting
from tests.integration.ingestion.conftest import FILES, Lake, MakeContract, compact, new_catalog

PREFIX = "readings/"
GOOD, BAD = 1, 500


class Crash(BaseException):
    """The process died: nothing in the lander may catch it."""


@dataclass(frozen=True)
class Drop:
    """Files in the landing bucket, and their landing."""

    lake: Lake
    contract: Contract
    s3: Any

    def put(self, key: str, amounts: dict[int, int]) -> tuple[str, str]:
        """Drop a file of readings: id -> amount. An amount of BAD breaks the contract. Returns its key and ETag."""
        body = "\n".join(json.dumps({"id": n, "amount": amount}) for n, amount in amounts.items()).encode()
        put = self.s3.put_object(Bucket=self.lake.settings.landing_bucket, Key=PREFIX + key, Body=body)
        return PREFIX + key, put["ETag"].strip('"')

    def waiting(self, *told: tuple[str, str]) -> Waiting:
        """Which of some versions have not landed."""
        reader = ObjectReader(self.s3, self.contract, self.lake.settings.landing_bucket, max_bytes=1)
        return waiting(self.contract, reader, self.lake.tables(self.contract), set(told))

    def land(
        self,
        *,
        max_bytes: int = 1024 * 1024,
        contract: Contract | None = None,
        progress: Callable[[Landed], None] = lambda _: None,
        **how: Any,
    ) -> Landed:
        contract = contract or self.contract
        reader = ObjectReader(self.s3, contract, self.lake.settings.landing_bucket, max_bytes=max_bytes, **how)
        return land(contract, reader, self.lake.tables(contract), progress=progress)

    def of_its_own(self) -> Drop:
        """The same as another process sees it, with a catalog of its own."""
        return replace(self, lake=replace(self.lake, catalog=new_catalog(self.lake.settings)))

    def expect(self, rows: list[int], rejects: list[int]) -> None:
        """What is in the two tables; and that a further landing finds nothing."""
        assert (self.lake.rows(self.contract), self.lake.rejects(self.contract)) == (sorted(rows), sorted(rejects))
        again = self.land()
        assert (again.nothing, again.commits) == (True, 0)


@pytest.fixture
def drop(lake: Lake, make_contract: MakeContract) -> Drop:
    """Files that break their contract above an amount of 100."""
    return Drop(lake, make_contract(server=FILES), boto3.client("s3", **lake.settings.client_args()))


@pytest.fixture
def crash_after(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Have the process die after the n-th commit from now on. That is also before the one that follows."""
    real = ingestion.landing.commit

    def arrange(number: int) -> None:
        calls = iter(range(1_000))

        def commit(*arguments: Any, **keywords: Any) -> Table:
            table = real(*arguments, **keywords)
            if next(calls) == number:
                monkeypatch.setattr(ingestion.landing, "commit", real)
                raise Crash
            return table

        monkeypatch.setattr(ingestion.landing, "commit", commit)

    return arrange


def test_files_land_once_with_rows_and_rejects(drop: Drop) -> None:
    drop.put("1", {1: GOOD, 2: BAD, 3: GOOD})
    drop.put("2", {4: BAD})
    landed = drop.land()
    assert (landed.records, landed.rows, landed.rejects, landed.commits) == (4, 2, 2, 1)
    drop.expect([1, 3], [2, 4])


def test_a_file_that_arrives_late_in_an_older_prefix_lands_once(drop: Drop) -> None:
    drop.put("2026/01/02/a", {2: GOOD})
    drop.land()
    drop.put("2026/01/01/z", {1: GOOD})
    assert drop.land().records == 1
    drop.expect([1, 2], [])


def test_a_file_that_is_dropped_again_lands_as_a_new_version(drop: Drop) -> None:
    drop.put("1", {1: GOOD, 2: GOOD})
    drop.land()
    drop.put("1", {1: GOOD, 2: GOOD, 3: GOOD})
    assert drop.land().records == 3
    drop.expect([1, 1, 2, 2, 3], [])
    etags = drop.lake.tables(drop.contract).landing.scan().to_arrow().column("_etag").to_pylist()
    assert len(set(etags)) == 2


def test_an_older_content_that_comes_back_lands_as_the_newest(drop: Drop) -> None:
    """Its ETag is one that has landed before. What is dropped twice in a row is the same version."""
    older, newer = {1: GOOD, 2: BAD}, {3: GOOD}
    for content in (older, newer, older, older):
        told = drop.put("1", content)
        drop.land()
        assert drop.waiting(told) == Waiting(set(), late=False)
    drop.expect([1, 1, 3], [2, 2])


@pytest.mark.parametrize("number", [0, 1], ids=["rejects", "rows"])
@pytest.mark.parametrize("mended", [False, True], ids=["same-contract", "mended-contract"])
def test_a_crash_between_the_tables_does_not_hide_the_rows_of_the_object(
    drop: Drop, make_contract: MakeContract, crash_after: Callable[[int], None], number: int, mended: bool
) -> None:
    """One reject and many rows: a ledger that counts the reject of an undecided landing would lose the rows."""
    drop.put("1", {0: BAD} | dict.fromkeys(range(1, 20), GOOD))
    crash_after(number)
    with pytest.raises(Crash):
        drop.land()
    lenient = make_contract(server=FILES, maximum=1000, version="1.1.0")
    drop.land(contract=lenient if mended else None)
    rejects = [] if mended and number == 0 else [0]
    drop.expect([n for n in range(20) if n not in rejects], rejects)


def test_two_landers_of_one_object(drop: Drop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one is refused at its commit, reads again and finds that the object has landed."""
    drop.put("1", {1: GOOD, 2: BAD})
    real = ingestion.landing.decode
    others: list[Landed] = []

    def decode(*arguments: Any) -> Any:
        monkeypatch.setattr(ingestion.landing, "decode", real)
        others.append(drop.land())
        return real(*arguments)

    monkeypatch.setattr(ingestion.landing, "decode", decode)
    landed = drop.land()
    assert [other.records for other in others] == [2]
    assert (landed.records, landed.races) == (0, 1)
    drop.expect([1], [2])


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingestion.readers.objects, "_BLOCK", 128)


WRONG = [1, 7]  # one in each of the object's batches


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("number", range(5))
def test_an_object_larger_than_a_batch_survives_a_crash_after_each_commit(
    drop: Drop, crash_after: Callable[[int], None], number: int
) -> None:
    amounts = {n: BAD if n in WRONG else GOOD for n in range(8)}
    drop.put("1", amounts)
    crash_after(number)
    with pytest.raises(Crash):
        drop.land(max_bytes=1)
    drop.land(max_bytes=1)
    drop.expect([n for n in range(8) if n not in WRONG], WRONG)


@pytest.mark.usefixtures("small_blocks")
def test_many_landers_of_many_objects(drop: Drop) -> None:
    for key in range(3):
        drop.put(str(key), {key * 10 + n: BAD if n == 3 else GOOD for n in range(6)})
    drop.lake.tables(drop.contract)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: drop.of_its_own().land(max_bytes=2000), range(3)))
    ids = [key * 10 + n for key in range(3) for n in range(6)]
    drop.expect([n for n in ids if n % 10 != 3], [n for n in ids if n % 10 == 3])


@pytest.mark.usefixtures("small_blocks")
def test_an_object_that_is_replaced_after_a_crash_lands_as_a_new_version(
    drop: Drop, crash_after: Callable[[int], None]
) -> None:
    drop.put("1", dict.fromkeys(range(16), GOOD))
    crash_after(0)
    with pytest.raises(Crash):
        drop.land(max_bytes=1)
    before = drop.lake.rows(drop.contract)
    assert 0 < len(before) < 16
    drop.put("1", dict.fromkeys(range(100, 104), GOOD))
    drop.land()
    drop.expect([*before, 100, 101, 102, 103], [])


def test_a_broken_end_of_an_object_that_ends_a_batch_is_told_once(
    drop: Drop, crash_after: Callable[[int], None]
) -> None:
    """The batch is full with the reject; what tells that the object is closed is lost."""
    whole = gzip.compress(b'{"id": 1, "amount": 1}')
    drop.s3.put_object(Bucket=drop.lake.settings.landing_bucket, Key=f"{PREFIX}1", Body=whole[:-4])
    crash_after(2)
    with pytest.raises(Crash):
        drop.land(max_bytes=1)
    drop.land(max_bytes=1)
    assert drop.lake.rows(drop.contract) == [1]
    assert drop.lake.tables(drop.contract).quarantine.scan().to_arrow().num_rows == 1
    assert drop.land().commits == 0


# --- a file that replaces another ---


@pytest.fixture
def replacing(drop: Drop, make_contract: MakeContract) -> Drop:
    """Files whose new version under a key replaces the older one."""
    server = FILES[:-1] + ", customProperties: [{property: onReplace, value: replace}]}"
    return replace(drop, contract=make_contract(server=server))


def test_a_new_version_replaces_rows_and_rejects_of_its_key_only(replacing: Drop) -> None:
    replacing.put("1", {1: GOOD, 2: BAD, 3: GOOD})
    replacing.put("2", {20: GOOD, 21: BAD})
    replacing.land()
    replacing.expect([1, 3, 20], [2, 21])
    replacing.put("1", {1: GOOD, 4: BAD, 5: GOOD})
    landed = replacing.land()
    assert (landed.rows, landed.rejects, landed.commits) == (2, 1, 1)
    replacing.expect([1, 5, 20], [4, 21])


def test_an_older_content_that_comes_back_replaces_what_replaced_it(replacing: Drop) -> None:
    """Its ETag is one that has landed before; one of them has rejects alone, one has no record at all."""
    lake, contents = replacing.lake, [{1: GOOD}, {2: BAD}, {}, {2: BAD}, {1: GOOD}, {}]
    for content in contents:
        replacing.put("1", content)
        replacing.land()
        rejects = [n for n, amount in content.items() if amount == BAD]
        rows = [n for n in content if n not in rejects]
        assert (lake.rows(replacing.contract), lake.rejects(replacing.contract)) == (rows, rejects)


def test_what_a_crash_left_of_an_older_version_does_not_hide_that_it_is_back(
    replacing: Drop, crash_after: Callable[[int], None]
) -> None:
    """Its reject is still in the quarantine. A sensor, which changes nothing, must ask for a landing all the same."""
    replacing.put("1", {2: BAD})
    replacing.land()
    replacing.put("1", {1: GOOD})
    crash_after(0)
    with pytest.raises(Crash):
        replacing.land()
    replacing.put("1", {2: BAD})
    contract, bucket = replacing.contract, replacing.lake.settings.landing_bucket
    reader = ObjectReader(replacing.s3, contract, bucket, max_bytes=1)
    assert has_news(contract, reader, replacing.lake.tables(contract))


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("number", range(3), ids=["rejects", "rows", "replaced-rejects"])
def test_readers_see_one_version_or_the_other_whatever_crashes(
    replacing: Drop, crash_after: Callable[[int], None], number: int
) -> None:
    """Both versions are larger than a batch."""
    replacing.put("1", {n: BAD if n in WRONG else GOOD for n in range(16)})
    assert replacing.land(max_bytes=1).commits == 1
    replacing.put("1", {n: BAD if n == 105 else GOOD for n in range(100, 116)})
    crash_after(number)
    with pytest.raises(Crash):
        replacing.land(max_bytes=1)
    old, new = [n for n in range(16) if n not in WRONG], [n for n in range(100, 116) if n != 105]
    assert replacing.lake.rows(replacing.contract) == (old if number == 0 else new)
    replacing.land(max_bytes=1)
    replacing.expect(new, [105])


@pytest.mark.parametrize("between", ["another lander", "a compaction"])
def test_what_comes_between_a_replacement_and_its_commit_is_no_harm(
    replacing: Drop, monkeypatch: pytest.MonkeyPatch, between: str
) -> None:
    replacing.put("1", {1: GOOD, 2: BAD})
    replacing.put("2", {20: GOOD})
    replacing.land()
    replacing.put("1", {3: GOOD, 4: BAD})
    real = GlueCatalog.commit_table

    def commit_table(*arguments: Any) -> Any:
        table = arguments[1]
        if table.name()[-1] == "readings" and "quarantine" not in table.name()[0]:
            monkeypatch.setattr(GlueCatalog, "commit_table", real)
            if between == "another lander":
                replacing.of_its_own().land()
            else:
                compact(replacing.of_its_own().lake.tables(replacing.contract).landing)
        return real(*arguments)

    monkeypatch.setattr(GlueCatalog, "commit_table", commit_table)
    landed = replacing.land()
    assert landed.races == 1
    replacing.expect([3, 20], [4])


def test_of_the_versions_that_arrived_those_wait_that_are_there_and_have_not_landed(drop: Drop) -> None:
    rows, rejects, empty = drop.put("1", {1: GOOD}), drop.put("2", {2: BAD}), drop.put("3", {})
    older = drop.put("4", {4: GOOD})
    newer = drop.put("4", {4: GOOD, 5: GOOD})
    gone = drop.put("5", {6: GOOD})
    drop.s3.delete_object(Bucket=drop.lake.settings.landing_bucket, Key=gone[0])
    told = (rows, rejects, empty, older, newer, gone)
    # Of one without a byte there is nothing to land.
    assert drop.waiting(*told) == Waiting({rows, rejects, newer}, late=False)
    drop.land()
    assert drop.waiting(*told) == Waiting(set(), late=False)
    again = drop.put("1", {1: GOOD, 7: GOOD})
    assert drop.waiting(rows, again) == Waiting({again}, late=False)


def test_an_object_of_which_a_part_has_landed_waits_still(drop: Drop, crash_after: Callable[[int], None]) -> None:
    told = drop.put("1", dict.fromkeys(range(1, 20), GOOD))
    crash_after(0)
    with pytest.raises(Crash):
        drop.land(max_bytes=1)
    assert drop.waiting(told) == Waiting({told}, late=False)
    drop.land()
    assert drop.waiting(told) == Waiting(set(), late=False)


# --- Firehose's deliveries, by the hour ---

NOW = datetime(2026, 3, 4, 12, 30, tzinfo=UTC)
DELIVERIES = (
    FILES[:-1]
    + ", customProperties: [{property: deliveryStream, value: readings}, {property: lookBackHours, value: 3}]}"
)


@pytest.fixture
def delivered(drop: Drop, make_contract: MakeContract) -> Drop:
    """Objects of a delivery stream that may come up to three hours late."""
    return replace(drop, contract=make_contract(server=DELIVERIES))


def test_only_hours_that_may_still_get_objects_are_listed(delivered: Drop) -> None:
    delivered.put("2026/03/04/12/a", {1: GOOD})
    delivered.put("2026/03/01/00/a", {2: GOOD})
    assert delivered.land(clock=lambda: NOW).position == {
        "open": None,
        "empty": [],
        "after": f"{PREFIX}2026/03/04/09/",
        "whole_at": "2026-03-04T12:30:00+00:00",
    }
    delivered.put("2026/03/04/09/late", {3: GOOD, 4: BAD})
    too_late = delivered.put("2026/03/04/08/too-late", {5: GOOD})
    assert delivered.land(clock=lambda: NOW + timedelta(hours=1)).records == 2
    assert delivered.waiting(too_late) == Waiting({too_late}, late=True)
    later = NOW + timedelta(hours=23)
    assert delivered.land(clock=lambda: later).commits == 0
    # Once a day, or when it is asked for, all is listed: nothing is lost for ever.
    assert delivered.land(clock=lambda: later, whole=True).records == 1
    delivered.put("2026/02/01/00/far-too-late", {6: GOOD})
    assert delivered.land(clock=lambda: NOW + timedelta(hours=46)).commits == 0
    landed = delivered.land(clock=lambda: NOW + timedelta(hours=48))
    assert (landed.records, landed.position and landed.position["after"]) == (1, f"{PREFIX}2026/03/06/09/")
    assert delivered.lake.rows(delivered.contract) == [1, 2, 3, 5, 6]
    assert delivered.lake.rejects(delivered.contract) == [4]


@pytest.mark.parametrize("whole_goes_on", [True, False], ids=["beside it", "after it was killed"])
def test_a_late_object_larger_than_a_batch_is_landed_whole_whoever_goes_on(
    delivered: Drop, crash_after: Callable[[int], None], whole_goes_on: bool
) -> None:
    """A landing lists what is above its window; of the late object only a part has landed when it looks."""
    ids = list(range(1, 20))
    delivered.put("2026/03/04/12/a", {100: GOOD})
    delivered.land(clock=lambda: NOW)
    delivered.put("2026/03/01/00/late", dict.fromkeys(ids, GOOD))
    if whole_goes_on:
        ordinary: list[Landed] = []

        def look(_: Landed) -> None:
            if not ordinary:
                ordinary.append(delivered.of_its_own().land(clock=lambda: NOW, max_bytes=1))

        delivered.land(clock=lambda: NOW, max_bytes=1, whole=True, progress=look)
        assert ordinary[0].records
    else:
        crash_after(0)
        with pytest.raises(Crash):
            delivered.land(clock=lambda: NOW, max_bytes=1, whole=True)
        assert delivered.land(clock=lambda: NOW).records
    delivered.land(clock=lambda: NOW, whole=True)
    assert delivered.lake.rows(delivered.contract) == [*ids, 100]


def test_many_files_that_replace_others_are_named_in_several_commits(
    replacing: Drop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their names stand in a property of the table, of which Glue takes so many characters."""
    monkeypatch.setattr(ingestion.readers.objects, "_MOST_REPLACED_CHARACTERS", 200)
    for amounts in ({1: GOOD}, {2: GOOD}):
        for name in "abcde":
            replacing.put(name, amounts)
        landed = replacing.land()
    assert landed.commits == 3
    replacing.expect([2] * 5, [])


def test_a_contract_whose_prefix_changes_lists_all_of_the_new_one(delivered: Drop, make_contract: MakeContract) -> None:
    delivered.put("2026/03/04/12/a", {1: GOOD})
    delivered.land(clock=lambda: NOW)
    moved = replace(delivered, contract=make_contract(server=DELIVERIES.replace("/readings/", "/other/")))
    body = json.dumps({"id": 2, "amount": GOOD}).encode()
    moved.s3.put_object(Bucket=moved.lake.settings.landing_bucket, Key="other/2026/03/01/00/b", Body=body)
    landed = moved.land(clock=lambda: NOW)
    assert (landed.records, landed.position and landed.position["after"]) == (1, "other/2026/03/04/09/")


def test_hours_that_nobody_listed_while_landing_stood_still_are_listed(delivered: Drop) -> None:
    delivered.put("2026/03/04/12/a", {1: GOOD})
    delivered.land(clock=lambda: NOW)
    delivered.put("2026/03/04/13/b", {2: GOOD})
    assert delivered.land(clock=lambda: NOW + timedelta(hours=20)).records == 1


def test_the_ledger_opens_the_files_of_late_hours_only(delivered: Drop) -> None:
    for hour in range(4):
        delivered.put(f"2026/03/04/0{hour}/a", {hour: GOOD})
        delivered.land(clock=lambda: NOW.replace(hour=3))
    table = delivered.lake.tables(delivered.contract).landing
    after = f"{PREFIX}2026/03/04/02/"
    late = GreaterThan("_key", after)  # pyright: ignore[reportCallIssue]
    assert len(list(table.scan(row_filter=late).plan_files())) == 2
    assert {version.key for version in landed_versions(table, after)} == {f"{after}a", f"{PREFIX}2026/03/04/03/a"}


def test_a_stream_lands_over_a_split_and_a_crash(
    lake: Lake, strict: Contract, crash_after: Callable[[int], None]
) -> None:
    kinesis = boto3.client("kinesis", **lake.settings.client_args())
    stream = lake.settings.stream_name("readings")
    kinesis.create_stream(StreamName=stream, ShardCount=2)

    def put(*ids: int) -> None:
        entries: list[Any] = [
            {"PartitionKey": str(n), "Data": json.dumps({"id": n, "amount": BAD if n % 5 == 0 else GOOD})} for n in ids
        ]
        kinesis.put_records(StreamName=stream, Records=entries)

    def run() -> Landed:
        return land(strict, KinesisReader(kinesis, strict, stream, max_bytes=1024 * 1024), lake.tables(strict))

    put(*range(20))
    run()
    kinesis.split_shard(StreamName=stream, ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2**126))
    put(*range(20, 40))
    crash_after(0)
    with pytest.raises(Crash):
        run()
    landed = run()
    assert landed.records == 20
    assert run().commits == 0
    assert lake.rows(strict) == [n for n in range(40) if n % 5]
    assert lake.rejects(strict) == [n for n in range(40) if n % 5 == 0]
