"""A dashboard's definition: reading it from YAML, and finding what it refers to.

The file is a `DashboardVersionDefinition` of QuickSight's API, with one difference: a data set is declared by its
`Identifier` alone, the name of the model it holds. Its ARN is known once the data set is deployed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from serving.quicksight.errors import DefinitionError, Problem

Definition = Mapping[str, Any]


@dataclass(frozen=True)
class Place:
    """Where in a definition something stands: a JSON path, and the sheet and visual around it."""

    path: str = "$"
    sheet_id: str | None = None
    visual_id: str | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """The path's keys, without list positions."""
        return tuple(re.sub(r"\[\d+\]", "", self.path).split("."))


@dataclass(frozen=True)
class Reference:
    """A column or calculated field that a definition names.

    `data_set` is None where QuickSight's schema has no place for it (an expression inside a visual): it is then the
    data set of that visual.
    """

    data_set: str | None
    name: str
    place: Place


@dataclass(frozen=True)
class Expression:
    """The names in a QuickSight expression: `{fields}`, `${parameters}` and words that are neither nor a keyword."""

    fields: tuple[str, ...]
    parameters: tuple[str, ...]
    bare_words: tuple[str, ...]


@dataclass(frozen=True)
class ColumnUse:
    """A model's column that a visual, a filter or a control reads.

    `through` lists the calculated fields between them, the one that the definition names first. `visual_id` is None for
    what belongs to no visual.
    """

    data_set: str
    column: str
    path: str
    sheet_id: str | None
    visual_id: str | None
    through: tuple[str, ...] = ()


def load_definition(path: Path) -> Definition:
    """Read a definition.

    Raises:
        DefinitionError: If the file is missing, is no YAML, or names no data set that it reads.
    """
    try:
        definition = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as missing:
        raise DefinitionError(str(path), [Problem("$", "there is no such file")]) from missing
    except yaml.YAMLError as broken:
        raise DefinitionError(str(path), [Problem("$", f"this is no YAML: {broken}")]) from broken
    if not isinstance(definition, dict):
        raise DefinitionError(str(path), [Problem("$", "write a DashboardVersionDefinition: a mapping")])
    declarations = definition.get("DataSetIdentifierDeclarations")
    if not (isinstance(declarations, list) and declarations and all(map(_names_a_data_set, declarations))):
        message = "list the models that the dashboard reads, each as {Identifier: <model>}"
        raise DefinitionError(str(path), [Problem("$.DataSetIdentifierDeclarations", message)])
    return definition


def _names_a_data_set(declaration: Any) -> bool:
    return isinstance(declaration, Mapping) and isinstance(declaration.get("Identifier"), str)


def declared_data_sets(definition: Definition) -> tuple[str, ...]:
    """The identifiers of the data sets that a definition declares: the models that it reads."""
    return tuple(item["Identifier"] for item in definition["DataSetIdentifierDeclarations"])


def mappings(value: Any, place: Place | None = None) -> Iterator[tuple[Place, Mapping[str, Any]]]:
    """Every mapping of a definition, outermost first, with its place."""
    place = place or Place()
    if isinstance(value, Mapping):
        place = replace(
            place,
            sheet_id=value.get("SheetId", place.sheet_id),
            visual_id=value.get("VisualId", place.visual_id),
        )
        yield place, value
        for key, member in value.items():
            yield from mappings(member, replace(place, path=f"{place.path}.{key}"))
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for index, member in enumerate(value):
            yield from mappings(member, replace(place, path=f"{place.path}[{index}]"))


def references(definition: Definition) -> Iterator[Reference]:
    """Every column or calculated field that a definition names, those in expressions included."""
    for place, mapping in mappings(definition):
        if "ColumnName" in mapping:
            yield Reference(mapping.get("DataSetIdentifier"), mapping["ColumnName"], place)
        if isinstance(mapping.get("Expression"), str):
            inside = replace(place, path=f"{place.path}.Expression")
            for name in parse_expression(mapping["Expression"]).fields:
                yield Reference(mapping.get("DataSetIdentifier"), name, inside)


def calculated_fields(definition: Definition) -> dict[tuple[str, str], str]:
    """Expressions of the calculated fields, by data set and name."""
    return {
        (field["DataSetIdentifier"], field["Name"]): field["Expression"]
        for field in definition.get("CalculatedFields", ())
        if {"DataSetIdentifier", "Name", "Expression"} <= field.keys()
    }


def column_uses(definition: Definition) -> list[ColumnUse]:
    """Which columns of which models reach which visuals, filters and controls, through calculated fields too.

    A calculated field that nothing shows or filters by is no use of its columns.
    """
    calculated = calculated_fields(definition)
    of_visual = visual_data_sets(definition)
    uses: list[ColumnUse] = []
    for reference in references(definition):
        if reference.place.keys[1] == "CalculatedFields":
            continue
        place = reference.place
        data_sets = (reference.data_set,) if reference.data_set else of_visual.get(place.visual_id, ())
        for data_set in data_sets:
            for column, through in _columns_behind(calculated, data_set, reference.name, ()):
                uses.append(ColumnUse(data_set, column, place.path, place.sheet_id, place.visual_id, through))
    return list(dict.fromkeys(uses))


def visual_data_sets(definition: Definition) -> dict[str | None, tuple[str, ...]]:
    """The data sets that each visual names, by visual id. QuickSight draws a visual from one."""
    found: dict[str | None, dict[str, None]] = {}
    for place, mapping in mappings(definition):
        if place.visual_id and "DataSetIdentifier" in mapping:
            found.setdefault(place.visual_id, {})[mapping["DataSetIdentifier"]] = None
    return {visual_id: tuple(data_sets) for visual_id, data_sets in found.items()}


def _columns_behind(
    calculated: Mapping[tuple[str, str], str], data_set: str, name: str, through: tuple[str, ...]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    expression = calculated.get((data_set, name))
    if expression is None:
        yield name, through
    elif name not in through:
        for field in dict.fromkeys(parse_expression(expression).fields):
            yield from _columns_behind(calculated, data_set, field, (*through, name))


# Words of the expression language that are no function (QuickSight user guide, "Adding calculated fields": operators,
# window partitions, levels of aggregation, periods).
_OPERATORS = frozenset({"and", "or", "not", "xor", "in", "between", "like", "null", "true", "false", "asc", "desc"})
_LEVELS = frozenset({"pre_filter", "pre_agg", "post_agg_filter"})
_PERIODS = frozenset({"year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond"})
_KEYWORDS = _OPERATORS | _LEVELS | _PERIODS
_TOKEN = re.compile(
    r"""/\*.*?\*/                                   # comment
    |'(?:[^'\\]|\\.)*' | "(?:[^"\\]|\\.)*"         # text
    |\$\{(?P<parameter>[^}]*)\}
    |\{(?P<field>[^}]*)\}
    |(?P<function>[A-Za-z_]\w*)(?=\s*\()
    |(?P<word>[A-Za-z_]\w*)
    |\d\w*""",
    re.VERBOSE | re.DOTALL,
)


def parse_expression(expression: str) -> Expression:
    """Find the names in an expression of QuickSight's calculated fields."""
    found: dict[str, dict[str, None]] = {"field": {}, "parameter": {}, "word": {}}
    for token in _TOKEN.finditer(expression):
        kind, text = token.lastgroup, token.group()
        if kind == "word" and text.lower() not in _KEYWORDS:
            found["word"][text] = None
        elif kind in ("field", "parameter"):
            found[kind][token[kind].strip()] = None
    return Expression(tuple(found["field"]), tuple(found["parameter"]), tuple(found["word"]))
