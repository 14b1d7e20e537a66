"""Which rows a visual sees: the filter groups of its dashboard that apply to it, as SQL, and what they say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from serving.quicksight.definition import Definition
from serving.quicksight.preview.errors import NotDrawnError
from serving.quicksight.preview.expressions import Level, Scope, Value, as_datetime, literal, truncated
from serving.quicksight.preview.fields import aggregated
from serving.quicksight.preview.parameters import rolling_date


@dataclass(frozen=True)
class Top:
    """Keep the rows of the first few values of a field: a TopBottomFilter."""

    column: str
    order: str
    limit: int


@dataclass(frozen=True)
class Filters:
    """What a visual is filtered by. All of it has to hold.

    Args:
        rows: Conditions on rows.
        groups: Conditions on the groups of rows that the visual shows.
        tops: Applied to what the conditions on rows leave.
    """

    rows: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    tops: tuple[Top, ...] = ()


NO_FILTERS = Filters()


@dataclass(frozen=True)
class _Condition:
    sql: str
    level: Level


def filters_of(definition: Definition, sheet_id: str, visual_id: str, scope: Scope) -> Filters:
    """The filters of a visual.

    A filter group applies to the data set of its columns, or, with ALL_DATASETS, to each that has columns of these
    names. Groups are joined by `and`, the filters of one group by `or` (QuickSight user guide, "Adding filter
    conditions (group filters) with AND and OR operators").

    Args:
        definition: The dashboard's.
        sheet_id: The visual's sheet.
        visual_id: The visual.
        scope: The names of its data set.

    Raises:
        NotDrawnError: If a filter that applies is not translated.
    """
    rows: list[str] = []
    groups: list[str] = []
    tops: list[Top] = []
    for group in definition.get("FilterGroups", ()):
        if not is_in_scope(group, sheet_id, visual_id):
            continue
        conditions: list[_Condition] = []
        for kind, body in _filters(group):
            if not _is_of_data_set(group, body, scope):
                continue
            if kind == "TopBottomFilter":
                tops.append(_top(body, scope))
            elif condition := _condition(kind, body, scope):
                conditions.append(condition)
        if conditions:
            joined = "(" + " or ".join(condition.sql for condition in conditions) + ")"
            (groups if any(c.level is Level.AGGREGATE for c in conditions) else rows).append(joined)
    return Filters(tuple(rows), tuple(groups), tuple(tops))


def _filters(group: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for filter_ in group.get("Filters", ()):
        yield from filter_.items()


def is_in_scope(group: Mapping[str, Any], sheet_id: str, visual_id: str) -> bool:
    """Whether a filter group is on and applies to a visual, whatever its data set."""
    if group.get("Status", "ENABLED") == "DISABLED":
        return False
    scope = group["ScopeConfiguration"]
    if "AllSheets" in scope:
        return True
    for sheet in scope.get("SelectedSheets", {}).get("SheetVisualScopingConfigurations", ()):
        if sheet["SheetId"] == sheet_id and (sheet["Scope"] == "ALL_VISUALS" or visual_id in sheet["VisualIds"]):
            return True
    return False


def _is_of_data_set(group: Mapping[str, Any], body: Mapping[str, Any], scope: Scope) -> bool:
    column = body["Column"]
    if column["DataSetIdentifier"] == scope.data_set:
        return True
    known = column["ColumnName"] in scope.columns or column["ColumnName"] in scope.calculated
    return group.get("CrossDataset") == "ALL_DATASETS" and known


def _condition(kind: str, body: Mapping[str, Any], scope: Scope) -> _Condition | None:
    """A filter as a condition; None if it lets everything through."""
    if kind not in _KINDS:
        raise NotDrawnError(f"filter {body.get('FilterId')!r}: a {kind} is not translated by the preview")
    name = body["Column"]["ColumnName"]
    if "AggregationFunction" in body:
        operand = aggregated(name, body["AggregationFunction"], scope)[0]
    else:
        operand = scope.field(name)
    tests = _KINDS[kind](body, operand.text, scope)
    configuration = next(iter(body.get("Configuration", {}).values()), body)
    sql = _with_nulls(operand.text, tests, configuration.get("NullOption"))
    return _Condition(sql, operand.level) if sql else None


def _with_nulls(operand: str, tests: list[str], null_option: str | None) -> str:
    """The tests of a filter, and what becomes of missing values (FilterNullOption in the service model)."""
    if null_option == "NULLS_ONLY":
        return f"({operand} is null)"
    if null_option == "NON_NULLS_ONLY":
        tests = [f"{operand} is not null", *tests]
    joined = f"({' and '.join(tests)})" if tests else ""
    return f"({operand} is null or {joined})" if joined and null_option == "ALL_VALUES" else joined


def _category(body: Mapping[str, Any], operand: str, scope: Scope) -> list[str]:
    ((kind, configuration),) = body["Configuration"].items()
    if configuration.get("SelectAllOptions") == "FILTER_ALL_VALUES":
        return []
    operator: str = configuration["MatchOperator"]
    values = _category_values(configuration, scope)
    if not values:
        return []
    if kind == "FilterListConfiguration":  # A list: "contains" means that the value is in it.
        operator = _OF_LISTS.get(operator, operator)
    negative = operator.startswith("DOES_NOT")
    tests = [_MATCHES[operator].format(operand, literal(value)) for value in values]
    return ["(" + (" and " if negative else " or ").join(tests) + ")"]


def _category_values(configuration: Mapping[str, Any], scope: Scope) -> tuple[Value, ...]:
    if "ParameterName" in configuration:
        value = scope.parameter(configuration["ParameterName"])
        values = value if isinstance(value, tuple) else (value,)
    elif "CategoryValue" in configuration:
        values = (configuration["CategoryValue"],)
    else:
        values = tuple(configuration.get("CategoryValues", ()))
    return tuple(value for value in values if value is not None)


_OF_LISTS = {"CONTAINS": "EQUALS", "DOES_NOT_CONTAIN": "DOES_NOT_EQUAL"}
_MATCHES = {
    "EQUALS": "{} = {}",
    "DOES_NOT_EQUAL": "{} <> {}",
    "CONTAINS": "contains({}, {})",
    "DOES_NOT_CONTAIN": "not contains({}, {})",
    "STARTS_WITH": "starts_with({}, {})",
    "ENDS_WITH": "ends_with({}, {})",
}


def _numeric_range(body: Mapping[str, Any], operand: str, scope: Scope) -> list[str]:
    if body.get("SelectAllOptions") == "FILTER_ALL_VALUES":
        return []
    ends = (("RangeMinimum", "IncludeMinimum", ">"), ("RangeMaximum", "IncludeMaximum", "<"))
    tests = []
    for key, include, operator in ends:
        value = _bound(body.get(key, {}), scope)
        if value is not None:
            tests.append(f"{operand} {operator}{'=' if body.get(include) else ''} {literal(value)}")
    return tests


def _numeric_equality(body: Mapping[str, Any], operand: str, scope: Scope) -> list[str]:
    value = _single(body["ParameterName"], scope) if "ParameterName" in body else body.get("Value")
    if value is None or body.get("SelectAllOptions") == "FILTER_ALL_VALUES":
        return []
    return [_MATCHES[body["MatchOperator"]].format(operand, literal(value))]


def _time_range(body: Mapping[str, Any], operand: str, scope: Scope) -> list[str]:
    if "ExcludePeriodConfiguration" in body:
        raise NotDrawnError(f"filter {body['FilterId']!r}: an excluded period is not translated by the preview")
    ends = (("RangeMinimumValue", "IncludeMinimum", ">"), ("RangeMaximumValue", "IncludeMaximum", "<"))
    tests = []
    for key, include, operator in ends:
        value = _bound(body.get(key, {}), scope)
        if value is not None:
            left, right = _by_granularity(body, operand, literal(as_datetime(value)), scope)
            tests.append(f"{left} {operator}{'=' if body.get(include) else ''} {right}")
    return tests


def _time_equality(body: Mapping[str, Any], operand: str, scope: Scope) -> list[str]:
    if "ParameterName" in body:
        value = _single(body["ParameterName"], scope)
    elif "RollingDate" in body:
        value = rolling_date(body["RollingDate"]["Expression"], scope.now)
    else:
        value = body.get("Value")
    if value is None:
        return []
    left, right = _by_granularity(body, operand, literal(as_datetime(value)), scope)
    return [f"{left} = {right}"]


def _by_granularity(body: Mapping[str, Any], operand: str, value: str, scope: Scope) -> tuple[str, str]:
    """Both sides of a comparison of times, to the precision that the filter compares at."""
    granularity = body.get("TimeGranularity")
    if not granularity:
        return operand, value
    period = granularity.lower()
    return truncated(operand, period, scope.week_starts), truncated(value, period, scope.week_starts)


def _bound(bound: Mapping[str, Any], scope: Scope) -> Value:
    """The end of a range: None if it is open, as it is with a parameter that is unset."""
    if "Parameter" in bound:
        return _single(bound["Parameter"], scope)
    if "RollingDate" in bound:
        return rolling_date(bound["RollingDate"]["Expression"], scope.now)
    return bound.get("StaticValue")


def _single(name: str, scope: Scope) -> Value:
    value = scope.parameter(name)
    return next(iter(value), None) if isinstance(value, tuple) else value


def _top(body: Mapping[str, Any], scope: Scope) -> Top:
    limit = _single(body["ParameterName"], scope) if "ParameterName" in body else body.get("Limit")
    sorts = []
    for sort in body["AggregationSortConfigurations"]:
        sql, _ = aggregated(sort["Column"]["ColumnName"], sort.get("AggregationFunction"), scope)
        sorts.append(f"{sql.text} {'desc' if sort['SortDirection'] == 'DESC' else 'asc'} nulls last")
    if not isinstance(limit, int):
        raise NotDrawnError(f"filter {body['FilterId']!r}: its limit {limit!r} is no whole number")
    return Top(scope.field(body["Column"]["ColumnName"]).text, ", ".join(sorts), limit)


_KINDS: dict[str, Callable[[Mapping[str, Any], str, Scope], list[str]]] = {
    "CategoryFilter": _category,
    "NumericRangeFilter": _numeric_range,
    "NumericEqualityFilter": _numeric_equality,
    "TimeRangeFilter": _time_range,
    "TimeEqualityFilter": _time_equality,
}
