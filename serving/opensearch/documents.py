"""Rows as documents: an Arrow batch becomes the lines of a bulk request, column by column, in DuckDB.

One text of all lines lies in one buffer, so that a request's body is a slice of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa

from serving.opensearch.errors import IndexBuildError
from serving.opensearch.spec import GeoPoint


@dataclass(frozen=True)
class Documents:
    """Documents to index, each as two lines of NDJSON: the action with the document's id, and the document."""

    lines: pa.LargeStringArray

    def __len__(self) -> int:
        return len(self.lines)

    def body(self) -> bytes:
        """The body of a bulk request."""
        offsets = self._offsets()
        return self.lines.buffers()[2][offsets[0] : offsets[-1]].to_pybytes()

    def take(self, positions: Sequence[int]) -> Documents:
        """The documents at these positions."""
        return Documents(self.lines.take(pa.array(positions, pa.int64())))

    def document_id(self, position: int) -> str:
        """The id of one document."""
        action, _, _ = self.lines[position].as_py().partition("\n")
        return json.loads(action)["index"]["_id"]

    def chunks(self, max_bytes: int) -> Iterator[Documents]:
        """Split into parts of at most so many bytes; a larger document is a part of its own."""
        start, offsets = 0, self._offsets()
        while start < len(self):
            fitting = int(np.searchsorted(offsets, offsets[start] + max_bytes, side="right")) - 1
            end = max(fitting, start + 1)
            yield Documents(self.lines.slice(start, end - start))
            start = end

    def _offsets(self) -> np.ndarray:
        """Where each line begins in the text, and where the last ends."""
        buffer = self.lines.buffers()[1]
        offsets = np.frombuffer(buffer, np.int64) if buffer else np.zeros(1, np.int64)
        return offsets[self.lines.offset : self.lines.offset + len(self) + 1]


class DocumentWriter:
    """Renders batches. Holds a DuckDB connection, so it is for one thread."""

    def __init__(self, schema: pa.Schema, id_column: str, geo_points: Mapping[str, GeoPoint] | None = None) -> None:
        """Args are the batches' schema, the column that gives the documents' ids, and fields to add to the columns."""
        self._id_column = id_column
        self._connection = duckdb.connect()
        # The other core sends; and rendering is some twenty times quicker than indexing.
        self._connection.execute("set threads = 1")
        action = f"""'{{"index":{{"_id":' || to_json({_quoted(id_column)}::varchar) || '}}}}'"""
        values = {field.name: _value(field) for field in schema}
        values |= {name: _geo_point(point) for name, point in (geo_points or {}).items()}
        fields = ", ".join(f"{_quoted(name)} := {value}" for name, value in values.items())
        self._query = f"select {action} || chr(10) || to_json(struct_pack({fields}))::varchar || chr(10) from batch"

    def documents(self, batch: pa.RecordBatch) -> Documents:
        """Render a batch. A null is written as null; a timestamp, which is in UTC, as ISO 8601 with a Z.

        A geo point is null if either of its columns is: half a point is none, and OpenSearch refuses it.

        Raises:
            IndexBuildError: If a row has no id.
        """
        if batch.column(self._id_column).null_count:
            raise IndexBuildError(
                f"{batch.column(self._id_column).null_count} rows have no {self._id_column}, which is the document's "
                f"id. Test that column `not_null` in the model."
            )
        self._connection.register("batch", pa.Table.from_batches([batch]))
        lines = self._connection.execute(self._query).to_arrow_table().column(0).combine_chunks()
        return Documents(lines.cast(pa.large_string()))


def _value(field: pa.Field) -> str:
    name = _quoted(field.name)
    return f"strftime({name}, '%Y-%m-%dT%H:%M:%S.%fZ')" if pa.types.is_timestamp(field.type) else name


def _geo_point(point: GeoPoint) -> str:
    lat, lon = _quoted(point.lat), _quoted(point.lon)
    return f"case when {lat} is not null and {lon} is not null then struct_pack(lat := {lat}, lon := {lon}) end"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
