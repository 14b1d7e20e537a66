"""`watershed preview`: dashboards drawn from the local models, as a page and as pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape

from orchestration.dbt import LAKE, manifest
from orchestration.exposures import definition_path, relations, served_by
from orchestration.lineage.build import project_graph
from orchestration.lineage.privacy import require_permitted
from orchestration.platform import DashboardDeployer
from orchestration.settings import Settings
from serving.quicksight import load_definition
from serving.quicksight.preview import Preview, PreviewError, html, png, preview
from serving.rows.duckdb import DuckDBRows

Exposure = Mapping[str, Any]


def run(
    settings: Settings, console: Console, dashboard: str | None, out: Path, parameters: Mapping[str, str]
) -> list[Path]:
    """Draw a dashboard, or each if none is named. Prints what is written and what cannot be drawn.

    Returns:
        The pages.

    Raises:
        PreviewError: If there is no such dashboard, or a parameter does not fit it.
        DefinitionError: If its definition could not be deployed either.
        PrivateDataError: If it would show private data, and says no reason.
        RowsError: If a model that it reads has not been built.
    """
    pages = []
    for name, drawn in _drawn(settings, dashboard, parameters):
        page = out / f"{name}.html"
        pictures = {out / f"{name}-{sheet.id}.png": sheet for sheet in drawn.sheets}
        out.mkdir(parents=True, exist_ok=True)
        page.write_text(html(drawn), encoding="utf-8")
        for path, sheet in pictures.items():
            path.write_bytes(png(sheet, drawn.title))
        for path in (page, *pictures):
            console.print(f"wrote {escape(str(path))}", highlight=False, soft_wrap=True)
        for missing in drawn.not_drawn:
            console.print(f"[yellow]not drawn[/] {escape(missing)}", highlight=False, soft_wrap=True)
        for missing in drawn.left_out:
            console.print(f"[yellow]left out[/] {escape(missing)}", highlight=False, soft_wrap=True)
        pages.append(page)
    return pages


def _drawn(settings: Settings, dashboard: str | None, parameters: Mapping[str, str]) -> Iterator[tuple[str, Preview]]:
    dbt = manifest(LAKE)
    exposures = {each["name"]: each for each in dbt["exposures"].values() if served_by(each, "quicksight")}
    if dashboard is not None and dashboard not in exposures:
        raise PreviewError(f"there is no dashboard {dashboard!r}; there is {', '.join(exposures) or 'none'}")
    for name in [dashboard] if dashboard is not None else exposures:
        exposure = exposures[name]
        require_permitted(project_graph(), dbt, [exposure])
        models = relations(dbt, exposure)
        path = definition_path(exposure)
        # The checks of a deployment. What is drawn could be deployed.
        DashboardDeployer().declare(name, exposure["label"], path, models)
        rows = DuckDBRows(settings.duckdb_path)
        yield name, preview(load_definition(path), models, rows, title=exposure["label"], parameters=parameters)


def read_parameters(given: list[str]) -> dict[str, str]:
    """`NAME=VALUE` each, as a mapping.

    Raises:
        typer.BadParameter: If one is not of this form.
    """
    pairs = [each.partition("=") for each in given]
    for name, equals, value in pairs:
        if not (name and equals):
            raise typer.BadParameter(f"{name or value!r}: write NAME=VALUE, such as LateFromMinutes=30")
    return {name: value for name, _, value in pairs}
