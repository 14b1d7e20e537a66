"""The flights as events, against the source files read by other means."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from infra.local.errors import LocalServicesError
from infra.local.flights import data_file, events

JANUARY = (date(2013, 1, 1), date(2013, 1, 31))
# Clocks went forward on 10 March and back on 3 November.
SPRING = (date(2013, 3, 9), date(2013, 3, 10))
AUTUMN = (date(2013, 11, 2), date(2013, 11, 3))


@cache
def source(first: date, last: date) -> list[dict[str, str]]:
    with zipfile.ZipFile(data_file("flights.csv.zip")) as archive, archive.open("flights.csv") as file:
        header, *lines = io.TextIOWrapper(file, encoding="utf-8")
    days = {(first + timedelta(n)).strftime("%Y,%-m,%-d,") for n in range((last - first).days + 1)}
    chosen = [line for line in lines if line.startswith(tuple(days))]
    return list(csv.DictReader([header, *chosen]))


@cache
def told(first: date, last: date) -> pa.Table:
    return pa.Table.from_batches(events(first, last))


@cache
def payloads(first: date, last: date) -> list[dict[str, Any]]:
    return [json.loads(payload) for payload in told(first, last)["payload"].to_pylist()]


def identifier(row: dict[str, str]) -> str:
    day = "".join(f"{int(row[part]):02}" for part in ("year", "month", "day"))
    return f"{day}-{row['carrier']}-{row['flight']}-{row['origin']}-{int(row['sched_dep_time']):04}"


def instant(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def scheduled_departure(row: dict[str, str]) -> datetime:
    return instant(row["time_hour"]) + timedelta(minutes=int(row["minute"]))


def test_january_has_the_events_that_the_source_tells_of() -> None:
    rows = source(*JANUARY)
    counts = Counter(told(*JANUARY)["event_type"].to_pylist())
    assert counts == {
        "scheduled": len(rows),
        "departed": sum(row["dep_time"] != "NA" for row in rows),
        "arrived": sum(row["arr_time"] != "NA" for row in rows),
        "cancelled": sum(row["dep_time"] == "NA" for row in rows),
        "diverted": sum(row["dep_time"] != "NA" and row["air_time"] == "NA" for row in rows),
    }
    assert (counts["scheduled"], counts["cancelled"], counts["diverted"]) == (27_004, 521, 85)
    assert counts["scheduled"] - counts["arrived"] == 536


def test_each_flight_and_each_event_has_an_identifier_of_its_own() -> None:
    table = told(*JANUARY)
    assert set(table["flight_id"].to_pylist()) == {identifier(row) for row in source(*JANUARY)}
    documents = payloads(*JANUARY)
    assert len({document["event_id"] for document in documents}) == len(documents)
    assert all(document["event_id"] == f"{document['flight_id']}-{document['event_type']}" for document in documents)


def test_what_the_source_says_is_in_the_event_and_what_it_does_not_is_missing() -> None:
    documents = {document["event_id"]: document for document in payloads(*JANUARY)}
    members = {"scheduled": {"legs", "schedule"}, "departed": {"departure"}, "arrived": {"arrival"}}
    for document in documents.values():
        assert set(document) == {"event_id", "flight_id", "event_type", "event_time", "flight"} | members.get(
            document["event_type"], set()
        )
    for row in source(*JANUARY):
        scheduled = documents[f"{identifier(row)}-scheduled"]
        assert scheduled["flight"].get("tail_number", "NA") == (row["tailnum"] or "NA")
        assert scheduled["flight"]["number"] == int(row["flight"])
        leg = {"origin": row["origin"], "destination": row["dest"], "distance_miles": int(row["distance"])}
        assert scheduled["legs"] == [leg]
        arrived = documents.get(f"{identifier(row)}-arrived")
        if arrived is not None:
            assert arrived["arrival"]["local_time"].replace(":", "") == f"{int(row['arr_time']):04}"
            assert str(arrived["arrival"].get("delay_minutes", "NA")) == row["arr_delay"]
            assert str(arrived["arrival"].get("air_time_minutes", "NA")) == row["air_time"]


def test_a_departure_is_as_late_as_it_is_told_and_agrees_with_the_clock_of_new_york() -> None:
    documents = {document["event_id"]: document for document in payloads(*JANUARY)}
    for row in source(*JANUARY):
        if row["dep_time"] != "NA":
            departure = documents[f"{identifier(row)}-departed"]["departure"]
            departed_at = instant(departure["departed_at"])
            assert departed_at == scheduled_departure(row) + timedelta(minutes=departure["delay_minutes"])
            clock = departed_at.astimezone(ZoneInfo("America/New_York"))
            assert clock.strftime("%H%M") == f"{int(row['dep_time']) % 2400:04}"


def first_showing(zone: str, hhmm: str, after: datetime) -> datetime:
    """The first minute after an instant at which the clock of a zone shows a time, found by looking at each."""
    wanted = divmod(int(hhmm) % 2400, 100)
    moment = after
    while True:
        moment += timedelta(minutes=1)
        clock = moment.astimezone(ZoneInfo(zone))
        if (clock.hour, clock.minute) == wanted:
            return moment


@pytest.mark.parametrize("days", [SPRING, AUTUMN])
def test_an_arrival_is_when_the_clock_of_the_destination_first_shows_its_time(days: tuple[date, date]) -> None:
    with data_file("airports.csv").open(encoding="utf-8") as file:
        zones = {row["faa"]: row["tzone"] for row in csv.DictReader(file)}
    zones |= {"BQN": "America/Puerto_Rico", "PSE": "America/Puerto_Rico", "SJU": "America/Puerto_Rico"}
    zones |= {"STT": "America/St_Thomas"}
    documents = {document["event_id"]: document for document in payloads(*days)}
    checked = 0
    for row in source(*days)[::3]:
        # This one is told to have arrived at 2:03 on 10 March, which no clock in Florida showed.
        if row["arr_time"] == "NA" or identifier(row) == "20130309-B6-35-JFK-2145":
            continue
        departed_at = instant(documents[f"{identifier(row)}-departed"]["departure"]["departed_at"])
        arrived_at = instant(documents[f"{identifier(row)}-arrived"]["arrival"]["arrived_at"])
        assert arrived_at == first_showing(zones[row["dest"]], row["arr_time"], departed_at), row
        checked += 1
    assert checked > 400


def test_a_time_that_the_clock_skipped_is_one_of_the_offset_before() -> None:
    documents = {document["event_id"]: document for document in payloads(*SPRING)}
    arrived = documents["20130309-B6-35-JFK-2145-arrived"]["arrival"]
    assert (arrived["local_time"], arrived["arrived_at"]) == ("02:03", "2013-03-10T07:03:00Z")


def test_a_diversion_carries_the_scheduled_arrival() -> None:
    documents = {document["event_id"]: document for document in payloads(*JANUARY)}
    diverted = [row for row in source(*JANUARY) if f"{identifier(row)}-diverted" in documents]
    for row in diverted:
        event_time = instant(documents[f"{identifier(row)}-diverted"]["event_time"])
        assert timedelta(0) < event_time - scheduled_departure(row) < timedelta(hours=12)
    assert len(diverted) == 85


def test_a_flight_is_scheduled_before_anything_else_is_told_of_it() -> None:
    seen: dict[str, list[str]] = {}
    for document in payloads(*JANUARY):
        seen.setdefault(document["flight_id"], []).append(document["event_type"])
    usual = {("scheduled", "cancelled"), ("scheduled", "departed", "arrived")}
    diverted = {
        ("scheduled", "departed", "diverted"),
        ("scheduled", "departed", "diverted", "arrived"),
        ("scheduled", "departed", "arrived", "diverted"),
    }
    orders = {tuple(order) for order in seen.values()}
    assert usual < orders
    assert orders <= usual | diverted


def test_events_are_told_in_the_order_of_their_time() -> None:
    # Save for a departure before its time: then the scheduled event is told with it.
    table = told(*JANUARY)
    times = [
        time
        for time, event_type in zip(table["event_time"].to_pylist(), table["event_type"].to_pylist(), strict=True)
        if event_type in ("departed", "arrived", "cancelled")
    ]
    assert times == sorted(times)


def test_the_same_days_give_the_same_batches() -> None:
    day = date(2013, 1, 1)
    batches = list(events(day, day, batch_rows=1000))
    assert [batch.num_rows for batch in batches][:2] == [1000, 1000]
    assert pa.Table.from_batches(batches) == pa.Table.from_batches(events(day, day, batch_rows=1000))


@pytest.mark.parametrize(
    ("first", "last"), [(date(2012, 12, 31), date(2013, 1, 1)), (date(2013, 1, 2), date(2013, 1, 1))]
)
def test_days_without_data_are_refused(first: date, last: date) -> None:
    with pytest.raises(LocalServicesError, match="2013-01-01 to 2013-12-31"):
        list(events(first, last))
