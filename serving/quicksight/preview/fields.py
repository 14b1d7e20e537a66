"""The fields in a visual's wells: what each is in SQL, what it is called, how its values read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from serving.quicksight.definition import mappings
from serving.quicksight.preview.errors import NotDrawnError
from serving.quicksight.preview.expressions import AGGREGATES, Level, Scope, Sql, percentile, translate, truncated
from serving.quicksight.preview.formats import Format, NumberFormat, date_format, number_format

Kind = Literal["text", "number", "date"]

# SimpleNumericalAggregation and its siblings in the service model, as functions of the expression language and as
# QuickSight says them behind a field's name.
_FUNCTIONS = {
    "SUM": ("sum", "Sum"),
    "AVERAGE": ("avg", "Average"),
    "MIN": ("min", "Min"),
    "MAX": ("max", "Max"),
    "COUNT": ("count", "Count"),
    "DISTINCT_COUNT": ("distinct_count", "Count distinct"),
    "VAR": ("var", "Variance"),
    "VARP": ("varp", "Population variance"),
    "STDEV": ("stdev", "Standard deviation"),
    "STDEVP": ("stdevp", "Population standard deviation"),
    "MEDIAN": ("median", "Median"),
}


@dataclass(frozen=True)
class Field:
    """A field in a well.

    Args:
        id: Its FieldId.
        well: Name of the well, such as Category or Values.
        label: What it is called.
        sql: A measure's is of groups of rows, any other's of rows.
        kind: What its values are.
        format: How they read.
        column: The column or calculated field behind it.
    """

    id: str
    well: str
    label: str
    sql: Sql
    kind: Kind
    format: Format
    column: str

    def text(self, value: Any) -> str:
        """A value as it reads."""
        return self.format.text(value)


@dataclass(frozen=True)
class DataSet:
    """A data set as a visual sees it.

    Args:
        scope: Its names.
        formats: FormatConfigurations of its columns, for fields that say nothing of their own.
    """

    scope: Scope
    formats: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def read_wells(
    wells: Mapping[str, Any], data_set: DataSet, labels: Mapping[str, str] = MappingProxyType({})
) -> list[Field]:
    """The fields of a visual, in the order of the definition.

    Args:
        wells: Lists of fields by the name of their well: BarChartAggregatedFieldWells, for one.
        data_set: What they are read from.
        labels: What fields are called in this visual, by FieldId.

    Raises:
        NotDrawnError: If a field cannot be translated.
    """
    return [_read(well, entry, data_set, labels) for well, entries in wells.items() for entry in entries]


def custom_labels(visual: Mapping[str, Any]) -> dict[str, str]:
    """What a visual calls its fields, by FieldId: in its table options and on its axes."""
    found: dict[str, str] = {}
    for _, mapping in mappings(visual):
        field_id = mapping.get("FieldId") or mapping.get("ApplyTo", {}).get("FieldId")
        if field_id and mapping.get("CustomLabel"):
            found[field_id] = mapping["CustomLabel"]
    return found


def _read(well: str, entry: Mapping[str, Any], data_set: DataSet, labels: Mapping[str, str]) -> Field:
    ((variant, field),) = entry.items() if "FieldId" not in entry else (("UnaggregatedField", entry),)
    reader = {
        "CategoricalDimensionField": _dimension,
        "NumericalDimensionField": _dimension,
        "DateDimensionField": _date_dimension,
        "UnaggregatedField": _unaggregated,
        "CalculatedMeasureField": _calculated_measure,
    }.get(variant, _measure)
    label, sql, kind, read_format = reader(variant, field, data_set)
    name = field.get("Column", {}).get("ColumnName", field.get("Expression", ""))
    return Field(field["FieldId"], well, labels.get(field["FieldId"], label), sql, kind, read_format, name)


_Read = tuple[str, Sql, Kind, Format]


def _row_level(name: str, data_set: DataSet) -> Sql:
    sql = data_set.scope.field(name)
    if sql.level is Level.AGGREGATE:
        raise NotDrawnError(f"{name!r} is a value of groups of rows; a dimension needs one of each row")
    return sql


def _dimension(variant: str, field: Mapping[str, Any], data_set: DataSet) -> _Read:
    name = field["Column"]["ColumnName"]
    kind: Kind = "number" if variant == "NumericalDimensionField" else "text"
    return name, _row_level(name, data_set), kind, _format(field, name, kind, data_set)


def _date_dimension(_: str, field: Mapping[str, Any], data_set: DataSet) -> _Read:
    name, granularity = field["Column"]["ColumnName"], field.get("DateGranularity", "DAY")
    when = _row_level(name, data_set)
    sql = Sql(truncated(f"cast({when.text} as timestamp)", granularity.lower(), data_set.scope.week_starts), Level.ROW)
    return name, sql, "date", date_format(_own_format(field, name, data_set), granularity)


def _unaggregated(_: str, field: Mapping[str, Any], data_set: DataSet) -> _Read:
    """A field of a table of single rows. The definition does not say what it is: its format does."""
    name = field["Column"]["ColumnName"]
    of_field = field.get("FormatConfiguration") or data_set.formats.get(name, {})
    return name, _row_level(name, data_set), "text", number_format(_numeric(of_field))


def _calculated_measure(_: str, field: Mapping[str, Any], data_set: DataSet) -> _Read:
    sql = translate(field["Expression"], data_set.scope)
    if sql.level is Level.ROW:
        raise NotDrawnError(f"{field['Expression']!r} has a value for each row; a measure needs one of groups of rows")
    return field["Expression"], sql, "number", NumberFormat()


def _measure(variant: str, field: Mapping[str, Any], data_set: DataSet) -> _Read:
    name = field["Column"]["ColumnName"]
    default = "SUM" if variant == "NumericalMeasureField" else "COUNT"
    sql, said = aggregated(name, field.get("AggregationFunction"), data_set.scope, default)
    is_date = variant == "DateMeasureField" and field.get("AggregationFunction") in ("MIN", "MAX")
    kind: Kind = "date" if is_date else "number"
    return f"{name} ({said})" if said else name, sql, kind, _format(field, name, kind, data_set)


def aggregated(
    name: str, function: str | Mapping[str, Any] | None, scope: Scope, default: str = "SUM"
) -> tuple[Sql, str]:
    """A field aggregated by an AggregationFunction of the service model, and how that is said.

    A calculated field that aggregates already is taken as it is.

    Raises:
        NotDrawnError: If it is to be aggregated again, or by a function that is not translated.
    """
    sql = scope.field(name)
    if sql.level is Level.AGGREGATE:
        if function is not None:
            raise NotDrawnError(f"{name!r} aggregates already: leave out its AggregationFunction")
        return sql, ""
    chosen = _simple(function) if function is not None else default
    if isinstance(chosen, float):
        return Sql(percentile(sql.text, chosen), Level.AGGREGATE), f"{chosen:g}th percentile"
    if chosen not in _FUNCTIONS:
        raise NotDrawnError(f"the aggregation {chosen} is not translated by the preview")
    function_name, said = _FUNCTIONS[chosen]
    return Sql(AGGREGATES[function_name].format(sql.text), Level.AGGREGATE), said


def _simple(function: str | Mapping[str, Any]) -> str | float:
    """The name of an aggregation, or its percentile."""
    if isinstance(function, str):
        return function
    ((kind, inner),) = function.items()
    return float(inner["PercentileValue"]) if kind == "PercentileAggregation" else _simple(inner)


def _format(field: Mapping[str, Any], name: str, kind: Kind, data_set: DataSet) -> Format:
    configuration = _own_format(field, name, data_set)
    return date_format(configuration, "DAY") if kind == "date" else number_format(_numeric(configuration))


def _own_format(field: Mapping[str, Any], name: str, data_set: DataSet) -> Mapping[str, Any]:
    """The field's format configuration, else its column's, without what wraps it there."""
    own = field.get("FormatConfiguration")
    if own is not None:
        return own
    of_column = data_set.formats.get(name, {})
    return next(iter(of_column.values()), {})


def _numeric(configuration: Mapping[str, Any]) -> Mapping[str, Any]:
    """The NumericFormatConfiguration in a configuration, which lies deeper in some kinds of field than in others."""
    for key in ("NumberFormatConfiguration", "FormatConfiguration", "NumericFormatConfiguration"):
        configuration = configuration.get(key, configuration)
    return configuration


def of_well(fields: Iterable[Field], *wells: str) -> tuple[Field, ...]:
    """The fields of some wells."""
    return tuple(field for field in fields if field.well in wells)
