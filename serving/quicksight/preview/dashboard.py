"""A whole dashboard drawn: each sheet with its controls, each visual with its figure, its place and its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import duckdb

from serving.quicksight.data_sets import Relation
from serving.quicksight.definition import Definition, calculated_fields, declared_data_sets
from serving.quicksight.preview.controls import Control, controls
from serving.quicksight.preview.errors import NotDrawnError
from serving.quicksight.preview.expressions import Scope
from serving.quicksight.preview.fields import DataSet
from serving.quicksight.preview.figures import Figure, NotDrawn, Text, figure
from serving.quicksight.preview.layout import Box, layout
from serving.quicksight.preview.parameters import Values, parameter_values
from serving.quicksight.preview.query import Numbers, ask
from serving.quicksight.preview.spice import fill
from serving.quicksight.preview.visuals import Visual, plain_text, query_of, visuals
from serving.rows.source import RowSource

Node = Mapping[str, Any]

_DAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")


@dataclass(frozen=True)
class Element:
    """Something on a sheet.

    Args:
        id: Its id in the definition.
        title: Empty if it has none.
        subtitle: Empty if it has none.
        figure: What it shows.
        box: Where.
        numbers: The numbers behind it; None for a text, and for what is not drawn.
        left_out: What the definition asks for and it is drawn without: a reference line, for one.
    """

    id: str
    title: str
    subtitle: str
    figure: Figure
    box: Box
    numbers: Numbers | None = None
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sheet:
    """A sheet: its name, controls and elements, and its size in pixels."""

    id: str
    name: str
    controls: tuple[Control, ...]
    elements: tuple[Element, ...]
    width: float
    height: float


@dataclass(frozen=True)
class Preview:
    """A dashboard, drawn from data."""

    title: str
    sheets: tuple[Sheet, ...]

    @property
    def not_drawn(self) -> list[str]:
        """What could not be drawn, and why."""
        return [
            f"{sheet.name}: {element.figure.what}: {element.figure.reason}"
            for sheet in self.sheets
            for element in sheet.elements
            if isinstance(element.figure, NotDrawn)
        ]

    @property
    def left_out(self) -> list[str]:
        """What visuals are drawn without, though the definition asks for it."""
        return [
            f"{sheet.name}: {element.id}: {', '.join(element.left_out)}"
            for sheet in self.sheets
            for element in sheet.elements
            if element.left_out
        ]


def preview(
    definition: Definition,
    relations: Mapping[str, Relation],
    rows: RowSource,
    *,
    title: str,
    parameters: Mapping[str, str] = MappingProxyType({}),
    now: datetime | None = None,
) -> Preview:
    """Draw a dashboard as it would look on these rows.

    Args:
        definition: As `load_definition` reads it, checked by `declare`.
        relations: The models that it reads, by name.
        rows: The engine that holds them.
        title: What people see.
        parameters: Values of parameters in place of the default ones, as text.
        now: What relative dates are counted from; this moment unless given.

    Raises:
        PreviewError: If a parameter is not declared, or its value is none of its type.
        RowsError: If a model cannot be read.
    """
    now = (now or datetime.now(UTC)).astimezone(UTC).replace(tzinfo=None)
    values = parameter_values(definition, parameters, now)
    data_sets = {name: _data_set(definition, relations[name], values, now) for name in declared_data_sets(definition)}
    with fill((relations[name] for name in data_sets), rows) as connection:
        drawing = _Drawing(definition, data_sets, values, connection)
        return Preview(title, tuple(drawing.sheet(sheet) for sheet in definition.get("Sheets", ())))


@dataclass(frozen=True)
class _Drawing:
    """What the sheets of a dashboard are drawn from."""

    definition: Definition
    data_sets: Mapping[str, DataSet]
    values: Values
    connection: duckdb.DuckDBPyConnection

    def sheet(self, sheet: Node) -> Sheet:
        texts, drawn = sheet.get("TextBoxes", ()), list(visuals(sheet))
        laid = layout(sheet, [*(text["SheetTextBoxId"] for text in texts), *(visual.id for visual in drawn)])
        elements = [_text_box(text, laid.boxes[text["SheetTextBoxId"]]) for text in texts]
        elements += [self._visual(visual, laid.boxes[visual.id]) for visual in drawn]
        shown = tuple(controls(self.definition, sheet, self.values))
        return Sheet(sheet["SheetId"], sheet.get("Name", ""), shown, tuple(elements), laid.width, laid.height)

    def _visual(self, visual: Visual, box: Box) -> Element:
        try:
            numbers = numbers_of(visual, self.definition, self.data_sets, self.connection)
        except NotDrawnError as error:
            missing = NotDrawn(f"{visual.type} {visual.id}", error.reason)
            return Element(visual.id, visual.title, visual.subtitle, missing, box)
        shown = figure(visual, numbers)
        return Element(visual.id, visual.title, visual.subtitle, shown, box, numbers, visual.left_out)


def _text_box(text: Node, box: Box) -> Element:
    lines = plain_text(text.get("Content", "")).splitlines()
    return Element(text["SheetTextBoxId"], "", "", Text(tuple(line for line in lines if line.strip())), box)


def numbers_of(
    visual: Visual, definition: Definition, data_sets: Mapping[str, DataSet], connection: duckdb.DuckDBPyConnection
) -> Numbers:
    """The numbers behind a visual.

    Raises:
        NotDrawnError: If it cannot be drawn. The error names it.
    """
    try:
        return ask(connection, query_of(visual, definition, data_sets))
    except NotDrawnError as error:
        raise NotDrawnError(error.reason, visual.id) from error


def _data_set(definition: Definition, relation: Relation, values: Values, now: datetime) -> DataSet:
    week_starts = _DAYS.index(definition.get("Options", {}).get("WeekStart", "SUNDAY"))
    fields = calculated_fields(definition)
    calculated = {name: text for (data_set, name), text in fields.items() if data_set == relation.name}
    scope = Scope(relation.name, frozenset(relation.columns), calculated, values, now, week_starts)
    formats = {
        each["Column"]["ColumnName"]: each["FormatConfiguration"]
        for each in definition.get("ColumnConfigurations", ())
        if each["Column"]["DataSetIdentifier"] == relation.name and "FormatConfiguration" in each
    }
    return DataSet(scope, formats)
