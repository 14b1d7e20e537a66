from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from serving.quicksight import Deployment, Relation
from serving.quicksight.errors import DefinitionError, Problem
from serving.quicksight.validation import definition_problems, request_problems

Edit = Callable[[dict[str, Any]], Any]


def _visual(definition: dict[str, Any]) -> dict[str, Any]:
    return definition["Sheets"][0]["Visuals"][0]["LineChartVisual"]


def _wells(definition: dict[str, Any]) -> dict[str, Any]:
    return _visual(definition)["ChartConfiguration"]["FieldWells"]["LineChartAggregatedFieldWells"]


def _filters(definition: dict[str, Any]) -> list[dict[str, Any]]:
    return definition["FilterGroups"][0]["Filters"]


def test_a_right_definition_has_no_problem(definition: dict[str, Any], relations: dict[str, Relation]) -> None:
    assert definition_problems(definition, relations) == []


_WRONG: list[tuple[str, Edit, str, str]] = [
    (
        "column",
        lambda d: _wells(d)["Category"][0]["DateDimensionField"]["Column"].update(ColumnName="flight_dat"),
        "$.Sheets[0].Visuals[0].LineChartVisual.ChartConfiguration.FieldWells.LineChartAggregatedFieldWells"
        ".Category[0].DateDimensionField.Column.ColumnName",
        "there is no column of daily 'flight_dat'; is it 'flight_date'",
    ),
    (
        "column of a filter",
        lambda d: _filters(d)[0]["TimeRangeFilter"]["Column"].update(ColumnName="day"),
        "$.FilterGroups[0].Filters[0].TimeRangeFilter.Column.ColumnName",
        "there is no column of daily 'day'",
    ),
    (
        "field of an expression",
        lambda d: d["CalculatedFields"][1].update(Expression="sum({flight})"),
        "$.CalculatedFields[1].Expression",
        "there is no column of daily 'flight'; is it 'flights'",
    ),
    (
        "field without braces",
        lambda d: d["CalculatedFields"][1].update(Expression="sum(flights)"),
        "$.CalculatedFields[1].Expression",
        "write a field as {flights}",
    ),
    (
        "circle",
        lambda d: d["CalculatedFields"][1].update(Expression="sum({flights}) + {On time}"),
        "$.CalculatedFields[0].Expression",
        "computed from itself",
    ),
    (
        "calculated field called as a column",
        lambda d: d["CalculatedFields"][1].update(Name="Carrier"),
        "$.CalculatedFields[1].Name",
        "has a field 'Carrier' already",
    ),
    (
        "undeclared data set",
        lambda d: _filters(d)[1]["NumericRangeFilter"]["Column"].update(DataSetIdentifier="dayly"),
        "$.FilterGroups[0].Filters[1].NumericRangeFilter.Column.DataSetIdentifier",
        "there is no declared data set 'dayly'; is it 'daily'",
    ),
    (
        "data set without a model",
        lambda d: d["DataSetIdentifierDeclarations"].append({"Identifier": "othr"}),
        "$.DataSetIdentifierDeclarations[1].Identifier",
        "there is no model 'othr'; is it 'other'",
    ),
    (
        "data set declared twice",
        lambda d: d["DataSetIdentifierDeclarations"].append({"Identifier": "daily"}),
        "$.DataSetIdentifierDeclarations[1].Identifier",
        "declared more than once",
    ),
    (
        "ARN written by hand",
        lambda d: d["DataSetIdentifierDeclarations"][0].update(DataSetArn="arn:aws:quicksight:::dataset/daily"),
        "$.DataSetIdentifierDeclarations[0].DataSetArn",
        "leave it out",
    ),
    (
        "text as a date",
        lambda d: _wells(d)["Category"][0]["DateDimensionField"]["Column"].update(ColumnName="carrier"),
        "$.Sheets[0].Visuals[0].LineChartVisual.ChartConfiguration.FieldWells.LineChartAggregatedFieldWells"
        ".Category[0].DateDimensionField.Column",
        "DateDimensionField takes DATETIME",
    ),
    (
        "date as a number",
        lambda d: _filters(d)[1]["NumericRangeFilter"]["Column"].update(ColumnName="flight_date"),
        "$.FilterGroups[0].Filters[1].NumericRangeFilter.Column",
        "NumericRangeFilter takes DECIMAL or INTEGER",
    ),
    (
        "parameter of a filter",
        lambda d: _filters(d)[1]["NumericRangeFilter"]["RangeMinimum"].update(Parameter="Last"),
        "$.FilterGroups[0].Filters[1].NumericRangeFilter.RangeMinimum.Parameter",
        "there is no declared parameter 'Last'; is it 'Least'",
    ),
    (
        "parameter of an expression",
        lambda d: d["CalculatedFields"][1].update(Expression="sum({flights}) + ${Most}"),
        "$.CalculatedFields[1].Expression",
        "there is no declared parameter 'Most'",
    ),
    (
        "parameter of a control",
        lambda d: d["Sheets"][0]["ParameterControls"][0]["TextField"].update(SourceParameterName="least"),
        "$.Sheets[0].ParameterControls[0].TextField.SourceParameterName",
        "there is no declared parameter 'least'",
    ),
    (
        "filter of a control",
        lambda d: d["Sheets"][0]["FilterControls"][0]["DateTimePicker"].update(SourceFilterId="date"),
        "$.Sheets[0].FilterControls[0].DateTimePicker.SourceFilterId",
        "there is no filter 'date'",
    ),
    (
        "visual in a filter's scope",
        lambda d: d["FilterGroups"][0]["ScopeConfiguration"]["SelectedSheets"]["SheetVisualScopingConfigurations"][
            0
        ].update(VisualIds=["trends"]),
        "$.FilterGroups[0].ScopeConfiguration.SelectedSheets.SheetVisualScopingConfigurations[0].VisualIds",
        "there is no visual of main 'trends'; is it 'trend'",
    ),
    (
        "sheet in a filter's scope",
        lambda d: d["FilterGroups"][0]["ScopeConfiguration"]["SelectedSheets"]["SheetVisualScopingConfigurations"][
            0
        ].update(SheetId="man"),
        "$.FilterGroups[0].ScopeConfiguration.SelectedSheets.SheetVisualScopingConfigurations[0].SheetId",
        "there is no sheet 'man'; is it 'main'",
    ),
    (
        "visual id used twice",
        lambda d: d["Sheets"][0]["Visuals"].append(
            {"EmptyVisual": {"VisualId": "trend", "DataSetIdentifier": "daily"}}
        ),
        "$",
        "visual id 'trend' is used more than once",
    ),
    (
        "time without a zone",
        lambda d: _filters(d)[0]["TimeRangeFilter"].update(RangeMinimumValue={"StaticValue": datetime(2013, 1, 1)}),
        "$.FilterGroups[0].Filters[0].TimeRangeFilter.RangeMinimumValue.StaticValue",
        "as in 2013-01-01T00:00:00Z",
    ),
    (
        "visual that is not laid out",
        lambda d: d["Sheets"][0]["Visuals"].append({"EmptyVisual": {"VisualId": "void", "DataSetIdentifier": "daily"}}),
        "$.Sheets[0].Layouts",
        "visual 'void' has no place",
    ),
    (
        "layout of what is not there",
        lambda d: d["Sheets"][0]["Layouts"][0]["Configuration"]["GridLayout"]["Elements"].append(
            {"ElementType": "VISUAL", "ElementId": "ghost", "ColumnSpan": 1, "RowSpan": 1}
        ),
        "$.Sheets[0].Layouts[0].Configuration.GridLayout.Elements[1].ElementId",
        "there is no VISUAL of this sheet 'ghost'",
    ),
]


@pytest.mark.parametrize(("edit", "path", "message"), [case[1:] for case in _WRONG], ids=[case[0] for case in _WRONG])
def test_a_wrong_name_is_reported_with_its_place_and_the_nearest_right_one(
    definition: dict[str, Any], relations: dict[str, Relation], edit: Edit, path: str, message: str
) -> None:
    edit(definition)
    problems = definition_problems(definition, relations)
    assert any(problem.path == path and message in problem.message for problem in problems), problems


def test_all_problems_are_reported_at_once(
    definition: dict[str, Any], declared: Callable[[dict[str, Any]], Deployment]
) -> None:
    _filters(definition)[0]["TimeRangeFilter"]["Column"]["ColumnName"] = "day"
    definition["CalculatedFields"][0]["Expression"] = "sum({ontime}) / {Al}"
    with pytest.raises(DefinitionError) as error:
        declared(definition)
    assert len(error.value.problems) == 3
    for text in ("small.dashboard.yml", "3 problems", "nothing was sent", "'day'", "'on_time'", "'All'"):
        assert text in str(error.value)


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (
            lambda d: d["FilterGroups"][0].update(CrossDataset="ALL"),
            Problem("$.FilterGroups[0].CrossDataset", "'ALL' is not one of ALL_DATASETS, SINGLE_DATASET"),
        ),
        (
            lambda d: d["Sheets"][0].update(SheetId="main sheet"),
            Problem("$.Sheets[0].SheetId", "'main sheet' does not match [\\w\\-]+"),
        ),
        (
            lambda d: d["CalculatedFields"][0].update(Name="x" * 129),
            Problem("$.CalculatedFields[0].Name", "has 129 characters, at most 128 are allowed"),
        ),
    ],
)
def test_what_botocore_leaves_to_the_service_is_checked_before_it_is_sent(
    definition: dict[str, Any], declared: Callable[[dict[str, Any]], Deployment], edit: Edit, problem: Problem
) -> None:
    edit(definition)
    with pytest.raises(DefinitionError) as error:
        declared(definition)
    assert problem in error.value.problems


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda d: d.update(Sheet=[]), 'Unknown parameter in Definition: "Sheet"'),
        (
            lambda d: d["FilterGroups"][0].pop("CrossDataset"),
            "Missing required parameter in Definition.FilterGroups[0]",
        ),
        (lambda d: d["Sheets"][0].update(Visuals={}), "Invalid type for parameter Definition.Sheets[0].Visuals"),
    ],
)
def test_the_shape_of_a_definition_is_checked_by_the_service_model(
    definition: dict[str, Any], declared: Callable[[dict[str, Any]], Deployment], edit: Edit, message: str
) -> None:
    edit(definition)
    with pytest.raises(DefinitionError) as error:
        declared(definition)
    assert message in str(error.value)


@pytest.mark.parametrize(
    "text",
    ["- a list", "a: [", "", "Sheets: []", "DataSetIdentifierDeclarations:", "DataSetIdentifierDeclarations: [daily]"],
)
def test_a_file_that_holds_no_definition_is_refused(text: str, declared: Callable[[str], Deployment]) -> None:
    with pytest.raises(DefinitionError, match=r"small\.dashboard\.yml"):
        declared(text)


def test_a_list_longer_than_the_service_takes_is_a_problem() -> None:
    request = {
        "AwsAccountId": "123456789012",
        "DashboardId": "d",
        "GrantPermissions": [{"Principal": "p", "Actions": ["quicksight:DescribeDashboard"] * 21}],
    }
    (problem,) = request_problems("UpdateDashboardPermissions", request)
    assert problem == Problem("$.GrantPermissions[0].Actions", "has 21 items, at most 20 are allowed")
