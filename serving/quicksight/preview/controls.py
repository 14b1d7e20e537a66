"""What the controls of a sheet say: the filters and parameters that a viewer could change, with their values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from serving.quicksight.definition import Definition, mappings
from serving.quicksight.preview.expressions import Value, as_datetime
from serving.quicksight.preview.formats import DEFAULT_DATES, NumberFormat
from serving.quicksight.preview.parameters import Values

Node = Mapping[str, Any]


@dataclass(frozen=True)
class Control:
    """A control: its title and what it is set to."""

    title: str
    value: str


def controls(definition: Definition, sheet: Node, parameters: Values) -> list[Control]:
    """The controls of a sheet, in the order of the definition."""
    return [*_filter_controls(definition, sheet, parameters), *_parameter_controls(sheet, parameters)]


def _filter_controls(definition: Definition, sheet: Node, parameters: Values) -> Iterator[Control]:
    filters = {
        body["FilterId"]: body
        for group in definition.get("FilterGroups", ())
        for filter_ in group.get("Filters", ())
        for body in filter_.values()
    }
    for variant in sheet.get("FilterControls", ()):
        for control in variant.values():
            body = filters.get(control["SourceFilterId"])
            if body is not None:
                default = body.get("DefaultFilterControlConfiguration", {}).get("Title", body["Column"]["ColumnName"])
                yield Control(control.get("Title", default), _filter_text(body, parameters))


def _parameter_controls(sheet: Node, parameters: Values) -> Iterator[Control]:
    for variant in sheet.get("ParameterControls", ()):
        for control in variant.values():
            name = control["SourceParameterName"]
            yield Control(control.get("Title", name), _value_text(parameters.get(name)))


def _filter_text(body: Node, parameters: Values) -> str:
    """What a filter lets through, in words."""
    if any(mapping.get("SelectAllOptions") == "FILTER_ALL_VALUES" for _, mapping in mappings(body)):
        return "All"
    if "Configuration" in body:
        (configuration,) = body["Configuration"].values()
        listed = configuration.get("CategoryValues") or [configuration.get("CategoryValue")]
        if "ParameterName" in configuration:
            return _value_text(parameters.get(configuration["ParameterName"]))
        return ", ".join(str(each) for each in listed if each is not None) or "All"
    least = _end_text(body.get("RangeMinimumValue") or body.get("RangeMinimum") or {}, parameters)
    most = _end_text(body.get("RangeMaximumValue") or body.get("RangeMaximum") or {}, parameters)
    if least or most:
        return f"{least or '…'} to {most or '…'}"
    value = parameters.get(body["ParameterName"]) if "ParameterName" in body else body.get("Value", body.get("Limit"))
    return _value_text(value)


def _end_text(bound: Node, parameters: Values) -> str:
    if "Parameter" in bound:
        return _value_text(parameters.get(bound["Parameter"]))
    if "RollingDate" in bound:
        return bound["RollingDate"]["Expression"]
    value = bound.get("StaticValue")
    if value is None:
        return ""
    # The only static ends that are no numbers are points in time, also where they are written as text.
    return _value_text(value if isinstance(value, int | float) else as_datetime(value))


def _value_text(value: Value | tuple[Value, ...]) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_value_text, value)) or "All"
    if value is None:
        return "All"
    if isinstance(value, int | float):
        return NumberFormat().text(value)
    return value if isinstance(value, str) else DEFAULT_DATES["DAY"].text(as_datetime(value))
