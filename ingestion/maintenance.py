"""Expires snapshots of the landed tables, where there is no Spark: what else keeps tables small is the Spark job's.

A commit writes the list of all snapshots anew: with 800 of them a landing's commit took eight times as long as with
few. Here snapshots are taken off that list, and no file is deleted. `remove_orphan_files` of the Spark job,
ingestion/spark/jobs/maintain.py, deletes what no snapshot names any more, however short a time ago it was named. Hence
a snapshot goes early only where its data stays in the newer ones.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Operation, Snapshot

from ingestion.errors import TableError

LEAST_KEPT = timedelta(hours=1)
"""A lander whose commit's answer was lost looks for its own snapshot; pyiceberg goes on trying for half an hour."""

# Redshift ends a query after four hours: until then somebody may read what is not in the table any more.
_LONGEST_QUERY = timedelta(hours=4)
# How often a table that others commit to meanwhile is looked at again.
_MOST_RACES = 20

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Expiry:
    """Snapshots of a table: how many there were, and how many were expired, or on a dry run would be."""

    table: str
    snapshots: int
    expired: int


def expire_snapshots(
    table: Table, *, before: datetime, keep_last: int = 10, dry_run: bool = False, now: datetime
) -> Expiry:
    """Expire the snapshots that others took the place of before a moment. No query that began since then reads them.

    The newest `keep_last` stay, and those that a branch or tag names. So do, for four hours, those whose files a newer
    snapshot left out: only after appends are they in the current one.

    The position is a property of the table, and stays. Nothing walks back over snapshots, so that landings go on.
    `before` and `now` have a zone.

    Raises:
        TableError: If `before` is less than LEAST_KEPT before `now`, or others commit all the time.
    """
    require_enough_kept(now - before)
    name = ".".join(table.name())
    last: Exception | None = None
    for _ in range(_MOST_RACES):
        table.refresh()
        old = _old(table, before, keep_last, now)
        found = Expiry(name, len(table.metadata.snapshots), len(old))
        if dry_run or not old:
            return found
        try:
            table.maintenance.expire_snapshots().by_ids(old).commit()
        except (CommitFailedException, ValueError) as error:
            # Another commit came first, or another maintenance expired one of them.
            last = error
            logger.info("%s changed while its snapshots were expired; looking again: %s", name, error)
        else:
            return found
    raise TableError(
        f"{name}: {_MOST_RACES} times its snapshots could not be expired, since it changed meanwhile or for another"
        f" reason: {last}. Try again later."
    ) from last


def require_enough_kept(keep: timedelta) -> None:
    """Raises TableError if snapshots that young are not to be expired."""
    if keep < LEAST_KEPT:
        raise TableError(f"Snapshots younger than {LEAST_KEPT} are kept: a landing may look for its own. Keep more.")


def _old(table: Table, before: datetime, keep_last: int, now: datetime) -> list[int]:
    named = {ref.snapshot_id for ref in table.metadata.refs.values()}
    oldest_first = sorted(table.metadata.snapshots, key=lambda each: (each.sequence_number or 0, each.timestamp_ms))
    bound, long_ago = (int(moment.timestamp() * 1000) for moment in (before, now - _LONGEST_QUERY))
    # Up to and with the last of these, what a snapshot names may be in no newer one. It stays as long itself: without
    # it, nothing would tell of it.
    left_out = [at for at, each in enumerate(oldest_first) if each.timestamp_ms >= long_ago and not _appends(each)]
    appended_since = max(left_out, default=-1) + 1
    found: list[int] = []
    for at, (each, successor) in enumerate(pairwise(oldest_first)):
        limit = bound if at >= appended_since else min(bound, long_ago)
        if at < len(oldest_first) - keep_last and each.snapshot_id not in named and successor.timestamp_ms < limit:
            found.append(each.snapshot_id)
    return found


def _appends(snapshot: Snapshot) -> bool:
    return snapshot.summary is not None and snapshot.summary.operation is Operation.APPEND
