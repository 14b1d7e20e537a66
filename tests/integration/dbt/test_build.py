"""Builds over a lake that changes: what is late, what is missing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import duckdb
import pytest

from tests.integration.lake import Event, Lake

pytestmark = pytest.mark.slow

FLIGHT = {"date": "2013-01-01", "carrier": "UA", "number": 1545, "tail_number": "N14228"}


def _event(flight_id: str, event_type: str, event_time: str, **told: Any) -> Event:
    names = {"event_id": f"{flight_id}-{event_type}-{event_time}", "flight_id": flight_id}
    return {**names, "event_type": event_type, "event_time": event_time, "flight": FLIGHT, **told}


def _scheduled(flight_id: str, *legs: tuple[str, str, int]) -> Event:
    return _event(
        flight_id,
        "scheduled",
        "2013-01-01T10:15:00Z",
        legs=[{"origin": a, "destination": b, "distance_miles": miles} for a, b, miles in legs],
        schedule={
            "departure_at": "2013-01-01T10:15:00Z",
            "departure_local_time": "05:15",
            "arrival_local_time": "08:19",
        },
    )


def _departed(flight_id: str, minute: int) -> Event:
    at = f"2013-01-01T10:{minute}:00Z"
    told = {"departed_at": at, "local_time": f"05:{minute}", "delay_minutes": minute - 15}
    return _event(flight_id, "departed", at, departure=told)


def _arrived(flight_id: str) -> Event:
    at = "2013-01-01T14:30:00Z"
    told = {"arrived_at": at, "local_time": "08:30", "delay_minutes": 11, "air_time_minutes": 227}
    return _event(flight_id, "arrived", at, arrival=told)


def test_events_and_weather_that_land_late_are_merged_and_undo_nothing(lake: Lake) -> None:
    lake.send([_scheduled("late", ("EWR", "IAH", 1400)), _departed("late", 20), _arrived("late")])
    lake.send([_scheduled("two-legs", ("JFK", "ORD", 740), ("ORD", "SFO", 1846))])
    lake.land("flight_events", clock=lambda: datetime(2026, 1, 10, 12, tzinfo=UTC))
    # Airlines and airports have not landed: a first build is possible all the same, and is green.
    printed = lake.dbt("build")
    assert "ERROR=0" in printed

    query = (
        "select flight_id, origin, destination, distance_miles, status, departure_delay_minutes, event_count"
        " from lake.int_flights order by flight_id"
    )
    assert lake.rows(query) == [
        ("late", "EWR", "IAH", 1400, "arrived", 5, 3),
        ("two-legs", "JFK", "SFO", 2586, "scheduled", None, 1),
    ]

    # A slow lander: an older departure of one flight, the first one of another and a flight of which nothing was known,
    # committed after the build with a stamp of the day before.
    lake.send([_departed("late", 17), _departed("two-legs", 16), _departed("unknown", 15)])
    lake.land("flight_events", clock=lambda: datetime(2026, 1, 9, 12, tzinfo=UTC))
    lake.dbt("run", "--select", "int_flights")

    assert lake.rows(query) == [
        ("late", "EWR", "IAH", 1400, "arrived", 5, 4),
        ("two-legs", "JFK", "SFO", 2586, "departed", 1, 2),
        ("unknown", None, None, None, "departed", 0, 1),
    ]

    # The weather of an hour in which one of them was to leave, long after its events. No event is in the window of any
    # other flight, so the row that it does not belong to is left alone: the mark on it stays.
    observed = {"origin": "EWR", "time_hour": "2013-01-01T10:00:00Z", "visib": 4.0, "wind_speed": 10.5, "precip": 0.02}
    lake.drop("weather", json.dumps(observed), name=f"{datetime.now(UTC):%Y/%m/%d/%H}/1")
    lake.land("weather", clock=lambda: datetime(2026, 3, 1, 12, tzinfo=UTC))
    with duckdb.connect(str(lake.settings.duckdb_path)) as connection:
        connection.execute("update lake.int_flights set last_landed_at = last_landed_at + interval 30 day")
        connection.execute("update lake.int_flights set event_count = 99")
    lake.dbt("run", "--select", "int_weather", "int_flights")
    assert lake.rows(
        "select flight_id, event_count, weather_observed_at, visibility_miles, wind_speed_mph, precipitation_inches"
        " from lake.int_flights order by flight_id"
    ) == [
        ("late", 4, datetime(2013, 1, 1, 10), 4.0, 10.5, 0.02),
        ("two-legs", 99, None, None, None, None),
        ("unknown", 99, None, None, None, None),
    ]


def test_newest_reference_file_that_names_a_key_wins(lake: Lake) -> None:
    lake.drop("airlines", "carrier,name\nUA,United\nAA,American Airlines Inc.\n", name="1.csv")
    lake.land()
    lake.drop("airlines", "carrier,name\nUA,United Air Lines Inc.\n", name="0.csv")
    lake.land("airlines")
    lake.dbt("run", "--select", "+dim_carrier")
    assert lake.rows("select carrier, carrier_name from marts.dim_carrier order by carrier") == [
        ("AA", "American Airlines Inc."),
        ("UA", "United Air Lines Inc."),
    ]
