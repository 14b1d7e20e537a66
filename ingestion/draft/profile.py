"""What is in each field of a sample: how often, of which JSON types, in which form. One query for each field.

A level is a temporary table with one column `value json`: the records, the objects in a field of theirs, or the
elements of an array.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations, count
from math import prod
from typing import Any

import duckdb

# An object with more members than this is a map, whose keys are data.
MOST_MEMBERS = 500
MOST_VALUES = 20
_LONGEST_KEY_VALUE = 200
_MOST_KEY_FIELDS = 3
_KEY_CANDIDATES = 8

_INTEGER = r"[+-]?\d+(\.0+)?"
_NUMBER = r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?"
_DATE = r"\d{4}-\d{2}-\d{2}"
_TIMESTAMP = rf"{_DATE}[T ]\d{{2}}:\d{{2}}(:\d{{2}}(\.\d{{1,9}})?)?(Z|[+-]\d{{2}}(:?\d{{2}})?)?"
_OFFSET = r".*(Z|:\d{2}[+-]\d{2}(:?\d{2})?|\.\d+[+-]\d{2}(:?\d{2})?)"
_OTHER_DATE = r"\d{1,2}[./-]\d{1,2}[./-]\d{2,4}.*|\d{8}|\d{4}/\d{1,2}/\d{1,2}.*"
_EMAIL = r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}"
_PHONE = r"\+\d[\d ()-]{7,18}"
_IP = r"(\d{1,3}\.){3}\d{1,3}"
_IBAN = r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}"

# What is counted of the values of a field: a name of `Values`, and its SQL over `text`, a value's text.
_MEASURES = {
    "distinct": "count(distinct text)",
    "shortest": "min(strlen(text))",
    "longest": "max(strlen(text))",
    "integers": "bool_and(regexp_full_match(text, '{integer}'))",
    "numbers": "bool_and(regexp_full_match(text, '{number}'))",
    "exponents": "bool_or(regexp_matches(text, '[0-9][eE]'))",
    "leading_zeros": "bool_or(regexp_matches(text, '^[+-]?0[0-9]'))",
    "booleans": "bool_and(lower(text) in ('true', 'false'))",
    "dates": "bool_and(regexp_full_match(text, '{date}') and {of_time})",
    "timestamps": "bool_and(regexp_full_match(text, '{timestamp}') and {of_time})",
    "offsets": "bool_and(regexp_full_match(text, '{offset}'))",
    "other_dates": "bool_and(regexp_full_match(text, '{other_date}'))",
    "codes": "bool_and(regexp_full_match(text, '[0-9A-Z]+'))",
    "nul": "bool_or(contains(text, chr(0)))",
    "digits": "max(length(ltrim(split_part(ltrim(text, '+-'), '.', 1), '0')))",
    "scale": "max(length(rtrim(split_part(text, '.', 2), '0')))",
    "low": "min(try_cast(text as double))",
    "high": "max(try_cast(text as double))",
    "first": "min(try_cast(text as timestamptz)::timestamp)",
    "last": "max(try_cast(text as timestamptz)::timestamp)",
    "emails": "bool_and(regexp_full_match(text, '{email}'))",
    "phones": "bool_and(regexp_full_match(text, '{phone}'))",
    "ips": "bool_and(regexp_full_match(text, '{ip}'))",
    "ibans": "bool_and(regexp_full_match(text, '{iban}'))",
}
_FORMS = {
    "integer": _INTEGER,
    "number": _NUMBER,
    "date": _DATE,
    "timestamp": _TIMESTAMP,
    "offset": _OFFSET,
    "other_date": _OTHER_DATE,
    "email": _EMAIL,
    "phone": _PHONE,
    "ip": _IP,
    "iban": _IBAN,
    "of_time": "coalesce(year(try_cast(text as timestamptz)::timestamp) between 1 and 9999, false)",
}


@dataclass(frozen=True)
class Values:
    """What is common to the values of a field that are neither objects nor arrays. Of no value, all is None.

    Plurals say whether all values are of a form, except for `leading_zeros`, `exponents` and `nul`: whether one is.
    """

    distinct: int
    shortest: int | None
    longest: int | None
    """In bytes of UTF-8."""
    integers: bool | None
    numbers: bool | None
    exponents: bool | None
    leading_zeros: bool | None
    booleans: bool | None
    dates: bool | None
    timestamps: bool | None
    offsets: bool | None
    """Whether each timestamp says its offset from UTC."""
    other_dates: bool | None
    codes: bool | None
    nul: bool | None
    digits: int | None
    """Before the decimal point."""
    scale: int | None
    """After it."""
    low: float | None
    high: float | None
    first: datetime | None
    last: datetime | None
    emails: bool | None
    phones: bool | None
    ips: bool | None
    ibans: bool | None
    common: tuple[tuple[str, int], ...] = ()
    """Each value and how often it is there, if they are few."""


@dataclass(frozen=True)
class Profile:
    """What is in a field. `types` are DuckDB's names of JSON types; `members` an object's, `element` an array's."""

    name: str
    parents: int
    """The objects that it could be in."""
    present: int
    """Of these, how many hold it with a value."""
    types: frozenset[str]
    values: Values
    members: tuple[Profile, ...] = ()
    element: Profile | None = None


@dataclass(frozen=True)
class Keys:
    """Combinations of top-level fields that are there and differ in each record: `unique`, the simplest first."""

    unique: tuple[tuple[str, ...], ...]
    nearest: tuple[str, ...] = ()
    """If none is unique, the one with the fewest duplicates."""
    duplicates: int = 0
    """How many records more than combinations of `nearest` there are."""
    repeated: int = 0
    """How many records are there again, word for word. They count once above: a producer that retries sends twice."""


class Profiler:
    """Profiles the documents of a connection. Its tables are temporary ones."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._numbers = count()
        connection.execute("set timezone = 'UTC'")

    def profile(self) -> Profile:
        """The profile of all documents, as one object."""
        level = self._level("select document as value from documents order by number")
        records = self._one(f"select count(*) from {level}")[0]
        return Profile("", records, records, frozenset({"OBJECT"}), self._values(level), self._members(level))

    def keys(self, profile: Profile) -> Keys:
        """Candidate keys among the top-level fields."""
        different = self._one("select count(distinct document::varchar) from documents")[0]
        repeated = profile.parents - different
        fields = [member for member in profile.members if _may_be_key(member)]
        fields.sort(key=lambda field: _id_like(field.name))
        single = tuple((field.name,) for field in fields if field.values.distinct == different)
        if single or not fields:
            return Keys(single, repeated=repeated)
        telling = sorted(fields, key=lambda field: -field.values.distinct)[:_KEY_CANDIDATES]
        counted: dict[tuple[str, ...], int] = {(field.name,): field.values.distinct for field in telling}
        for size in range(2, _MOST_KEY_FIELDS + 1):
            for group in combinations(telling, size):
                if prod(field.values.distinct for field in group) >= different:
                    counted[tuple(field.name for field in group)] = self._combinations(group)
            if unique := [names for names, distinct in counted.items() if distinct == different]:
                return Keys(tuple(unique), repeated=repeated)
        nearest = max(counted, key=lambda names: (counted[names], -len(names)))
        return Keys((), nearest, different - counted[nearest], repeated)

    def _combinations(self, fields: Sequence[Profile]) -> int:
        row = ", ".join(f"document ->> {_pointer(field.name)}" for field in fields)
        return self._one(f"select count(distinct row({row})) from documents")[0]

    def _members(self, level: str) -> tuple[Profile, ...]:
        """The members of the objects of a level, in the order in which they first appear."""
        keys = self._connection.execute(
            f"""
            with keys as (
                select row_number() over () as number, json_keys(value) as names from {level}
                where json_type(value) = 'OBJECT'
            ),
            placed as (
                select number, unnest(names) as name, generate_subscripts(names, 1) as place from keys
            )
            select name from placed group by name order by min(number), min(place) limit {MOST_MEMBERS + 1}
            """
        ).fetchall()
        return tuple(self._member(level, name) for (name,) in keys)

    def _member(self, level: str, name: str) -> Profile:
        column = self._level(
            f"select json_extract(value, {_pointer(name)}) as value from {level} where json_type(value) = 'OBJECT'"
        )
        return self._field(column, name)

    def _field(self, column: str, name: str) -> Profile:
        parents, present, types = self._one(
            f"""
            select
                count(*),
                count(*) filter (coalesce(json_type(value), 'NULL') <> 'NULL'),
                list(distinct json_type(value)) filter (json_type(value) <> 'NULL')
            from {column}
            """
        )
        found = frozenset(types or ())
        members, element = (), None
        if found == {"OBJECT"}:
            members = self._members(column)
        if found == {"ARRAY"}:
            elements = self._level(f"select unnest(json_extract(value, '$[*]')) as value from {column}")
            element = self._field(elements, "element")
        return Profile(name, parents, present, found, self._values(column), members, element)

    def _values(self, column: str) -> Values:
        measures = ", ".join(sql.format(**_FORMS) for sql in _MEASURES.values())
        texts = f"select value ->> '$' as text from {column} where json_type(value) not in ('NULL', 'OBJECT', 'ARRAY')"
        row = self._one(f"select {measures} from ({texts})")
        measured = Values(*row)
        if not 0 < measured.distinct <= MOST_VALUES:
            return measured
        common = self._connection.execute(
            f"select text, count(*) from ({texts}) group by text order by count(*) desc, text"
        ).fetchall()
        return Values(*row, common=tuple(common))

    def _level(self, query: str) -> str:
        name = f"level_{next(self._numbers)}"
        self._connection.execute(f"create temp table {name} as {query}")
        return name

    def _one(self, query: str) -> tuple[Any, ...]:
        return self._connection.execute(query).fetchall()[0]


def _may_be_key(field: Profile) -> bool:
    """Whether a field may identify records: always there, and of a type whose values are told apart safely."""
    values = field.values
    scalar = bool(field.types) and (field.types <= {"BIGINT", "UBIGINT"} or field.types == {"VARCHAR"})
    fractions = bool(values.numbers) and not values.integers
    short = (values.longest or 0) <= _LONGEST_KEY_VALUE
    return scalar and short and not fractions and not values.booleans and field.present == field.parents


def _id_like(name: str) -> int:
    """How little a name looks like that of an identifier: 0 is most."""
    words = name.lower().split("_")
    if words[-1] in ("id", "uuid", "guid"):
        return 0
    if words[-1] in ("key", "code", "number", "no", "ref", "reference"):
        return 1
    return 3 if words[-1] in ("at", "time", "timestamp", "date") else 2


def _pointer(name: str) -> str:
    """A JSON pointer (RFC 6901) to a member, as an SQL string. A path would read `*` in a name as a wildcard."""
    escaped = name.replace("~", "~0").replace("/", "~1")
    return "'/" + escaped.replace("'", "''") + "'"
