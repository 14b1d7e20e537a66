"""The landing protocol: each record in the table or in the quarantine, once, whatever happens in between."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pyiceberg.table import Table

import ingestion.commit
import ingestion.landing
from ingestion.contract import Contract
from ingestion.errors import PositionMoved, TableError
from ingestion.landing import land
from ingestion.state import QuarantineState
from tests.integration.ingestion.conftest import Lake, Source, compact, new_catalog

GOOD, BAD = 1, 500  # BAD breaks the strict contract and holds the lenient one.
MIXED = [GOOD, BAD, GOOD, GOOD]

# The commits of a landing with rejects, in their order.
REJECTS, ROWS = 0, 1


class Crash(BaseException):
    """The process died: nothing in the lander may catch it."""


@pytest.fixture
def at_commit(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have something happen once, before or after the n-th commit from now on."""
    real = ingestion.landing.commit

    def arrange(number: int, happening: Callable[[], None], *, after: bool = False) -> None:
        calls = iter(range(1_000))

        def commit(*arguments: Any, **keywords: Any) -> Table:
            if next(calls) != number:
                return real(*arguments, **keywords)
            monkeypatch.setattr(ingestion.landing, "commit", real)
            if not after:
                happening()
            table = real(*arguments, **keywords)
            if after:
                happening()
            return table

        monkeypatch.setattr(ingestion.landing, "commit", commit)

    return arrange


def crash() -> None:
    raise Crash


def expect_once(lake: Lake, contract: Contract, rows: list[int], rejects: list[int]) -> None:
    assert (lake.rows(contract), lake.rejects(contract)) == (rows, rejects)
    assert QuarantineState.of(lake.tables(contract).quarantine).pending.keys() <= set(_rejecting(lake, contract))


def _rejecting(lake: Lake, contract: Contract) -> tuple[str, ...]:
    return ingestion.landing.MainState.of(lake.tables(contract).landing).rejecting


def test_rows_and_rejects_are_the_records(lake: Lake, strict: Contract) -> None:
    landed = land(strict, Source([GOOD, BAD, GOOD, GOOD, BAD, GOOD]), lake.tables(strict))
    assert (landed.records, landed.rows, landed.rejects, landed.commits) == (6, 4, 2, 2)
    assert landed.reasons == {"above 100": 2}
    expect_once(lake, strict, [0, 2, 3, 5], [1, 4])


def test_a_second_run_lands_nothing_and_commits_nothing(lake: Lake, strict: Contract) -> None:
    land(strict, Source(MIXED), lake.tables(strict))
    landed = land(strict, Source(MIXED), lake.tables(strict))
    assert landed.nothing
    assert landed.commits == 0
    expect_once(lake, strict, [0, 2, 3], [1])


def test_a_run_goes_on_where_the_last_one_ended(lake: Lake, strict: Contract) -> None:
    land(strict, Source(MIXED), lake.tables(strict))
    landed = land(strict, Source([*MIXED, BAD, GOOD]), lake.tables(strict))
    assert (landed.rows, landed.rejects) == (1, 1)
    expect_once(lake, strict, [0, 2, 3, 5], [1, 4])


@pytest.mark.parametrize("number", [REJECTS, ROWS])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("mended", [False, True], ids=["same-contract", "mended-contract"])
def test_two_landers_of_one_batch(
    lake: Lake,
    strict: Contract,
    lenient: Contract,
    at_commit: Callable[..., None],
    number: int,
    after: bool,
    mended: bool,
) -> None:
    """Another lander lands the same records, and one more, at each moment of this one's landing."""
    other = lenient if mended else strict
    more = [*MIXED, BAD]
    at_commit(number, lambda: land(other, Source(more), lake.tables(other)), after=after)
    land(strict, Source(more), lake.tables(strict))
    first = strict if number == ROWS and after else other
    rows = [0, 1, 2, 3] if first is lenient else [0, 2, 3]
    rows = [*rows, 4] if other is lenient else rows
    expect_once(lake, strict, rows, [n for n in range(5) if n not in rows])


@pytest.mark.parametrize("number", [REJECTS, ROWS])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("mended", [False, True], ids=["same-contract", "mended-contract"])
def test_a_crash_at_each_commit(
    lake: Lake,
    strict: Contract,
    lenient: Contract,
    at_commit: Callable[..., None],
    number: int,
    after: bool,
    mended: bool,
) -> None:
    """A record rejected before the crash and valid after it must not end up in both tables, nor in none."""
    at_commit(number, crash, after=after)
    with pytest.raises(Crash):
        land(strict, Source(MIXED), lake.tables(strict))
    again = lenient if mended else strict
    land(again, Source(MIXED), lake.tables(again))
    decided_before = number == ROWS and after
    rows = [0, 1, 2, 3] if mended and not decided_before else [0, 2, 3]
    expect_once(lake, strict, rows, [n for n in range(4) if n not in rows])


def test_a_crash_between_the_tables_while_another_lander_runs(
    lake: Lake, strict: Contract, lenient: Contract, at_commit: Callable[..., None]
) -> None:
    """Two landers crash with their rejects committed; a third one lands. One of three sets of rejects remains."""
    for _ in range(2):
        at_commit(ROWS, crash)
        with pytest.raises(Crash):
            land(strict, Source(MIXED), lake.tables(strict))
    assert lake.rejects(strict) == [1, 1]
    land(strict, Source([*MIXED, GOOD]), lake.tables(strict))
    expect_once(lake, strict, [0, 2, 3, 4], [1])


def test_a_batch_of_rejects_alone_moves_the_position(lake: Lake, strict: Contract) -> None:
    land(strict, Source([BAD, BAD]), lake.tables(strict))
    landed = land(strict, Source([BAD, BAD, GOOD]), lake.tables(strict))
    assert landed.records == 1
    expect_once(lake, strict, [2], [0, 1])


def test_a_stale_batch_of_rejects_alone_is_refused(
    lake: Lake, strict: Contract, at_commit: Callable[..., None]
) -> None:
    """The position must not fall back: a commit of properties alone would not be refused."""
    at_commit(ROWS, lambda: land(strict, Source([BAD, BAD, GOOD]), lake.tables(strict)))
    landed = land(strict, Source([BAD, BAD]), lake.tables(strict))
    assert landed.races == 1
    assert land(strict, Source([BAD, BAD, GOOD]), lake.tables(strict)).nothing
    expect_once(lake, strict, [2], [0, 1])


@pytest.mark.parametrize("number", [REJECTS, ROWS])
def test_a_compaction_in_between_is_no_reason_to_read_again(
    lake: Lake, strict: Contract, at_commit: Callable[..., None], number: int
) -> None:
    land(strict, Source(MIXED), lake.tables(strict))

    def compact_both() -> None:
        compact(lake.tables(strict).landing)
        compact(lake.tables(strict).quarantine)

    at_commit(number, compact_both)
    landed = land(strict, Source(MIXED * 2), lake.tables(strict))
    assert landed.races == 0
    expect_once(lake, strict, [0, 2, 3, 4, 6, 7], [1, 5])


@pytest.mark.parametrize("lost", [0, 1], ids=["of-rejects", "of-rows"])
def test_a_lost_answer_is_not_a_second_commit(lake: Lake, strict: Contract, lost: int) -> None:
    """The commit is applied, its answer is lost, the client sends it again, Glue says that the table has changed."""
    land(strict, Source([GOOD]), lake.tables(strict))
    tables = lake.tables(strict)
    with _losing_answer(lake, number=lost):
        land(strict, Source([GOOD, BAD, GOOD]), tables)
    expect_once(lake, strict, [0, 2], [1])


class _losing_answer:
    """Glue's n-th UpdateTable is applied, but answered with a ConcurrentModificationException."""

    def __init__(self, lake: Lake, *, number: int) -> None:
        self._catalog: Any = lake.catalog
        self._number = number

    def __enter__(self) -> None:
        self._real = self._catalog.glue
        self._catalog.glue = self

    def __exit__(self, *_: object) -> None:
        self._catalog.glue = self._real
        assert self._number < 0, "no answer was lost"

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def update_table(self, **arguments: Any) -> Any:
        """Apply, and lose the answer if it is this one's turn."""
        answer = self._real.update_table(**arguments)
        self._number -= 1
        if self._number == -1:
            error = {"Error": {"Code": "ConcurrentModificationException", "Message": "lost answer"}}
            raise self._real.exceptions.ConcurrentModificationException(error, "UpdateTable")
        return answer


def test_without_the_guard_a_batch_lands_twice(
    lake: Lake, strict: Contract, at_commit: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the guard is for: pyiceberg's own retry would append the batch again after another lander did."""
    monkeypatch.setattr(ingestion.commit._GuardedAppend, "_validate_concurrency", lambda self: None)
    source = Source([GOOD, GOOD])
    at_commit(0, lambda: land(strict, source, lake.tables(strict)))
    tables = lake.tables(strict)
    real_check = ingestion.commit.check_position
    monkeypatch.setattr(ingestion.commit, "check_position", lambda table, expected: None)
    land(strict, source, tables)
    monkeypatch.setattr(ingestion.commit, "check_position", real_check)
    assert lake.rows(strict) == [0, 0, 1, 1]


@pytest.mark.slow
def test_many_landers_at_once(lake: Lake, strict: Contract) -> None:
    """Four landers, each a process's worth of its own, on one source of six batches."""
    amounts = [BAD if n % 5 == 0 else GOOD for n in range(24)]
    lake.tables(strict)

    def run(_: int) -> None:
        own = Lake(lake.settings, new_catalog(lake.settings), lake.layout)
        land(strict, Source(amounts), own.tables(strict))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run, range(4)))
    land(strict, Source(amounts), lake.tables(strict))
    expect_once(lake, strict, [n for n in range(24) if n % 5], [n for n in range(24) if n % 5 == 0])


def test_landers_that_are_always_slower_give_up_with_a_reason(
    lake: Lake, strict: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingestion.landing, "_MOST_RACES", 2)

    def moved(*_: object, **__: object) -> None:
        raise ingestion.commit._Moved("the position moved")

    monkeypatch.setattr(ingestion.landing, "commit", moved)
    with pytest.raises(PositionMoved, match="the position moved"):
        land(strict, Source([GOOD]), lake.tables(strict))


def test_a_position_that_glue_would_refuse_is_told_before_anything_is_committed(
    lake: Lake, strict: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingestion.commit, "_LONGEST_POSITION", 50)
    with pytest.raises(TableError, match=r"\d+ characters long, and Glue takes 50 of them.*without a record"):
        land(strict, Source([GOOD]), lake.tables(strict))
    assert lake.rows(strict) == []


def test_nothing_is_committed_after_a_commit_of_the_future(
    lake: Lake, strict: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Iceberg's Java library, and so Athena, refuses a table whose snapshots are out of order by more than a minute."""
    land(strict, Source([GOOD]), lake.tables(strict))
    now = time.time()
    monkeypatch.setattr(ingestion.commit.time, "time", lambda: now - 240)
    with pytest.raises(TableError, match=r"last commit is 2[34]\d seconds in the future.*Set the clock"):
        land(strict, Source([GOOD, GOOD]), lake.tables(strict))
    monkeypatch.undo()
    land(strict, Source([GOOD, GOOD]), lake.tables(strict))
    assert lake.rows(strict) == [0, 1]
