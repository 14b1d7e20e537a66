"""The middle of the graph: the dbt models and their tests, the lake's on one engine, the warehouse's on another."""

import gc
from collections.abc import Iterator
from typing import Any

import dagster as dg
from dagster_dbt import DbtCliInvocation, DbtCliResource, dbt_assets
from dagster_dbt.core.dbt_event_iterator import DbtEventIterator

from orchestration.columns import LINEAGE, SCHEMA
from orchestration.dbt import EXECUTABLE, LAKE, LAYERS, Layer, Translator, engine_of, manifest, manifest_path, project
from orchestration.rebuild import RebuiltDays, build_arguments, followed


@dg.definitions
def defs() -> dg.Definitions:
    """One set of assets a layer, the job that builds both, and the one that rebuilds a range of days."""
    assets = [layer_assets(layer) for layer in LAYERS]
    # The tests of the sources hang on landing tables, which a selection of the models alone would leave out.
    checks = dg.AssetSelection.checks(*(key for layer in assets for key in layer.check_keys))
    job = dg.define_asset_job(
        "transform",
        dg.AssetSelection.assets(*assets) | checks,
        description="Build and test all models: the lake's, then the warehouse's.",
    )
    rebuild = dg.define_asset_job(
        "rebuild",
        dg.AssetSelection.assets(*followed(manifest(LAKE))),
        description="Rebuild a range of days, told to dbt_lake as rebuild_from and rebuild_to, and what reads them.",
    )
    return dg.Definitions(assets=assets, jobs=[job, rebuild])


def layer_assets(layer: Layer) -> dg.AssetsDefinition:
    """The models of a layer. Each test of a model or a source is an asset check."""
    dbt_project = project(layer)

    @dbt_assets(
        name=f"dbt_{layer.name}",
        manifest=manifest_path(layer),
        select=layer.select,
        project=dbt_project,
        dagster_dbt_translator=Translator(engine_of(layer)),
        pool=f"dbt_{engine_of(layer)}",
    )
    def build(context: dg.AssetExecutionContext, config: RebuiltDays) -> Iterator[Any]:
        dbt = DbtCliResource(dbt_project, dbt_executable=str(EXECUTABLE))
        invocation = dbt.cli(build_arguments(config), context=context)
        events = readable_at_once(invocation.stream(), invocation)
        for event in events.fetch_row_counts():
            yield _with_columns(event, context)
        close_connections(invocation.adapter)

    return build


def _with_columns(event: Any, context: dg.AssetExecutionContext) -> Any:
    """A materialization with the columns as the model declares them: an engine has other names for the types."""
    if not isinstance(event, dg.Output):
        return event
    declared = context.assets_def.specs_by_key[context.asset_key_for_output(event.output_name)].metadata
    columns = {key: declared[key] for key in (SCHEMA, LINEAGE) if key in declared}
    return event.with_metadata({**event.metadata, **columns})


def readable_at_once(events: DbtEventIterator, invocation: DbtCliInvocation) -> DbtEventIterator:
    """On DuckDB, wait for the end of dbt before its events are looked at. Elsewhere they are streamed.

    dagster-dbt holds the events back itself there, since nobody can read the file before dbt has closed it. But it
    polls for them without a pause (`dagster._core.utils.imap`), which takes a core from the very dbt it waits for.
    """
    if invocation.adapter is None or invocation.adapter.type() != "duckdb":
        return events
    collected: list[Any] = []
    failure: Exception | None = None
    try:
        for event in events:
            collected.append(event)
    except Exception as error:  # noqa: BLE001  raised again below, behind the events that came before it
        failure = error

    def replayed() -> Iterator[Any]:
        yield from collected
        if failure:
            raise failure

    return DbtEventIterator(replayed(), invocation)


def close_connections(adapter: Any) -> None:
    """Release what fetching row counts left open: a DuckDB file, which the next dbt process could not open."""
    if adapter is not None:
        adapter.cleanup_connections()
        close = getattr(adapter.connections, "close_all_connections", None)
        if close:
            close()
        # From Python 3.12 on a reference cycle keeps a closed connection's file open until it is collected.
        gc.collect()
