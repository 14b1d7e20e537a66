"""A few flights in a DuckDB file, and a dashboard of one visual over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from serving.quicksight import Column, Relation
from serving.quicksight.preview import Element, preview
from serving.rows.duckdb import DuckDBRows

Node = dict[str, Any]

FLIGHTS = """
    ('2013-01-01', 'EWR', 'UA', 10,   true),
    ('2013-01-01', 'EWR', 'AA', 20,   false),
    ('2013-01-01', 'JFK', 'B6', 0,    true),
    ('2013-01-02', 'EWR', 'UA', 40,   false),
    ('2013-01-02', 'JFK', 'B6', -5,   true),
    ('2013-01-07', 'JFK', 'B6', null, null),
    ('2013-02-03', 'LGA', 'DL', 5,    true),
    ('2013-02-04', null,  'DL', 7,    true)
"""
OTHERS = "('2013-01-01', 'EWR', 3), ('2013-02-01', 'LGA', 4)"


@pytest.fixture
def relations() -> dict[str, Relation]:
    """The two models."""
    flights = {
        "flight_date": Column("date"),
        "origin": Column("varchar(3)"),
        "carrier": Column("varchar(2)"),
        "delay": Column("integer"),
        "is_on_time": Column("boolean"),
    }
    others = {"flight_date": Column("date"), "origin": Column("varchar(3)"), "seats": Column("integer")}
    return {"flights": Relation("marts", "flights", flights), "others": Relation("marts", "others", others)}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """The models' rows."""
    path = tmp_path / "watershed.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute("create schema marts")
        connection.execute(
            "create table marts.flights as select cast(d as date) as flight_date, o as origin, c as carrier, "
            f"cast(m as integer) as delay, t as is_on_time from (values {FLIGHTS}) as v(d, o, c, m, t)"
        )
        connection.execute(
            "create table marts.others as select cast(d as date) as flight_date, o as origin, s as seats "
            f"from (values {OTHERS}) as v(d, o, s)"
        )
    return path


Draw = Callable[..., Element]


@pytest.fixture
def draw(database: Path, relations: dict[str, Relation]) -> Draw:
    """Draws a visual of a type, with its wells and the rest of its configuration, in a dashboard with more parts."""

    def draw_it(
        kind: str,
        wells: Mapping[str, Any],
        *,
        given: Mapping[str, str] | None = None,
        visual: Mapping[str, Any] | None = None,
        definition: Mapping[str, Any] | None = None,
        **configuration: Any,
    ) -> Element:
        body = {"VisualId": "v", "ChartConfiguration": {"FieldWells": wells, **configuration}, **(visual or {})}
        whole = {
            "DataSetIdentifierDeclarations": [{"Identifier": "flights"}, {"Identifier": "others"}],
            "Options": {"WeekStart": "MONDAY"},
            **(definition or {}),
            "Sheets": [{"SheetId": "s", "Name": "Sheet", "Visuals": [{f"{kind}Visual": body}]}],
        }
        drawn = preview(
            whole,
            relations,
            DuckDBRows(database),
            title="Flights",
            parameters=given or {},
            now=datetime(2013, 1, 3, 12, tzinfo=UTC),
        )
        return drawn.sheets[0].elements[0]

    return draw_it


def column(name: str, data_set: str = "flights") -> Node:
    """A ColumnIdentifier."""
    return {"DataSetIdentifier": data_set, "ColumnName": name}


def text(name: str, data_set: str = "flights") -> Node:
    """A dimension of text, whose id is its column's name."""
    return {"CategoricalDimensionField": {"FieldId": name, "Column": column(name, data_set)}}


def day(granularity: str = "DAY") -> Node:
    """The dimension of dates."""
    field = {"FieldId": "flight_date", "Column": column("flight_date"), "DateGranularity": granularity}
    return {"DateDimensionField": field}


def number(name: str, function: str | None = None, data_set: str = "flights", field_id: str = "") -> Node:
    """A measure, whose id is its column's name unless told."""
    field: Node = {"FieldId": field_id or name, "Column": column(name, data_set)}
    if function:
        field["AggregationFunction"] = {"SimpleNumericalAggregation": function}
    return {"NumericalMeasureField": field}


def bars(*, colors: list[Node] | None = None, category: Node | None = None, values: list[Node] | None = None) -> Node:
    """The wells of a bar chart: delays by origin unless told."""
    wells: Node = {"Category": [category or text("origin")], "Values": values or [number("delay")]}
    if colors:
        wells["Colors"] = colors
    return {"BarChartAggregatedFieldWells": wells}


def sort(field_id: str, direction: str = "DESC") -> Node:
    """A FieldSortOptions by a field of the visual."""
    return {"FieldSort": {"FieldId": field_id, "Direction": direction}}
