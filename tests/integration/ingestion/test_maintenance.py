"""Snapshots are expired without an engine: the position and the rows stay, and landings go on beside it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.table import Table

from ingestion.contract import Contract
from ingestion.errors import TableError
from ingestion.landing import land
from ingestion.maintenance import Expiry, expire_snapshots
from ingestion.state import MainState
from tests.integration.ingestion.conftest import Lake, Source, age_snapshots

pytestmark = pytest.mark.slow

DAY = timedelta(days=1)


@pytest.fixture
def landed(lake: Lake, strict: Contract) -> tuple[Source, Table]:
    """Four commits of two days ago: of a stream, and the table that it landed in."""
    source = Source([1] * 4, size=1)
    land(strict, source, lake.tables(strict))
    table = lake.tables(strict).landing
    age_snapshots(lake.settings, table, 2 * DAY)
    return source, table.refresh()


def expire(table: Table, **how: Any) -> Expiry:
    now = datetime.now(UTC)
    return expire_snapshots(table, before=now - DAY, keep_last=2, now=now, **how)


def before_the_next_commit(monkeypatch: pytest.MonkeyPatch, happening: Callable[[], object]) -> None:
    """Have something happen when a table's commit is about to be sent to Glue."""
    real = GlueCatalog._update_glue_table

    def update(*arguments: Any, **keywords: Any) -> Any:
        monkeypatch.setattr(GlueCatalog, "_update_glue_table", real)
        happening()
        return real(*arguments, **keywords)

    monkeypatch.setattr(GlueCatalog, "_update_glue_table", update)


def test_old_snapshots_go_and_rows_and_position_stay(
    lake: Lake, strict: Contract, landed: tuple[Source, Table]
) -> None:
    source, table = landed
    position = MainState.of(table).stored
    assert expire(table) == Expiry(".".join(table.name()), snapshots=4, expired=2)
    found = lake.tables(strict).landing
    assert (len(found.snapshots()), MainState.of(found).stored) == (2, position)
    source.amounts += [1, 500]
    assert land(strict, source, lake.tables(strict)).records == 2
    assert (lake.rows(strict), lake.rejects(strict)) == ([0, 1, 2, 3, 4], [5])


def test_a_dry_run_tells_and_commits_nothing(landed: tuple[Source, Table]) -> None:
    _, table = landed
    before = table.metadata_location
    assert expire(table, dry_run=True).expired == 2
    assert table.refresh().metadata_location == before


def test_a_landing_that_commits_meanwhile_is_kept(
    lake: Lake, strict: Contract, landed: tuple[Source, Table], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, table = landed
    source.amounts += [1]
    before_the_next_commit(monkeypatch, lambda: land(strict, source, lake.tables(strict)))
    assert expire(table) == Expiry(".".join(table.name()), snapshots=5, expired=3)
    assert lake.rows(strict) == [0, 1, 2, 3, 4]


def test_a_landing_does_not_read_again_because_snapshots_were_expired(
    lake: Lake, strict: Contract, landed: tuple[Source, Table], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, table = landed
    source.amounts += [1]
    before_the_next_commit(monkeypatch, lambda: expire(table))
    assert land(strict, source, lake.tables(strict)).races == 0
    assert (len(lake.tables(strict).landing.snapshots()), lake.rows(strict)) == (3, [0, 1, 2, 3, 4])


def test_two_maintenances_at_once_do_no_harm(
    landed: tuple[Source, Table], lake: Lake, strict: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, table = landed
    before_the_next_commit(monkeypatch, lambda: expire(lake.tables(strict).landing))
    assert expire(table).expired == 0
    assert len(table.refresh().snapshots()) == 2


def test_a_landing_may_look_for_its_own_snapshot_for_an_hour(lake: Lake, strict: Contract) -> None:
    table = lake.tables(strict).landing
    now = datetime.now(UTC)
    with pytest.raises(TableError, match="younger than 1:00:00 are kept"):
        expire_snapshots(table, before=now - timedelta(minutes=59), now=now)


def test_what_was_current_at_the_moment_stays(landed: tuple[Source, Table]) -> None:
    """A query that began an hour ago on a table that was quiet for two days reads its newest snapshot of then."""
    _, table = landed
    read = table.metadata.current_snapshot_id
    for _ in range(3):
        table.append(table.scan().to_arrow().slice(0, 0))
    assert expire(table).expired == 3
    assert table.refresh().snapshot_by_id(read or 0)


def test_what_a_snapshot_left_out_may_be_read_for_four_hours(
    lake: Lake, strict: Contract, landed: tuple[Source, Table]
) -> None:
    _, table = landed
    read = table.metadata.current_snapshot_id or 0
    table.delete("id = 0")
    for _ in range(3):
        table.append(table.scan().to_arrow().slice(0, 0))

    def expire_after(age: timedelta) -> bool:
        """Whether it is still there, when its hour is over."""
        age_snapshots(lake.settings, table, age)
        now = datetime.now(UTC)
        expire_snapshots(table.refresh(), before=now - timedelta(hours=1), keep_last=1, now=now)
        # The second time, nothing that expired must have been what told of the delete.
        expire_snapshots(table.refresh(), before=now - timedelta(hours=1), keep_last=1, now=now)
        return table.refresh().snapshot_by_id(read) is not None

    assert expire_after(timedelta(minutes=70))
    assert not expire_after(timedelta(hours=3))


def test_why_nothing_could_be_expired_is_told(landed: tuple[Source, Table], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise ValueError("no such id")

    monkeypatch.setattr(Table, "_do_commit", refuse)
    with pytest.raises(TableError, match="no such id") as caught:
        expire(landed[1])
    assert isinstance(caught.value.__cause__, ValueError)
