"""What is checked before anything is sent: a definition against its models and itself, a request against the API."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape
from botocore.validate import ParamValidator

from serving.quicksight.data_sets import Relation
from serving.quicksight.definition import (
    Definition,
    Place,
    Reference,
    calculated_fields,
    declared_data_sets,
    mappings,
    parse_expression,
    references,
    visual_data_sets,
)
from serving.quicksight.errors import Problem
from serving.quicksight.resources import CALLS, Kind

_NUMBER = frozenset({"INTEGER", "DECIMAL"})
_DATE = frozenset({"DATETIME"})
_TEXT = frozenset({"STRING"})
# What a column has to be for QuickSight to take it there; else the dashboard fails with COLUMN_TYPE_MISMATCH.
_TYPES_BY_USE: dict[str, frozenset[str]] = {
    "DateDimensionField": _DATE,
    "DateMeasureField": _DATE,
    "TimeRangeFilter": _DATE,
    "TimeEqualityFilter": _DATE,
    "RelativeDatesFilter": _DATE,
    "NumericalDimensionField": _NUMBER,
    "NumericalMeasureField": _NUMBER,
    "NumericRangeFilter": _NUMBER,
    "NumericEqualityFilter": _NUMBER,
    "CategoricalDimensionField": _TEXT,
    "CategoricalMeasureField": _TEXT,
    "CategoryFilter": _TEXT,
}


def definition_problems(definition: Definition, relations: Mapping[str, Relation]) -> list[Problem]:
    """Everything in a definition that its models, or the definition itself, do not bear out.

    Args:
        definition: As `load_definition` reads it, in the shape of the service model (`request_problems` checks that).
        relations: The models that it may read, by name.
    """
    return [
        *_data_set_problems(definition, relations),
        *_column_problems(definition, relations),
        *_expression_problems(definition),
        *_name_problems(definition, relations),
        *_parameter_problems(definition),
        *_id_problems(definition),
        *_layout_problems(definition),
        *_time_problems(definition),
    ]


def _data_set_problems(definition: Definition, relations: Mapping[str, Relation]) -> Iterator[Problem]:
    declared = declared_data_sets(definition)
    for index, declaration in enumerate(definition["DataSetIdentifierDeclarations"]):
        path = f"$.DataSetIdentifierDeclarations[{index}]"
        name = declaration.get("Identifier", "")
        if name not in relations:
            yield Problem(f"{path}.Identifier", _unknown("model", name, relations))
        if declared.count(name) > 1:
            yield Problem(f"{path}.Identifier", f"{name!r} is declared more than once")
        if "DataSetArn" in declaration:
            yield Problem(f"{path}.DataSetArn", "leave it out: it is filled in when the data set is deployed")
    for place, mapping in mappings(definition):
        name = mapping.get("DataSetIdentifier")
        if name is not None and name not in declared:
            yield Problem(f"{place.path}.DataSetIdentifier", _unknown("declared data set", name, declared))


def _column_problems(definition: Definition, relations: Mapping[str, Relation]) -> Iterator[Problem]:
    declared = [name for name in declared_data_sets(definition) if name in relations]
    calculated = calculated_fields(definition)
    known = {name: {*relations[name].columns, *(f for d, f in calculated if d == name)} for name in declared}
    of_visual = visual_data_sets(definition)
    for reference in references(definition):
        candidates = _candidates(reference, declared, of_visual)
        if not candidates:
            continue  # The data set is none of the declared ones, which is a problem of its own.
        if not any(reference.name in known[data_set] for data_set in candidates):
            names = sorted(set().union(*(known[data_set] for data_set in candidates)))
            path = reference.place.path + ("" if reference.place.path.endswith("Expression") else ".ColumnName")
            yield Problem(path, _unknown(f"column of {' or '.join(candidates)}", reference.name, names))
        elif reference.data_set:
            yield from _type_problems(reference, relations[reference.data_set])


def _candidates(
    reference: Reference, declared: Iterable[str], of_visual: Mapping[str | None, tuple[str, ...]]
) -> list[str]:
    """The data sets that a name may belong to."""
    if reference.data_set:
        return [name for name in declared if name == reference.data_set]
    near = of_visual.get(reference.place.visual_id, ())
    return [name for name in declared if name in near] or list(declared)


def _type_problems(reference: Reference, relation: Relation) -> Iterator[Problem]:
    use = next((key for key in reversed(reference.place.keys) if key in _TYPES_BY_USE), None)
    column = relation.columns.get(reference.name)
    if use is None or column is None or reference.place.keys[-1] != "Column" or not column.is_known:
        return
    if column.analysis_type not in _TYPES_BY_USE[use]:
        wanted = " or ".join(sorted(_TYPES_BY_USE[use]))
        message = f"{reference.name!r} is {column.type}, {column.analysis_type} in QuickSight; {use} takes {wanted}"
        yield Problem(reference.place.path, message)


def _expression_problems(definition: Definition) -> Iterator[Problem]:
    for place, mapping in mappings(definition):
        expression = mapping.get("Expression")
        if isinstance(expression, str):
            for word in parse_expression(expression).bare_words:
                message = f"{word!r} is no keyword; write a field as {{{word}}} and a text as '{word}'"
                yield Problem(f"{place.path}.Expression", message)
    calculated = calculated_fields(definition)
    for index, field in enumerate(definition.get("CalculatedFields", ())):
        data_set, name = field.get("DataSetIdentifier", ""), field.get("Name", "")
        if _is_circular(calculated, data_set, name):
            yield Problem(f"$.CalculatedFields[{index}].Expression", f"{name!r} is computed from itself")


def _name_problems(definition: Definition, relations: Mapping[str, Relation]) -> Iterator[Problem]:
    """Calculated fields that are called as a column or another calculated field is: QuickSight ignores case there."""
    taken = {(name, column.lower()) for name, relation in relations.items() for column in relation.columns}
    for index, field in enumerate(definition.get("CalculatedFields", ())):
        name = (field.get("DataSetIdentifier", ""), field.get("Name", "").lower())
        if name in taken:
            yield Problem(f"$.CalculatedFields[{index}].Name", f"{name[0]} has a field {field['Name']!r} already")
        taken.add(name)


def _is_circular(calculated: Mapping[tuple[str, str], str], data_set: str, name: str) -> bool:
    waiting, seen = [name], set[str]()
    while waiting:
        for field in parse_expression(calculated.get((data_set, waiting.pop()), "")).fields:
            if field == name:
                return True
            if field not in seen:
                seen.add(field)
                waiting.append(field)
    return False


def _parameter_problems(definition: Definition) -> Iterator[Problem]:
    declared = [
        declaration["Name"]
        for variant in definition.get("ParameterDeclarations", ())
        for declaration in variant.values()
        if "Name" in declaration
    ]
    for place, mapping in mappings(definition):
        named = [(key, mapping[key]) for key in ("ParameterName", "SourceParameterName") if key in mapping]
        if isinstance(mapping.get("Parameter"), str):  # Bounds of range filters.
            named.append(("Parameter", mapping["Parameter"]))
        if isinstance(mapping.get("Expression"), str):
            named += [("Expression", name) for name in parse_expression(mapping["Expression"]).parameters]
        for key, name in named:
            if name not in declared:
                yield Problem(f"{place.path}.{key}", _unknown("declared parameter", name, declared))


def _id_problems(definition: Definition) -> Iterator[Problem]:
    """Ids that are used twice, and filters, sheets and visuals that are named and do not exist."""
    sheets: dict[str, list[str]] = {
        sheet.get("SheetId", ""): [visual["VisualId"] for _, visual in mappings(sheet) if "VisualId" in visual]
        for sheet in definition.get("Sheets", ())
    }
    visuals = [visual_id for ids in sheets.values() for visual_id in ids]
    filters = [filter_["FilterId"] for _, filter_ in mappings(definition) if "FilterId" in filter_]
    sheet_ids = [sheet.get("SheetId", "") for sheet in definition.get("Sheets", ())]
    for kind, ids in (("sheet", sheet_ids), ("visual", visuals), ("filter", filters)):
        for name in sorted({name for name in ids if ids.count(name) > 1}):
            yield Problem("$", f"{kind} id {name!r} is used more than once")
    for place, mapping in mappings(definition):
        if "SourceFilterId" in mapping and mapping["SourceFilterId"] not in filters:
            yield Problem(f"{place.path}.SourceFilterId", _unknown("filter", mapping["SourceFilterId"], filters))
        if place.keys[-1] == "SheetVisualScopingConfigurations":
            yield from _scope_problems(place, mapping, sheets)


def _scope_problems(place: Place, scope: Mapping[str, Any], sheets: Mapping[str, list[str]]) -> Iterator[Problem]:
    sheet_id = scope.get("SheetId", "")
    if sheet_id not in sheets:
        yield Problem(f"{place.path}.SheetId", _unknown("sheet", sheet_id, sheets))
        return
    for visual_id in scope.get("VisualIds", ()):
        if visual_id not in sheets[sheet_id]:
            yield Problem(f"{place.path}.VisualIds", _unknown(f"visual of {sheet_id}", visual_id, sheets[sheet_id]))


_ELEMENT_IDS = {
    "VisualId": "VISUAL",
    "FilterControlId": "FILTER_CONTROL",
    "ParameterControlId": "PARAMETER_CONTROL",
    "SheetTextBoxId": "TEXT_BOX",
    "SheetImageId": "IMAGE",
}


def _layout_problems(definition: Definition) -> Iterator[Problem]:
    """Elements that a sheet lays out and does not have, and visuals that it has and does not lay out."""
    for index, sheet in enumerate(definition.get("Sheets", ())):
        path = f"$.Sheets[{index}]"
        present = {
            (kind, mapping[key])
            for _, mapping in mappings(sheet)
            for key, kind in _ELEMENT_IDS.items()
            if key in mapping
        }
        placed = set[tuple[str, str]]()
        for place, element in mappings(sheet.get("Layouts", ()), Place(f"{path}.Layouts")):
            if "ElementId" not in element:
                continue
            element_id, kind = element["ElementId"], element.get("ElementType", "")
            placed.add((kind, element_id))
            if (kind, element_id) not in present:
                names = [name for k, name in present if k == kind]
                yield Problem(f"{place.path}.ElementId", _unknown(f"{kind} of this sheet", element_id, names))
        for kind, element_id in sorted(present - placed):
            if placed and kind == "VISUAL":
                yield Problem(f"{path}.Layouts", f"visual {element_id!r} has no place in the sheet's layout")


def _time_problems(definition: Definition) -> Iterator[Problem]:
    for place, mapping in mappings(definition):
        for key, value in mapping.items():
            if isinstance(value, datetime) and value.tzinfo is None:
                message = f"write the time zone, as in {value.isoformat()}Z: else it depends on who deploys"
                yield Problem(f"{place.path}.{key}", message)


def _unknown(kind: str, name: str, known: Iterable[str]) -> str:
    names = list(known)
    near = get_close_matches(name, names, n=3, cutoff=0.5) or sorted(names)[:5]
    hint = f"; is it {' or '.join(map(repr, near))}?" if near else ""
    return f"there is no {kind} {name!r}{hint}"


@lru_cache(maxsize=1)
def service_model() -> ServiceModel:
    """QuickSight's API as the installed botocore describes it. Reads a file, no network."""
    return botocore.session.get_session().get_service_model("quicksight")


def creatable(kind: Kind) -> frozenset[str]:
    """What a kind of resource can be created with, beside its account and id."""
    shape = service_model().operation_model(CALLS[kind].create_operation).input_shape
    members = shape.members if isinstance(shape, StructureShape) else {}
    return frozenset(members) - {"AwsAccountId", CALLS[kind].id_parameter}


def request_problems(operation: str, request: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with a request by the API's description: names, types, required members, and the constraints that
    botocore leaves to the service: allowed values, lengths, patterns.

    Args:
        operation: Such as `CreateDashboard`.
        request: Its parameters.
    """
    shape = service_model().operation_model(operation).input_shape
    assert shape is not None, f"{operation} takes no parameters"
    report = ParamValidator().validate(request, shape)
    if report.has_errors():
        return [Problem("$", line) for line in report.generate_report().splitlines()]
    return list(_constraint_problems(shape, request, "$"))


def _constraint_problems(shape: Shape, value: Any, path: str) -> Iterator[Problem]:
    if isinstance(shape, StructureShape):
        for name, member in value.items():
            yield from _constraint_problems(shape.members[name], member, f"{path}.{name}")
    elif isinstance(shape, ListShape):
        yield from _length_problems(shape, len(value), path, "items")
        for index, member in enumerate(value):
            yield from _constraint_problems(shape.member, member, f"{path}[{index}]")
    elif isinstance(shape, MapShape):
        for name, member in value.items():
            yield from _constraint_problems(shape.key, name, f"{path}.{name}")
            yield from _constraint_problems(shape.value, member, f"{path}.{name}")
    elif shape.type_name == "string":
        yield from _string_problems(shape, value, path)


def _string_problems(shape: Shape, value: str, path: str) -> Iterator[Problem]:
    allowed = shape.metadata.get("enum")
    if allowed and value not in allowed:
        yield Problem(path, f"{value!r} is not one of {', '.join(allowed)}")
    yield from _length_problems(shape, len(value), path, "characters")
    pattern = _pattern(shape.metadata.get("pattern", ""))
    if pattern and not pattern.fullmatch(value):
        yield Problem(path, f"{value!r} does not match {pattern.pattern}")


def _length_problems(shape: Shape, length: int, path: str, unit: str) -> Iterator[Problem]:
    most = shape.metadata.get("max")  # botocore checks the least.
    if most is not None and length > most:
        yield Problem(path, f"has {length} {unit}, at most {most} are allowed")


@lru_cache
def _pattern(pattern: str) -> re.Pattern[str] | None:
    """A pattern of the service model; None for the few that are written in Java's dialect alone: AWS checks those."""
    try:
        return re.compile(pattern, re.DOTALL) if pattern else None
    except re.error:
        return None
