"""The weather as observations, against the source file read by other means."""

from __future__ import annotations

import csv
import json
from datetime import date

import pytest

from infra.local.errors import LocalServicesError
from infra.local.flights import data_file
from infra.local.weather import observations

MARCH = (date(2013, 3, 9), date(2013, 3, 11))  # clocks went forward on the 10th


def test_each_observation_says_what_was_measured_and_no_more() -> None:
    with data_file("weather.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["month"] == "3" and row["day"] in ("9", "10", "11")]
    told = [json.loads(payload) for batch in observations(*MARCH) for payload in batch["payload"].to_pylist()]
    assert len(told) == len(rows) > 200
    by_key = {(row["origin"], row["time_hour"]): row for row in rows}
    for observation in told:
        row = by_key.pop((observation.pop("origin"), observation.pop("time_hour")))
        measured = {
            k: float(v)
            for k, v in row.items()
            if v != "NA" and k not in ("origin", "time_hour", "year", "month", "day", "hour")
        }
        assert observation == measured


def test_days_without_data_are_told() -> None:
    with pytest.raises(LocalServicesError, match="There is weather from 2013-01-01"):
        list(observations(date(2014, 1, 1), date(2014, 1, 2)))
