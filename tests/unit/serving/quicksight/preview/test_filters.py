"""Which rows a visual sees. Each test counts them, by a single value."""

from __future__ import annotations

from typing import Any

import pytest

from serving.quicksight.preview.figures import Kpi, NotDrawn
from tests.unit.serving.quicksight.preview.conftest import Draw, Node, bars, column, number, text

ALL = 8
COUNTED = {"Values": [{"CategoricalMeasureField": {"FieldId": "carrier", "Column": column("carrier")}}]}
EVERYWHERE: Node = {"AllSheets": {}}


def _group(*filters: Node, scope: Node = EVERYWHERE, cross: str = "SINGLE_DATASET", status: str = "ENABLED") -> Node:
    group = {"FilterGroupId": "g", "ScopeConfiguration": scope, "CrossDataset": cross, "Status": status}
    return {**group, "Filters": list(filters)}


def _filter(kind: str, name: str, data_set: str = "flights", **body: Any) -> Node:
    return {kind: {"FilterId": name, "Column": column(name, data_set), **body}}


def _delay(**body: Any) -> Node:
    return _filter("NumericRangeFilter", "delay", **{"NullOption": "NON_NULLS_ONLY", **body})


def _origin(kind: str, **configuration: Any) -> Node:
    return _filter("CategoryFilter", "origin", Configuration={kind: configuration})


def _count(draw: Draw, *groups: Node, **more: Any) -> int:
    element = draw("KPI", COUNTED, definition={"FilterGroups": list(groups), **more})
    assert isinstance(element.figure, Kpi), element.figure
    return int(element.figure.value)


PARAMETERS = [
    {"IntegerParameterDeclaration": {"Name": "Least", "ParameterValueType": "SINGLE_VALUED"}},
    {
        "StringParameterDeclaration": {
            "Name": "Origins",
            "ParameterValueType": "MULTI_VALUED",
            "DefaultValues": {"StaticValues": ["EWR", "LGA"]},
        }
    },
]


@pytest.mark.parametrize(
    ("filter_", "count"),
    [
        (_delay(RangeMinimum={"StaticValue": 10}, IncludeMinimum=True), 3),
        (_delay(RangeMinimum={"StaticValue": 10}), 2),
        (_delay(RangeMinimum={"StaticValue": 0}, RangeMaximum={"StaticValue": 20}, IncludeMaximum=True), 4),
        (_delay(), 7),
        (_delay(NullOption="NULLS_ONLY"), 1),
        (_delay(RangeMinimum={"StaticValue": 20}, NullOption="ALL_VALUES"), 2),
        (_delay(SelectAllOptions="FILTER_ALL_VALUES", NullOption="ALL_VALUES"), ALL),
        (_delay(RangeMinimum={"Parameter": "Least"}), 7),
        (
            _filter("NumericEqualityFilter", "delay", Value=5, MatchOperator="EQUALS", NullOption="NON_NULLS_ONLY"),
            1,
        ),
        (
            _filter("NumericEqualityFilter", "delay", Value=5, MatchOperator="DOES_NOT_EQUAL", NullOption="ALL_VALUES"),
            7,
        ),
        (_filter("NumericRangeFilter", "is_on_time", RangeMinimum={"StaticValue": 0}, NullOption="NON_NULLS_ONLY"), 5),
        (_origin("FilterListConfiguration", MatchOperator="CONTAINS", CategoryValues=["EWR", "LGA"]), 4),
        (
            _origin(
                "FilterListConfiguration",
                MatchOperator="DOES_NOT_CONTAIN",
                CategoryValues=["EWR", "LGA"],
                NullOption="ALL_VALUES",
            ),
            4,
        ),
        (
            _origin("FilterListConfiguration", MatchOperator="CONTAINS", SelectAllOptions="FILTER_ALL_VALUES"),
            ALL,
        ),
        (
            _origin(
                "CustomFilterListConfiguration",
                MatchOperator="STARTS_WITH",
                CategoryValues=["E", "J"],
                NullOption="NON_NULLS_ONLY",
            ),
            6,
        ),
        (
            _origin(
                "CustomFilterConfiguration", MatchOperator="CONTAINS", CategoryValue="G", NullOption="NON_NULLS_ONLY"
            ),
            1,
        ),
        (
            _origin(
                "CustomFilterConfiguration",
                MatchOperator="EQUALS",
                ParameterName="Origins",
                NullOption="NON_NULLS_ONLY",
            ),
            4,
        ),
    ],
)
def test_a_filter_lets_through_what_its_kind_says(draw: Draw, filter_: Node, count: int) -> None:
    assert _count(draw, _group(filter_), ParameterDeclarations=PARAMETERS) == count


def _dates(**body: Any) -> Node:
    return _filter("TimeRangeFilter", "flight_date", NullOption="NON_NULLS_ONLY", **body)


@pytest.mark.parametrize(
    ("filter_", "count"),
    [
        (_dates(RangeMinimumValue={"StaticValue": "2013-01-02T00:00:00Z"}, IncludeMinimum=True), 5),
        (_dates(RangeMinimumValue={"StaticValue": "2013-01-02T00:00:00Z"}), 3),
        # To the month: all of January is in.
        (
            _dates(
                RangeMaximumValue={"StaticValue": "2013-01-01T09:00:00Z"}, IncludeMaximum=True, TimeGranularity="MONTH"
            ),
            6,
        ),
        (_dates(RangeMinimumValue={"RollingDate": {"Expression": "addDateTime(1, 'MM', truncDate('MM', now()))"}}), 2),
        (_filter("TimeEqualityFilter", "flight_date", Value="2013-02-20T00:00:00Z", TimeGranularity="MONTH"), 2),
        (
            _filter(
                "TopBottomFilter",
                "origin",
                Limit=1,
                AggregationSortConfigurations=[
                    {
                        "Column": column("delay"),
                        "SortDirection": "DESC",
                        "AggregationFunction": {"NumericalAggregationFunction": {"SimpleNumericalAggregation": "SUM"}},
                    }
                ],
            ),
            3,
        ),
    ],
)
def test_filters_of_time_and_of_the_top_values(draw: Draw, filter_: Node, count: int) -> None:
    assert _count(draw, _group(filter_)) == count


def test_filters_of_a_group_are_alternatives_and_groups_add_up(draw: Draw) -> None:
    late, of_ewr = _delay(RangeMinimum={"StaticValue": 15}), _origin_is("EWR")
    of_jfk = _origin_is("JFK")
    assert _count(draw, _group(late, of_jfk)) == 5
    assert _count(draw, _group(late), _group(of_ewr)) == 2


def _origin_is(value: str) -> Node:
    return _origin("FilterListConfiguration", MatchOperator="CONTAINS", CategoryValues=[value])


@pytest.mark.parametrize(
    ("scope", "count"),
    [
        (EVERYWHERE, 3),
        ({"SheetId": "s", "Scope": "ALL_VISUALS"}, 3),
        ({"SheetId": "s", "Scope": "SELECTED_VISUALS", "VisualIds": ["v"]}, 3),
        ({"SheetId": "s", "Scope": "SELECTED_VISUALS", "VisualIds": ["another"]}, ALL),
        ({"SheetId": "another", "Scope": "ALL_VISUALS"}, ALL),
    ],
)
def test_a_group_applies_within_its_scope(draw: Draw, scope: Node, count: int) -> None:
    selected = scope if scope is EVERYWHERE else {"SelectedSheets": {"SheetVisualScopingConfigurations": [scope]}}
    assert _count(draw, _group(_origin_is("EWR"), scope=selected)) == count


def test_a_group_that_is_off_applies_to_nothing(draw: Draw) -> None:
    assert _count(draw, _group(_origin_is("EWR"), status="DISABLED")) == ALL


@pytest.mark.parametrize(("cross", "count"), [("ALL_DATASETS", 3), ("SINGLE_DATASET", ALL)])
def test_a_filter_of_another_data_set_applies_to_the_column_of_its_name_if_it_is_across_all(
    draw: Draw, cross: str, count: int
) -> None:
    other = {"FilterListConfiguration": {"MatchOperator": "CONTAINS", "CategoryValues": ["EWR"]}}
    filter_ = _filter("CategoryFilter", "origin", "others", Configuration=other)
    seats = _filter("NumericRangeFilter", "seats", "others", RangeMinimum={"StaticValue": 99}, NullOption="ALL_VALUES")
    assert _count(draw, _group(filter_, cross=cross), _group(seats, cross=cross)) == count


def test_a_filter_of_an_aggregate_leaves_out_groups_and_the_rest_is_of_the_groups_left(draw: Draw) -> None:
    enough = _filter(
        "NumericRangeFilter",
        "delay",
        AggregationFunction={"NumericalAggregationFunction": {"SimpleNumericalAggregation": "COUNT"}},
        RangeMinimum={"StaticValue": 2},
        IncludeMinimum=True,
        NullOption="NON_NULLS_ONLY",
    )
    element = draw("BarChart", bars(), definition={"FilterGroups": [_group(enough)]})
    assert element.numbers is not None
    assert element.numbers.rows == (("EWR", 70), ("JFK", -5))
    total = draw(
        "Table",
        {"TableAggregatedFieldWells": {"GroupBy": [text("origin")], "Values": [number("delay")]}},
        TotalOptions={"TotalsVisibility": "VISIBLE"},
        definition={"FilterGroups": [_group(enough)]},
    )
    assert total.numbers is not None
    assert total.numbers.total == (65,)


@pytest.mark.parametrize(
    ("filter_", "reason"),
    [
        (_filter("RelativeDatesFilter", "flight_date"), "a RelativeDatesFilter is not translated"),
        (_dates(ExcludePeriodConfiguration={"Amount": 1, "Granularity": "DAY"}), "an excluded period"),
    ],
)
def test_a_filter_that_is_not_translated_is_named_in_place_of_the_visual(
    draw: Draw, filter_: Node, reason: str
) -> None:
    figure = draw("KPI", COUNTED, definition={"FilterGroups": [_group(filter_)]}).figure
    assert isinstance(figure, NotDrawn)
    assert figure.what == "KPI v"
    assert "'flight_date'" in figure.reason
    assert reason in figure.reason
