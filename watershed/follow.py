"""`watershed land`: lands a contract now, or goes on landing it until it is told to end."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg
from rich.console import Console
from rich.markup import escape

from ingestion.contract import Contract
from ingestion.errors import IngestionError, PositionMoved
from orchestration.defs.landing import PASSING
from orchestration.errors import ModelsNotBuiltError
from orchestration.followers import lease
from orchestration.following import Cycle, Follower, through
from orchestration.platform import Lander
from orchestration.settings import Environment, Settings
from serving.opensearch.errors import IndexBuildError
from serving.rows.source import RowsError

# Each commit makes a snapshot and at least one file, and a reader opens each file. Above this a follower lands less
# often, until the table's maintenance has caught up.
MOST_SNAPSHOTS = 2_000
_SLOW_SECONDS = 60.0

_FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 1.0, 60.0
# What may pass by itself, after which a cycle is tried again.
_PASSING = (*PASSING, ModelsNotBuiltError, IndexBuildError, RowsError)


@dataclass(frozen=True)
class Cadence:
    """How often. Seconds."""

    every: float = 5.0
    """From the start of one landing to the next."""
    report_every: float = 60.0
    """Between two reports to Dagster, each with dbt's tests before it."""


def land_once(
    settings: Settings, console: Console, contract: Contract, onward: str | None, *, whole: bool = False
) -> None:
    """Land what is new, carry it on to an index if one is named, and tell Dagster. `whole`: list a whole prefix.

    Raises:
        StateInUseError: If another `watershed land` of this contract is at work.
        IngestionError, ModelsNotBuiltError, IndexBuildError: If it fails. What was committed before has landed.
    """
    with _instance(settings, contract) as instance:
        prepared = through(settings, contract, onward) if onward else None
        follower = Follower(instance, Lander(whole_listing=whole), contract, prepared)
        try:
            cycle = follower.cycle(test=True)
        finally:
            follower.report(followed_until=None)
    console.print(_told(cycle), highlight=False)


def follow(
    settings: Settings, console: Console, contract: Contract, onward: str | None, cadence: Cadence, *, as_json: bool
) -> None:
    """Land again and again until SIGTERM or SIGINT: the cycle under way is finished first, and reported.

    Raises:
        StateInUseError: If another `watershed land` of this contract is at work.
        IngestionError: If the contract, its source or its tables must be mended. What passes is tried again.
    """
    stop = threading.Event()
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda *_: stop.set())
    with _instance(settings, contract) as instance:
        prepared = through(settings, contract, onward) if onward else None
        lander = Lander()
        follower = Follower(instance, lander, contract, prepared)
        loop = Loop(follower, contract, cadence, console, lambda: lander.snapshots(contract), as_json=as_json)
        carried = f" and on to {onward}" if onward else ""
        loop.say(f"following {contract.name}{carried}, every {cadence.every:g} s; Ctrl-C ends it")
        loop.run(stop)


class Loop:
    """The cycles of one follower, their cadence, and what is printed of them."""

    def __init__(
        self,
        follower: Follower,
        contract: Contract,
        cadence: Cadence,
        console: Console,
        snapshots: Callable[[], int],
        *,
        as_json: bool,
    ) -> None:
        self._follower = follower
        self._contract = contract
        self._cadence = cadence
        self._console = console
        self._snapshots = snapshots
        self._as_json = as_json
        self._every = cadence.every
        self._reported: float | None = None
        self._wait_after_failure = _FIRST_WAIT_SECONDS

    def run(self, stop: threading.Event) -> None:
        """Cycle until told to stop."""
        self._follower.report(followed_until=self._lease())
        self._pace()
        try:
            while not stop.is_set():
                started = time.monotonic()
                stop.wait(self._cycle(started))
        finally:
            self._follower.report(followed_until=None)
            self.say(f"{self._contract.name} is not followed any more; its sensor lands it from now on")

    def say(self, text: str) -> None:
        """Print a line, with the time."""
        if not self._as_json:
            self._console.print(f"{datetime.now(UTC):%H:%M:%S} {escape(text)}", highlight=False, soft_wrap=True)

    def _cycle(self, started: float) -> float:
        """One cycle. Returns the seconds to wait for the next."""
        due = self._reported is None or started - self._reported >= self._cadence.report_every
        try:
            cycle = self._follower.cycle(test=due)
        except _PASSING as error:
            if isinstance(error, IngestionError) and not isinstance(error, PositionMoved):
                raise
            wait = min(self._wait_after_failure, LONGEST_WAIT_SECONDS)
            self._wait_after_failure = 2 * wait
            self.say(f"{type(error).__name__}: {error} Trying again in {wait:.0f} s.")
        else:
            self._wait_after_failure = _FIRST_WAIT_SECONDS
            wait = max(0.0, self._every - (time.monotonic() - started))
            self._tell(cycle)
        if due:
            self._follower.report(followed_until=self._lease())
            self._reported = started
            self._pace()
        return wait

    def _lease(self) -> datetime:
        return lease(timedelta(seconds=self._cadence.report_every))

    def _pace(self) -> None:
        """Land less often while the table has too many snapshots."""
        try:
            snapshots = self._snapshots()
        except PASSING as error:
            self.say(f"{type(error).__name__}: {error} The cadence stays.")
            return
        every = max(self._cadence.every, _SLOW_SECONDS) if snapshots > MOST_SNAPSHOTS else self._cadence.every
        if every > self._every:
            self.say(
                f"landing.{self._contract.name} has {snapshots:,} snapshots, more than {MOST_SNAPSHOTS:,}: landing"
                f" every {every:g} s until old ones are expired; `watershed maintain` does that"
            )
        self._every = every

    def _tell(self, cycle: Cycle) -> None:
        if self._as_json:
            document = {
                "records": cycle.landed.records,
                "rows": cycle.landed.rows,
                "rejects": cycle.landed.rejects,
                "lag_seconds": cycle.landed.lag_seconds,
                "documents": cycle.documents,
                **{
                    name: moment.timestamp() if moment else None
                    for name, moment in (
                        ("landed_at", cycle.landed_at),
                        ("modelled_at", cycle.modelled_at),
                        ("indexed_at", cycle.indexed_at),
                    )
                },
            }
            self._console.file.write(json.dumps(document) + "\n")
            self._console.file.flush()
        elif cycle.landed_at or cycle.modelled_at or cycle.indexed_at:
            self.say(_told(cycle))


def _told(cycle: Cycle) -> str:
    landed = cycle.landed
    if landed.nothing:
        parts = [f"{landed.contract}: nothing new"]
    else:
        rejected = f", {landed.rejects:,} rejects" if landed.rejects else ""
        parts = [f"{landed.contract}: {landed.rows:,} rows{rejected}, at most {landed.lag_seconds:.1f} s old"]
    if cycle.modelled_at:
        parts.append("models built")
    if cycle.indexed_at:
        parts.append(f"{cycle.documents:,} documents indexed")
    return "; ".join(parts)


@contextmanager
def _instance(settings: Settings, contract: Contract) -> Iterator[dg.DagsterInstance]:
    """Dagster's instance; in the local state one `watershed land` of a contract at a time, over running services."""
    if settings.environment is not Environment.LOCAL:
        with dg.DagsterInstance.get() as instance:
            yield instance
        return
    from infra.local import state
    from watershed.instance import open_instance

    with ExitStack() as stack:
        stack.enter_context(state.job_lock(settings, f"land {contract.name}"))
        state.require_aws(settings)
        yield open_instance(settings)
