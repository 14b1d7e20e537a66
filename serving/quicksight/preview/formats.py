"""How values read: QuickSight's format configurations, as text and as the formats that Vega knows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

Cell = str | int | float | Decimal | bool | date | datetime | None

NULL = "null"
"""What QuickSight shows where there is no value, unless told."""

# NumberScale in the service model: what a number is divided by, and what then stands behind it.
_SCALES: dict[str, tuple[float, str]] = {
    "NONE": (1, ""),
    "THOUSANDS": (1e3, "K"),
    "MILLIONS": (1e6, "M"),
    "BILLIONS": (1e9, "B"),
    "TRILLIONS": (1e12, "T"),
    "LAKHS": (1e5, "L"),
    "CRORES": (1e7, "Cr"),
}
_SEPARATORS = {"COMMA": ",", "DOT": ".", "SPACE": " "}


@dataclass(frozen=True)
class NumberFormat:
    """How a number reads.

    Args:
        decimals: Decimal places. None for as many as it has, two at most.
        percent: Whether 0.5 reads 50%.
        scale: A NumberScale of the service model, or AUTO.
        thousands: What separates groups of three digits.
        decimal: What stands before the decimals.
    """

    decimals: int | None = None
    percent: bool = False
    prefix: str = ""
    suffix: str = ""
    scale: str = "NONE"
    thousands: str = ","
    decimal: str = "."
    null: str = NULL

    def text(self, value: Cell) -> str:
        """A number as it reads."""
        if value is None:
            return self.null
        if not isinstance(value, int | float | Decimal):
            return str(value)
        number, unit = float(value) * (100 if self.percent else 1), "%" if self.percent else ""
        if not self.percent:
            divisor, unit = self._scale_of(number)
            number /= divisor
        text = f"{abs(number):,.{2 if self.decimals is None else self.decimals}f}"
        if self.decimals is None and "." in text:
            text = text.rstrip("0").rstrip(".")
        text = text.translate({ord(","): self.thousands, ord("."): self.decimal})
        sign = "-" if number < 0 and re.search("[1-9]", text) else ""
        return f"{sign}{self.prefix}{text}{unit}{self.suffix}"

    def _scale_of(self, number: float) -> tuple[float, str]:
        if self.scale != "AUTO":
            return _SCALES.get(self.scale, _SCALES["NONE"])
        fitting = [name for name in ("THOUSANDS", "MILLIONS", "BILLIONS") if abs(number) >= _SCALES[name][0]]
        return _SCALES[fitting[-1] if fitting else "NONE"]

    @property
    def d3(self) -> str:
        """The format of an axis in d3's notation, without prefix, suffix and scale: axes say those in their labels."""
        if self.percent:
            return ",.0%"
        return ",.2~f" if self.decimals is None else f",.{self.decimals}~f"


@dataclass(frozen=True)
class DateFormat:
    """How a point in time reads, by a pattern in QuickSight's notation, such as `MMM D, YYYY`.

    What is in brackets is said as it is.
    """

    pattern: str
    null: str = NULL

    def text(self, value: Cell) -> str:
        """A point in time as it reads."""
        if value is None:
            return self.null
        if not isinstance(value, date):
            return str(value)
        when = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
        return _PATTERN.sub(lambda found: found["said"] or _DATE_PARTS[found.group()](when), self.pattern)

    @property
    def d3(self) -> str:
        """The format in d3's notation."""
        return _PATTERN.sub(lambda found: found["said"] or _D3[found.group()], self.pattern)


Format = NumberFormat | DateFormat

_DATE_PARTS = {
    "YYYY": lambda d: f"{d:%Y}",
    "YY": lambda d: f"{d:%y}",
    "MMMM": lambda d: f"{d:%B}",
    "MMM": lambda d: f"{d:%b}",
    "MM": lambda d: f"{d:%m}",
    "M": lambda d: str(d.month),
    "Q": lambda d: str((d.month + 2) // 3),
    "DD": lambda d: f"{d:%d}",
    "D": lambda d: str(d.day),
    "dddd": lambda d: f"{d:%A}",
    "ddd": lambda d: f"{d:%a}",
    "HH": lambda d: f"{d:%H}",
    "H": lambda d: str(d.hour),
    "hh": lambda d: f"{d:%I}",
    "h": lambda d: str(int(f"{d:%I}")),
    "mm": lambda d: f"{d:%M}",
    "ss": lambda d: f"{d:%S}",
    "SSS": lambda d: f"{d.microsecond // 1000:03d}",
    "A": lambda d: f"{d:%p}",
    "a": lambda d: f"{d:%p}".lower(),
}
_D3 = {
    "YYYY": "%Y",
    "YY": "%y",
    "MMMM": "%B",
    "MMM": "%b",
    "MM": "%m",
    "M": "%-m",
    "Q": "%q",
    "DD": "%d",
    "D": "%-d",
    "dddd": "%A",
    "ddd": "%a",
    "HH": "%H",
    "H": "%-H",
    "hh": "%I",
    "h": "%-I",
    "mm": "%M",
    "ss": "%S",
    "SSS": "%L",
    "A": "%p",
    "a": "%p",
}
_PATTERN = re.compile(r"\[(?P<said>[^\]]*)\]|" + "|".join(sorted(_DATE_PARTS, key=len, reverse=True)))

# What QuickSight shows for each granularity unless told.
DEFAULT_DATES = {
    "YEAR": DateFormat("YYYY"),
    "QUARTER": DateFormat("[Q]Q YYYY"),
    "MONTH": DateFormat("MMM YYYY"),
    "WEEK": DateFormat("MMM D, YYYY"),
    "DAY": DateFormat("MMM D, YYYY"),
    "HOUR": DateFormat("MMM D, YYYY hA"),
    "MINUTE": DateFormat("MMM D, YYYY h:mmA"),
    "SECOND": DateFormat("MMM D, YYYY h:mm:ssA"),
    "MILLISECOND": DateFormat("MMM D, YYYY h:mm:ss.SSSA"),
}


def number_format(configuration: Mapping[str, Any] | None) -> NumberFormat:
    """A NumericFormatConfiguration of the service model; a configuration of nothing is how numbers read unless told."""
    configuration = configuration or {}
    number = configuration.get("NumberDisplayFormatConfiguration")
    percent = configuration.get("PercentageDisplayFormatConfiguration")
    currency = configuration.get("CurrencyDisplayFormatConfiguration")
    found: Mapping[str, Any] = number or percent or currency or {}
    separators = found.get("SeparatorConfiguration", {})
    hidden = separators.get("ThousandsSeparator", {}).get("Visibility") == "HIDDEN"
    thousands = separators.get("ThousandsSeparator", {}).get("Symbol", "COMMA")
    symbol = {"USD": "$", "EUR": "€", "GBP": "£"}.get(found.get("Symbol", "USD"), found.get("Symbol", ""))
    return NumberFormat(
        decimals=found.get("DecimalPlacesConfiguration", {}).get("DecimalPlaces", 2 if percent or currency else None),
        percent=percent is not None,
        prefix=found.get("Prefix", "") + (symbol if currency is not None else ""),
        suffix=found.get("Suffix", ""),
        scale=found.get("NumberScale", "NONE"),
        thousands="" if hidden else _SEPARATORS.get(thousands, ","),
        decimal=_SEPARATORS.get(separators.get("DecimalSeparator", "DOT"), "."),
        null=_null(found),
    )


def date_format(configuration: Mapping[str, Any] | None, granularity: str) -> DateFormat:
    """A DateTimeFormatConfiguration of the service model, or what its granularity reads like unless told."""
    default = DEFAULT_DATES[granularity]
    configuration = configuration or {}
    return DateFormat(configuration.get("DateTimeFormat", default.pattern), _null(configuration))


def _null(configuration: Mapping[str, Any]) -> str:
    return configuration.get("NullValueFormatConfiguration", {}).get("NullString", NULL)
