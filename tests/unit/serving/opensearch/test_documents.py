from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.opensearch.documents import Documents, DocumentWriter
from serving.opensearch.errors import IndexBuildError
from serving.opensearch.spec import GeoPoint

_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("a name", pa.string()),
        ("count", pa.int64()),
        ("ratio", pa.float64()),
        ("late", pa.bool_()),
        ("day", pa.date32()),
        ("at", pa.timestamp("us")),
    ]
)
_WRITER = DocumentWriter(_SCHEMA, "id")

# Surrogates cannot be in Arrow's UTF-8.
_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_rows = st.lists(
    st.tuples(
        _text,
        st.none() | _text,
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | st.floats(allow_nan=False, allow_infinity=False),
        st.none() | st.booleans(),
        st.none() | st.dates(dt.date(1, 1, 1), dt.date(9999, 12, 31)),
        st.none() | st.datetimes(dt.datetime(1000, 1, 1), dt.datetime(9999, 12, 31)),
    ).map(lambda values: dict(zip(_SCHEMA.names, values, strict=True))),
    max_size=30,
)


def _documents(rows: list[dict[str, Any]]) -> Documents:
    return _WRITER.documents(pa.RecordBatch.from_pylist(rows, _SCHEMA))


def _parsed(body: bytes) -> list[tuple[str, dict[str, Any]]]:
    lines = body.decode().split("\n")
    assert lines.pop() == ""
    return [
        (json.loads(action)["index"]["_id"], json.loads(document))
        for action, document in zip(lines[::2], lines[1::2], strict=True)
    ]


def _expected(row: dict[str, Any]) -> dict[str, Any]:
    day, at = row["day"], row["at"]
    return {
        **row,
        "day": day and day.isoformat(),
        "at": at and at.isoformat(timespec="microseconds") + "Z",
    }


@settings(deadline=None)
@given(_rows)
def test_a_body_holds_each_row_under_its_id_with_every_value(rows: list[dict[str, Any]]):
    assert _parsed(_documents(rows).body()) == [(row["id"], _expected(row)) for row in rows]


@settings(deadline=None)
@given(_rows, st.integers(1, 2_000))
def test_chunks_are_the_whole_in_order_and_none_is_larger_than_told_but_of_one_document(
    rows: list[dict[str, Any]], most: int
):
    documents = _documents(rows)
    chunks = list(documents.chunks(most))
    assert b"".join(chunk.body() for chunk in chunks) == documents.body()
    assert sum(len(chunk) for chunk in chunks) == len(rows)
    assert all(len(chunk.body()) <= most or len(chunk) == 1 for chunk in chunks)


def _row(identifier: str) -> dict[str, Any]:
    return dict.fromkeys(_SCHEMA.names) | {"id": identifier}


def test_documents_are_taken_from_a_chunk_by_position_with_their_ids():
    chunk = list(_documents([_row(f"i{n}") for n in range(10)]).chunks(350))[1]
    first = chunk.document_id(0)
    assert first != "i0"
    taken = chunk.take([1, 0])
    assert [identifier for identifier, _ in _parsed(taken.body())] == [chunk.document_id(1), first]


_PLACES = pa.schema([("id", pa.string()), ("y", pa.float64()), ("x", pa.decimal128(9, 6))])


@pytest.mark.parametrize(
    ("lat", "lon", "point"),
    [
        (40.777245, "-73.872608", {"lat": 40.777245, "lon": -73.872608}),
        (0.0, "0", {"lat": 0.0, "lon": 0.0}),
        (None, "-73.872608", None),
        (40.777245, None, None),
        (None, None, None),
    ],
)
def test_two_columns_make_a_geo_point_and_half_a_point_is_none(
    lat: float | None, lon: str | None, point: dict[str, float] | None
):
    row = {"id": "LGA", "y": lat, "x": None if lon is None else Decimal(lon)}
    writer = DocumentWriter(_PLACES, "id", {"location": GeoPoint(lat="y", lon="x")})
    ((_, document),) = _parsed(writer.documents(pa.RecordBatch.from_pylist([row], _PLACES)).body())
    assert document == {"id": "LGA", "y": lat, "x": None if lon is None else float(lon), "location": point}


def test_an_id_that_is_no_string_becomes_one():
    schema = pa.schema([("id", pa.int64())])
    documents = DocumentWriter(schema, "id").documents(pa.RecordBatch.from_pylist([{"id": 7}], schema))
    assert documents.body() == b'{"index":{"_id":"7"}}\n{"id":7}\n'


def test_a_row_without_an_id_is_refused():
    with pytest.raises(IndexBuildError, match=r"1 rows have no id.*not_null"):
        _documents([_row("a"), dict.fromkeys(_SCHEMA.names)])
