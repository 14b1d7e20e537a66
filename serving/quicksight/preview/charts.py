"""Line charts, bar charts and heat maps as Vega-Lite, from the numbers behind them. A specification has no size yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import altair as alt

from serving.quicksight.preview.fields import Field
from serving.quicksight.preview.formats import Cell, DateFormat, NumberFormat
from serving.quicksight.preview.query import Numbers
from serving.quicksight.preview.style import AXIS, BACKGROUND, FONT, GRID, INK, PALETTE, SHADES

Node = Mapping[str, Any]
Spec = dict[str, Any]

_CONFIG: Spec = {
    "font": FONT,
    "background": BACKGROUND,
    "view": {"stroke": None},
    "axis": {
        "labelColor": AXIS,
        "labelFontSize": 12,
        "labelLimit": 220,
        "titleColor": AXIS,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 10,
        "gridColor": GRID,
        "domainColor": GRID,
        "tickColor": GRID,
        "labelPadding": 6,
    },
    "legend": {
        "labelColor": AXIS,
        "labelFontSize": 12,
        "labelLimit": 260,
        "titleColor": AXIS,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "symbolType": "square",
    },
    "range": {"category": list(PALETTE)},
}


def chart(kind: str, numbers: Numbers, configuration: Node) -> Spec:
    """The Vega-Lite specification of a chart.

    Args:
        kind: LineChart, BarChart or HeatMap.
        numbers: The numbers behind it.
        configuration: Its ChartConfiguration in the service model.
    """
    spec = alt.layer(*_KINDS[kind](numbers, configuration)).configure(**_CONFIG).to_dict()
    # Vega leaves no room for a text beside the longest bar.
    has_labels = kind == "BarChart" and _has_labels(configuration) and not _is_vertical(configuration)
    return {**spec, "padding": {"left": 5, "top": 5, "bottom": 5, "right": 44}} if has_labels else spec


def _line(numbers: Numbers, configuration: Node) -> list[alt.Chart]:
    category, series = numbers.query.fields[0], _series(numbers)
    kind = configuration.get("Type", "LINE")
    labels = _category_axis(category, configuration.get("XAxisLabelOptions", {}), upright=True)
    if isinstance(category.format, DateFormat):
        labels.format = category.format.d3
        x = alt.X("category:T", axis=labels, scale=alt.Scale(nice=False))
    else:
        x = alt.X("label:N", axis=labels, sort=None)
    options = configuration.get("PrimaryYAxisDisplayOptions", {}).get("AxisOptions", {})
    titles = configuration.get("PrimaryYAxisLabelOptions", {})
    y = _value_axis(alt.Y, numbers, options, titles, "zero" if kind == "STACKED_AREA" else None)
    encoding = {"x": x, "y": y, **_color(series, configuration)}
    base = alt.Chart(alt.InlineData(values=_long_rows(numbers)))
    if kind == "LINE":
        # Points show where there is a value, as long as they do not run into each other.
        points: Any = {"size": 26, "filled": True} if len(numbers.values(0)) <= 62 else False
        lines = base.mark_line(strokeWidth=2, point=points)
    else:
        lines = base.mark_area(opacity=0.7 if kind == "STACKED_AREA" else 0.4)
    return [
        lines.encode(**encoding, tooltip=_tooltip(numbers, series)),
        *_labels(base, encoding, configuration, dy=-10),
    ]


def _bar(numbers: Numbers, configuration: Node) -> list[alt.Chart]:
    series = _series(numbers)
    is_vertical = _is_vertical(configuration)
    arrangement = configuration.get("BarsArrangement", "CLUSTERED")
    labels = _category_axis(numbers.query.fields[0], configuration.get("CategoryLabelOptions", {}), is_vertical)
    bands = alt.Scale(paddingInner=0.3, paddingOuter=0.15)
    stack = {"STACKED": "zero", "STACKED_PERCENT": "normalize"}.get(arrangement)
    options, titles = configuration.get("ValueAxis", {}), configuration.get("ValueLabelOptions", {})
    is_clustered = arrangement == "CLUSTERED" and len(series) > 1
    encoding: dict[str, Any] = _color(series, configuration)
    if is_vertical:
        encoding["x"] = alt.X("label:N", axis=labels, sort=None, scale=bands)
        encoding["y"] = _value_axis(alt.Y, numbers, options, titles, stack)
        encoding |= {"xOffset": alt.XOffset("series:N", sort=series)} if is_clustered else {}
    else:
        encoding["y"] = alt.Y("label:N", axis=labels, sort=None, scale=bands)
        encoding["x"] = _value_axis(alt.X, numbers, options, titles, stack)
        encoding |= {"yOffset": alt.YOffset("series:N", sort=series)} if is_clustered else {}
    base = alt.Chart(alt.InlineData(values=_long_rows(numbers)))
    bars = base.mark_bar(cornerRadiusEnd=2).encode(**encoding, tooltip=_tooltip(numbers, series))
    shift = {"dy": -7} if is_vertical else {"dx": 5, "align": "left"}
    return [bars, *(_labels(base, encoding, configuration, **shift) if stack is None else [])]


def _heat_map(numbers: Numbers, configuration: Node) -> list[alt.Chart]:
    row, column, value = numbers.query.fields
    rows = [
        {"row": row.text(r), "column": column.text(c), "value": _plain(v), "text": value.text(v)}
        for r, c, v in numbers.rows
    ]
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X(
            "column:N",
            sort=[column.text(each) for each in numbers.values(1)],
            axis=alt.Axis(title=_axis_title(column, configuration.get("ColumnLabelOptions", {})), labelAngle=0),
        ),
        y=alt.Y(
            "row:N",
            sort=[row.text(each) for each in numbers.values(0)],
            axis=alt.Axis(title=_axis_title(row, configuration.get("RowLabelOptions", {}))),
        ),
    )
    colors = [each["Color"] for each in configuration.get("ColorScale", {}).get("Colors", ())]
    legend = alt.Legend(title=value.label, gradientLength=180, **_number_labels(value.format))
    hidden = configuration.get("Legend", {}).get("Visibility") == "HIDDEN"
    cells = base.mark_rect(stroke=BACKGROUND, strokeWidth=2).encode(
        color=alt.Color("value:Q", scale=alt.Scale(range=colors or list(SHADES)), legend=None if hidden else legend),
        tooltip=[
            alt.Tooltip("row:N", title=row.label),
            alt.Tooltip("column:N", title=column.label),
            alt.Tooltip("text:N", title=value.label),
        ],
    )
    if not _has_labels(configuration):
        return [cells]
    # White where the shade is dark: in the upper part of the range.
    known = [float(v) for *_, v in numbers.rows if isinstance(v, int | float | Decimal)] or [0.0]
    dark_from = min(known) + (max(known) - min(known)) * 0.55
    ink = alt.condition(f"datum.value > {dark_from!r}", alt.value("white"), alt.value(INK))
    return [cells, base.mark_text(fontSize=12).encode(text="text:N", color=ink)]


_KINDS: dict[str, Callable[[Numbers, Node], list[alt.Chart]]] = {
    "LineChart": _line,
    "BarChart": _bar,
    "HeatMap": _heat_map,
}


def _series(numbers: Numbers) -> list[str]:
    """The names of the series: the values of the color field, or the measures."""
    if len(numbers.query.dimensions) > 1:
        color = numbers.query.fields[1]
        return [color.text(value) for value in numbers.values(1)]
    return [measure.label for measure in numbers.query.measures]


def _long_rows(numbers: Numbers) -> list[dict[str, Any]]:
    """A row for each mark: category, series and value, and each as it reads."""
    category, has_color = numbers.query.fields[0], len(numbers.query.dimensions) > 1
    found = []
    for row in numbers.rows:
        measures = zip(numbers.query.measures, row[len(numbers.query.dimensions) :], strict=True)
        for measure, value in measures:
            found.append(
                {
                    "category": _plain(row[0]) if category.kind == "date" else category.text(row[0]),
                    "label": category.text(row[0]),
                    "series": numbers.query.fields[1].text(row[1]) if has_color else measure.label,
                    "value": _plain(value),
                    "text": measure.text(value),
                }
            )
    return found


def _plain(value: Cell) -> str | float | int | None:
    """A value as JSON has it. A date gets a time of day: without one, Vega reads UTC and shows local time."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds")
    if isinstance(value, date):
        return f"{value.isoformat()}T00:00:00.000"
    return float(value) if isinstance(value, Decimal) else value


def _color(series: list[str], configuration: Node) -> dict[str, alt.Color]:
    hidden = len(series) == 1 or configuration.get("Legend", {}).get("Visibility") == "HIDDEN"
    # Above the chart a few names have room, many have not.
    side: dict[str, Any] = {"orient": "top", "direction": "horizontal"} if len(series) <= 3 else {"orient": "right"}
    legend = None if hidden else alt.Legend(title=None, offset=6, **side)
    return {"color": alt.Color("series:N", scale=alt.Scale(domain=series), sort=None, legend=legend)}


def _tooltip(numbers: Numbers, series: list[str]) -> list[alt.Tooltip]:
    category = numbers.query.fields[0]
    name = "series" if len(numbers.query.dimensions) > 1 or len(series) > 1 else None
    color = numbers.query.fields[1].label if len(numbers.query.dimensions) > 1 else "measure"
    measure = numbers.query.measures[0].label if len(numbers.query.measures) == 1 else "value"
    found = [alt.Tooltip("label:N", title=category.label)]
    found += [alt.Tooltip("series:N", title=color)] if name else []
    return [*found, alt.Tooltip("text:N", title=measure)]


def _labels(base: alt.Chart, encoding: Mapping[str, Any], configuration: Node, **shift: Any) -> list[alt.Chart]:
    """The values beside their marks, if the definition wants them."""
    if not _has_labels(configuration):
        return []
    placed = {channel: encoding[channel] for channel in ("x", "y", "xOffset", "yOffset") if channel in encoding}
    return [base.mark_text(color=INK, fontSize=12, **shift).encode(**placed, detail="series:N", text="text:N")]


def _has_labels(configuration: Node) -> bool:
    return configuration.get("DataLabels", {}).get("Visibility") == "VISIBLE"


def _is_vertical(configuration: Node) -> bool:
    return configuration.get("Orientation", "HORIZONTAL") == "VERTICAL"


def _axis_title(field: Field, options: Node) -> str | None:
    return None if options.get("Visibility") == "HIDDEN" else _custom_title(options) or field.label


def _custom_title(options: Node) -> str | None:
    return next((each["CustomLabel"] for each in options.get("AxisLabelOptions", ()) if "CustomLabel" in each), None)


def _category_axis(category: Field, options: Node, upright: bool) -> alt.Axis:
    """The axis of categories. Labels of an axis along the bottom are kept upright, and left out where they overlap."""
    more: dict[str, Any] = {"labelAngle": 0} if upright else {}
    return alt.Axis(title=_axis_title(category, options), grid=False, labelOverlap=True, **more)


def _value_axis(axis_class: type[Any], numbers: Numbers, options: Node, labels: Node, stack: str | None) -> Any:
    measures = numbers.query.measures
    title = None if labels.get("Visibility") == "HIDDEN" else _custom_title(labels)
    if title is None and len(measures) == 1 and labels.get("Visibility") != "HIDDEN":
        title = measures[0].label
    axis = alt.Axis(title=title, tickCount=6, **_number_labels(measures[0].format))
    return axis_class("value:Q", axis=axis, scale=_scale(options), stack=stack)


def _number_labels(read: Any) -> dict[str, Any]:
    """How an axis or a legend writes numbers of a format."""
    if not isinstance(read, NumberFormat):
        return {}
    if read.prefix or read.suffix:
        return {"labelExpr": f"'{read.prefix}' + format(datum.value, '{read.d3}') + '{read.suffix}'"}
    return {"format": read.d3}


def _scale(options: Node) -> alt.Scale:
    """The range of a value axis. Unless told it starts at zero."""
    wanted = options.get("DataOptions", {}).get("NumericAxisOptions", {}).get("Range", {})
    if "DataDriven" in wanted:
        return alt.Scale(zero=False)
    ends = wanted.get("MinMax", {})
    scale: dict[str, Any] = {}
    if "Minimum" in ends:
        scale["domainMin"] = ends["Minimum"]
    if "Maximum" in ends:
        scale["domainMax"] = ends["Maximum"]
    return alt.Scale(zero="Minimum" not in ends, **scale)
