"""What the dbt project's exposures declare, as plain values: the dashboards' relations and definitions, the indexes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestration.dbt import models_of, node_key
from orchestration.settings import DBT_PROJECT_DIR
from serving import quicksight
from serving.opensearch.spec import Column, IndexSpec, index_options, index_spec

Node = Mapping[str, Any]


def served_by(exposure: Node, engine: str) -> Node | None:
    """What an exposure says in `config.meta` of how an engine, such as `quicksight`, serves it; None if nothing."""
    return exposure["config"]["meta"].get(engine)


def definition_path(exposure: Node) -> Path:
    """The definition of an exposure's dashboard, which lies beside the exposure."""
    folder = DBT_PROJECT_DIR.joinpath(exposure["original_file_path"]).parent
    return folder / exposure["config"]["meta"]["quicksight"]["definition"]


def relation(model: Node) -> quicksight.Relation:
    """A model as a dashboard may read it."""
    columns = {c["name"]: quicksight.Column(c["data_type"], c["description"]) for c in shareable(model)}
    return quicksight.Relation(model["config"]["schema"], model["name"], columns)


def index_model(manifest: Node, exposure: Node) -> Node:
    """The model that an exposure's index holds."""
    options = index_options(exposure["config"]["meta"]["opensearch"], exposure["name"])
    return next(model for model in models_of(manifest, exposure) if model["name"] == options.model)


def index(manifest: Node, exposure: Node) -> IndexSpec:
    """The index of an exposure. Raises IndexSpecError if it asks for one that cannot be made."""
    options = index_options(exposure["config"]["meta"]["opensearch"], exposure["name"])
    model = index_model(manifest, exposure)
    columns = [Column(c["name"], c["data_type"], c["description"]) for c in shareable(model)]
    return index_spec(options, ".".join(node_key(model).path), columns, exposure["description"])


def shareable(model: Node) -> list[Node]:
    """The columns of a model that may leave the platform: those that are not classified as restricted."""
    columns = model["columns"].values()
    return [column for column in columns if column["config"]["meta"].get("classification") != "restricted"]
