"""A small model and a small definition that is right, for tests to break."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from serving.quicksight import Column, Deployment, Redshift, Relation, declare

DEFINITION = """
DataSetIdentifierDeclarations: [{Identifier: daily}]
ParameterDeclarations:
  - IntegerParameterDeclaration: {Name: Least, ParameterValueType: SINGLE_VALUED}
CalculatedFields:
  - {DataSetIdentifier: daily, Name: On time, Expression: 'sum({on_time}) / {All}'}
  - {DataSetIdentifier: daily, Name: All, Expression: 'sum({flights})'}
FilterGroups:
  - FilterGroupId: dates
    CrossDataset: SINGLE_DATASET
    ScopeConfiguration:
      SelectedSheets:
        SheetVisualScopingConfigurations: [{SheetId: main, Scope: SELECTED_VISUALS, VisualIds: [trend]}]
    Filters:
      - TimeRangeFilter:
          FilterId: day
          Column: {DataSetIdentifier: daily, ColumnName: flight_date}
          NullOption: NON_NULLS_ONLY
      - NumericRangeFilter:
          FilterId: busy
          Column: {DataSetIdentifier: daily, ColumnName: flights}
          RangeMinimum: {Parameter: Least}
          NullOption: NON_NULLS_ONLY
Sheets:
  - SheetId: main
    FilterControls: [{DateTimePicker: {FilterControlId: pick, SourceFilterId: day}}]
    ParameterControls: [{TextField: {ParameterControlId: least, SourceParameterName: Least}}]
    Visuals:
      - LineChartVisual:
          VisualId: trend
          ChartConfiguration:
            FieldWells:
              LineChartAggregatedFieldWells:
                Category:
                  - DateDimensionField:
                      FieldId: day
                      Column: {DataSetIdentifier: daily, ColumnName: flight_date}
                Values:
                  - NumericalMeasureField:
                      FieldId: rate
                      Column: {DataSetIdentifier: daily, ColumnName: On time}
    Layouts:
      - Configuration:
          GridLayout:
            Elements: [{ElementType: VISUAL, ElementId: trend, ColumnSpan: 36, RowSpan: 12}]
"""


@pytest.fixture
def definition() -> dict[str, Any]:
    """A definition that is right."""
    return yaml.safe_load(DEFINITION)


@pytest.fixture
def relations() -> dict[str, Relation]:
    """The model it reads, and one that it does not."""
    columns = {
        "flight_date": Column("date", "Day of the flights."),
        "carrier": Column("varchar(2)"),
        "flights": Column("bigint", "How many."),
        "on_time": Column("bigint"),
        "rate": Column("double precision"),
        "offset_hours": Column("numeric(4,2)"),
        "is_late": Column("boolean"),
    }
    return {
        "daily": Relation("marts", "daily", columns),
        "other": Relation("marts", "other", {"carrier": Column("varchar(2)")}),
    }


@pytest.fixture
def declared(tmp_path: Path, relations: dict[str, Relation]) -> Callable[..., Deployment]:
    """Declares a definition."""

    def declare_it(definition: Any, **more: Any) -> Deployment:
        path = tmp_path / "small.dashboard.yml"
        path.write_text(definition if isinstance(definition, str) else yaml.safe_dump(definition))
        arguments = {
            "account_id": "123456789012",
            "prefix": "test",
            "warehouse": Redshift("example.com", 5439, "watershed"),
            "relations": relations,
            "dashboard": "small",
            "title": "Small",
        }
        return declare(definition_path=path, **{**arguments, **more})

    return declare_it
