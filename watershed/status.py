"""`watershed status`: the local services, and what each contract has landed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.table import Table as IcebergTable
from rich.console import Console
from rich.table import Table

from infra.local import state
from infra.local.aws.engine import AwsEngine
from ingestion.contract import Contract, load_contracts
from orchestration.platform import Lander, open_catalog
from orchestration.settings import CONTRACTS_DIR, Settings


@dataclass(frozen=True)
class ContractStatus:
    """How far a contract has landed. `waits` says whether its source has something after the table's position."""

    name: str
    rows: int
    rejects: int
    last_landing: datetime | None
    waits: bool


def print_status(settings: Settings, console: Console) -> None:
    """Print both tables; that of the contracts if the local AWS runs."""
    engines = state.status(settings)
    table = Table("service", "state", "where", box=None, pad_edge=False, header_style="bold")
    for engine in engines:
        running = f"{engine.url}, pid {engine.pid}, log {engine.log}" if engine.pid else engine.detail
        table.add_row(engine.name, engine.state, running)
    console.print(table, soft_wrap=True)
    if not any(engine.name == AwsEngine.name and engine.state == "running" for engine in engines):
        return
    console.print()
    table = Table(
        "contract", "rows", "rejects", "last landing", "source", box=None, pad_edge=False, header_style="bold"
    )
    for status in contract_statuses(settings):
        ago = _ago(status.last_landing) if status.last_landing else "never"
        news = "has something new" if status.waits else "nothing new"
        table.add_row(status.name, f"{status.rows:,}", f"{status.rejects:,}", ago, news)
    console.print(table)


def contract_statuses(settings: Settings) -> Iterator[ContractStatus]:
    """The status of each contract. Makes nothing that is not there."""
    catalog = open_catalog(settings)
    for contract in load_contracts(CONTRACTS_DIR).values():
        landing = _table(catalog, settings.landing_database, contract)
        quarantine = _table(catalog, settings.quarantine_database, contract)
        snapshot = landing.current_snapshot() if landing else None
        yield ContractStatus(
            contract.name,
            rows=_records(landing),
            rejects=_records(quarantine),
            last_landing=datetime.fromtimestamp(snapshot.timestamp_ms / 1000, UTC) if snapshot else None,
            waits=landing is None or Lander().has_news(contract),
        )


def _table(catalog: Catalog, database: str, contract: Contract) -> IcebergTable | None:
    try:
        return catalog.load_table((database, contract.name))
    except NoSuchTableError:
        return None


def _records(table: IcebergTable | None) -> int:
    snapshot = table.current_snapshot() if table else None
    return int((snapshot.summary or {}).get("total-records") or 0) if snapshot and snapshot.summary else 0


def _ago(moment: datetime) -> str:
    seconds = int((datetime.now(UTC) - moment).total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"
