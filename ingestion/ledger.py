"""The ledger of objects: which have landed, read from the provenance columns of the tables themselves."""

from __future__ import annotations

from collections.abc import Set

import pyarrow as pa
from pyiceberg.expressions import AlwaysTrue, BooleanExpression, NotIn
from pyiceberg.table import Table

from ingestion.schemas import LANDING_ID


def landed_objects(table: Table, without: Set[str] = frozenset()) -> set[tuple[str, str]]:
    """Pairs of key and ETag of all objects that a table has a row of. Rows of some landings can be left out.

    Two columns are read, a batch at a time; what is kept is one pair an object.
    """
    rows: BooleanExpression = AlwaysTrue()
    if without:
        rows = NotIn(LANDING_ID.name, without)  # pyright: ignore[reportCallIssue]
    found: set[tuple[str, str]] = set()
    for batch in table.scan(row_filter=rows, selected_fields=("_key", "_etag")).to_arrow_batch_reader():
        pairs = pa.Table.from_batches([batch]).group_by(["_key", "_etag"]).aggregate([])
        found.update((pair["_key"], pair["_etag"]) for pair in pairs.to_pylist())
    return found
