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


class IndexSpecError(ValueError):
    """An exposure asks for an index that cannot be made. The message says what to write instead."""


@dataclass(frozen=True)
class Column:
    """A column of a model."""

    name: str
    type: str
    """The ANSI name: `varchar(3)`, `integer`, `timestamp`."""
    description: str = ""


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
    fields: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Field mappings that take the place of the derived ones, by column."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Index settings beside, or in place of, the usual ones."""

    @property
    def column_names(self) -> list[str]:
        """The columns' names, in order."""
        return [column.name for column in self.columns]


class IndexOptions(BaseModel):
    """What an exposure's `config.meta.opensearch` may say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    index: str = Field(description="The alias that readers use.")
    model: str = Field(description="The dbt model that the index holds.")
    id: str = Field(description="The column whose value is the document's id.")
    columns: tuple[str, ...] = Field(default=(), description="The columns to index; all of the model's if empty.")
    text: tuple[str, ...] = Field(default=(), description="Columns to search as full text too.")
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
    used = tuple(by_name[name] for name in options.columns if name in by_name) or tuple(by_name.values())
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
        fields=options.fields,
        settings=options.settings,
    )


def _problems(
    options: IndexOptions, relation: str, by_name: Mapping[str, Column], used: Iterable[Column]
) -> Iterable[str]:
    if _INDEX_NAME.fullmatch(options.index) is None:
        yield "its name must be lower case letters, digits, - and _, the first a letter"
    for name in options.columns:
        if name not in by_name:
            yield f"columns names {name}, which {relation} lacks; it has {', '.join(by_name)}"
    indexed = [column.name for column in used]
    for key, names in {"id": [options.id], "text": options.text, "fields": options.fields}.items():
        for name in names:
            if name not in indexed:
                yield f"{key} names {name}, which is not a column of the index; it has {', '.join(indexed)}"
    for name in options.text:
        if name in by_name and not by_name[name].type.startswith("varchar"):
            yield f"text names {name}, which is {by_name[name].type}; only a varchar is searched as text"
        if name in options.fields:
            yield f"{name} stands in text and in fields; say it in fields alone"
