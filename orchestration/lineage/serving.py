"""The end of the graph: data sets, calculated fields, visuals and filters of dashboards, and the fields of indexes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from orchestration import exposures
from orchestration.dbt import models_of, node_key
from orchestration.lineage.graph import Asset, AssetKind, Draft, Field, FieldId, FieldKind
from orchestration.settings import PROJECT_ROOT
from serving import quicksight
from serving.opensearch.mapping import mapping
from serving.quicksight.definition import (
    Definition,
    Place,
    calculated_fields,
    declared_data_sets,
    mappings,
    parse_expression,
    references,
    visual_data_sets,
)
from serving.quicksight.validation import definition_problems

Node = Mapping[str, Any]


def add_dashboard(draft: Draft, manifest: Node, exposure: Node, files: Iterable[str]) -> None:
    """Add an exposure's dashboard and its data sets, if it has one.

    A visual is a field of the dashboard, called by its id; so is a filter, `filter.<id>`. A data set holds the columns
    of its model and the calculated fields over them.

    Raises:
        DefinitionError: If the definition names what its models lack.
    """
    if exposures.served_by(exposure, "quicksight") is None:
        return
    path = exposures.definition_path(exposure)
    definition = quicksight.load_definition(path)
    models = {model["name"]: model for model in models_of(manifest, exposure)}
    relations = exposures.relations(manifest, exposure)
    if problems := definition_problems(definition, relations):
        raise quicksight.DefinitionError(str(path), problems)
    all_files = frozenset({*files, str(path.relative_to(PROJECT_ROOT))})
    dashboard = f"quicksight/{exposure['name']}"
    for name in declared_data_sets(definition):
        _add_data_set(draft, models[name], relations[name], f"{dashboard}/{name}", all_files)
    _add_calculated_fields(draft, dashboard, definition)
    draft.add_asset(Asset(dashboard, AssetKind.DASHBOARD, exposure["description"], all_files))
    shown: dict[str, tuple[Field, list[FieldId]]] = {}
    for place, name, read in _uses(draft, dashboard, definition):
        _, reads = shown.setdefault(name, (_shown(FieldId(dashboard, name), place, definition), []))
        reads.append(read)
    for field, reads in shown.values():
        draft.add_field(field, reads)


def _add_data_set(draft: Draft, model: Node, relation: quicksight.Relation, key: str, files: frozenset[str]) -> None:
    source = node_key(model).to_user_string()
    draft.add_asset(Asset(key, AssetKind.DATA_SET, f"{source} as QuickSight holds it, in SPICE.", files))
    for name, column in relation.columns.items():
        field = Field(FieldId(key, name), FieldKind.COLUMN, column.type, column.description)
        draft.add_field(field, [FieldId(source, name)])


def _add_calculated_fields(draft: Draft, dashboard: str, definition: Definition) -> None:
    for (data_set, name), expression in calculated_fields(definition).items():
        key = f"{dashboard}/{data_set}"
        field = Field(FieldId(key, name), FieldKind.CALCULATED, expression=expression)
        draft.add_field(field, [FieldId(key, other) for other in parse_expression(expression).fields])


def _uses(draft: Draft, dashboard: str, definition: Definition) -> Iterator[tuple[Place, str, FieldId]]:
    """What shows or filters by a field: its place, its name, and the field of a data set that it reads."""
    of_visual = visual_data_sets(definition)
    filters = _filters(definition)
    for reference in references(definition):
        place = reference.place
        if place.keys[1] == "CalculatedFields":
            continue
        name, data_sets = place.visual_id or place.path.removeprefix("$."), of_visual.get(place.visual_id, ())
        if reference.data_set:
            data_sets = (reference.data_set,)
        for path, (filter_id, is_for_all) in filters.items():
            if place.path.startswith(f"{path}."):
                name = f"filter.{filter_id}"
                # It goes for every data set that has a column of that name.
                data_sets = declared_data_sets(definition) if is_for_all else data_sets
        reads = [FieldId(f"{dashboard}/{data_set}", reference.name) for data_set in data_sets]
        # A single one that is missing is a mistake, which the graph refuses.
        yield from ((place, name, read) for read in reads if len(reads) == 1 or draft.has(read))


def _filters(definition: Definition) -> dict[str, tuple[str, bool]]:
    """Id of each filter and whether it is for all data sets, by its path in the definition."""
    return {
        place.path: (filter_["FilterId"], group.get("CrossDataset") == "ALL_DATASETS")
        for index, group in enumerate(definition.get("FilterGroups", ()))
        for place, filter_ in mappings(group, Place(f"$.FilterGroups[{index}]"))
        if "FilterId" in filter_
    }


def _shown(id_: FieldId, place: Place, definition: Definition) -> Field:
    if not place.visual_id:
        return Field(id_, FieldKind.FILTER)
    visual = next((m for _, m in mappings(definition["Sheets"]) if m.get("VisualId") == place.visual_id), {})
    kind = next((key for key in place.keys if key.endswith("Visual")), "")
    title = visual.get("Title", {}).get("FormatText", {}).get("PlainText", "")
    return Field(id_, FieldKind.VISUAL, kind.removesuffix("Visual"), title)


def add_index(draft: Draft, manifest: Node, exposure: Node, files: Iterable[str]) -> None:
    """Add an exposure's search index and its fields, if it has one."""
    if exposures.served_by(exposure, "opensearch") is None:
        return
    index = exposures.index(manifest, exposure)
    model = node_key(exposures.index_model(manifest, exposure)).to_user_string()
    key = f"opensearch/{index.name}"
    draft.add_asset(Asset(key, AssetKind.INDEX, index.description, frozenset(files)))
    properties = mapping(index)["properties"]
    descriptions = {column.name: column.description for column in index.columns}
    for name, columns in index.sources.items():
        # A sub-field, such as airport_name.text, is the same value indexed in another way.
        subfields = {f"{name}.{inner}": told["type"] for inner, told in properties[name].get("fields", {}).items()}
        for path, type_ in {name: properties[name]["type"], **subfields}.items():
            field = Field(FieldId(key, path), FieldKind.INDEX_FIELD, type_, descriptions.get(name, ""))
            draft.add_field(field, [FieldId(model, column) for column in columns])
