"""The cadence of `watershed land --follow`: what passes, what ends it, how it ends."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import typer
from botocore.exceptions import ClientError
from rich.console import Console

import watershed.follow
from ingestion.contract import load_contract
from ingestion.errors import SourceError
from ingestion.landing import Landed
from orchestration.following import Cycle
from orchestration.settings import CONTRACTS_DIR
from watershed.durations import seconds
from watershed.follow import Cadence, Loop

CONTRACT = load_contract(CONTRACTS_DIR / "airlines.yaml")
THROTTLED = ClientError({"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}, "GetTable")
CYCLE = Cycle(Landed("airlines", records=2, rows=2, commits=1), landed_at=datetime(2026, 1, 1, tzinfo=UTC))


class Fake:
    """A follower that does what `script` says, then tells the loop to stop."""

    def __init__(self, *script: Cycle | Exception | Callable[[], Cycle]) -> None:
        self.stop, self.script = threading.Event(), list(script)
        self.tests, self.reports = list[bool](), list[datetime | None]()

    def cycle(self, *, test: bool) -> Cycle:
        self.tests.append(test)
        outcome = self.script.pop(0)
        if not self.script:
            self.stop.set()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome if isinstance(outcome, Cycle) else outcome()

    def report(self, *, followed_until: datetime | None) -> None:
        self.reports.append(followed_until)


def run(follower: Fake, *, snapshots: int = 1, as_json: bool = False, report_every: float = 60.0) -> str:
    console = Console(file=io.StringIO(), width=200)
    cadence = Cadence(every=0.01, report_every=report_every)
    loop = Loop(follower, CONTRACT, cadence, console, lambda: snapshots, as_json=as_json)  # pyright: ignore[reportArgumentType]
    loop.run(follower.stop)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watershed.follow, "LONGEST_WAIT_SECONDS", 0.01)


@pytest.mark.usefixtures("_quick")
def test_throttling_is_waited_out_and_the_landing_goes_on() -> None:
    follower = Fake(THROTTLED, THROTTLED, CYCLE)
    said = run(follower)
    assert said.count("Rate exceeded") == 2
    assert "airlines: 2 rows" in said


def test_it_waits_twice_as_long_after_each_failure_up_to_a_minute_however_many_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[float] = []
    follower = Fake(*[THROTTLED] * 1_100, CYCLE, THROTTLED, CYCLE)
    monkeypatch.setattr(follower.stop, "wait", waits.append)
    assert "airlines: 2 rows" in run(follower)
    assert waits[:8] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert (waits[1_099], waits[1_101]) == (60, 1), "a success begins anew"


def test_a_source_that_must_be_mended_ends_it_after_a_last_report() -> None:
    follower = Fake(SourceError("there is no bucket"), CYCLE)
    with pytest.raises(SourceError):
        run(follower)
    assert follower.reports[-1] is None


def test_it_ends_after_the_cycle_under_way_and_says_that_it_follows_no_longer() -> None:
    def told_to_stop() -> Cycle:
        follower.stop.set()
        return CYCLE

    follower = Fake(told_to_stop, CYCLE)
    assert "airlines: 2 rows" in run(follower)
    assert len(follower.script) == 1
    assert follower.reports[0] is not None
    assert follower.reports[-1] is None


def test_reports_and_tests_come_at_their_interval_however_often_it_lands() -> None:
    often = Fake(*[CYCLE] * 4)
    run(often, report_every=1e-9)
    assert often.tests == [True] * 4
    rarely = Fake(*[CYCLE] * 4)
    run(rarely)
    assert rarely.tests == [True, False, False, False]
    assert len(rarely.reports) == 3  # that it begins, the first cycle, that it ends


def test_above_so_many_snapshots_it_lands_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float | None] = []
    follower = Fake(CYCLE, CYCLE)
    monkeypatch.setattr(follower.stop, "wait", lambda timeout=None: waits.append(timeout))
    said = run(follower, snapshots=watershed.follow.MOST_SNAPSHOTS + 1)
    assert "2,001 snapshots" in said
    assert [round(wait or 0) for wait in waits] == [60, 60]


def test_each_cycle_is_a_line_of_json_if_asked_for() -> None:
    (line,) = run(Fake(CYCLE), as_json=True).splitlines()
    told: dict[str, Any] = json.loads(line)
    assert (told["rows"], told["landed_at"], told["indexed_at"]) == (2, 1767225600.0, None)


@pytest.mark.parametrize(("text", "told"), [("500ms", 0.5), ("2s", 2.0), ("1.5 min", 90.0), ("1h", 3600.0)])
def test_a_time_is_read_as_people_write_it(text: str, told: float) -> None:
    assert seconds(text) == told


@pytest.mark.parametrize("text", ["", "2", "0s", "-1s", "soon"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="write for example"):
        seconds(text)
