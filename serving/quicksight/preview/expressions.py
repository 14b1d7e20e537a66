"""QuickSight's expression language, read and translated into DuckDB's SQL.

The language is that of the user guide's "Function and operator reference". What is here are its operators, and the
functions whose result depends on nothing but the rows of a visual: no table calculations (`sumOver`, `rank`), no levels
of aggregation. A function that is missing raises.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from enum import IntEnum

from serving.quicksight.preview.errors import NotDrawnError

Value = str | int | float | datetime | None


class Level(IntEnum):
    """What an expression has a value for: always the same one, one for each row, one for each group of rows."""

    CONSTANT = 0
    ROW = 1
    AGGREGATE = 2


@dataclass(frozen=True)
class Sql:
    """An expression in SQL."""

    text: str
    level: Level


@dataclass(frozen=True)
class Scope:
    """What the names in an expression mean.

    Args:
        data_set: Its identifier.
        columns: Names of its columns.
        calculated: Expressions of its calculated fields, by name.
        parameters: Values of the parameters. One that is unset is None, one with several values is a tuple.
        now: What `now()` is, in UTC.
        week_starts: The first day of the week, 0 for Monday to 6 for Sunday.
    """

    data_set: str
    columns: frozenset[str]
    calculated: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Value | tuple[Value, ...]] = field(default_factory=dict)
    now: datetime = datetime(1970, 1, 1)
    week_starts: int = 6
    _inside: tuple[str, ...] = ()

    def field(self, name: str) -> Sql:
        """A column, or a calculated field with all that it is made of.

        Raises:
            NotDrawnError: If there is none of this name, or it is made of itself.
        """
        if name in self._inside:
            raise NotDrawnError(f"the calculated field {name!r} is made of itself")
        if name in self.calculated:
            return translate(self.calculated[name], replace(self, _inside=(*self._inside, name)))
        if name in self.columns:
            return Sql(quoted(name), Level.ROW)
        raise NotDrawnError(f"{self.data_set} has no column or calculated field {name!r}")

    def parameter(self, name: str) -> Value | tuple[Value, ...]:
        """The value of a parameter.

        Raises:
            NotDrawnError: If there is none of this name.
        """
        if name not in self.parameters:
            raise NotDrawnError(f"there is no parameter {name!r}")
        return self.parameters[name]


def quoted(name: str) -> str:
    """A name as SQL: those of fields may hold anything."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: Value) -> str:
    """A value as SQL."""
    if value is None:
        return "null"
    if isinstance(value, datetime):
        return f"timestamp '{value:%Y-%m-%d %H:%M:%S.%f}'"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value)


def translate(expression: str, scope: Scope) -> Sql:
    """An expression as SQL over the rows of its data set.

    Raises:
        NotDrawnError: If it cannot be read, names what does not exist, mixes rows with groups of rows, or uses a
            function that is not translated.
    """
    return _Parser(expression, scope).whole()


_TOKEN = re.compile(
    r"""\s+ | /\*.*?\*/
    | (?P<number>\d+(?:\.\d*)?|\.\d+)
    | (?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    | \$\{(?P<parameter>[^}]*)\}
    | \{(?P<field>[^}]*)\}
    | (?P<word>[A-Za-z_]\w*)
    | (?P<operator><>|!=|<=|>=|[-+*/%^=<>(),\[\]])
    | (?P<unknown>.)""",
    re.VERBOSE | re.DOTALL,
)
_COMPARISONS = {"=": "=", "<>": "<>", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_CONSTANT_WORDS = {"null": "null", "true": "true", "false": "false"}


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str


def _tokens(expression: str) -> Iterator[_Token]:
    for found in _TOKEN.finditer(expression):
        if found.lastgroup == "unknown":
            raise NotDrawnError(f"{found.group()!r} is not understood in {expression!r}")
        if found.lastgroup:
            yield _Token(found.lastgroup, found[found.lastgroup].strip())
    yield _Token("end", "the end")


class _Parser:
    """Recursive descent, one method for each level of precedence, translating as it reads."""

    def __init__(self, expression: str, scope: Scope) -> None:
        self._expression = expression
        self._scope = scope
        self._waiting = list(_tokens(expression))

    def whole(self) -> Sql:
        found = self._either()
        if self._next.kind != "end":
            raise self._unexpected()
        return found

    @property
    def _next(self) -> _Token:
        return self._waiting[0]

    def _take(self) -> _Token:
        return self._waiting.pop(0)

    def _takes(self, *texts: str) -> str | None:
        """The next token in lower case, taken if it is one of these operators or words."""
        text = self._next.text.lower()
        if self._next.kind in ("operator", "word") and text in texts:
            self._take()
            return text
        return None

    def _expect(self, text: str) -> None:
        if not self._takes(text):
            raise self._unexpected(f", {text!r} is expected")

    def _unexpected(self, more: str = "") -> NotDrawnError:
        return NotDrawnError(f"{self._next.text!r} is out of place in {self._expression!r}{more}")

    def _either(self) -> Sql:
        return self._chain(self._both, ("or",))

    def _both(self) -> Sql:
        return self._chain(self._negated, ("and",))

    def _negated(self) -> Sql:
        if self._takes("not"):
            operand = self._negated()
            return Sql(f"(not {operand.text})", operand.level)
        return self._compared()

    def _compared(self) -> Sql:
        left = self._summed()
        operator = self._takes(*_COMPARISONS)
        return combine(f"({{}} {_COMPARISONS[operator]} {{}})", left, self._summed()) if operator else left

    def _summed(self) -> Sql:
        return self._chain(self._multiplied, ("+", "-"))

    def _multiplied(self) -> Sql:
        found = self._raised()
        while operator := self._takes("*", "/", "%"):
            # QuickSight gives null where a number is divided by zero, and a decimal for two integers.
            template = "({} * {})" if operator == "*" else f"({{}} {operator} nullif({{}}, 0))"
            found = combine(template, found, self._raised())
        return found

    def _raised(self) -> Sql:
        found = self._signed()
        return combine("power({}, {})", found, self._raised()) if self._takes("^") else found

    def _signed(self) -> Sql:
        if self._takes("-"):
            return combine("(- {})", self._signed())
        return self._operand()

    def _chain(self, operand: Callable[[], Sql], operators: tuple[str, ...]) -> Sql:
        found = operand()
        while operator := self._takes(*operators):
            found = combine(f"({{}} {operator} {{}})", found, operand())
        return found

    def _operand(self) -> Sql:
        if self._takes("("):
            found = self._either()
            self._expect(")")
            return found
        if self._next.kind == "word":
            return self._word()
        if self._next.kind in ("operator", "end"):
            raise self._unexpected()
        token = self._take()
        if token.kind == "field":
            return self._scope.field(token.text)
        if token.kind == "parameter":
            return self._parameter(token.text)
        return Sql(token.text if token.kind == "number" else literal(_unescaped(token.text)), Level.CONSTANT)

    def _parameter(self, name: str) -> Sql:
        value = self._scope.parameter(name)
        if isinstance(value, tuple):  # Of several values: for `in` and `notIn`.
            return Sql(f"({', '.join(map(literal, value)) or 'null'})", Level.CONSTANT)
        return Sql(literal(value), Level.CONSTANT)

    def _word(self) -> Sql:
        name = self._take().text
        if name.lower() in _CONSTANT_WORDS:
            return Sql(_CONSTANT_WORDS[name.lower()], Level.CONSTANT)
        if not self._takes("("):
            raise NotDrawnError(f"{name!r} in {self._expression!r} is no function; a field is written {{{name}}}")
        arguments = [] if self._takes(")") else self._arguments()
        return _call(name, arguments, self._scope)

    def _arguments(self) -> list[Sql]:
        arguments = [self._argument()]
        while self._takes(","):
            arguments.append(self._argument())
        self._expect(")")
        return arguments

    def _argument(self) -> Sql:
        if not self._takes("["):
            return self._either()
        members = [self._either()]
        while self._takes(","):
            members.append(self._either())
        self._expect("]")
        listed = combine(", ".join(["{}"] * len(members)), *members)
        return Sql(f"({listed.text})", listed.level)


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)


def combine(template: str, *operands: Sql) -> Sql:
    """SQL made of other SQL, which stands where the template has `{}`.

    Raises:
        NotDrawnError: If some have a value for each row and others for each group of rows.
    """
    levels = {operand.level for operand in operands}
    if {Level.ROW, Level.AGGREGATE} <= levels:
        texts = " and ".join(operand.text for operand in operands)
        raise NotDrawnError(f"{texts} are of rows and of groups of rows: aggregate both, or neither")
    return Sql(template.format(*(operand.text for operand in operands)), max(levels, default=Level.CONSTANT))


Translation = Callable[[Sequence[Sql], Scope], Sql]

# By lower-case name: SQL of a function with a fixed number of arguments.
_SCALARS: dict[str, str] = {
    "abs": "abs({})",
    "ceil": "ceil({})",
    "contains": "contains({}, {})",
    "decimaltoint": "cast(trunc({}) as bigint)",
    "endswith": "ends_with({}, {})",
    "exp": "exp({})",
    "floor": "floor({})",
    "inttodecimal": "cast({} as double)",
    "isnotnull": "({} is not null)",
    "isnull": "({} is null)",
    "left": "left({}, {})",
    "ln": "ln({})",
    "log": "log10({})",
    "ltrim": "ltrim({})",
    "mod": "mod({}, {})",
    "nullif": "nullif({}, {})",
    "parsedecimal": "try_cast({} as double)",
    "parseint": "try_cast({} as bigint)",
    "replace": "replace({}, {}, {})",
    "right": "right({}, {})",
    "round/1": "round({})",
    "round/2": "round({}, {})",
    "rtrim": "rtrim({})",
    "sqrt": "sqrt({})",
    "startswith": "starts_with({}, {})",
    "strlen": "length({})",
    "substring": "substring({}, {}, {})",
    "tolower": "lower({})",
    "tostring": "cast({} as varchar)",
    "toupper": "upper({})",
    "trim": "trim({})",
    "between": "({} between {} and {})",
    "in": "({} in {})",
    "notin": "({} not in {})",
}
# Aggregates of one argument. The percentile ones, and those with an `If`, follow from them.
AGGREGATES: dict[str, str] = {
    "avg": "avg({})",
    "count": "count({})",
    "distinct_count": "count(distinct {})",
    "max": "max({})",
    "median": "median({})",
    "min": "min({})",
    "stdev": "stddev_samp({})",
    "stdevp": "stddev_pop({})",
    "sum": "sum({})",
    "var": "var_samp({})",
    "varp": "var_pop({})",
}
_PERCENTILES = {
    "percentile": "quantile_disc",
    "percentiledisc": "quantile_disc",
    "percentilecont": "quantile_cont",
}
# Periods of dates, as QuickSight and as DuckDB name them.
PERIODS = {
    "YYYY": "year",
    "Q": "quarter",
    "MM": "month",
    "WK": "week",
    "DD": "day",
    "HH": "hour",
    "MI": "minute",
    "SS": "second",
    "MS": "millisecond",
}


def _call(name: str, arguments: Sequence[Sql], scope: Scope) -> Sql:
    """A function with its arguments, as SQL."""
    lower, count = name.lower(), len(arguments)
    if lower in _SPECIAL:
        return _SPECIAL[lower](arguments, scope)
    if lower in AGGREGATES or lower.removesuffix("if") in AGGREGATES or lower in _PERCENTILES:
        return _aggregate(name, arguments)
    template = _SCALARS.get(lower) or _SCALARS.get(f"{lower}/{count}")
    if template is None:
        raise NotDrawnError(f"the function {name} with {count} arguments is not translated by the preview")
    if template.count("{}") != count:
        raise NotDrawnError(f"{name} takes {template.count('{}')} arguments, not {count}")
    return combine(template, *arguments)


def _aggregate(name: str, arguments: Sequence[Sql]) -> Sql:
    lower = name.lower()
    wanted = 1 if lower in AGGREGATES else 2
    if len(arguments) != wanted:
        more = "; levels of aggregation are not translated by the preview" if len(arguments) > wanted else ""
        raise NotDrawnError(f"{name} takes {wanted} arguments, not {len(arguments)}{more}")
    if any(argument.level is Level.AGGREGATE for argument in arguments):
        raise NotDrawnError(f"{name} aggregates {arguments[0].text}, which is aggregated already")
    if lower in AGGREGATES:
        text = AGGREGATES[lower].format(arguments[0].text)
    elif lower in _PERCENTILES:
        text = f"{_PERCENTILES[lower]}({arguments[0].text}, ({arguments[1].text}) / 100)"
    else:
        text = AGGREGATES[lower.removesuffix("if")].format(arguments[0].text) + f" filter (where {arguments[1].text})"
    return Sql(text, Level.AGGREGATE)


def percentile(operand: str, value: float) -> str:
    """The smallest value that at least `value` per cent of the operand's values do not exceed."""
    return f"quantile_disc({operand}, {value / 100!r})"


def _ifelse(arguments: Sequence[Sql], _: Scope) -> Sql:
    if len(arguments) < 3 or len(arguments) % 2 == 0:
        raise NotDrawnError("ifelse takes pairs of a condition and a value, and a value for all else")
    cases = " ".join(["when {} then {}"] * (len(arguments) // 2))
    return combine(f"(case {cases} else {{}} end)", *arguments)


def _switch(arguments: Sequence[Sql], _: Scope) -> Sql:
    if len(arguments) < 3:
        raise NotDrawnError("switch takes an expression and pairs of a value and a result, then a result for all else")
    pairs, has_default = divmod(len(arguments) - 1, 2)
    default = " else {}" if has_default else ""
    return combine("(case {} " + " ".join(["when {} then {}"] * pairs) + f"{default} end)", *arguments)


def _coalesce(arguments: Sequence[Sql], _: Scope) -> Sql:
    return combine(f"coalesce({', '.join(['{}'] * len(arguments))})", *arguments)


def _concat(arguments: Sequence[Sql], _: Scope) -> Sql:
    return combine(f"({' || '.join(['{}'] * len(arguments))})", *arguments)


def _now(_: Sequence[Sql], scope: Scope) -> Sql:
    return Sql(literal(scope.now), Level.CONSTANT)


def _trunc_date(arguments: Sequence[Sql], scope: Scope) -> Sql:
    period, when = _with_period("truncDate", arguments, 0)
    return combine(truncated("{}", period, scope.week_starts), when[0])


def truncated(when: str, period: str, week_starts: int) -> str:
    """SQL for the start of a period.

    Args:
        when: SQL of a date or a timestamp.
        period: As DuckDB names it.
        week_starts: 0 for Monday to 6 for Sunday.
    """
    if period != "week" or week_starts == 0:
        return f"date_trunc('{period}', {when})"
    shift = f"interval {7 - week_starts} day"
    return f"(date_trunc('week', {when} + {shift}) - {shift})"


def _date_diff(arguments: Sequence[Sql], _: Scope) -> Sql:
    if len(arguments) == 2:
        return combine("date_diff('day', {}, {})", *arguments)
    period, ends = _with_period("dateDiff", arguments, 2)
    return combine(f"date_diff('{period}', {{}}, {{}})", *ends)


def _add_date_time(arguments: Sequence[Sql], _: Scope) -> Sql:
    period, (amount, when) = _with_period("addDateTime", arguments, 1)
    return combine(f"({{}} + {{}} * interval 1 {period})", when, amount)


def _extract(arguments: Sequence[Sql], _: Scope) -> Sql:
    if arguments and arguments[0].text == "'WD'":  # Sunday is 1.
        return combine("(date_part('dow', {}) + 1)", *arguments[1:])
    period, when = _with_period("extract", arguments, 0)
    return combine(f"date_part('{period}', {{}})", *when)


def _with_period(name: str, arguments: Sequence[Sql], position: int) -> tuple[str, list[Sql]]:
    """A function's period, as DuckDB names it, and its other arguments."""
    found = arguments[position].text.strip("'") if len(arguments) > position else "nothing"
    if found not in PERIODS:
        raise NotDrawnError(f"{name} takes one of {', '.join(PERIODS)} in quotes as a period, not {found}")
    return PERIODS[found], [argument for index, argument in enumerate(arguments) if index != position]


_SPECIAL: dict[str, Translation] = {
    "adddatetime": _add_date_time,
    "coalesce": _coalesce,
    "concat": _concat,
    "datediff": _date_diff,
    "extract": _extract,
    "ifelse": _ifelse,
    "now": _now,
    "switch": _switch,
    "truncdate": _trunc_date,
}


def as_datetime(value: object) -> datetime:
    """A point in time as definitions and parameters write it, in UTC and without a zone.

    Raises:
        ValueError: If it is none.
    """
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    raise ValueError(f"{value!r} is no point in time")
