"""What a visual asks of its data set, as one SQL query, and the numbers that come back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb

from serving.quicksight.preview.errors import NotDrawnError
from serving.quicksight.preview.expressions import quoted
from serving.quicksight.preview.fields import Field
from serving.quicksight.preview.filters import NO_FILTERS, Filters
from serving.quicksight.preview.formats import Cell

OTHER = "Other"
"""What QuickSight calls the values beyond a limit."""

MOST_ROWS = 500
"""Rows of a table that are read."""


@dataclass(frozen=True)
class Sort:
    """An order: SQL over groups of rows, or None for the values of the dimension itself."""

    sql: str | None
    descending: bool = False


@dataclass(frozen=True)
class Dimension:
    """A field that a visual groups by.

    Args:
        field: The field.
        sorts: How its values are ordered, the first first; ties are in the order of the values.
        limit: How many values are shown, the first ones in that order.
        others: Whether the values beyond the limit are shown as one, `Other`; else they are left out.
        parents: How many of the dimensions just before it its order and limit start anew for.
    """

    field: Field
    sorts: tuple[Sort, ...] = ()
    limit: int | None = None
    others: bool = True
    parents: int = 0


@dataclass(frozen=True)
class Query:
    """What a visual asks.

    Args:
        data_set: Its data set.
        dimensions: What it groups by. None for a single group, of all rows.
        measures: What it computes for each group.
        filters: Which rows and groups it sees.
        sorts: Order of the result, over its groups; by the dimensions in turn if there is none. The first dimension's
            values are what a sort without SQL is of.
        is_grouped: False for a table of single rows.
        has_total: Whether the measures are asked for over all groups together, too.
        most_rows: How many rows of the result are read, at most.
    """

    data_set: str
    dimensions: tuple[Dimension, ...]
    measures: tuple[Field, ...]
    filters: Filters = NO_FILTERS
    sorts: tuple[Sort, ...] = ()
    is_grouped: bool = True
    has_total: bool = False
    most_rows: int | None = None

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields, in the order of the values in a row."""
        return (*(dimension.field for dimension in self.dimensions), *self.measures)

    def sql(self) -> str:
        """The query. Its columns: each field, then the place of each dimension's value in its order, from 1."""
        if not self.is_grouped:
            return self._single_rows()
        places = [f"{_place(i)} as {quoted(f'place {i}')}" for i in range(len(self.dimensions))]
        values = [self._shown(i) for i in range(len(self.dimensions))]
        keys = ", ".join(str(i + 1) for i in range(2 * len(self.dimensions)))
        selected = ",\n    ".join([*values, *places, *(f"{m.sql.text} as {quoted(m.id)}" for m in self.measures)])
        joins = "".join(self._join(i) for i in range(len(self.dimensions)))
        query = f"with {self._ctes()}\nselect\n    {selected}\nfrom kept{joins}"
        query += self._left_out()
        if keys:
            query += f"\ngroup by {keys}\norder by {self._order()}"
        return query + self._limit()

    def total_sql(self) -> str:
        """The measures over all groups that the visual shows."""
        selected = ", ".join(f"{m.sql.text} as {quoted(m.id)}" for m in self.measures)
        return f"with {self._ctes(with_places=False)}\nselect {selected} from kept"

    def _single_rows(self) -> str:
        selected = ", ".join(f"{d.field.sql.text} as {quoted(d.field.id)}" for d in self.dimensions)
        order = [self._sort(sort, "1") for sort in self.sorts]
        query = f"with {self._filtered()}\nselect {selected} from {self._last_filtered}"
        return query + (f"\norder by {', '.join(order)}" if order else "") + self._limit()

    def _limit(self) -> str:
        return f"\nlimit {self.most_rows + 1}" if self.most_rows is not None else ""

    def _ctes(self, *, with_places: bool = True) -> str:
        parts = [self._filtered(), self._keyed(), self._kept()]
        if with_places:
            parts += [self._ordered(i) for i in range(len(self.dimensions))]
        return ",\n".join(parts)

    def _filtered(self) -> str:
        where = f" where {' and '.join(self.filters.rows)}" if self.filters.rows else ""
        parts = [f"filtered_0 as (select * from {quoted(self.data_set)}{where})"]
        for i, top in enumerate(self.filters.tops):
            best = f"select {top.column} as best from filtered_{i} group by 1 order by {top.order} limit {top.limit}"
            condition = f"{top.column} is not distinct from best.best"
            kept = f"select filtered_{i}.* from filtered_{i} semi join ({best}) as best on {condition}"
            parts.append(f"filtered_{i + 1} as ({kept})")
        return ",\n".join(parts)

    @property
    def _last_filtered(self) -> str:
        return f"filtered_{len(self.filters.tops)}"

    def _keyed(self) -> str:
        keys = "".join(f", {d.field.sql.text} as {_key(i)}" for i, d in enumerate(self.dimensions))
        return f"keyed as (select *{keys} from {self._last_filtered})"

    def _kept(self) -> str:
        """The rows of the groups that conditions on groups leave."""
        if not self.filters.groups:
            return "kept as (select * from keyed)"
        condition = " and ".join(self.filters.groups)
        if not self.dimensions:
            return f"kept as (select * from keyed where (select {condition} from keyed))"
        keys = [_key(i) for i in range(len(self.dimensions))]
        groups = f"select {', '.join(keys)} from keyed group by {', '.join(keys)} having {condition}"
        on = " and ".join(f"keyed.{key} is not distinct from passing.{key}" for key in keys)
        return f"kept as (select keyed.* from keyed semi join ({groups}) as passing on {on})"

    def _ordered(self, i: int) -> str:
        """The values of a dimension, numbered in their order."""
        dimension = self.dimensions[i]
        keys = [_key(k) for k in range(i - dimension.parents, i + 1)]
        sorts = [self._sort(sort, keys[-1]) for sort in dimension.sorts]
        order = ", ".join([*sorts, f"{keys[-1]} nulls last"])
        partition = f"partition by {', '.join(keys[:-1])} " if dimension.parents else ""
        number = f"row_number() over ({partition}order by {order})"
        place = f"least({number}, {dimension.limit + 1})" if dimension.limit is not None else number
        return f"place_{i} as (select {', '.join(keys)}, {place} as {_PLACE} from kept group by {', '.join(keys)})"

    @staticmethod
    def _sort(sort: Sort, own: str) -> str:
        return f"{sort.sql or own} {'desc' if sort.descending else 'asc'} nulls last"

    def _join(self, i: int) -> str:
        keys = [_key(k) for k in range(i - self.dimensions[i].parents, i + 1)]
        on = " and ".join(f"kept.{key} is not distinct from place_{i}.{key}" for key in keys)
        return f"\njoin place_{i} on {on}"

    def _shown(self, i: int) -> str:
        dimension, key = self.dimensions[i], f"kept.{_key(i)}"
        if dimension.limit is not None and dimension.others:
            key = f"case when {_place(i)} > {dimension.limit} then '{OTHER}' else cast({key} as varchar) end"
        return f"{key} as {quoted(dimension.field.id)}"

    def _left_out(self) -> str:
        conditions = [
            f"{_place(i)} <= {d.limit}" for i, d in enumerate(self.dimensions) if d.limit is not None and not d.others
        ]
        return f"\nwhere {' and '.join(conditions)}" if conditions else ""

    def _order(self) -> str:
        count = len(self.dimensions)
        sorts = [self._sort(sort, "1") for sort in self.sorts]
        return ", ".join([*sorts, *(str(count + i + 1) for i in range(count))])


# Columns between the steps of a query: no model's column has a blank in its name.
_PLACE = quoted("place in order")


def _key(i: int) -> str:
    """A dimension's values."""
    return quoted(f"dimension {i}")


def _place(i: int) -> str:
    """The place of a dimension's values in their order."""
    return f"place_{i}.{_PLACE}"


Row = tuple[Cell, ...]


@dataclass(frozen=True)
class Numbers:
    """What came back: the numbers behind a visual.

    Args:
        query: What was asked.
        rows: A value for each of the query's fields, in their order.
        places: For each row, the place of each dimension's value in the order of that dimension, from 1.
        total: The measures over all rows, if they were asked for.
        is_cut: Whether there are more rows than were read.
    """

    query: Query
    rows: tuple[Row, ...]
    places: tuple[tuple[int, ...], ...]
    total: Row | None = None
    is_cut: bool = False

    def records(self) -> list[dict[str, Cell]]:
        """The rows, by the ids of their fields."""
        return [dict(zip((field.id for field in self.query.fields), row, strict=True)) for row in self.rows]

    def values(self, dimension: int) -> list[Cell]:
        """The values of a dimension, in its order."""
        placed = {places[dimension]: row[dimension] for row, places in zip(self.rows, self.places, strict=True)}
        return [placed[place] for place in sorted(placed)]


def ask(connection: duckdb.DuckDBPyConnection, query: Query) -> Numbers:
    """Ask a query.

    Args:
        connection: Has each data set as a table of its identifier.

    Raises:
        NotDrawnError: If DuckDB refuses it: what the definition compares or computes does not go together.
    """
    try:
        found = connection.execute(query.sql()).fetchall()
        total = connection.execute(query.total_sql()).fetchone() if query.has_total else None
    except duckdb.Error as error:
        raise NotDrawnError(f"its numbers cannot be computed: {error}") from error
    is_cut = query.most_rows is not None and len(found) > query.most_rows
    split = list(_split(query, found[: query.most_rows]))
    return Numbers(query, tuple(row for row, _ in split), tuple(places for _, places in split), total, is_cut)


def _split(query: Query, found: list[tuple[Any, ...]]) -> Iterator[tuple[Row, tuple[int, ...]]]:
    count = len(query.dimensions)
    for row in found:
        if query.is_grouped:
            yield (*row[:count], *row[2 * count :]), row[count : 2 * count]
        else:
            yield row, ()
