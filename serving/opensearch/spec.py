"""What an index is made of: a model's columns, and what the exposure says in `config.meta.opensearch`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

# Index names are lower case; the rest of OpenSearch's rules (no leading dash, no spaces, commas, wildcards) and room
# for the version's suffix within 255 bytes follow from this.
_INDEX_NAME = re.compile(r"[a-z][a-z0-9_-]{0,199}")
# A dot in a field's name would make it an object.
_FIELD_NAME = re.compile(r"[a-z][a-z0-9_]*")
_DEGREES = re.compile(r"double precision|(numeric|decimal)\(.*\)")


class IndexSpecError(ValueError):
    """An exposure asks for an index that cannot be made. The message says what to write instead."""


@dataclass(frozen=True)
class Column:
    """A column of a model."""

    name: str
    type: str
    """The ANSI name: `varchar(3)`, `integer`, `timestamp`."""
    description: str = ""


class GeoPoint(BaseModel):
    """The two columns that a geo point is made of, in degrees. Named, since as a pair they are too easily swapped."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lat: str
    lon: str


@dataclass(frozen=True)
class IndexSpec:
    """An index and the model that it holds."""

    name: str
    """The alias that readers use. The indexes behind it are versions, `<name>-v000001`."""
    relation: str
    """`schema.name` of the model."""
    columns: tuple[Column, ...]
    id_column: str
    """Its value is the document's id, unique in the model."""
    description: str = ""
    text: frozenset[str] = frozenset()
    """Columns searched as full text too, under `<column>.text`."""
    as_you_type: frozenset[str] = frozenset()
    """Columns searched while a reader still types too, under `<column>.as_you_type`."""
    geo_points: Mapping[str, GeoPoint] = field(default_factory=dict)
    """Fields beside those of the columns, by name: points for distances and boxes."""
    fields: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Field mappings that take the place of the derived ones, by column."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Index settings beside, or in place of, the usual ones."""

    @property
    def column_names(self) -> list[str]:
        """The columns' names, in order."""
        return [column.name for column in self.columns]

    @property
    def sources(self) -> dict[str, tuple[str, ...]]:
        """Each field of a document, in order, with the columns that it is made from."""
        own = {name: (name,) for name in self.column_names}
        return own | {name: (point.lat, point.lon) for name, point in self.geo_points.items()}


class IndexOptions(BaseModel):
    """What an exposure's `config.meta.opensearch` may say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    index: str = Field(description="The alias that readers use.")
    model: str = Field(description="The dbt model that the index holds.")
    id: str = Field(description="The column whose value is the document's id.")
    columns: tuple[str, ...] = Field(default=(), description="The columns to index; all of the model's if empty.")
    exclude: tuple[str, ...] = Field(default=(), description="Columns to leave out, in place of `columns`.")
    text: tuple[str, ...] = Field(default=(), description="Columns to search as full text too.")
    as_you_type: tuple[str, ...] = Field(default=(), description="Columns to search while a reader still types too.")
    geo_point: dict[str, GeoPoint] = Field(
        default_factory=dict, description="Geo points to add, by field: `{lat: <column>, lon: <column>}`, in degrees."
    )
    fields: dict[str, dict[str, Any]] = Field(default_factory=dict, description="Field mappings to use as they are.")
    settings: dict[str, Any] = Field(default_factory=dict, description="Index settings.")


def index_options(meta: Mapping[str, Any], exposure: str) -> IndexOptions:
    """Read an exposure's `config.meta.opensearch`.

    Args:
        meta: Its content.
        exposure: The exposure's name, for messages.

    Raises:
        IndexSpecError: If a key is missing, unknown or of the wrong kind; names them all.
    """
    try:
        return IndexOptions.model_validate(dict(meta))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, found['loc']))}: {found['msg']}" for found in error.errors())
        raise IndexSpecError(
            f"Exposure {exposure}, config.meta.opensearch: {wrong}. It may say {', '.join(IndexOptions.model_fields)}."
        ) from error


def index_spec(options: IndexOptions, relation: str, columns: Iterable[Column], description: str = "") -> IndexSpec:
    """Join what an exposure says with the model that it names.

    Args:
        options: What the exposure says.
        relation: `schema.name` of that model.
        columns: The model's columns, in order.
        description: What the index is for.

    Raises:
        IndexSpecError: If the index's name is not one, or a column is named that the model lacks; names them all.
    """
    by_name = {column.name: column for column in columns}
    chosen = options.columns or [name for name in by_name if name not in options.exclude]
    used = tuple(by_name[name] for name in chosen if name in by_name)
    problems = list(_problems(options, relation, by_name, used))
    if problems:
        raise IndexSpecError(f"Index {options.index}: {'; '.join(problems)}.")
    return IndexSpec(
        name=options.index,
        relation=relation,
        columns=used,
        id_column=options.id,
        description=description,
        text=frozenset(options.text),
        as_you_type=frozenset(options.as_you_type),
        geo_points=options.geo_point,
        fields=options.fields,
        settings=options.settings,
    )


def _problems(
    options: IndexOptions, relation: str, by_name: Mapping[str, Column], used: Iterable[Column]
) -> Iterable[str]:
    if _INDEX_NAME.fullmatch(options.index) is None:
        yield "its name must be lower case letters, digits, - and _, the first a letter"
    for key, names in {"columns": options.columns, "exclude": options.exclude}.items():
        for name in names:
            if name not in by_name:
                yield f"{key} names {name}, which {relation} lacks; it has {', '.join(by_name)}"
    if options.columns and options.exclude:
        yield "it says columns and exclude; say one of them"
    indexed = {column.name: column for column in used}
    named = {"id": [options.id], "text": options.text, "as_you_type": options.as_you_type, "fields": options.fields}
    named |= {f"geo_point.{name}": [point.lat, point.lon] for name, point in options.geo_point.items()}
    for key, names in named.items():
        for name in names:
            if name not in indexed:
                yield f"{key} names {name}, which is not a column of the index; it has {', '.join(indexed)}"
    yield from _wrong_strings(options, indexed)
    yield from _wrong_points(options, indexed)


def _wrong_strings(options: IndexOptions, indexed: Mapping[str, Column]) -> Iterable[str]:
    for key, names in {"text": options.text, "as_you_type": options.as_you_type}.items():
        for name in names:
            if name in indexed and not indexed[name].type.startswith("varchar"):
                yield f"{key} names {name}, which is {indexed[name].type}; only a varchar is searched as text"
            if name in options.fields:
                yield f"{name} stands in {key} and in fields; say it in fields alone"


def _wrong_points(options: IndexOptions, indexed: Mapping[str, Column]) -> Iterable[str]:
    for field_name, point in options.geo_point.items():
        if field_name in indexed:
            yield f"geo_point.{field_name} has the name of a column; give the point another"
        elif _FIELD_NAME.fullmatch(field_name) is None:
            yield f"geo_point.{field_name}: a field's name must be lower case letters, digits and _, the first a letter"
        for name in (point.lat, point.lon):
            if name in indexed and _DEGREES.fullmatch(indexed[name].type.strip().lower()) is None:
                yield (
                    f"geo_point.{field_name} names {name}, which is {indexed[name].type}; "
                    f"degrees are double precision or numeric(p,s)"
                )
