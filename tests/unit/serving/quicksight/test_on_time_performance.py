"""The dashboard that ships: right by QuickSight's schema and by the marts that it reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from serving.quicksight import Column, Deployment, Redshift, Relation, column_uses, declare, load_definition
from serving.quicksight.definition import mappings, parse_expression

PROJECT = Path(__file__).parents[4] / "dbt_project"
DEFINITION = PROJECT / "models" / "exposures" / "on_time_performance.dashboard.yml"


@pytest.fixture(scope="module")
def marts() -> dict[str, Relation]:
    """The marts as their YAML declares them; dbt enforces it."""
    models = [
        model
        for path in (PROJECT / "models" / "warehouse" / "marts").glob("*.yml")
        for model in yaml.safe_load(path.read_text())["models"]
    ]
    return {
        model["name"]: Relation(
            "marts", model["name"], {column["name"]: Column(column["data_type"]) for column in model["columns"]}
        )
        for model in models
    }


@pytest.fixture(scope="module")
def deployment(marts: dict[str, Relation]) -> Deployment:
    return declare(
        account_id="123456789012",
        prefix="watershed-production",
        warehouse=Redshift("example.com", 5439, "watershed"),
        relations=marts,
        definition_path=DEFINITION,
        dashboard="on_time_performance",
        title="On-time performance",
    )


def test_it_is_right_by_the_api_and_by_the_marts(deployment: Deployment) -> None:
    assert deployment.data_set_ids.keys() == {"agg_on_time_daily", "fct_flights"}


def test_every_axis_says_what_is_on_it() -> None:
    axes = {
        "LineChartVisual": ("XAxisLabelOptions", "PrimaryYAxisLabelOptions"),
        "BarChartVisual": ("CategoryLabelOptions", "ValueLabelOptions"),
        "HeatMapVisual": ("RowLabelOptions", "ColumnLabelOptions"),
    }
    charts = [(kind, v[kind]) for _, v in mappings(load_definition(DEFINITION)["Sheets"]) for kind in axes if kind in v]
    assert {kind for kind, _ in charts} == set(axes)
    for kind, chart in charts:
        for axis in axes[kind]:
            labels = chart["ChartConfiguration"][axis]["AxisLabelOptions"]
            assert [bool(label["CustomLabel"]) for label in labels] == [True], (chart["VisualId"], axis)


def test_no_rate_is_averaged() -> None:
    definition: dict[str, Any] = dict(load_definition(DEFINITION))
    rates = {"on_time_departure_rate", "on_time_arrival_rate", "cancellation_rate", "departure_delay_minutes_avg"}
    assert not rates & {use.column for use in column_uses(definition)}
    ratios = {field["Name"] for field in definition["CalculatedFields"] if "sum(" in field["Expression"]}
    for _, mapping in mappings(definition):
        if mapping.get("Column", {}).get("ColumnName") in ratios:
            assert "AggregationFunction" not in mapping, "a ratio of sums is aggregated already"


def test_every_parameter_has_an_effect() -> None:
    definition: dict[str, Any] = dict(load_definition(DEFINITION))
    used = {
        name
        for _, mapping in mappings(definition)
        for name in (*parse_expression(mapping.get("Expression", "")).parameters, mapping.get("Parameter"))
    }
    declared = {each["Name"] for declaration in definition["ParameterDeclarations"] for each in declaration.values()}
    assert declared <= used


def test_every_calculated_field_is_shown() -> None:
    definition: dict[str, Any] = dict(load_definition(DEFINITION))
    shown = {name for use in column_uses(definition) for name in use.through}
    constants = {
        field["Name"] for field in definition["CalculatedFields"] if "{" not in field["Expression"].replace("${", "")
    }
    assert {field["Name"] for field in definition["CalculatedFields"]} <= shown | constants
