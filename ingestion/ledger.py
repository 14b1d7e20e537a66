"""The ledger of objects: which have landed, read from the provenance columns of the tables themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
from pyiceberg.expressions import (
    AlwaysTrue,
    And,
    BooleanExpression,
    EqualTo,
    GreaterThan,
    LessThanOrEqual,
    Not,
    NotIn,
    Or,
)
from pyiceberg.table import Table

from ingestion.schemas import LANDING_ID


@dataclass(frozen=True, order=True)
class Version:
    """A version of an object of which something has landed. `arrived_at` is when S3 got it, in UTC without a zone."""

    arrived_at: datetime
    key: str
    etag: str


def landed_versions(table: Table, after: str = "", without: Set[str] = frozenset()) -> set[Version]:
    """The objects with keys above `after` that a table has a row of. Rows of some landings can be left out.

    Three columns are read, a batch at a time; what is kept is one entry an object. Files whose keys are all at or below
    `after` are not opened.
    """
    rows: BooleanExpression = GreaterThan("_key", after) if after else AlwaysTrue()  # pyright: ignore[reportCallIssue]
    if without:
        rows = And(rows, NotIn(LANDING_ID.name, without))  # pyright: ignore[reportCallIssue]
    names = ("_arrived_at", "_key", "_etag")
    found: set[Version] = set()
    for batch in table.scan(row_filter=rows, selected_fields=names).to_arrow_batch_reader():
        versions = pa.Table.from_batches([batch]).group_by(list(names)).aggregate([])
        found.update(Version(*(version[name] for name in names)) for version in versions.to_pylist())
    return found


def newest(versions: Set[Version]) -> set[Version]:
    """The newest version of each key: several, where S3, which tells seconds, got them in the same one."""
    last: dict[str, datetime] = {}
    for version in versions:
        last[version.key] = max(version.arrived_at, last.get(version.key, version.arrived_at))
    return {version for version in versions if version.arrived_at == last[version.key]}


def without_rivals(versions: Set[Version]) -> set[Version]:
    """The versions of those keys that have but one."""
    count = Counter(version.key for version in versions)
    return {version for version in versions if count[version.key] == 1}


def replaced_rows(replacing: Mapping[str, tuple[str, str]], without: Set[str]) -> BooleanExpression | None:
    """Rows of versions that others took the place of: key -> (ETag, arrival in ISO 8601) of the version that did.

    Rows of some landings are left out. None if nothing was replaced.
    """
    if not replacing:
        return None
    older = [_older_rows(key, etag, arrived) for key, (etag, arrived) in replacing.items()]
    rows = Or(*older) if len(older) > 1 else older[0]
    return And(rows, NotIn(LANDING_ID.name, without)) if without else rows  # pyright: ignore[reportCallIssue]


def _older_rows(key: str, etag: str, arrived: str) -> BooleanExpression:
    itself = And(EqualTo("_etag", etag), EqualTo("_arrived_at", arrived))  # pyright: ignore[reportCallIssue]
    before = LessThanOrEqual("_arrived_at", arrived)  # pyright: ignore[reportCallIssue]
    return And(EqualTo("_key", key), And(before, Not(itself)))  # pyright: ignore[reportCallIssue]


def has_rows(table: Table, rows: BooleanExpression) -> bool:
    """Whether a table has any of some rows."""
    return len(table.scan(row_filter=rows, selected_fields=("_key",), limit=1).to_arrow()) > 0
