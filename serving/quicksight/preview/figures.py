"""What a visual shows, wherever it is drawn: a single value, a chart, a table, a text, or why there is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from serving.quicksight.preview.charts import Spec, chart
from serving.quicksight.preview.fields import Field, of_well
from serving.quicksight.preview.formats import NULL, Cell, NumberFormat, number_format
from serving.quicksight.preview.query import Numbers
from serving.quicksight.preview.visuals import Visual

Node = Mapping[str, Any]
Align = Literal["left", "right", "center"]


@dataclass(frozen=True)
class Kpi:
    """A single value, and how it compares with another.

    Args:
        value: As it reads.
        comparison: The difference, as it reads; None if it is compared with nothing.
        is_good: Whether it is not below what it is compared with.
        compared_with: What it is compared with, as it reads.
    """

    value: str
    comparison: str | None = None
    is_good: bool = True
    compared_with: str = ""


@dataclass(frozen=True)
class Chart:
    """A chart in Vega-Lite, without a size."""

    spec: Spec


@dataclass(frozen=True)
class HeadCell:
    """A cell in the head of a table, over `span` columns."""

    text: str
    span: int = 1
    align: Align = "left"


@dataclass(frozen=True)
class Grid:
    """A table.

    Args:
        head: Lines of its head. Their spans add up to the number of columns.
        rows: Cells as they read.
        aligns: Of each column.
        total: A last line, which stands out.
        is_cut: Whether there are more rows than these.
    """

    head: tuple[tuple[HeadCell, ...], ...]
    rows: tuple[tuple[str, ...], ...]
    aligns: tuple[Align, ...]
    total: tuple[str, ...] | None = None
    is_cut: bool = False


@dataclass(frozen=True)
class Text:
    """Paragraphs of text."""

    paragraphs: tuple[str, ...]


@dataclass(frozen=True)
class NotDrawn:
    """In place of what cannot be drawn: what it is, and why."""

    what: str
    reason: str


Figure = Kpi | Chart | Grid | Text | NotDrawn


def figure(visual: Visual, numbers: Numbers) -> Figure:
    """What a visual shows of its numbers."""
    return _FIGURES[visual.type](visual, numbers)


def _chart(visual: Visual, numbers: Numbers) -> Figure:
    if not numbers.rows:
        return Text(("No data",))
    return Chart(chart(visual.type, numbers, visual.configuration))


def _kpi(visual: Visual, numbers: Numbers) -> Kpi:
    """The value of the last period, or of all there is, beside its target, or else the value of the period before."""
    value_field = of_well(numbers.query.measures, "Values")[0]
    at = numbers.query.fields.index(value_field)
    rows = [row for row in numbers.rows if not numbers.query.dimensions or row[0] is not None]
    value = rows[-1][at] if rows else None
    targets = of_well(numbers.query.measures, "TargetValues")
    if targets and rows:
        other = rows[-1][numbers.query.fields.index(targets[0])]
        return _compared(value_field, value, other, f"target {targets[0].text(other)}", visual)
    if len(rows) > 1:
        other, when = rows[-2][at], numbers.query.fields[0].text(rows[-2][0])
        return _compared(value_field, value, other, f"{value_field.text(other)} on {when}", visual)
    return Kpi(value_field.text(value))


def _compared(field: Field, value: Cell, other: Cell, compared_with: str, visual: Visual) -> Kpi:
    if not (isinstance(value, int | float | Decimal) and isinstance(other, int | float | Decimal)):
        return Kpi(field.text(value))
    comparison = visual.configuration.get("KPIOptions", {}).get("Comparison", {})
    method = comparison.get("ComparisonMethod", "DIFFERENCE")
    difference = float(value) - float(other)
    read = field.format if isinstance(field.format, NumberFormat) else NumberFormat()
    if method != "DIFFERENCE":
        if not other:
            return Kpi(field.text(value), NULL, float(value) >= float(other), compared_with)
        difference = (float(value) if method == "PERCENT" else difference) / float(other)
        read = NumberFormat(decimals=2, percent=True)
    if "ComparisonFormat" in comparison:
        read = number_format(comparison["ComparisonFormat"])
    sign = "+" if difference > 0 and method != "PERCENT" else ""
    return Kpi(field.text(value), f"{sign}{read.text(difference)}", float(value) >= float(other), compared_with)


def _table(_: Visual, numbers: Numbers) -> Grid:
    fields = numbers.query.fields
    aligns: tuple[Align, ...] = tuple(_align(field, numbers, i) for i, field in enumerate(fields))
    head = tuple(HeadCell(field.label, align=align) for field, align in zip(fields, aligns, strict=True))
    rows = tuple(_texts(fields, row) for row in numbers.rows)
    total = None
    if numbers.total is not None:
        dimensions = len(numbers.query.dimensions)
        named = ("Total", *[""] * (dimensions - 1)) if dimensions else ()
        total = (*named, *_texts(numbers.query.measures, numbers.total))
    return Grid((head,), rows, aligns, total, numbers.is_cut)


def _align(field: Field, numbers: Numbers, i: int) -> Align:
    """Numbers to the right, also those in a table of single rows, which does not say what they are."""
    values = [row[i] for row in numbers.rows if row[i] is not None]
    is_number = field.kind == "number" or (values and all(isinstance(v, int | float | Decimal) for v in values))
    return "right" if is_number else "left"


def _texts(fields: Sequence[Field], values: Sequence[Cell]) -> tuple[str, ...]:
    return tuple(field.text(value) for field, value in zip(fields, values, strict=True))


def _pivot_table(_: Visual, numbers: Numbers) -> Grid:
    query = numbers.query
    dimensions = [dimension.field for dimension in query.dimensions]
    down = len(of_well(dimensions, "Rows"))
    cells: dict[tuple[tuple[int, ...], tuple[int, ...]], tuple[Cell, ...]] = {}
    row_keys: dict[tuple[int, ...], tuple[Cell, ...]] = {}
    column_keys: dict[tuple[int, ...], tuple[Cell, ...]] = {}
    for row, places in zip(numbers.rows, numbers.places, strict=True):
        row_keys[places[:down]], column_keys[places[down:]] = row[:down], row[down : len(dimensions)]
        cells[places[:down], places[down:]] = row[len(dimensions) :]
    columns = sorted(column_keys)
    rows = []
    for at in sorted(row_keys):
        values = [cells.get((at, column), (None,) * len(query.measures)) for column in columns]
        texts = [text for value in values for text in _blank_nulls(query.measures, value)]
        rows.append((*_texts(dimensions[:down], row_keys[at]), *texts))
    head = _pivot_head(dimensions, down, [column_keys[column] for column in columns], query.measures)
    left: tuple[Align, ...] = ("left",) * down
    right: tuple[Align, ...] = ("right",) * (len(columns) * len(query.measures))
    return Grid(head, tuple(rows), (*left, *right))


def _blank_nulls(measures: Sequence[Field], values: Sequence[Cell]) -> list[str]:
    return ["" if value is None else measure.text(value) for measure, value in zip(measures, values, strict=True)]


def _pivot_head(
    dimensions: Sequence[Field], down: int, columns: Sequence[tuple[Cell, ...]], measures: Sequence[Field]
) -> tuple[tuple[HeadCell, ...], ...]:
    """A line for each dimension that goes across, over the columns that share its value, and one for the measures."""
    lines = []
    for depth, field in enumerate(dimensions[down:]):
        line: list[HeadCell] = [HeadCell("", down - 1)] if down > 1 else []
        line += [HeadCell(field.label, align="right")] if down else []
        previous: tuple[Cell, ...] | None = None
        for column in columns:
            if column[: depth + 1] == previous:
                line[-1] = HeadCell(line[-1].text, line[-1].span + len(measures), "center")
            else:
                line.append(HeadCell(field.text(column[depth]), len(measures), "center"))
            previous = column[: depth + 1]
        lines.append(tuple(line))
    last = [HeadCell(field.label) for field in dimensions[:down]]
    last += [HeadCell(measure.label, align="right") for _ in columns for measure in measures]
    return (*lines, tuple(last))


_FIGURES: dict[str, Callable[[Visual, Numbers], Figure]] = {
    "KPI": _kpi,
    "LineChart": _chart,
    "BarChart": _chart,
    "HeatMap": _chart,
    "Table": _table,
    "PivotTable": _pivot_table,
}
