"""What each type of visual asks, in which order, and what it shows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from serving.quicksight.preview import Element, PreviewError
from serving.quicksight.preview.expressions import Value
from serving.quicksight.preview.figures import Chart, Grid, HeadCell, Kpi, NotDrawn, Text
from tests.unit.serving.quicksight.preview.conftest import Draw, Node, bars, column, day, number, sort, text


def _rows(element: Element) -> tuple[Any, ...]:
    assert element.numbers is not None, element.figure
    return element.numbers.rows


def _category_sort(*sorts: Node, **limits: Any) -> Node:
    return {"SortConfiguration": {"CategorySort": list(sorts), **limits}}


def test_categories_are_in_the_order_of_their_names_unless_told(draw: Draw) -> None:
    assert _rows(draw("BarChart", bars())) == (("EWR", 70), ("JFK", -5), ("LGA", 5), (None, 7))


@pytest.mark.parametrize(
    ("order", "origins"),
    [
        (sort("delay"), ["EWR", None, "LGA", "JFK"]),
        (sort("delay", "ASC"), ["JFK", "LGA", None, "EWR"]),
        (sort("origin"), ["LGA", "JFK", "EWR", None]),
        ({"ColumnSort": {"SortBy": column("carrier"), "Direction": "ASC"}}, ["EWR", "JFK", "LGA", None]),
        (
            {
                "ColumnSort": {
                    "SortBy": column("delay"),
                    "Direction": "DESC",
                    "AggregationFunction": {"NumericalAggregationFunction": {"SimpleNumericalAggregation": "COUNT"}},
                }
            },
            ["EWR", "JFK", "LGA", None],
        ),
    ],
)
def test_categories_are_sorted_by_a_field_or_a_column(draw: Draw, order: Node, origins: list[str | None]) -> None:
    assert [row[0] for row in _rows(draw("BarChart", bars(), **_category_sort(order)))] == origins


@pytest.mark.parametrize(
    ("others", "rows"),
    [
        ("INCLUDE", (("EWR", 70), (None, 7), ("Other", 0))),
        ("EXCLUDE", (("EWR", 70), (None, 7))),
    ],
)
def test_categories_beyond_the_limit_are_one_other_or_left_out(draw: Draw, others: str, rows: object) -> None:
    limit = {"CategoryItemsLimit": {"ItemsLimit": 2, "OtherCategories": others}}
    assert _rows(draw("BarChart", bars(), **_category_sort(sort("delay"), **limit))) == rows


def test_colors_are_a_second_dimension_with_an_order_of_its_own(draw: Draw) -> None:
    element = draw("BarChart", bars(colors=[text("carrier")]), SortConfiguration={"ColorSort": [sort("carrier")]})
    assert element.numbers is not None
    assert element.numbers.values(1) == ["UA", "DL", "B6", "AA"]
    assert _rows(element)[:2] == (("EWR", "UA", 50), ("EWR", "AA", 20))


@pytest.mark.parametrize(
    ("granularity", "first"),
    [
        ("DAY", [datetime(2013, 1, 1), datetime(2013, 1, 2), datetime(2013, 1, 7)]),
        ("WEEK", [datetime(2012, 12, 31), datetime(2013, 1, 7), datetime(2013, 1, 28)]),
        ("MONTH", [datetime(2013, 1, 1), datetime(2013, 2, 1)]),
    ],
)
def test_dates_are_grouped_by_the_period_of_the_field(draw: Draw, granularity: str, first: list[datetime]) -> None:
    wells = {"LineChartAggregatedFieldWells": {"Category": [day(granularity)], "Values": [number("delay", "AVERAGE")]}}
    rows = _rows(draw("LineChart", wells))
    assert [row[0] for row in rows][:3] == first
    assert rows[0][1] == pytest.approx({"DAY": 10, "WEEK": 13, "MONTH": 13}[granularity])


def test_a_boolean_is_a_number_as_in_spice(draw: Draw) -> None:
    assert _rows(draw("BarChart", bars(values=[number("is_on_time", "AVERAGE")])))[0] == ("EWR", 1 / 3)


def test_a_heat_maps_axes_have_orders_of_their_own(draw: Draw) -> None:
    wells = {
        "HeatMapAggregatedFieldWells": {
            "Rows": [text("origin")],
            "Columns": [text("carrier")],
            "Values": [number("delay")],
        }
    }
    order = {"HeatMapRowSort": [sort("delay")], "HeatMapColumnSort": [sort("delay")]}
    element = draw("HeatMap", wells, SortConfiguration=order)
    assert element.numbers is not None
    assert element.numbers.values(0) == ["EWR", None, "LGA", "JFK"]
    assert element.numbers.values(1) == ["UA", "AA", "DL", "B6"]


_TABLE = {"TableAggregatedFieldWells": {"GroupBy": [text("origin"), text("carrier")], "Values": [number("delay")]}}


def test_a_table_has_a_row_for_each_group_and_a_total_over_all(draw: Draw) -> None:
    labels = {"SelectedFieldOptions": [{"FieldId": "origin", "CustomLabel": "From"}]}
    rows = {"RowSort": [sort("carrier", "ASC"), sort("delay")]}
    options = {"TotalsVisibility": "VISIBLE"}
    grid = draw("Table", _TABLE, SortConfiguration=rows, FieldOptions=labels, TotalOptions=options).figure
    assert grid == Grid(
        ((HeadCell("From"), HeadCell("carrier"), HeadCell("delay (Sum)", align="right")),),
        (
            ("EWR", "AA", "20"),
            ("JFK", "B6", "-5"),
            ("null", "DL", "7"),
            ("LGA", "DL", "5"),
            ("EWR", "UA", "50"),
        ),
        ("left", "left", "right"),
        ("Total", "", "77"),
    )


def test_a_table_without_groups_shows_single_rows(draw: Draw) -> None:
    fields = [{"FieldId": name, "Column": column(name)} for name in ("carrier", "delay")]
    rows = {"RowSort": [sort("delay")]}
    grid = draw("Table", {"TableUnaggregatedFieldWells": {"Values": fields}}, SortConfiguration=rows).figure
    assert isinstance(grid, Grid)
    assert grid.aligns == ("left", "right")
    assert grid.rows[:2] == (("UA", "40"), ("AA", "20"))
    assert grid.rows[-1] == ("B6", "null")
    assert len(grid.rows) == 8


def test_a_pivot_table_crosses_rows_and_columns(draw: Draw) -> None:
    wells = {
        "PivotTableAggregatedFieldWells": {
            "Rows": [text("origin"), text("carrier")],
            "Columns": [day("MONTH")],
            "Values": [number("delay"), number("delay", "COUNT", field_id="counted")],
        }
    }
    by_delay = {
        "FieldSortOptions": [{"FieldId": "carrier", "SortBy": {"Field": {"FieldId": "delay", "Direction": "DESC"}}}]
    }
    grid = draw("PivotTable", wells, SortConfiguration=by_delay).figure
    assert isinstance(grid, Grid)
    assert grid.head == (
        (
            HeadCell(""),
            HeadCell("flight_date", align="right"),
            HeadCell("Jan 2013", 2, "center"),
            HeadCell("Feb 2013", 2, "center"),
        ),
        (
            HeadCell("origin"),
            HeadCell("carrier"),
            HeadCell("delay (Sum)", align="right"),
            HeadCell("delay (Count)", align="right"),
            HeadCell("delay (Sum)", align="right"),
            HeadCell("delay (Count)", align="right"),
        ),
    )
    assert grid.rows == (
        ("EWR", "UA", "50", "2", "", ""),
        ("EWR", "AA", "20", "1", "", ""),
        ("JFK", "B6", "-5", "2", "", ""),
        ("LGA", "DL", "", "", "5", "1"),
        ("null", "DL", "", "", "7", "1"),
    )


def test_columns_of_a_pivot_table_share_the_heading_of_their_group(draw: Draw) -> None:
    wells = {
        "PivotTableAggregatedFieldWells": {
            "Rows": [text("carrier")],
            "Columns": [day("MONTH"), text("origin")],
            "Values": [number("delay")],
        }
    }
    grid = draw("PivotTable", wells).figure
    assert isinstance(grid, Grid)
    assert [[(cell.text, cell.span) for cell in line] for line in grid.head[:2]] == [
        [("flight_date", 1), ("Jan 2013", 2), ("Feb 2013", 2)],
        [("origin", 1), ("EWR", 1), ("JFK", 1), ("LGA", 1), ("null", 1)],
    ]
    assert grid.rows[2] == ("DL", "", "", "5", "7")


@pytest.mark.parametrize(
    ("method", "comparison"),
    [(None, "-53"), ("DIFFERENCE", "-53"), ("PERCENT_DIFFERENCE", "-81.54%"), ("PERCENT", "18.46%")],
)
def test_a_kpi_compares_the_last_period_with_the_one_before(draw: Draw, method: str | None, comparison: str) -> None:
    wells = {"Values": [number("delay")], "TrendGroups": [day("MONTH")]}
    options = {"Comparison": {"ComparisonMethod": method}} if method else {}
    assert draw("KPI", wells, KPIOptions=options).figure == Kpi("12", comparison, False, "65 on Jan 2013")


def test_a_kpi_compares_with_its_target(draw: Draw) -> None:
    wells = {"Values": [number("delay")], "TargetValues": [number("delay", "MAX", field_id="most")]}
    assert draw("KPI", wells).figure == Kpi("77", "+37", True, "target 40")
    assert draw("KPI", {"Values": [number("delay")]}).figure == Kpi("77")


CALCULATED = [
    {"DataSetIdentifier": "flights", "Name": "Mean delay", "Expression": "sum({delay}) / count({delay})"},
    {"DataSetIdentifier": "flights", "Name": "Late", "Expression": "ifelse({delay} >= ${LateFrom}, 'late', 'on time')"},
]
DECLARED = [
    {
        "IntegerParameterDeclaration": {
            "Name": "LateFrom",
            "ParameterValueType": "SINGLE_VALUED",
            "DefaultValues": {"StaticValues": [15]},
        }
    }
]
WITH_FIELDS = {"CalculatedFields": CALCULATED, "ParameterDeclarations": DECLARED}


@pytest.mark.parametrize(
    ("given", "rows"),
    [
        ({}, (("late", 30), ("on time", 17 / 5))),
        ({"LateFrom": "40"}, (("late", 40), ("on time", 37 / 6))),
    ],
)
def test_calculated_fields_are_computed_with_the_parameters(draw: Draw, given: Node, rows: tuple[Any, ...]) -> None:
    wells = bars(category=text("Late"), values=[number("Mean delay")])
    found = _rows(draw("BarChart", wells, definition=WITH_FIELDS, given=given))
    assert [(name, pytest.approx(value)) for name, value in rows] == list(found)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"Nothing": "1"}, "no parameter 'Nothing'; it declares LateFrom"),
        ({"LateFrom": "soon"}, "LateFrom is of type integer; 'soon' is none"),
    ],
)
def test_a_parameter_that_does_not_fit_is_refused(draw: Draw, given: dict[str, Value], message: str) -> None:
    with pytest.raises(PreviewError, match=message):
        draw("BarChart", bars(), definition=WITH_FIELDS, given=given)


@pytest.mark.parametrize(
    ("kind", "wells", "more", "reason"),
    [
        ("PieChart", {}, {}, "the preview draws no PieChart"),
        ("BarChart", {}, {}, "it reads no data set"),
        (
            "BarChart",
            {
                "BarChartAggregatedFieldWells": {
                    **bars()["BarChartAggregatedFieldWells"],
                    "SmallMultiples": [text("carrier")],
                }
            },
            {},
            "small multiples",
        ),
        ("BarChart", bars(values=[number("Ranked")]), {}, "the function rank with 2 arguments is not translated"),
        ("BarChart", bars(values=[number("Mean delay", "SUM")]), {}, "'Mean delay' aggregates already"),
        ("BarChart", bars(category=text("Mean delay")), {}, "a dimension needs one of each row"),
        ("BarChart", bars(), _category_sort(sort("nothing")), "it sorts by 'nothing', which is no field of it"),
        ("BarChart", bars(values=[number("seats", data_set="others")]), {}, "it reads the data sets flights, others"),
        ("BarChart", bars(values=[number("Wrong")]), {}, "its numbers cannot be computed: Conversion Error"),
    ],
)
def test_what_cannot_be_drawn_is_named_in_its_place(
    draw: Draw, kind: str, wells: Node, more: dict[str, Any], reason: str
) -> None:
    ranked = {"DataSetIdentifier": "flights", "Name": "Ranked", "Expression": "rank([sum({delay})], [{origin}])"}
    wrong = {"DataSetIdentifier": "flights", "Name": "Wrong", "Expression": "sum(ifelse({delay} > 0, {delay}, 'x'))"}
    fields = {"CalculatedFields": [*CALCULATED, ranked, wrong], "ParameterDeclarations": DECLARED}
    element = draw(kind, wells, definition=fields, **more)
    assert isinstance(element.figure, NotDrawn), element.figure
    assert element.figure.what == f"{kind} v"
    assert reason in element.figure.reason
    assert element.numbers is None


def test_what_a_visual_is_drawn_without_is_told(draw: Draw) -> None:
    drilled = bars(category=text("origin"))
    drilled["BarChartAggregatedFieldWells"]["Category"].append(text("carrier"))
    element = draw("BarChart", drilled, ReferenceLines=[{"Status": "ENABLED"}], visual={"Actions": [{"Name": "a"}]})
    assert element.left_out == ("ReferenceLines", "Actions", "drill-down")
    assert len(_rows(element)[0]) == 2
    assert draw("BarChart", bars()).left_out == ()


def test_a_visual_without_rows_says_so(draw: Draw) -> None:
    nothing = {
        "FilterGroupId": "g",
        "CrossDataset": "SINGLE_DATASET",
        "ScopeConfiguration": {"AllSheets": {}},
        "Filters": [
            {
                "NumericRangeFilter": {
                    "FilterId": "f",
                    "Column": column("delay"),
                    "RangeMinimum": {"StaticValue": 1000},
                    "NullOption": "NON_NULLS_ONLY",
                }
            }
        ],
    }
    assert draw("BarChart", bars(), definition={"FilterGroups": [nothing]}).figure == Text(("No data",))
    assert draw("KPI", {"Values": [number("delay")]}, definition={"FilterGroups": [nothing]}).figure == Kpi("null")


def test_titles_are_plain_text_and_may_be_hidden(draw: Draw) -> None:
    rich = {"Title": {"FormatText": {"RichText": "<visual-title>On <b>time</b></visual-title>"}}}
    assert draw("BarChart", bars(), visual=rich).title == "On time"
    assert draw("BarChart", bars(), visual={"Title": {"Visibility": "HIDDEN"}}).title == ""
    assert draw("BarChart", bars()).title == "v"


@pytest.mark.parametrize(
    ("more", "channel", "stack"),
    [
        ({"BarsArrangement": "CLUSTERED"}, "x", None),
        ({"BarsArrangement": "STACKED"}, "x", "zero"),
        ({"BarsArrangement": "STACKED_PERCENT", "Orientation": "VERTICAL"}, "y", "normalize"),
    ],
)
def test_bars_lie_or_stand_and_are_stacked_as_arranged(
    draw: Draw, more: dict[str, Any], channel: str, stack: str | None
) -> None:
    chart = draw("BarChart", bars(colors=[text("carrier")]), **more).figure
    assert isinstance(chart, Chart)
    encoding = chart.spec["layer"][0]["encoding"]
    assert encoding[channel]["field"] == "value"
    assert encoding[channel]["stack"] == stack
    assert ("yOffset" in encoding) == (stack is None)


def test_an_axis_has_the_range_and_the_titles_of_its_options(draw: Draw) -> None:
    chart = draw(
        "BarChart",
        bars(),
        ValueAxis={"DataOptions": {"NumericAxisOptions": {"Range": {"MinMax": {"Minimum": -10, "Maximum": 80}}}}},
        ValueLabelOptions={"AxisLabelOptions": [{"CustomLabel": "Minutes"}]},
        CategoryLabelOptions={"Visibility": "HIDDEN"},
    ).figure
    assert isinstance(chart, Chart)
    x, y = (chart.spec["layer"][0]["encoding"][channel] for channel in ("x", "y"))
    assert (x["scale"]["domainMin"], x["scale"]["domainMax"], x["axis"]["title"]) == (-10, 80, "Minutes")
    assert y["axis"]["title"] is None
