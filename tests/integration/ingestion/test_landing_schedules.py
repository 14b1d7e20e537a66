"""The landing protocol under schedules that nobody thought of: landers inside landers, each may crash at any commit.

An SQLite catalog stands in for Glue: it refuses stale commits in the same way, and is quick enough for hundreds of
schedules.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import Table

import ingestion.landing
from ingestion.contract import Contract
from ingestion.landing import land
from ingestion.state import MainState, QuarantineState
from ingestion.tables import Layout, Tables, open_tables
from tests.integration.ingestion.conftest import Source

pytestmark = pytest.mark.slow

GOOD, BAD = 1, 500


class Crash(BaseException):
    """The process died."""


@dataclass(frozen=True)
class Run:
    """A lander: its contract, how many records are new by then, what happens at its commits, by their number."""

    mended: bool
    new: int
    crash_before: int | None = None
    crash_after: int | None = None
    meanwhile: dict[int, Run] = field(default_factory=dict)


COMMITS = st.one_of(st.none(), st.integers(0, 3))


def runs(depth: int) -> st.SearchStrategy[Run]:
    meanwhile = st.dictionaries(st.integers(0, 3), runs(depth - 1), max_size=2) if depth else st.just({})
    return st.builds(
        Run,
        mended=st.booleans(),
        new=st.integers(0, 3),
        crash_before=COMMITS,
        crash_after=COMMITS,
        meanwhile=meanwhile,
    )


@dataclass
class World:
    """The tables, the source, and the landers that are under way, the innermost last."""

    catalog: SqlCatalog
    layout: Layout
    contracts: dict[bool, Contract]
    source: Source
    under_way: list[tuple[Run, Iterator[int]]] = field(default_factory=list)

    def tables(self) -> Tables:
        return open_tables(self.catalog, self.contracts[False], self.layout)

    def lander(self, run: Run) -> None:
        """One lander, with all that happens during it."""
        self.source.amounts += [GOOD, BAD, BAD][: run.new]
        self.under_way.append((run, iter(range(1_000))))
        try:
            land(self.contracts[run.mended], self.source, self.tables())
        except Crash:
            pass
        finally:
            self.under_way.pop()

    def commit(self, *arguments: Any, **keywords: Any) -> Table:
        """Stands in the place of the lander's commit."""
        run, numbers = self.under_way[-1]
        number = next(numbers)
        if number in run.meanwhile:
            self.lander(run.meanwhile[number])
        if number == run.crash_before:
            raise Crash
        table = _REAL_COMMIT(*arguments, **keywords)
        if number == run.crash_after:
            raise Crash
        return table


_REAL_COMMIT = ingestion.landing.commit


@pytest.fixture
def world(tmp_path: Path, strict: Contract, lenient: Contract) -> World:
    catalog = SqlCatalog("test", uri="sqlite://", warehouse=f"file://{tmp_path}")
    for database in ("landing", "quarantine"):
        catalog.create_namespace(database)
    layout = Layout("landing", f"file://{tmp_path}/landing", "quarantine", f"file://{tmp_path}/quarantine")
    return World(catalog, layout, {False: strict, True: lenient}, Source(size=2))


@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(schedule=st.lists(runs(depth=2), min_size=1, max_size=4))
def test_each_record_is_in_one_table_once(world: World, monkeypatch: pytest.MonkeyPatch, schedule: list[Run]) -> None:
    monkeypatch.setattr(ingestion.landing, "commit", world.commit)
    world.source.amounts.clear()
    for database in ("landing", "quarantine"):
        for identifier in world.catalog.list_tables(database):
            world.catalog.drop_table(identifier)
    for run in schedule:
        world.lander(run)
    world.lander(Run(mended=False, new=1))

    tables = world.tables()
    rows = tables.landing.scan().to_arrow().column("id").to_pylist()
    payloads = tables.quarantine.scan().to_arrow().column("_payload").to_pylist()
    rejects = [json.loads(payload)["id"] for payload in payloads]
    assert sorted([*rows, *rejects]) == list(range(len(world.source.amounts)))
    pending = QuarantineState.of(tables.quarantine).pending
    assert pending.keys() <= set(MainState.of(tables.landing).rejecting)
