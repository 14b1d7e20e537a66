"""The asset graph, without running it: what is in it, and that every name in it leads somewhere."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg
import pytest
from syrupy.assertion import SnapshotAssertion

from orchestration.dbt import LAKE, LAYERS, Translator, engine_of, manifest, project
from orchestration.definitions import defs


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return defs()


def test_asset_specs(definitions: dg.Definitions, snapshot: SnapshotAssertion) -> None:
    """A change of the graph is seen in review."""
    specs = sorted(definitions.resolve_all_asset_specs(), key=lambda spec: spec.key)
    assert [_readable(spec) for spec in specs] == snapshot


def test_check_specs(definitions: dg.Definitions, snapshot: SnapshotAssertion) -> None:
    graph = definitions.resolve_asset_graph()
    assert sorted(f"{key.asset_key.to_user_string()}: {key.name}" for key in graph.asset_check_keys) == snapshot


def test_job_specs(definitions: dg.Definitions, snapshot: SnapshotAssertion) -> None:
    jobs = {
        job.name: sorted(key.to_user_string() for key in job.asset_layer.selected_asset_keys)
        for job in definitions.resolve_all_job_defs()
        if not job.name.startswith("__")
    }
    assert jobs == snapshot


def test_every_dependency_is_an_asset(definitions: dg.Definitions) -> None:
    """A wrong key is silent otherwise: Dagster draws it as an asset that it knows nothing of."""
    specs = {spec.key: spec for spec in definitions.resolve_all_asset_specs()}
    missing = {(spec.key, dep.asset_key) for spec in specs.values() for dep in spec.deps if dep.asset_key not in specs}
    assert not missing


def test_only_sources_have_no_upstream(definitions: dg.Definitions) -> None:
    roots = {spec.key.path[0] for spec in definitions.resolve_all_asset_specs() if not spec.deps}
    assert roots == {"kinesis", "s3"}


def test_every_check_is_run_by_a_job(definitions: dg.Definitions) -> None:
    """A test of a source, for one, hangs on a landing table and is run with the lake's models."""
    run = {key for job in ("land", "transform", "serve") for key in _checks_of(definitions, job)}
    assert definitions.resolve_asset_graph().asset_check_keys == run


def test_every_asset_has_a_description_a_group_an_owner_and_a_kind(definitions: dg.Definitions) -> None:
    for spec in definitions.resolve_all_asset_specs():
        assert spec.description, spec.key
        assert spec.group_name not in (None, "default"), spec.key
        assert spec.owners, spec.key
        assert spec.kinds, spec.key


def test_keys_are_the_same_on_every_engine() -> None:
    """The lake's manifest is that of one target; the names must not depend on which."""
    for layer in LAYERS:
        nodes = manifest(layer)["nodes"].values()
        names = {
            tuple(Translator(engine_of(layer)).get_asset_key(n).path) for n in nodes if n["resource_type"] == "model"
        }
        assert all(len(name) == 2 and name[0] in ("lake", "marts") for name in names)


def test_each_layer_has_a_target_path_of_its_own() -> None:
    assert len({project(layer).target_path for layer in LAYERS}) == len(LAYERS)


def test_every_exposure_is_an_asset(definitions: dg.Definitions) -> None:
    served = {spec.tags.get("exposure") for spec in definitions.resolve_all_asset_specs()}
    assert {exposure["name"] for exposure in manifest(LAKE)["exposures"].values()} <= served


def _checks_of(definitions: dg.Definitions, job: str) -> set[dg.AssetCheckKey]:
    return {key for data in definitions.resolve_job_def(job).asset_layer.data for key in data.assets_def.check_keys}


def _readable(spec: dg.AssetSpec) -> Mapping[str, object]:
    return {
        "key": spec.key.to_user_string(),
        "deps": sorted(dep.asset_key.to_user_string() for dep in spec.deps),
        "group": spec.group_name,
        "kinds": sorted(spec.kinds),
        "owners": list(spec.owners),
        "tags": {key: value for key, value in sorted(spec.tags.items()) if not key.startswith("dagster/")},
        "skippable": spec.skippable,
    }
