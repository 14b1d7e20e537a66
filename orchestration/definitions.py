"""The code location: loads `defs/` and says how its runs execute. Nothing else belongs here."""

import warnings
from pathlib import Path

import dagster as dg

from orchestration.columns import with_fields
from orchestration.lineage.build import project_graph
from orchestration.settings import settings


@dg.definitions
def defs() -> dg.Definitions:
    """Everything under `orchestration/defs`, with what the lineage of fields knows of each asset."""
    # One process a run: an import of Dagster and dbt takes seconds, and a DuckDB file has one writer.
    loaded = dg.Definitions.merge(
        dg.load_from_defs_folder(path_within_project=Path(__file__).parent),
        dg.Definitions(executor=dg.in_process_executor),
    )
    graph, page_url = project_graph(), settings().lineage_url
    with warnings.catch_warnings():
        # A preview of Dagster's: it may change, and its version is pinned here.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return loaded.map_asset_specs(func=lambda spec: with_fields(spec, graph, page_url))
