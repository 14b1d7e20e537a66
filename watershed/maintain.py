"""`watershed maintain`: expires old snapshots of the landed tables, in any environment."""

from __future__ import annotations

from datetime import timedelta

from rich.console import Console

from orchestration.platform import expire
from orchestration.settings import Environment, Settings


def run(settings: Settings, console: Console, keep: timedelta, *, dry_run: bool) -> None:
    """Expire the snapshots of each contract's two tables that are older than so long, and tell how many.

    Raises:
        LocalServicesError: If the local AWS is not running.
        TableError: If less than an hour's are to be kept, or a table changes all the time. The others are done.
    """
    if settings.environment is Environment.LOCAL:
        from infra.local.state import require_aws

        require_aws(settings)
    found = False
    done = "would expire" if dry_run else "expired"
    for each in expire(settings, keep, dry_run=dry_run):
        found = True
        console.print(f"{each.table}: {each.snapshots:,} snapshots, {each.expired:,} {done}", highlight=False)
    if not found:
        console.print("nothing has landed yet")
