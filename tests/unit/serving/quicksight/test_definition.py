from __future__ import annotations

from typing import Any

import pytest

from serving.quicksight.definition import ColumnUse, column_uses, parse_expression


@pytest.mark.parametrize(
    ("expression", "fields", "parameters", "bare_words"),
    [
        ("sum({a}) / sum({b})", ("a", "b"), (), ()),
        ("ifelse({On time} >= ${Least}, 'late {x}', \"y\")", ("On time",), ("Least",), ()),
        ("/* {gone} */ 1 + {a}", ("a",), (), ()),
        ("sum(a) > 1 AND NOT isNull({b})", ("b",), (), ("a",)),
        ("sumOver({a}, [{b}], PRE_AGG)", ("a", "b"), (), ()),
        ("periodOverPeriodDifference(sum({a}), {day}, MONTH, 1)", ("a", "day"), (), ()),
        ("rank([sum({a}) DESC], [{b}])", ("a", "b"), (), ()),
    ],
)
def test_an_expression_names_fields_parameters_and_bare_words(
    expression: str, fields: tuple[str, ...], parameters: tuple[str, ...], bare_words: tuple[str, ...]
) -> None:
    parsed = parse_expression(expression)
    assert (parsed.fields, parsed.parameters, parsed.bare_words) == (fields, parameters, bare_words)


def test_uses_reach_columns_through_nested_calculated_fields(definition: dict[str, Any]) -> None:
    rate = (
        "$.Sheets[0].Visuals[0].LineChartVisual.ChartConfiguration.FieldWells.LineChartAggregatedFieldWells.Values[0]"
    )
    path = f"{rate}.NumericalMeasureField.Column"
    of_trend = [use for use in column_uses(definition) if use.visual_id == "trend" and use.column != "flight_date"]
    assert of_trend == [
        ColumnUse("daily", "on_time", path, "main", "trend", ("On time",)),
        ColumnUse("daily", "flights", path, "main", "trend", ("On time", "All")),
    ]


def test_uses_of_filters_belong_to_no_visual(definition: dict[str, Any]) -> None:
    of_filters = {(use.column, use.visual_id) for use in column_uses(definition) if "FilterGroups" in use.path}
    assert of_filters == {("flight_date", None), ("flights", None)}


def test_a_calculated_field_that_nothing_shows_is_no_use(definition: dict[str, Any]) -> None:
    definition["CalculatedFields"].append({"DataSetIdentifier": "daily", "Name": "Idle", "Expression": "{carrier}"})
    assert "carrier" not in {use.column for use in column_uses(definition)}


def test_an_expression_in_a_visual_is_read_from_the_visuals_data_set(definition: dict[str, Any]) -> None:
    wells = definition["Sheets"][0]["Visuals"][0]["LineChartVisual"]["ChartConfiguration"]["FieldWells"]
    wells["LineChartAggregatedFieldWells"]["Values"].append(
        {"CalculatedMeasureField": {"FieldId": "extra", "Expression": "max({rate})"}}
    )
    (use,) = [use for use in column_uses(definition) if use.column == "rate"]
    assert (use.data_set, use.visual_id) == ("daily", "trend")


def test_uses_end_where_calculated_fields_go_in_circles(definition: dict[str, Any]) -> None:
    definition["CalculatedFields"][1]["Expression"] = "sum({flights}) + {On time}"
    assert {use.column for use in column_uses(definition)} == {"flight_date", "flights", "on_time"}
