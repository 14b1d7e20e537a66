"""The mapping and settings of an index, derived from its model's columns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from serving.opensearch.spec import Column, IndexSpec, IndexSpecError

# Lucene refuses a term of more than 32,766 bytes; a character takes up to 4 of them in UTF-8.
_KEYWORD_CHARACTERS = 8_191
# A scaled_float is parsed as a double, which is exact for 15 decimal digits.
_DOUBLE_DIGITS = 15
_LONG_DIGITS = 18

_PLAIN: dict[str, dict[str, Any]] = {
    "smallint": {"type": "short"},
    "integer": {"type": "integer"},
    "bigint": {"type": "long"},
    "double precision": {"type": "double"},
    "boolean": {"type": "boolean"},
    "date": {"type": "date", "format": "strict_date"},
    "timestamp": {"type": "date", "format": "strict_date_optional_time"},
}
_TYPES = f"{', '.join(_PLAIN)}, numeric(p,s), varchar(n)"


def mapping(spec: IndexSpec) -> dict[str, Any]:
    """The mapping of an index.

    A field that is not in it is refused (`dynamic: strict`). The model, its columns' types and their descriptions
    stand in `_meta`, so that who finds the index finds its meaning; so do the columns that a geo point is made of.

    Raises:
        IndexSpecError: If a column has a type for which there is no field type.
    """
    return {
        "dynamic": "strict",
        "_meta": {
            "description": spec.description,
            "model": spec.relation,
            "id": spec.id_column,
            "columns": {
                column.name: {"type": column.type, "description": column.description} for column in spec.columns
            },
            "geo_points": {name: point.model_dump() for name, point in spec.geo_points.items()},
        },
        "properties": {
            **{column.name: _field(spec, column) for column in spec.columns},
            **{name: {"type": "geo_point"} for name in spec.geo_points},
        },
    }


def index_settings(spec: IndexSpec) -> dict[str, Any]:
    """The settings of an index: one shard, and a replica wherever there is a second node."""
    return {"number_of_shards": 1, "auto_expand_replicas": "0-1", **spec.settings}


def _field(spec: IndexSpec, column: Column) -> dict[str, Any]:
    if column.name in spec.fields:
        return dict(spec.fields[column.name])
    kind = column.type.strip().lower()
    if kind in _PLAIN:
        return dict(_PLAIN[kind])
    if (told := re.fullmatch(r"varchar\((\d+)\)", kind)) is not None:
        return _keyword(int(told[1]), dict(_subfields(spec, column.name)))
    if (told := re.fullmatch(r"(?:numeric|decimal)\((\d+),\s*(\d+)\)", kind)) is not None:
        return _number(int(told[1]), int(told[2]))
    raise IndexSpecError(
        f"Index {spec.name}: column {column.name} is {column.type!r}, for which there is no field type. "
        f"There is one for {_TYPES}. Give the column such a type in the model, or a mapping in the exposure's `fields`."
    )


def _subfields(spec: IndexSpec, column: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if column in spec.text:
        yield "text", {"type": "text"}
    if column in spec.as_you_type:
        yield "as_you_type", {"type": "search_as_you_type"}


def _keyword(length: int, subfields: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A string is a keyword: filters, sorting and facets need it whole.

    Longer values than Lucene takes stay in the document and are not searched, rather than fail a build.
    """
    limit = {"ignore_above": _KEYWORD_CHARACTERS} if length > _KEYWORD_CHARACTERS else {}
    return {"type": "keyword", **limit, **({"fields": subfields} if subfields else {})}


def _number(precision: int, scale: int) -> dict[str, Any]:
    """A decimal is a scaled_float while a double holds its digits: kept as a whole number, it is exact to its scale
    and compresses better than a double. With more digits neither is exact: it is searched as the nearest double, and
    the document keeps every digit.
    """
    if scale == 0 and precision <= _LONG_DIGITS:
        return {"type": "long"}
    if precision <= _DOUBLE_DIGITS:
        return {"type": "scaled_float", "scaling_factor": 10**scale}
    return {"type": "double"}
