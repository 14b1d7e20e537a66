from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from serving.quicksight.preview.formats import Cell, NumberFormat, date_format, number_format

_TWO = {"DecimalPlacesConfiguration": {"DecimalPlaces": 2}}


@pytest.mark.parametrize(
    ("configuration", "value", "text"),
    [
        ({}, 27004, "27,004"),
        ({}, 2.0, "2"),
        ({}, 1.256, "1.26"),
        ({}, None, "null"),
        ({}, Decimal("1.5"), "1.5"),
        ({"PercentageDisplayFormatConfiguration": {}}, 0.8077, "80.77%"),
        ({"PercentageDisplayFormatConfiguration": _TWO}, -0.5, "-50.00%"),
        ({"NumberDisplayFormatConfiguration": {**_TWO, "Prefix": "~", "Suffix": " min"}}, 3, "~3.00 min"),
        ({"NumberDisplayFormatConfiguration": {**_TWO, "NumberScale": "THOUSANDS"}}, 1500, "1.50K"),
        ({"NumberDisplayFormatConfiguration": {"NumberScale": "AUTO"}}, 2_500_000, "2.5M"),
        ({"CurrencyDisplayFormatConfiguration": {"Symbol": "EUR"}}, 1234.5, "€1,234.50"),
        (
            {
                "NumberDisplayFormatConfiguration": {
                    **_TWO,
                    "SeparatorConfiguration": {"DecimalSeparator": "COMMA", "ThousandsSeparator": {"Symbol": "DOT"}},
                }
            },
            1234.5,
            "1.234,50",
        ),
        ({"NumberDisplayFormatConfiguration": {"NullValueFormatConfiguration": {"NullString": "none"}}}, None, "none"),
    ],
)
def test_a_number_reads_as_its_configuration_says(configuration: dict[str, Any], value: Cell, text: str) -> None:
    assert number_format(configuration).text(value) == text


def test_a_number_that_rounds_to_zero_has_no_sign() -> None:
    assert NumberFormat(decimals=1).text(-0.04) == "0.0"


@pytest.mark.parametrize(
    ("pattern", "granularity", "text", "d3"),
    [
        (None, "DAY", "Jan 5, 2013", "%b %-d, %Y"),
        (None, "MONTH", "Jan 2013", "%b %Y"),
        (None, "QUARTER", "Q1 2013", "Q%q %Y"),
        (None, "HOUR", "Jan 5, 2013 4PM", "%b %-d, %Y %-I%p"),
        ("YYYY-MM-DD HH:mm:ss", "DAY", "2013-01-05 16:07:08", "%Y-%m-%d %H:%M:%S"),
        ("dddd[ the ]DD", "DAY", "Saturday the 05", "%A the %d"),
    ],
)
def test_a_date_reads_as_its_pattern_says(pattern: str | None, granularity: str, text: str, d3: str) -> None:
    read = date_format({"DateTimeFormat": pattern} if pattern else None, granularity)
    assert read.text(datetime(2013, 1, 5, 16, 7, 8)) == text
    assert read.d3 == d3
    assert read.text(None) == "null"


def test_a_mere_date_reads_too() -> None:
    assert date_format(None, "DAY").text(date(2013, 1, 5)) == "Jan 5, 2013"
