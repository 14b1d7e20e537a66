"""The end of the graph: what the exposures of the dbt project declare, as assets. Dashboards and search indexes."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import dagster as dg

from orchestration import exposures
from orchestration.columns import SCHEMA
from orchestration.conditions import ON_CHANGE, condition
from orchestration.dbt import LAKE, manifest, models_of, node_key, team
from orchestration.lineage.build import project_graph
from orchestration.lineage.privacy import require_permitted
from orchestration.platform import DashboardDeployer, IndexBuilder
from serving import quicksight
from serving.opensearch.errors import SupersededError
from serving.opensearch.mapping import mapping

Node = Mapping[str, Any]


@dg.definitions
def defs() -> dg.Definitions:
    """An asset for each exposure that says how it is served.

    Raises:
        PrivateDataError: If an exposure would show private data, and says no reason. Nothing of it can be sent then.
    """
    dbt, graph = manifest(LAKE), project_graph()
    require_permitted(graph, dbt, dbt["exposures"].values())
    assets = [asset for exposure in dbt["exposures"].values() for asset in exposure_assets(dbt, exposure)]
    job = dg.define_asset_job("serve", dg.AssetSelection.assets(*assets), description="Refresh dashboards and indexes.")
    return dg.Definitions(assets=assets, jobs=[job])


def exposure_assets(dbt: Node, exposure: Node) -> Iterator[dg.AssetsDefinition]:
    """The assets of one exposure: its `config.meta` has an entry for each way that it is served."""
    if exposures.served_by(exposure, "quicksight"):
        yield dashboard_asset(dbt, exposure)
    if exposures.served_by(exposure, "opensearch"):
        yield index_asset(dbt, exposure)


def dashboard_asset(dbt: Node, exposure: Node) -> dg.AssetsDefinition:
    """A QuickSight dashboard with its data sets: deployed as declared, filled from the marts that it reads."""
    definition = exposures.definition_path(exposure)
    relations = exposures.relations(dbt, exposure)
    columns_used = {
        (use.data_set, use.column) for use in quicksight.column_uses(quicksight.load_definition(definition))
    }
    spec = _spec("quicksight", exposure["name"], exposure, models_of(dbt, exposure), kinds={"quicksight"})

    @dg.multi_asset(name=f"quicksight_{exposure['name']}", specs=[spec])
    def deploy(context: dg.AssetExecutionContext, dashboards: DashboardDeployer) -> dg.MaterializeResult:
        deployment = dashboards.declare(exposure["name"], exposure["label"], definition, relations)
        applied, refreshed = dashboards.deploy(deployment)
        # QuickSight does not tell it of an ingestion that it started by itself.
        rows = {each.data_set_id: each.rows_ingested for each in refreshed if each.rows_ingested is not None}
        context.log.info(str(applied))
        return dg.MaterializeResult(
            spec.key,
            metadata={
                "dashboard": deployment.dashboard_id,
                "version": applied.dashboard_version,
                "changed": applied.is_changed,
                "data_sets": [refresh.data_set_id for refresh in refreshed],
                "columns_used": len(columns_used),
                **({"rows_ingested": rows} if rows else {}),
            },
        )

    return deploy


def index_asset(dbt: Node, exposure: Node) -> dg.AssetsDefinition:
    """A search index. Where no search engine is to be had, it is skipped, and a check says so."""
    index, model = exposures.index(dbt, exposure), exposures.index_model(dbt, exposure)
    schema = dg.TableSchema([dg.TableColumn(c.name, c.type, c.description) for c in index.columns])
    spec = _spec("opensearch", index.name, exposure, [model], kinds={"opensearch"})
    spec = spec.merge_attributes(metadata={SCHEMA: schema}).replace_attributes(skippable=True)
    reachable = dg.AssetCheckSpec("search_engine", asset=spec.key, description="OpenSearch answers.")
    layer = model["config"]["meta"]["layer"]

    @dg.multi_asset(name=f"opensearch_{index.name}", specs=[spec], check_specs=[reachable])
    def build_index(context: dg.AssetExecutionContext, indexes: IndexBuilder) -> Iterator[Any]:
        if problem := indexes.unreachable():
            if indexes.required:
                raise dg.Failure(problem)
            context.log.warning(f"{problem}: the index {index.name} is skipped")
            yield dg.AssetCheckResult(
                asset_key=spec.key,
                check_name=reachable.name,
                passed=False,
                severity=dg.AssetCheckSeverity.WARN,
                description=f"{problem}. Skipped. `watershed status` says what to install for it.",
            )
            return
        try:
            result = indexes.build(index, layer, lambda count: context.log.debug(f"{count} documents"))
        except SupersededError as overtaken:
            context.log.info(f"{overtaken} Nothing is left to do here.")
            yield dg.AssetCheckResult(asset_key=spec.key, check_name=reachable.name, passed=True)
            return
        yield dg.MaterializeResult(
            spec.key,
            metadata={
                "dagster/row_count": result.documents,
                "index": result.index,
                "replaced": result.replaced,
                "deleted": list(result.deleted),
                "bytes": result.bytes,
                "seconds": round(result.seconds, 2),
                "mapping": mapping(index),
            },
        )
        yield dg.AssetCheckResult(asset_key=spec.key, check_name=reachable.name, passed=True)

    return build_index


def _spec(engine: str, name: str, exposure: Node, models: Iterable[Node], *, kinds: set[str]) -> dg.AssetSpec:
    return dg.AssetSpec(
        dg.AssetKey([engine, name]),
        deps=[node_key(model) for model in models],
        description=exposure["description"],
        group_name="serving",
        owners=[team(exposure)],
        kinds=kinds,
        tags={"exposure": exposure["name"]},
        automation_condition=condition(ON_CHANGE),
    )
