"""`watershed status`: the local services, how far each contract has landed, and which models wait. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.table import Table as IcebergTable
from rich.console import Console
from rich.table import Table

from infra.local import state
from infra.local.aws.engine import AwsEngine
from ingestion.contract import Contract, load_contracts
from ingestion.errors import SourceError
from ingestion.landing import waits_since
from ingestion.tables import Tables
from orchestration.conditions import ON_CHANGE
from orchestration.followers import follower_of
from orchestration.keys import landing_key
from orchestration.manifests import target_path
from orchestration.platform import open_catalog, reader
from orchestration.settings import CONTRACTS_DIR, DBT_PROJECT_DIR, Settings
from orchestration.waiting import Waiting, what_waits

_AT_ONCE = 6


@dataclass(frozen=True)
class ContractStatus:
    """How far a contract has landed."""

    name: str
    rows: int
    rejects: int
    """In the quarantine."""
    last_landing: datetime | None
    waits_since: datetime | None
    """When the oldest record arrived at the source that has not landed; None if all has."""
    last_records: int | None = None
    """Of the last landing that Dagster knows; None if it knows none."""
    last_rejects: int = 0
    quarantine_limit: float = 0.0
    """The share of rejects that the contract allows in a landing."""
    follower: str | None = None


def print_status(settings: Settings, console: Console) -> None:
    """Print the tables; of the contracts and the models if the local AWS runs."""
    engines = state.status(settings)
    table = _table("service", "state", "where")
    for engine in engines:
        running = f"{engine.url}, pid {engine.pid}, log {engine.log}" if engine.pid else engine.detail
        table.add_row(engine.name, engine.state, running)
    console.print(table, soft_wrap=True)
    if not any(engine.name == AwsEngine.name and engine.state == "running" for engine in engines):
        return
    with _instance(settings) as instance:
        console.print()
        console.print(_contracts(contract_statuses(settings, instance)))
        if instance is not None:
            console.print()
            _print_waiting(console, list(waiting_models(instance)))


def contract_statuses(settings: Settings, instance: dg.DagsterInstance | None = None) -> list[ContractStatus]:
    """The status of each contract. Makes nothing that is not there.

    Args:
        settings: The local state.
        instance: Dagster's, which knows the last landings; None if there is none yet.
    """
    catalog = open_catalog(settings)
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="status") as pool:
        return list(
            pool.map(
                lambda contract: _contract(settings, catalog, instance, contract),
                load_contracts(CONTRACTS_DIR).values(),
            )
        )


def waiting_models(instance: dg.DagsterInstance) -> Iterator[Waiting]:
    """The models and what is served that wait to be built. None where dbt has not written its manifests yet."""
    paths = [DBT_PROJECT_DIR / target_path(layer) / "manifest.json" for layer in ("lake", "warehouse")]
    return what_waits(instance, [path for path in paths if path.exists()])


def _contract(
    settings: Settings, catalog: Catalog, instance: dg.DagsterInstance | None, contract: Contract
) -> ContractStatus:
    landing = _open(catalog, settings.landing_database, contract)
    quarantine = _open(catalog, settings.quarantine_database, contract)
    told = _last_landing(instance, contract)
    return ContractStatus(
        contract.name,
        rows=_records(landing),
        rejects=_records(quarantine),
        last_landing=_landed_at(landing),
        waits_since=_waits_since(settings, contract, landing, quarantine),
        last_records=told.get("records"),
        last_rejects=told.get("rejects") or 0,
        quarantine_limit=contract.quarantine_limit,
        follower=follower_of(instance, contract) if instance else None,
    )


def _waits_since(
    settings: Settings, contract: Contract, landing: IcebergTable | None, quarantine: IcebergTable | None
) -> datetime | None:
    """When the oldest record that has not landed arrived: as a landing would find it, which reads one page."""
    tables = Tables(landing, quarantine) if landing and quarantine else None
    try:
        found = waits_since(contract, reader(settings, contract, max_bytes=1), tables)
    except SourceError:
        return None  # no such stream or bucket: nothing waits in it
    return found.replace(tzinfo=UTC) if found else None


def _last_landing(instance: dg.DagsterInstance | None, contract: Contract) -> dict[str, Any]:
    """The numbers of the last landing that Dagster knows."""
    event = instance.get_latest_materialization_event(landing_key(contract)) if instance else None
    told = event.asset_materialization.metadata if event and event.asset_materialization else {}
    return {name: getattr(value, "value", None) for name, value in told.items()}


@contextmanager
def _instance(settings: Settings) -> Iterator[dg.DagsterInstance | None]:
    """Dagster's instance as it is; None if there is none yet. Unlike that of `dev`, it ends no run that was killed."""
    home = settings.state_dir / "dagster"
    if not (home / "dagster.yaml").exists():
        yield None
        return
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield instance


def _open(catalog: Catalog, database: str, contract: Contract) -> IcebergTable | None:
    try:
        return catalog.load_table((database, contract.name))
    except NoSuchTableError:
        return None


def _landed_at(table: IcebergTable | None) -> datetime | None:
    """When a landing was committed last. Maintenance commits too: its own is told if it left no landing's snapshot."""
    snapshots = table.snapshots() if table else []
    landings = [each for each in snapshots if each.summary and "watershed.landing" in each.summary] or snapshots
    newest = max((each.timestamp_ms for each in landings), default=None)
    return datetime.fromtimestamp(newest / 1000, UTC) if newest else None


def _records(table: IcebergTable | None) -> int:
    snapshot = table.current_snapshot() if table else None
    return int((snapshot.summary or {}).get("total-records") or 0) if snapshot and snapshot.summary else 0


def _contracts(statuses: list[ContractStatus]) -> Table:
    table = _table("contract", "rows", "quarantine", "last landing", "rejected in it", "lag", "landed by")
    for status in statuses:
        table.add_row(
            status.name,
            f"{status.rows:,}",
            f"{status.rejects:,}",
            f"{_span(status.last_landing)} ago" if status.last_landing else "never",
            _share(status),
            f"[yellow]{_span(status.waits_since)}[/]" if status.waits_since else "none",
            status.follower or "its sensor",
        )
    return table


def _share(status: ContractStatus) -> str:
    if not status.last_records:
        return ""
    share = status.last_rejects / status.last_records
    told = f"{share:.2%} of {status.quarantine_limit:.2%}"
    return f"[red]{told}[/]" if share > status.quarantine_limit else told


def _print_waiting(console: Console, found: list[Waiting]) -> None:
    if not found:
        console.print("no model waits: each is newer than what it reads")
        return
    table = _table("waits", "built", "for")
    for each in found:
        table.add_row(each.key.to_user_string(), _cadence(each), _reason(each))
    console.print(table)


def _cadence(waiting: Waiting) -> str:
    return "on change" if waiting.cadence == ON_CHANGE else f"at {waiting.cadence} (UTC)"


def _reason(waiting: Waiting) -> str:
    newer = ", ".join(key.to_user_string() for key in waiting.newer)
    before = ", ".join(key.to_user_string() for key in waiting.waits_for)
    reasons = [f"{newer} is newer" if newer else "", f"after {before}" if before else ""]
    if not waiting.newer and not waiting.waits_for:
        reasons.append("it was never built")
    return "; ".join(reason for reason in reasons if reason)


def _table(*columns: str) -> Table:
    return Table(*columns, box=None, pad_edge=False, header_style="bold")


def _span(moment: datetime) -> str:
    """How long ago."""
    seconds = max(0, int((datetime.now(UTC) - moment).total_seconds()))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
