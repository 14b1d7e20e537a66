"""What the dbt project's exposures declare, as plain values: the dashboards' relations and definitions, the indexes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from orchestration.dbt import models_of, node_key
from orchestration.errors import ExposureError
from orchestration.lineage.graph import FieldId
from orchestration.settings import DBT_PROJECT_DIR, PROJECT_ROOT
from serving import quicksight
from serving.opensearch.spec import Column, IndexOptions, IndexSpec, index_options, index_spec
from serving.quicksight.definition import declared_data_sets

Node = Mapping[str, Any]
M = TypeVar("M", bound=BaseModel)


class DashboardOptions(BaseModel):
    """What an exposure's `config.meta.quicksight` may say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    definition: str = Field(description="The dashboard's definition: a file beside the exposure.")
    exclude: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="Columns to leave out of the data sets, by model."
    )


class Permission(BaseModel):
    """Why a private column may be shown: an entry of an exposure's `config.meta.private`, by `model.column`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=10)] = Field(
        description="Why those who see the export may see the column, in a sentence."
    )
    approved_by: str | None = Field(default=None, description="Who decided so: a person, a team, a ticket.")


def served_by(exposure: Node, engine: str) -> Node | None:
    """What an exposure says in `config.meta` of how an engine, such as `quicksight`, serves it; None if nothing."""
    return exposure["config"]["meta"].get(engine)


def file(exposure: Node) -> str:
    """The file that declares an exposure, by its path from the project's root."""
    return str((DBT_PROJECT_DIR / exposure["original_file_path"]).relative_to(PROJECT_ROOT))


def dashboard_options(exposure: Node) -> DashboardOptions:
    """What an exposure says of its dashboard. Raises ExposureError if that cannot be read."""
    return _read(DashboardOptions, exposure["config"]["meta"]["quicksight"], exposure, "quicksight")


def permissions(exposure: Node) -> Mapping[str, Permission]:
    """The private columns that an exposure may show, by `model.column`. Raises ExposureError if they cannot be read."""
    told = exposure["config"]["meta"].get("private", {})
    if not isinstance(told, Mapping):
        raise ExposureError(f"{file(exposure)}: config.meta.private: write a mapping, `model.column: {{reason: ...}}`.")
    return {name: _read(Permission, each, exposure, f"private.{name}") for name, each in told.items()}


def definition_path(exposure: Node) -> Path:
    """The definition of an exposure's dashboard, which lies beside the exposure."""
    return DBT_PROJECT_DIR.joinpath(exposure["original_file_path"]).parent / dashboard_options(exposure).definition


def relations(manifest: Node, exposure: Node) -> dict[str, quicksight.Relation]:
    """The models that an exposure's dashboard may read, by name, without the columns that it leaves out.

    Raises:
        ExposureError: If it leaves out what is not there.
    """
    models = {model["name"]: model for model in models_of(manifest, exposure)}
    exclude = dashboard_options(exposure).exclude
    for name, left_out in exclude.items():
        known = models[name]["columns"] if name in models else ()
        if unknown := [column for column in left_out if column not in known]:
            place = f"{file(exposure)}: config.meta.quicksight.exclude.{name}"
            raise ExposureError(f"{place}: {_no_such(unknown, known) if known else 'depends_on has no such model'}.")
    return {name: _relation(model, exclude.get(name, ())) for name, model in models.items()}


def _relation(model: Node, exclude: Iterable[str]) -> quicksight.Relation:
    columns = {
        column["name"]: quicksight.Column(column["data_type"], column["description"])
        for column in model["columns"].values()
        if column["name"] not in exclude
    }
    return quicksight.Relation(model["config"]["schema"], model["name"], columns)


def index_model(manifest: Node, exposure: Node) -> Node:
    """The model that an exposure's index holds. Raises IndexSpecError or ExposureError if there is none."""
    options = _index_options(exposure)
    for model in models_of(manifest, exposure):
        if model["name"] == options.model:
            return model
    raise ExposureError(f"{file(exposure)}: config.meta.opensearch.model: depends_on has no model {options.model!r}.")


def index(manifest: Node, exposure: Node) -> IndexSpec:
    """The index of an exposure. Raises IndexSpecError or ExposureError if it asks for one that cannot be made."""
    model = index_model(manifest, exposure)
    columns = [Column(c["name"], c["data_type"], c["description"]) for c in model["columns"].values()]
    return index_spec(_index_options(exposure), ".".join(node_key(model).path), columns, exposure["description"])


def exported(manifest: Node, exposure: Node) -> dict[str, FieldId]:
    """The columns of models that leave the platform through an exposure, by `model.column`."""
    models = {model["name"]: model for model in models_of(manifest, exposure)}
    columns = set[tuple[str, str]]()
    if served_by(exposure, "quicksight") is not None:
        declared = declared_data_sets(quicksight.load_definition(definition_path(exposure)))
        found = {name: relation for name, relation in relations(manifest, exposure).items() if name in declared}
        columns.update((name, column) for name, relation in found.items() for column in relation.columns)
    if served_by(exposure, "opensearch") is not None:
        name = index_model(manifest, exposure)["name"]
        columns.update((name, column) for column in index(manifest, exposure).column_names)
    keys = {name: node_key(model).to_user_string() for name, model in models.items()}
    return {f"{name}.{column}": FieldId(keys[name], column) for name, column in sorted(columns)}


def _index_options(exposure: Node) -> IndexOptions:
    return index_options(exposure["config"]["meta"]["opensearch"], exposure["name"])


def _read(model: type[M], told: Any, exposure: Node, key: str) -> M:
    try:
        return model.model_validate(told)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc'])) or key}: {each['msg']}" for each in error.errors())
        raise ExposureError(
            f"{file(exposure)}: config.meta.{key}: {wrong}. It may say {', '.join(model.model_fields)}."
        ) from error


def _no_such(names: Iterable[str], known: Iterable[str]) -> str:
    return f"there is no column {', '.join(names)}; there is {', '.join(known)}"
