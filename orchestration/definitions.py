"""The code location: loads `defs/` and says how its runs execute. Nothing else belongs here."""

from pathlib import Path

import dagster as dg


@dg.definitions
def defs() -> dg.Definitions:
    """Everything under `orchestration/defs`."""
    # One process a run: an import of Dagster and dbt takes seconds, and a DuckDB file has one writer.
    return dg.Definitions.merge(
        dg.load_from_defs_folder(path_within_project=Path(__file__).parent),
        dg.Definitions(executor=dg.in_process_executor),
    )
