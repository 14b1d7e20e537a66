"""The graph of fields: what each field is, and which fields it is made of. Values and walks; no file is read here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from enum import StrEnum
from functools import cached_property
from typing import TypeVar

from orchestration.lineage.errors import UnknownFieldError
from orchestration.lineage.transformation import Transformation

K = TypeVar("K")
V = TypeVar("V")


class AssetKind(StrEnum):
    """What holds the fields."""

    SOURCE = "source"
    LANDING = "landing table"
    MODEL = "model"
    DATA_SET = "data set"
    DASHBOARD = "dashboard"
    INDEX = "index"


class FieldKind(StrEnum):
    """What a field is to those who read it."""

    FIELD = "field"
    COLUMN = "column"
    CALCULATED = "calculated field"
    VISUAL = "visual"
    FILTER = "filter"
    INDEX_FIELD = "index field"


# Where data leaves the platform: what somebody sees, filters by or searches.
ENDS = frozenset({FieldKind.VISUAL, FieldKind.FILTER, FieldKind.INDEX_FIELD})


@dataclass(frozen=True, order=True)
class FieldId:
    """Names a field: the key of its asset, such as `landing/flight_events`, and its path there: `flight.carrier`."""

    asset: str
    path: str

    def __str__(self) -> str:
        return f"{self.asset}.{self.path}"


@dataclass(frozen=True)
class Asset:
    """Something that holds fields. `files` declare it, by their paths from the project's root."""

    key: str
    kind: AssetKind
    description: str = ""
    files: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Field:
    """A field. A struct is a field, and so is each member of it; an array's elements have no name of their own.

    `classified_by` is the way that a classification came: from the field that declares it to this one, both included.
    """

    id: FieldId
    kind: FieldKind
    type: str = ""
    description: str = ""
    classification: str | None = None
    expression: str | None = None
    classified_by: tuple[FieldId, ...] = ()


@dataclass(frozen=True, order=True)
class Edge:
    """One field is made of another: `target` of `source`."""

    source: FieldId
    target: FieldId
    transformation: Transformation = Transformation.VALUE


@dataclass(frozen=True)
class Graph:
    """Assets by key and fields by id, both in the order in which they were declared, and the edges between fields.

    What reads a whole struct is made of each member, so a struct has no edges of its own.
    """

    assets: Mapping[str, Asset]
    fields: Mapping[FieldId, Field]
    edges: frozenset[Edge]

    @cached_property
    def sources(self) -> Mapping[FieldId, tuple[FieldId, ...]]:
        """What each field is made of, directly."""
        return _grouped((edge.target, edge.source) for edge in self._values_first())

    @cached_property
    def targets(self) -> Mapping[FieldId, tuple[FieldId, ...]]:
        """What is made of each field, directly."""
        return _grouped((edge.source, edge.target) for edge in self._values_first())

    @cached_property
    def fields_by_asset(self) -> Mapping[str, tuple[Field, ...]]:
        """The fields of each asset."""
        grouped = _grouped((field.id.asset, field) for field in self.fields.values())
        return {key: grouped.get(key, ()) for key in self.assets}

    def leaves(self, field: FieldId) -> tuple[FieldId, ...]:
        """The members of a struct, theirs included, that have no members themselves; else the field itself."""
        inside = [other.id for other in self.fields_by_asset[field.asset] if other.id.path.startswith(f"{field.path}.")]
        paths = [other.path for other in inside]
        return tuple(f for f in inside if not any(p.startswith(f"{f.path}.") for p in paths)) or (field,)

    def upstream(self, field: FieldId) -> tuple[FieldId, ...]:
        """What a field, or any member of it, is made of, directly."""
        return self._next(field, self.sources)

    def downstream(self, field: FieldId) -> tuple[FieldId, ...]:
        """What is made of a field, or of any member of it, directly."""
        return self._next(field, self.targets)

    def reached(self, starts: Iterable[FieldId], step: Callable[[FieldId], Iterable[FieldId]]) -> frozenset[FieldId]:
        """All that a walk comes to, without its starts. `step` is `upstream` or `downstream`."""
        waiting, seen = list(starts), set[FieldId]()
        while waiting:
            new = [found for found in step(waiting.pop()) if found not in seen]
            seen.update(new)
            waiting += new
        return frozenset(seen)

    def ends(self, starts: Iterable[FieldId]) -> frozenset[FieldId]:
        """The visuals, filters and index fields that some fields reach, or are."""
        starts = tuple(starts)
        return frozenset(f for f in {*starts, *self.reached(starts, self.downstream)} if self.fields[f].kind in ENDS)

    def transformation(self, source: FieldId, target: FieldId) -> Transformation:
        """How a field goes into another that is made of it, directly: the closest way of any member."""
        ends = {(leaf, other) for leaf in self._parts(source) for other in self._parts(target)}
        return min(edge.transformation for edge in self.edges if (edge.source, edge.target) in ends)

    def _values_first(self) -> list[Edge]:
        return sorted(self.edges, key=lambda edge: (edge.transformation, edge))

    def _next(self, field: FieldId, neighbours: Mapping[FieldId, tuple[FieldId, ...]]) -> tuple[FieldId, ...]:
        return tuple(dict.fromkeys(n for part in self._parts(field) for n in neighbours.get(part, ())))

    def _parts(self, field: FieldId) -> tuple[FieldId, ...]:
        """The field and its leaves: a field of an index is searched itself, and so are its sub-fields."""
        return tuple(dict.fromkeys((field, *self.leaves(field))))


def find(graph: Graph, name: str) -> FieldId:
    """The field that `ASSET.FIELD` names.

    Raises:
        UnknownFieldError: If there is none; names the nearest ones.
    """
    asset, _, path = name.partition(".")
    field = FieldId(asset, path)
    if field in graph.fields:
        return field
    if asset not in graph.assets:
        # People forget the layer: the rest of the name may be right.
        same_name = [str(other) for other in graph.fields if str(other).split("/", 1)[-1] == name]
        near = same_name or _nearest(name, map(str, graph.fields)) or _nearest(asset, graph.assets)
        raise UnknownFieldError(f"No asset is called {asset!r}. {_suggestion(near, graph.assets)}")
    names = [other.id.path for other in graph.fields_by_asset[asset]]
    if not path:
        raise UnknownFieldError(f"Name a field of {asset} behind a dot. It has {', '.join(names)}.")
    raise UnknownFieldError(f"{asset} has no field {path!r}. {_suggestion(_nearest(path, names), names)}")


def _nearest(name: str, names: Iterable[str]) -> list[str]:
    lowered = {other.lower(): other for other in names}
    return [lowered[found] for found in get_close_matches(name.lower(), lowered, n=3, cutoff=0.5)]


def _suggestion(near: list[str], all_names: Iterable[str]) -> str:
    return f"Did you mean {' or '.join(near)}?" if near else f"There is {', '.join(all_names)}."


def _grouped(pairs: Iterable[tuple[K, V]]) -> dict[K, tuple[V, ...]]:
    grouped: dict[K, list[V]] = {}
    for key, value in pairs:
        grouped.setdefault(key, []).append(value)
    return {key: tuple(values) for key, values in grouped.items()}


class Draft:
    """A graph while it is put together: each part adds its assets, its fields, and what those are made of."""

    def __init__(self) -> None:
        self._assets: dict[str, Asset] = {}
        self._fields: dict[FieldId, Field] = {}
        self._reads: list[Edge] = []

    def add_asset(self, asset: Asset) -> None:
        """Add an asset."""
        self._assets[asset.key] = asset

    def add_field(self, field: Field, made_of: Iterable[FieldId] = ()) -> None:
        """Add a field and what it is computed from, which may be added later."""
        self._fields[field.id] = field
        self._reads += [Edge(source, field.id) for source in made_of]

    def add_edges(self, edges: Iterable[Edge]) -> None:
        """Add what fields are made of; the fields may be added later."""
        self._reads += edges

    def has(self, field: FieldId) -> bool:
        """Whether a field has been added."""
        return field in self._fields

    def fields_of(self, asset: str) -> Iterator[Field]:
        """The fields of an asset that have been added so far."""
        return (field for field in self._fields.values() if field.id.asset == asset)

    def graph(self) -> Graph:
        """The graph. A path that leads deeper than what is declared ends at the deepest field that is.

        Raises:
            UnknownFieldError: If something is made of a field that does not exist.
        """
        unjoined = Graph(self._assets, self._fields, frozenset())
        edges = {
            replace(edge, source=leaf)
            for edge in self._reads
            for leaf in unjoined.leaves(self._declared(edge.source, edge.target))
        }
        # Of several ways from one field to another the closest counts: a value is no condition too.
        closest: dict[tuple[FieldId, FieldId], Edge] = {}
        for edge in sorted(edges, key=lambda edge: edge.transformation):
            closest.setdefault((edge.source, edge.target), edge)
        return Graph(self._assets, self._fields, frozenset(closest.values()))

    def _declared(self, source: FieldId, target: FieldId) -> FieldId:
        path = source.path
        while path:
            if (found := FieldId(source.asset, path)) in self._fields:
                return found
            path = path.rpartition(".")[0]
        raise UnknownFieldError(f"{target} is made of {source}, which does not exist.")
