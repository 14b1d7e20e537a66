"""The dbt project as Dagster sees it: two engines over one folder, the names that its nodes have in the graph.

`models/lake` is one set of assets, `models/warehouse` another: each has a target, a manifest and a target path.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtProject

from orchestration.conditions import ON_CHANGE, condition
from orchestration.errors import ParseError
from orchestration.keys import node_key
from orchestration.manifests import is_current, rewritten, target_path
from orchestration.settings import DBT_PROJECT_DIR, PROJECT_ROOT, Settings, settings


@dataclass(frozen=True)
class Layer:
    """A folder of models and the engine that builds it. `select` is dbt's: the sources' tests run with the lake."""

    name: str
    select: str

    def target(self, config: Settings) -> str:
        """dbt's target in an environment."""
        return {"lake": config.lake_target, "warehouse": config.warehouse_target}[self.name]


LAKE = Layer("lake", "tag:lake source:*")
WAREHOUSE = Layer("warehouse", "tag:warehouse")
LAYERS = (LAKE, WAREHOUSE)

# dbt of this very environment, whether or not that is on the PATH.
EXECUTABLE = Path(sys.executable).with_name("dbt")

# What a model is built by, for the icons of the graph.
_KINDS = {"local": "duckdb", "athena": "athena", "redshift": "redshift"}


def project(layer: Layer, config: Settings | None = None) -> DbtProject:
    """The project with a layer's target, and a target path of its own so that no run reads another's artifacts."""
    return DbtProject(
        DBT_PROJECT_DIR,
        target_path=target_path(layer.name),
        target=layer.target(config or settings()),
        profiles_dir=DBT_PROJECT_DIR,
    )


def manifest_path(layer: Layer) -> Path:
    """Where a layer's manifest is. Raises an error that says how to make it."""
    path = project(layer).manifest_path
    if not path.exists():
        raise dg.DagsterInvariantViolationError(
            f"There is no dbt manifest at {path.relative_to(PROJECT_ROOT)}. Run `make setup`, or `watershed prepare`."
        )
    return path


def manifest(layer: Layer) -> dict[str, Any]:
    """A layer's manifest."""
    return json.loads(manifest_path(layer).read_text(encoding="utf-8"))


def stale_manifests() -> list[Layer]:
    """The layers whose manifest is missing, damaged, or not of the project as it is."""
    return [layer for layer in LAYERS if not is_current(project(layer).manifest_path)]


def parse(layer: Layer) -> None:
    """Write a layer's manifest: `dbt parse`, which needs no connection.

    Raises:
        ParseError: With dbt's words.
    """
    dbt_project = project(layer)
    with rewritten(dbt_project.manifest_path):
        target = ["--target", str(dbt_project.target), "--target-path", str(dbt_project.target_path)]
        if said := run_offline("parse", *target):
            raise ParseError(f"dbt cannot parse the project; mend what it says:\n{said}")


def run_offline(*arguments: str) -> str | None:
    """Run a command of dbt that needs no connection. Returns what dbt says if it failed."""
    command = [EXECUTABLE, "--quiet", "--no-use-colors", *arguments]
    run = subprocess.run(command, cwd=DBT_PROJECT_DIR, capture_output=True, text=True, check=False)
    return f"{run.stdout}{run.stderr}".rstrip() or f"exit code {run.returncode}" if run.returncode else None


class Translator(DagsterDbtTranslator):
    """Names dbt's nodes in the graph: the schema and the name, whatever the engine."""

    def __init__(self, engine: str) -> None:
        super().__init__(DagsterDbtTranslatorSettings(enable_asset_checks=True, enable_source_tests_as_checks=True))
        self._engine = engine

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """`lake/int_flights`, `landing/flight_events`."""
        return node_key(dbt_resource_props)

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """The folder: staging, intermediate, marts."""
        return dbt_resource_props["fqn"][2]

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str] | None:
        """The owner of the model's dbt group."""
        group = dbt_resource_props.get("group")  # dagster-dbt puts the whole group in place of its name.
        return [team(group)] if group else None

    def get_tags(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, str]:
        """The layer, and how often it is built."""
        meta = dbt_resource_props.get("config", {}).get("meta", {})
        return {"layer": meta["layer"]} if "layer" in meta else {}

    def get_automation_condition(self, dbt_resource_props: Mapping[str, Any]) -> dg.AutomationCondition | None:
        """The condition of the cadence in the model's meta, which is declared for its layer."""
        cadence = dbt_resource_props.get("config", {}).get("meta", {}).get("cadence")
        return condition(cadence) if cadence else None

    def get_asset_check_spec(
        self, asset_spec: dg.AssetSpec, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> dg.AssetCheckSpec | None:
        """Tests of a source run once it has landed something: no model is built with them."""
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        if spec is None or spec.asset_key.path[0] != "landing":
            return spec
        return dg.AssetCheckSpec(
            spec.name,
            asset=spec.asset_key,
            description=spec.description,
            additional_deps=spec.additional_deps,
            blocking=spec.blocking,
            metadata=spec.metadata,
            automation_condition=condition(ON_CHANGE),
        )

    def get_metadata(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, Any]:
        """Adds the cadence to what dagster-dbt says."""
        meta = dbt_resource_props.get("config", {}).get("meta", {})
        cadence = {"cadence": meta["cadence"]} if "cadence" in meta else {}
        return {**super().get_metadata(dbt_resource_props), **cadence}

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None) -> dg.AssetSpec:
        """Replaces the adapter's icon with that of the engine which builds the layer."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        resource = manifest["nodes"].get(unique_id)
        if resource is None:
            return spec
        kinds = {"dbt", self._engine} | ({"iceberg"} if self._engine == "athena" else set())
        tags = {key: value for key, value in spec.tags.items() if not key.startswith("dagster/kind/")}
        return spec.replace_attributes(tags=tags, kinds=kinds)


def engine_of(layer: Layer) -> str:
    """What builds a layer in this environment, as the graph's icons name it."""
    return _KINDS[layer.target(settings())]


def team(owned: Mapping[str, Any]) -> str:
    """The owner of a dbt group or an exposure, as Dagster writes it."""
    return f"team:{owned['owner']['name']}"


def models_of(manifest: Mapping[str, Any], node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The models that a node, such as an exposure, depends on."""
    for unique_id in node["depends_on"]["nodes"]:
        if unique_id in manifest["nodes"]:
            yield manifest["nodes"][unique_id]
