"""The columns of a query, each with the fields of tables that it is made of. Reads SQL alone: no engine, no dbt.

A column has values, which it is computed from, and conditions, which decide among values: what a `case` asks, what a
window is parted and ordered by, what a joined row is found by. What only decides which rows there are (where, group by)
counts for no column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import or_

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

from orchestration.lineage.errors import UnreadableSqlError
from orchestration.lineage.transformation import Transformation


@dataclass(frozen=True, order=True)
class TableField:
    """A column of a table, or what lies inside it: `path` goes on with the members of structs."""

    schema: str
    table: str
    path: tuple[str, ...]


# What the macro `mask` compiles to for the lineage. No engine has such a function, so no model can be built with it:
# only the macro, which emits it for this one purpose, can say that a value is masked.
MASK = "watershed_mask"


@dataclass(frozen=True)
class Origins:
    """What a column is made of, and how each field goes into it."""

    fields: Mapping[TableField, Transformation] = field(default_factory=dict)

    @property
    def values(self) -> frozenset[TableField]:
        """What it is computed from."""
        return self._of(lambda how: how is Transformation.VALUE)

    @property
    def conditions(self) -> frozenset[TableField]:
        """What only decides among values."""
        return self._of(lambda how: how.decides)

    @property
    def masked(self) -> frozenset[TableField]:
        """What is in it behind a mask alone."""
        return self._of(lambda how: how is Transformation.MASKED)

    def __or__(self, other: Origins) -> Origins:
        return _closest([*self.fields.items(), *other.fields.items()])

    def inside(self, member: str) -> Origins:
        """The member of a struct that these are."""
        return _closest((replace(each, path=(*each.path, member)), how) for each, how in self.fields.items())

    def through(self, transformation: Transformation) -> Origins:
        """The same, behind a further step."""
        return Origins({each: max(how, transformation) for each, how in self.fields.items()})

    def _of(self, wanted: Callable[[Transformation], bool]) -> frozenset[TableField]:
        return frozenset(each for each, how in self.fields.items() if wanted(how))


def _closest(pairs: Iterable[tuple[TableField, Transformation]]) -> Origins:
    fields: dict[TableField, Transformation] = {}
    for each, how in pairs:
        fields[each] = min(how, fields.get(each, how))
    return Origins(fields)


_NOTHING = Origins()

# Functions that give what their lambda returns. The others, such as list_filter, give elements of their array.
_MAPPING = frozenset({"transform", "reduce", "list_transform", "list_apply", "array_transform", "list_reduce"})


def column_sources(sql: str, tables: Mapping[tuple[str, str], Iterable[str]], dialect: str) -> dict[str, Origins]:
    """The columns of a query, in order, with what they are made of.

    Args:
        sql: One query.
        tables: The columns of the tables that it may read, by schema and name.
        dialect: sqlglot's name of the SQL's dialect.

    Raises:
        UnreadableSqlError: If the query is no SQL, or names what the tables lack.
    """
    schema: dict[str, object] = {}
    for (database, table), columns in tables.items():
        # Types are not needed to tell a struct's member from a table's column.
        schema.setdefault(database, {})[table] = dict.fromkeys(columns, "unknown")  # type: ignore[index]
    try:
        query = sqlglot.parse_one(sql, dialect=dialect)
        for table in query.find_all(exp.Table):
            table.set("catalog", None)  # The database differs by engine, schema and name do not.
        root = build_scope(qualify(query, schema=schema, dialect=dialect, identify=False))
    except SqlglotError as error:
        raise UnreadableSqlError(str(error)) from error
    if root is None:
        raise UnreadableSqlError("it is no query")
    resolver = _Resolver(root)
    return {name: resolver.column(root, name) for name in _query(root).named_selects}


class _Resolver:
    """Follows columns through the scopes of one qualified query."""

    def __init__(self, root: Scope) -> None:
        self._scopes = {id(scope.expression): scope for scope in root.traverse()}
        self._found: dict[tuple[int, str], Origins] = {}

    def column(self, scope: Scope, name: str) -> Origins:
        """What an output column of a scope is made of."""
        key = (id(scope), name)
        if key not in self._found:
            self._found[key] = _NOTHING  # A recursive query comes back here.
            self._found[key] = self._output(scope, name)
        return self._found[key]

    def _outputs(self, scope: Scope) -> Origins:
        return _union(self.column(scope, name) for name in _query(scope).named_selects)

    def _output(self, scope: Scope, name: str) -> Origins:
        if isinstance(scope.expression, exp.UDTF):  # unnest(array) as t(column)
            arguments = scope.expression.iter_expressions()
            return _union(self._of(argument, scope.parent or scope, {}) for argument in arguments)
        query = _query(scope)
        if isinstance(query, exp.SetOperation):
            position = query.named_selects.index(name)
            branches = scope.set_operation_scopes
            return _union(self.column(branch, _query(branch).named_selects[position]) for branch in branches)
        selected = next((column for column in query.selects if column.alias_or_name == name), None)
        if selected is None:
            raise UnreadableSqlError(f"there is no column {name} in: {query.sql()[:200]}")
        return self._of(selected, scope, {})

    def _of(self, node: exp.Expr, scope: Scope, bound: Mapping[str, Origins]) -> Origins:
        """What an expression is made of. `bound` holds what the parameters of the lambdas around it stand for."""
        _refuse_whole_rows(node)
        if isinstance(node, exp.Column):
            return self._named(node, scope)
        if isinstance(node, exp.Identifier):
            return bound.get(node.name, _NOTHING)
        if (member := _member(node)) is not None:
            return self._of(node.this, scope, bound).inside(member)
        if isinstance(node, exp.Query | exp.Exists) and (asked := self._asked(node)) is not None:
            return asked
        children = list(node.iter_expressions())
        if any(isinstance(child, exp.Lambda) for child in children):
            return self._of_lambdas(node, children, scope, bound)
        found = _union(self._of(child, scope, bound).through(_transformation(child)) for child in children)
        is_mask = isinstance(node, exp.Anonymous) and node.name.lower() == MASK
        return found.through(Transformation.MASKED) if is_mask else found

    def _asked(self, node: exp.Expr) -> Origins | None:
        """What a query inside an expression is made of; None if there is none."""
        if isinstance(node, exp.Exists):
            # It is true or false by what the query asks for, whatever that selects.
            inner = self._scopes.get(id(node.this.unnest()))
            columns = inner.columns if inner else ()
            return _union(self._read(column, inner) for column in columns if inner).through(Transformation.CONDITIONAL)
        inner = self._scopes.get(id(node.unnest()))
        return self._outputs(inner) if inner else None

    def _of_lambdas(
        self, node: exp.Expr, children: list[exp.Expr], scope: Scope, bound: Mapping[str, Origins]
    ) -> Origins:
        array, *others = (child for child in children if not isinstance(child, exp.Lambda))
        elements = self._of(array, scope, bound)
        results = [self._of(other, scope, bound) for other in others]
        for child in children:
            if isinstance(child, exp.Lambda):
                parameters = {parameter.name: elements for parameter in child.expressions}
                results.append(self._of(child.this, scope, {**bound, **parameters}))
        name = node.name if isinstance(node, exp.Anonymous) else node.key
        return _union(results if name.lower() in _MAPPING else [elements, *results])

    def _named(self, column: exp.Column, scope: Scope) -> Origins:
        """What a column that is named in an expression is made of: that of a joined row, of what finds the row too."""
        joins: list[exp.Join] = scope.expression.args.get("joins") or []
        on = next((join.args.get("on") for join in joins if join.alias_or_name == column.table), None)
        found_by = _union(self._read(other, scope) for other in on.find_all(exp.Column)) if on else _NOTHING
        return self._read(column, scope) | found_by.through(Transformation.JOIN)

    def _read(self, column: exp.Column, scope: Scope) -> Origins:
        around: Scope | None = scope
        while around is not None and column.table not in around.sources:
            around = around.parent  # A correlated subquery names the tables around it.
        source = around.sources[column.table] if around else None
        if isinstance(source, Scope):
            # A recursive query sees itself as a scope of its own over its first branch, without sources.
            return self.column(self._scopes.get(id(source.expression), source), column.name)
        if isinstance(source, exp.Table):
            return Origins({TableField(source.db, source.name, (column.name,)): Transformation.VALUE})
        raise UnreadableSqlError(f"{column.sql()} leads to no table")


def _refuse_whole_rows(node: exp.Expr) -> None:
    """A row as one value, `to_json(flights)` or `columns(*)`: what is in it would not be seen."""
    is_star = isinstance(node, exp.Star) and not isinstance(node.parent, exp.Count)
    if is_star or isinstance(node, exp.TableColumn | exp.Columns):
        raise UnreadableSqlError(f"{(node.parent or node).sql()[:200]} takes a row as a whole; name its columns")


def _transformation(node: exp.Expr) -> Transformation:
    """How a part of an expression goes into the whole."""
    match node.parent:
        case exp.If() | exp.Case() if node.arg_key == "this":  # The condition of a branch, what `case x when` compares.
            return Transformation.CONDITIONAL
        case exp.Filter() if node.arg_key == "expression":  # count(x) filter (where ...)
            return Transformation.CONDITIONAL
        case exp.Window() if node.arg_key in ("partition_by", "order"):
            return Transformation.WINDOW
    return Transformation.VALUE


def _query(scope: Scope) -> exp.Query:
    query = scope.expression
    if not isinstance(query, exp.Query):
        raise UnreadableSqlError(f"this is no query: {query.sql()[:200]}")
    return query


def _union(origins: Iterable[Origins]) -> Origins:
    return reduce(or_, origins, _NOTHING)


def _member(node: exp.Expr) -> str | None:
    """The name in `struct.name` and `struct['name']`; None for all else, an array's element too."""
    match node:
        case exp.Dot(expression=exp.Identifier() as name) | exp.StructExtract(expression=name):
            return name.name
        case exp.Bracket(expressions=[exp.Literal(is_string=True) as name]):
            return name.name
    return None
