"""Records as a reader hands them over: original bytes, where each was read, and how they are encoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa

# Where a source is read up to, as JSON. Each reader defines what is in its own.
Position = Mapping[str, Any]


@dataclass(frozen=True)
class Json:
    """One JSON document a record (RFC 8259, read leniently: a trailing comma passes)."""


@dataclass(frozen=True)
class Csv:
    """One line of values a record (RFC 4180), named by the header of its object."""

    header: tuple[str, ...]
    delimiter: str
    null_values: tuple[str, ...]


@dataclass(frozen=True)
class Unreadable:
    """Bytes that no record could be made of."""

    reason: str


Encoding = Json | Csv | Unreadable


@dataclass(frozen=True)
class Records:
    """Records of one encoding.

    `payload` is a binary array of n records, `provenance` a table of n rows with the columns of
    `schemas.provenance_fields`. `offsets` has the byte of its object, unzipped, that each record starts at, if the
    reader knows: a reject that is no document tells it.
    """

    payload: pa.BinaryArray
    provenance: pa.Table
    encoding: Encoding
    offsets: pa.Int64Array | None = None

    def __len__(self) -> int:
        return len(self.payload)

    @property
    def nbytes(self) -> int:
        """Bytes that the records and their provenance take in memory."""
        return self.payload.nbytes + self.provenance.nbytes


@dataclass(frozen=True)
class Batch:
    """Records, and the position of the source after them.

    One commit lands one batch; or several, where `more` says that the next one belongs to the same commit. `replaces`
    are versions of objects in this commit that take the place of older ones under their keys: key -> (ETag, arrival).
    """

    records: Sequence[Records]
    position: Position
    more: bool = False
    replaces: Mapping[str, tuple[str, datetime]] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(len(records) for records in self.records)

    @property
    def nbytes(self) -> int:
        """Bytes of all records."""
        return sum(records.nbytes for records in self.records)
