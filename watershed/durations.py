"""Durations as people write them on the command line: 500ms, 2s, 1min, 1h."""

from __future__ import annotations

import re

import typer

_UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0}
_FORM = re.compile(r"(\d+(?:\.\d+)?) ?(ms|s|min|m|h)")


def seconds(text: str) -> float:
    """Seconds. Raises BadParameter for what is no duration, or none at all."""
    told = _FORM.fullmatch(text.strip())
    found = float(told[1]) * _UNITS[told[2]] if told else 0.0
    if found <= 0:
        raise typer.BadParameter(f"{text!r} is no time; write for example 500ms, 2s, 1min or 1h.")
    return found
