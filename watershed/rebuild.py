"""`watershed rebuild`: the models of a range of days anew, through Dagster; or what that would do."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg
import duckdb
from rich.console import Console
from rich.table import Table

from infra.local import state
from infra.local.duckdb.connection import connect
from orchestration.dbt import LAKE, manifest, node_key
from orchestration.errors import RebuildError
from orchestration.rebuild import DailyModel, daily_models, followed, run_config
from orchestration.settings import Settings
from watershed.instance import open_instance

COMMAND = "rebuild"
_MOST_DAYS_SHOWN = 31


@dataclass(frozen=True)
class Day:
    """A day of a model: the rows that it has, and the keys that it would be merged from."""

    day: date
    rows: int
    landed: int


def run(settings: Settings, console: Console, first: date, last: date, *, dry_run: bool) -> bool:
    """Rebuild a range of days. Prints what that is, then what became of it. Returns whether all went well.

    Other days are left as they are, but for what any build would merge: what has landed since the last one.

    Raises:
        RebuildError: If nothing has been built yet, or nothing of these days has landed.
        LocalServicesError: If the local AWS is down, or the DuckDB file is open elsewhere.
    """
    started = time.monotonic()
    dbt = manifest(LAKE)
    with state.job_lock(settings, COMMAND):
        for model in daily_models(dbt):
            found = look(settings, model, first, last)
            console.print(_days_table(model, found), "")
        console.print(_models_table(dbt, _row_counts(settings, dbt)), "")
        console.print("Of other days only that is merged which has landed since the last build, as in any build.")
        if dry_run:
            console.print("A dry run: nothing was changed.", highlight=False)
            return True
        from watershed.materialize import Materializer
        from watershed.report import print_report

        with console.status("loading Dagster's definitions ..."):
            dagster = Materializer(open_instance(settings), settings.state_dir / "logs" / "rebuild.log", COMMAND)
        with console.status("rebuilding ..."):
            outcome = dagster.run(COMMAND, lambda line: None, run_config(dbt, first, last))
        print_report(settings, console, [outcome], time.monotonic() - started)
    return outcome.good


def look(settings: Settings, model: DailyModel, first: date, last: date) -> list[Day]:
    """The days of a range that have rows, or of which something has landed.

    Raises:
        RebuildError: If the model has not been built, nothing has landed of the range's first or last day, or a day has
            rows and nothing that they could be merged from: rebuilding it would delete them.
    """
    query = f"""
        with
        built as (
            select {model.day} as day, count(*) as built_rows
            from {model.relation} where {model.day} between $first and $last group by 1
        ),
        landed as (
            select {model.day} as day, count(distinct {model.key}) as landed_keys
            from {model.merged_from} where {model.day} between $first and $last group by 1
        )
        select day, coalesce(built_rows, 0), coalesce(landed_keys, 0)
        from built full join landed using (day) order by day
    """
    with connect(settings) as connection:
        try:
            rows = connection.execute(query, {"first": first, "last": last}).fetchall()
        except duckdb.CatalogException as error:
            raise RebuildError(
                f"{model.relation} has not been built yet: there is nothing to rebuild. Build it first:"
                " `watershed demo`, or `dbt build` in dbt_project."
            ) from error
        reach = f"select min({model.day}), max({model.day}) from {model.merged_from}"
        landed_first, landed_last = connection.execute(reach).fetchone() or (None, None)
    found = [Day(*row) for row in rows]
    _require_data(model, found, (first, last), (landed_first, landed_last))
    return found


def _require_data(
    model: DailyModel, found: Iterable[Day], asked: tuple[date, date], landed: tuple[date | None, date | None]
) -> None:
    first, last = asked
    has = f"{model.merged_from} has days from {landed[0]} to {landed[1]}"
    if landed[0] is None or landed[1] is None:
        raise RebuildError(f"Nothing has landed that {model.relation} is merged from: {model.merged_from} is empty.")
    gone = [str(day.day) for day in found if day.rows and not day.landed]
    if gone:
        raise RebuildError(
            f"{model.relation} has rows of {', '.join(gone)}, but what they were merged from is not in"
            f" {model.merged_from} any more; a rebuild would delete them. {has}. Leave such days out."
        )
    if first < landed[0] or last > landed[1]:
        missing = first if first < landed[0] else last
        raise RebuildError(f"Nothing of {missing} has landed: {has}. Choose days among them.")
    if not any(day.landed for day in found):
        raise RebuildError(f"Nothing of {first} to {last} has landed. Choose other days.")


def _row_counts(settings: Settings, dbt: Mapping[str, Any]) -> dict[dg.AssetKey, int]:
    """The rows that each table of the project has now. A view's are not counted: that would run it."""
    tables = {
        node_key(node): ".".join(node_key(node).path)
        for node in dbt["nodes"].values()
        if node["resource_type"] == "model" and node["config"]["materialized"] != "view"
    }
    with connect(settings) as connection:
        there = set(
            connection.execute("select schema_name || '.' || table_name from duckdb_tables()").fetchnumpy().popitem()[1]
        )
        return {
            key: int((connection.execute(f"select count(*) from {relation}").fetchone() or (0,))[0])
            for key, relation in tables.items()
            if relation in there
        }


def _days_table(model: DailyModel, found: Sequence[Day]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(f"days of {model.relation}", no_wrap=True)
    table.add_column("rows now", justify="right")
    table.add_column("landed", justify="right")
    for label, days in _labelled(found):
        table.add_row(label, f"{sum(day.rows for day in days):,}", f"{sum(day.landed for day in days):,}")
    return table


def _labelled(found: Sequence[Day]) -> list[tuple[str, list[Day]]]:
    """Days, or months if there are many, and the sum of them."""
    by_label: dict[str, list[Day]] = {}
    for day in found:
        label = str(day.day) if len(found) <= _MOST_DAYS_SHOWN else f"{day.day:%Y-%m}"
        by_label.setdefault(label, []).append(day)
    return [*by_label.items(), (f"{len(found)} days", list(found))]


def _models_table(dbt: Mapping[str, Any], rows: Mapping[dg.AssetKey, int]) -> Table:
    daily = {model.relation for model in daily_models(dbt)}
    nodes = {node_key(node): node for node in dbt["nodes"].values() if node["resource_type"] == "model"}
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("model", "how", "rows now"):
        table.add_column(name, no_wrap=True, justify="right" if name == "rows now" else "left")
    for key in followed(dbt):
        is_daily = ".".join(key.path) in daily
        kind = nodes[key]["config"]["materialized"]
        how = "these days are merged anew" if is_daily else f"{kind}, made anew as a whole"
        table.add_row(key.to_user_string(), how, f"{rows[key]:,}" if key in rows else "")
    return table
