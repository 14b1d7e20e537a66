"""The values of a dashboard's parameters: those declared, or what they are set to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import duckdb

from serving.quicksight.definition import Definition
from serving.quicksight.preview.errors import PreviewError
from serving.quicksight.preview.expressions import Scope, Value, as_datetime, translate

Values = Mapping[str, Value | tuple[Value, ...]]

_READ: dict[str, Callable[[Any], Value]] = {
    "StringParameterDeclaration": str,
    "IntegerParameterDeclaration": int,
    "DecimalParameterDeclaration": float,
    "DateTimeParameterDeclaration": as_datetime,
}


def parameter_values(definition: Definition, given: Mapping[str, str], now: datetime) -> Values:
    """The values of all parameters that a definition declares.

    Args:
        definition: The dashboard's.
        given: Values in place of the default ones, as text; several are separated by commas.
        now: What rolling dates are counted from, in UTC.

    Raises:
        PreviewError: If a parameter is not declared, or its value is none of its type. A default that depends on who
            looks (a dynamic one) is unset here.
    """
    values: dict[str, Value | tuple[Value, ...]] = {}
    for declared in definition.get("ParameterDeclarations", ()):
        for kind, declaration in declared.items():
            name = declaration["Name"]
            several = declaration.get("ParameterValueType") == "MULTI_VALUED"
            found = _given(name, given[name], kind, several) if name in given else _default(declaration, kind, now)
            values[name] = found if several else next(iter(found), None)
    for name in given:
        if name not in values:
            known = ", ".join(values) or "none"
            raise PreviewError(f"the dashboard declares no parameter {name!r}; it declares {known}")
    return values


def _given(name: str, text: str, kind: str, several: bool) -> tuple[Value, ...]:
    try:
        return tuple(_READ[kind](part.strip()) for part in (text.split(",") if several else [text]))
    except ValueError as error:
        wanted = kind.removesuffix("ParameterDeclaration").lower()
        raise PreviewError(f"the parameter {name} is of type {wanted}; {text!r} is none") from error


def _default(declaration: Mapping[str, Any], kind: str, now: datetime) -> tuple[Value, ...]:
    defaults = declaration.get("DefaultValues", {})
    if defaults.get("StaticValues"):
        return tuple(_READ[kind](value) for value in defaults["StaticValues"])
    if rolling := defaults.get("RollingDate"):
        return (rolling_date(rolling["Expression"], now),)
    unset = declaration.get("ValueWhenUnset", {}).get("CustomValue")
    return () if unset is None else (_READ[kind](unset),)


def rolling_date(expression: str, now: datetime) -> datetime:
    """What an expression of dates, such as `truncDate('MM', now())`, comes to.

    Raises:
        NotDrawnError: If it names a field or a function that is not translated.
    """
    sql = translate(expression, Scope("a rolling date", frozenset(), now=now)).text
    with duckdb.connect() as connection:
        found = connection.execute(f"select cast({sql} as timestamp)").fetchone()
    assert found is not None
    return found[0]
