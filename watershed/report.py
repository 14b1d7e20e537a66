"""The table at the end of a job: each asset, what became of it, its rows, its seconds, its checks."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orchestration.settings import Settings
from watershed.materialize import AssetOutcome, JobOutcome, merged

_STYLES = {"built": "green", "unchanged": "dim", "skipped": "yellow", "failed": "red"}


def print_report(
    settings: Settings, console: Console, outcomes: Sequence[JobOutcome], seconds: float, memory: str = ""
) -> None:
    """Print the table, what went wrong, what it took, and where to look next."""
    assets = list(merged(outcomes))
    console.print()
    console.print(_table(assets))
    for note in _notes(assets, outcomes):
        console.print(note, highlight=False, soft_wrap=True)
    console.print(
        f"\n{_verdict(assets, outcomes)} {seconds:.0f} s in all.{memory and f' {memory}'}",
        highlight=False,
        soft_wrap=True,
    )
    indexed = any(asset.key.path[0] == "opensearch" and asset.state != "skipped" for asset in assets)
    console.print(_where_next(settings, indexed=indexed), highlight=False, soft_wrap=True)


def _table(assets: Sequence[AssetOutcome]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("asset", no_wrap=True)
    table.add_column("")
    for name in ("rows", "seconds", "checks passed", "failed"):
        table.add_column(name, justify="right")
    for asset in assets:
        table.add_row(
            asset.key.to_user_string(),
            f"[{_STYLES[asset.state]}]{asset.state}[/]",
            "" if asset.rows is None else f"{asset.rows:,}",
            "" if asset.seconds is None else f"{asset.seconds:.1f}",
            str(asset.passed or ""),
            f"[red]{asset.failed}[/]" if asset.failed else f"[yellow]{asset.warned} warned[/]" if asset.warned else "",
        )
    return table


def _notes(assets: Sequence[AssetOutcome], outcomes: Sequence[JobOutcome]) -> list[str]:
    notes = [f"[red]{escape(error)}[/]" for outcome in outcomes for error in outcome.errors]
    return notes + [
        f"[yellow]{asset.key.to_user_string()}[/] {escape(note)}" for asset in assets for note in asset.notes
    ]


def _verdict(assets: Sequence[AssetOutcome], outcomes: Sequence[JobOutcome]) -> str:
    if not all(outcome.good for outcome in outcomes):
        return "[red]Not all went well: see above.[/]"
    if any(asset.state == "built" for asset in assets):
        return "[green]All went well.[/]"
    return "[green]Nothing new: no record landed a second time, and nothing was rebuilt.[/]"


def _where_next(settings: Settings, *, indexed: bool) -> str:
    search = f"\n  curl '{settings.opensearch_url}/flights/_search?q=carrier:UA&size=1&pretty'" if indexed else ""
    return f"""
Where to look next
  make dev                                           Dagster's UI: the graph, these runs, their logs
  .venv/bin/watershed sql                            the landed tables and the models, in SQL
  cd dbt_project && ../.venv/bin/dbt build           change a model and build it{search}
  .venv/bin/watershed status | down | reset          what runs; end it; clear it all"""
