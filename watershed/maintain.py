"""`watershed maintain`: expires old snapshots of the landed tables, in any environment."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.table import Table as IcebergTable
from rich.console import Console
from rich.table import Table

from ingestion.contract import load_contracts
from ingestion.maintenance import expire_snapshots
from orchestration.platform import layout, open_catalog
from orchestration.settings import CONTRACTS_DIR, Environment, Settings


def run(settings: Settings, console: Console, keep_seconds: float, *, dry_run: bool) -> None:
    """Expire the snapshots of each contract's two tables that are older than so many seconds, and tell how many.

    Raises:
        LocalServicesError: If the local AWS is not running.
        TableError: If less than an hour's are to be kept, or a table changes all the time. Those before it are done.
    """
    if settings.environment is Environment.LOCAL:
        from infra.local.state import require_aws

        require_aws(settings)
    now = datetime.now(UTC)
    table = Table("table", "snapshots", "would expire" if dry_run else "expired", box=None, pad_edge=False)
    for each in _tables(settings):
        found = expire_snapshots(each, before=now - timedelta(seconds=keep_seconds), dry_run=dry_run, now=now)
        table.add_row(found.table, f"{found.snapshots:,}", f"{found.expired:,}")
    console.print(table if table.row_count else "nothing has landed yet")


def _tables(settings: Settings) -> Iterator[IcebergTable]:
    """The tables that are there. They are opened as they are: a maintenance changes no column."""
    catalog, where = open_catalog(settings), layout(settings)
    for database in (where.landing_database, where.quarantine_database):
        for contract in load_contracts(CONTRACTS_DIR):
            try:
                yield catalog.load_table((database, contract))
            except NoSuchTableError:
                continue
