"""A visual of a definition: its texts, and the query that it asks. How each type sorts and limits is here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from serving.quicksight.definition import Definition, mappings
from serving.quicksight.preview.errors import NotDrawnError
from serving.quicksight.preview.expressions import Level, quoted
from serving.quicksight.preview.fields import DataSet, Field, aggregated, custom_labels, of_well, read_wells
from serving.quicksight.preview.filters import filters_of
from serving.quicksight.preview.query import MOST_ROWS, Dimension, Query, Sort

Node = Mapping[str, Any]

_EXTRAS = ("ReferenceLines", "ForecastConfigurations", "TableInlineVisualizations", "ConditionalFormatting", "Actions")


@dataclass(frozen=True)
class Visual:
    """A visual as the definition has it.

    Args:
        type: Its name in the service model without `Visual`: KPI, BarChart.
        id: VisualId.
        sheet_id: Sheet that it is on.
        body: What the definition says of it.
    """

    type: str
    id: str
    sheet_id: str
    body: Node

    @property
    def configuration(self) -> Node:
        """Its ChartConfiguration; empty if it has none."""
        return self.body.get("ChartConfiguration", {})

    @property
    def title(self) -> str:
        """Its title, empty if it is hidden; its id if it has none."""
        return _label(self.body.get("Title"), self.id)

    @property
    def subtitle(self) -> str:
        """Its subtitle, empty if there is none."""
        return _label(self.body.get("Subtitle"), "")

    @property
    def wells(self) -> tuple[str, Node]:
        """The name of its field wells' variant, and the wells."""
        wells: Node = self.configuration.get("FieldWells", {})
        variants = [(key, value) for key, value in wells.items() if isinstance(value, Mapping)]
        return variants[0] if variants else (f"{self.type}FieldWells", wells)

    @property
    def data_set(self) -> str:
        """The data set that it is drawn from. QuickSight draws a visual from one.

        Raises:
            NotDrawnError: If it names none, or several.
        """
        named = {m["DataSetIdentifier"] for _, m in mappings(self.body) if "DataSetIdentifier" in m}
        if len(named) != 1:
            found = f"the data sets {', '.join(sorted(named))}" if named else "no data set"
            raise NotDrawnError(f"it reads {found}; a visual reads one")
        return named.pop()

    @property
    def left_out(self) -> tuple[str, ...]:
        """What the definition asks for and the preview draws the visual without. None of it changes a number."""
        wells = self.wells[1]
        asked = [key for key in _EXTRAS if self.configuration.get(key) or self.body.get(key)]
        if self.type == "PivotTable" and self.configuration.get("TotalOptions"):
            asked.append("TotalOptions")
        if self.type in ("BarChart", "LineChart") and len(wells.get("Category", ())) > 1:
            asked.append("drill-down")
        return tuple(asked)


def visuals(sheet: Node) -> Iterator[Visual]:
    """The visuals of a sheet."""
    for variant in sheet.get("Visuals", ()):
        for kind, body in variant.items():
            yield Visual(kind.removesuffix("Visual"), body["VisualId"], sheet["SheetId"], body)


def plain_text(text: str) -> str:
    """A text of QuickSight without its mark-up."""
    spaced = re.sub(r"<br\s*/?>|</(?:p|li|block)>", "\n", text)
    return re.sub(r"<[^>]+>", "", spaced).strip()


def _label(options: Node | None, default: str) -> str:
    if options is None:
        return default
    if options.get("Visibility") == "HIDDEN":
        return ""
    text = options.get("FormatText", {})
    return text.get("PlainText") or plain_text(text.get("RichText", "")) or default


def query_of(visual: Visual, definition: Definition, data_sets: Mapping[str, DataSet]) -> Query:
    """The query that a visual asks, of one of its dashboard's data sets.

    Raises:
        NotDrawnError: If the preview draws no visual of this type, or not what is in its wells.
    """
    if visual.type not in QUERIES:
        raise NotDrawnError(f"the preview draws no {visual.type}")
    variant, wells = visual.wells
    if wells.get("SmallMultiples"):
        raise NotDrawnError("the preview draws no small multiples")
    data_set = data_sets[visual.data_set]
    fields = read_wells(wells, data_set, custom_labels(visual.body))
    asked = QUERIES[visual.type](fields, visual.configuration.get("SortConfiguration", {}), data_set)
    filters = filters_of(definition, visual.sheet_id, visual.id, data_set.scope)
    if variant == "TableUnaggregatedFieldWells":
        asked = replace(asked, is_grouped=False)
    elif visual.type == "Table":
        shown = visual.configuration.get("TotalOptions", {}).get("TotalsVisibility") == "VISIBLE"
        asked = replace(asked, has_total=shown)
    return replace(asked, data_set=data_set.scope.data_set, filters=filters)


def _sorts(options: Sequence[Node], own: Field | None, fields: Sequence[Field], data_set: DataSet) -> tuple[Sort, ...]:
    """FieldSortOptions of the service model as orders: of a dimension's values, or, without `own`, of rows."""
    return tuple(_sort(option, own, fields, data_set) for option in options)


def _sort(option: Node, own: Field | None, fields: Sequence[Field], data_set: DataSet) -> Sort:
    chosen = option.get("FieldSort") or option.get("Field")
    if chosen:
        return Sort(_sorted_field(chosen["FieldId"], own, fields), chosen["Direction"] == "DESC")
    chosen = option.get("ColumnSort") or option.get("Column")
    if not chosen:
        raise NotDrawnError(f"the preview does not sort by {', '.join(option)}")
    descending = chosen["Direction"] == "DESC"
    name = chosen["SortBy"]["ColumnName"]
    if own is not None and name == own.column and "AggregationFunction" not in chosen:
        return Sort(None, descending)
    return Sort(aggregated(name, chosen.get("AggregationFunction"), data_set.scope, "MIN")[0].text, descending)


def _sorted_field(field_id: str, own: Field | None, fields: Sequence[Field]) -> str | None:
    field = next((field for field in fields if field.id == field_id), None)
    if field is None:
        raise NotDrawnError(f"it sorts by {field_id!r}, which is no field of it")
    if field is own:
        return None
    if own is None:
        return quoted(field.id)
    if field.sql.level is not Level.AGGREGATE:
        raise NotDrawnError(f"the preview does not sort {own.id!r} by the dimension {field_id!r}")
    return field.sql.text


def _limited(dimension: Dimension, limit: Node | None) -> Dimension:
    if not limit or "ItemsLimit" not in limit:
        return dimension
    # "Other" has no place on an axis of dates.
    others = limit.get("OtherCategories", "INCLUDE") == "INCLUDE" and dimension.field.kind != "date"
    return replace(dimension, limit=limit["ItemsLimit"], others=others)


def _only(fields: Sequence[Field], well: str) -> Field:
    """The field of a well that a chart shows: of a drill-down, the top level."""
    found = of_well(fields, well)
    if not found:
        raise NotDrawnError(f"its well {well} is empty")
    return found[0]


def _measures(fields: Sequence[Field], *wells: str) -> tuple[Field, ...]:
    found = of_well(fields, *wells)
    if not found:
        raise NotDrawnError(f"its well {wells[0]} is empty")
    return found


def _axis(field: Field, fields: Sequence[Field], sort: Node, keys: tuple[str, str], data_set: DataSet) -> Dimension:
    """A dimension along an axis. `keys` name its order and its limit in the sort configuration."""
    sorts = _sorts(sort.get(keys[0], ()), field, fields, data_set)
    return _limited(Dimension(field, sorts), sort.get(keys[1]))


def _kpi(fields: Sequence[Field], _: Node, __: DataSet) -> Query:
    trend = of_well(fields, "TrendGroups")[:1]
    measures = (*_measures(fields, "Values")[:1], *of_well(fields, "TargetValues")[:1])
    return Query("", tuple(map(Dimension, trend)), measures)


def _line(fields: Sequence[Field], sort: Node, data_set: DataSet) -> Query:
    dimensions = [_category(fields, sort, "CategoryItemsLimitConfiguration", data_set)]
    dimensions += _colors(fields, sort, "ColorItemsLimitConfiguration", data_set)
    return Query("", tuple(dimensions), _measures(fields, "Values"))


def _bar(fields: Sequence[Field], sort: Node, data_set: DataSet) -> Query:
    dimensions = [_category(fields, sort, "CategoryItemsLimit", data_set)]
    dimensions += _colors(fields, sort, "ColorItemsLimit", data_set)
    return Query("", tuple(dimensions), _measures(fields, "Values"))


def _category(fields: Sequence[Field], sort: Node, limit: str, data_set: DataSet) -> Dimension:
    return _axis(_only(fields, "Category"), fields, sort, ("CategorySort", limit), data_set)


def _colors(fields: Sequence[Field], sort: Node, limit: str, data_set: DataSet) -> list[Dimension]:
    return [_axis(field, fields, sort, ("ColorSort", limit), data_set) for field in of_well(fields, "Colors")[:1]]


def _heat_map(fields: Sequence[Field], sort: Node, data_set: DataSet) -> Query:
    dimensions = [
        _axis(
            _only(fields, f"{side}s"),
            fields,
            sort,
            (f"HeatMap{side}Sort", f"HeatMap{side}ItemsLimitConfiguration"),
            data_set,
        )
        for side in ("Row", "Column")
    ]
    return Query("", tuple(dimensions), _measures(fields, "Values")[:1])


def _table(fields: Sequence[Field], sort: Node, data_set: DataSet) -> Query:
    dimensions = [field for field in fields if field.sql.level is not Level.AGGREGATE]
    measures = [field for field in fields if field.sql.level is Level.AGGREGATE]
    sorts = _sorts(sort.get("RowSort", ()), None, fields, data_set)
    return Query("", tuple(map(Dimension, dimensions)), tuple(measures), sorts=sorts, most_rows=MOST_ROWS)


def _pivot_table(fields: Sequence[Field], sort: Node, data_set: DataSet) -> Query:
    by_field = {option["FieldId"]: option["SortBy"] for option in sort.get("FieldSortOptions", ())}
    dimensions = []
    for well in ("Rows", "Columns"):
        for depth, field in enumerate(of_well(fields, well)):
            options = [by_field[field.id]] if field.id in by_field else []
            dimensions.append(Dimension(field, _sorts(options, field, fields, data_set), parents=depth))
    return Query("", tuple(dimensions), _measures(fields, "Values"))


QUERIES: dict[str, Callable[[Sequence[Field], Node, DataSet], Query]] = {
    "KPI": _kpi,
    "LineChart": _line,
    "BarChart": _bar,
    "HeatMap": _heat_map,
    "Table": _table,
    "PivotTable": _pivot_table,
}
"""The types of visual that are drawn, and how each asks."""
