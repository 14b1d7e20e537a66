"""Expires snapshots of the landed tables, where there is no Spark: what else keeps tables small is the Spark job's.

A commit writes the list of all snapshots anew: with 800 of them a landing's commit took eight times as long as with
few. Here snapshots are taken off that list, and no file is deleted: whoever reads one is not disturbed, and
`remove_orphan_files` of ingestion/spark/jobs/maintain.py finds what no snapshot names any more.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table

from ingestion.errors import TableError

LEAST_KEPT = timedelta(hours=1)
"""A lander whose commit's answer was lost looks for its own snapshot; pyiceberg goes on trying for half an hour."""

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
    """Expire the snapshots from before a moment, but for the newest `keep_last` and those that a branch or tag names.

    The position is a property of the table, and stays. Nothing walks back over snapshots, so that landings go on.
    `before` and `now` have a zone.

    Raises:
        TableError: If `before` is less than LEAST_KEPT before `now`, or others commit all the time.
    """
    name = ".".join(table.name())
    if now - before < LEAST_KEPT:
        raise TableError(
            f"{name}: snapshots younger than {LEAST_KEPT} are kept: a landing may look for its own. Keep more."
        )
    for _ in range(_MOST_RACES):
        table.refresh()
        old = _old(table, before, keep_last)
        found = Expiry(name, len(table.metadata.snapshots), len(old))
        if dry_run or not old:
            return found
        try:
            table.maintenance.expire_snapshots().by_ids(old).commit()
        except (CommitFailedException, ValueError) as error:
            # Another commit came first, or another maintenance expired one of them.
            logger.info("%s changed while its snapshots were expired; looking again: %s", name, error)
        else:
            return found
    raise TableError(f"{name} changed {_MOST_RACES} times while its snapshots were expired. Try again later.")


def _old(table: Table, before: datetime, keep_last: int) -> list[int]:
    named = {ref.snapshot_id for ref in table.metadata.refs.values()}
    newest_first = sorted(table.metadata.snapshots, key=lambda each: each.timestamp_ms, reverse=True)
    return [
        each.snapshot_id
        for each in newest_first[keep_last:]
        if each.snapshot_id not in named and each.timestamp_ms < before.timestamp() * 1000
    ]
