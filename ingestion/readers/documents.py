"""Splits bytes into JSON documents, whatever is between them: line ends, other white space, or nothing at all.

Firehose writes nothing between two records. In JSON a `}` is never followed by a `{`, except inside a string; so that
is where documents are parted, and DuckDB says of all parts at once which of them are documents. Only where one is not,
the parts around it are gone through value by value: those had been parted inside a string, or something is broken.
There every document that can be made out is kept, and the bytes between become parts of their own, a line each, that
decoding rejects. A `{` after a `:`, a `,` or a `[` starts no document: it would be a member of a broken one.
"""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby

import duckdb
import pyarrow as pa

_BORDER = re.compile(rb"\}\s*\{")
_START = re.compile(r"(?<![:,\[\s])\s*([{\[])")
# An end inside of `-Infinity`, or of an escape, is told at where that begins.
_LONGEST_TOKEN = 9
_DECODER = json.JSONDecoder()
_LINE = re.compile(rb"[^\r\n]+")
_INVALID = "select number from parts where not coalesce(json_valid(try(decode(part))), false)"


@dataclass
class Documents:
    """Documents, broken ones too, and the byte of the object that each starts at."""

    payload: list[bytes] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)

    def add(self, data: bytes, start: int, end: int, base: int) -> None:
        """Add `data[start:end]` without white space around it, if anything is left. `base` is the offset of `data`."""
        text = data[start:end]
        stripped = text.lstrip()
        if stripped:
            self.payload.append(stripped.rstrip())
            self.offsets.append(base + start + len(text) - len(stripped))


# A part of a block of bytes, by its start and its end.
_Span = tuple[int, int]


def documents(blocks: Iterable[bytes], longest: int) -> Iterator[Documents]:
    """The documents of an object whose bytes come in blocks, a block's worth at a time.

    What is longer than `longest` bytes is no document: it is parted, and so rejected.
    """
    rest, base = b"", 0
    with duckdb.connect() as connection:
        try:
            for block in blocks:
                data = rest + block
                if not base and data.startswith(BOM_UTF8):
                    data, base = data.removeprefix(BOM_UTF8), len(BOM_UTF8)
                found, kept = _next(connection, data, base, longest)
                yield found
                rest, base = data[kept:], base + kept
        except Exception:
            # The bytes break off. The document that they break off in is not told: the error stands for it.
            found = Documents()
            _resync(rest, (0, len(rest)), base, found, goes_on=len(rest))
            yield found
            raise
        parts = _parts(rest)
        yield _resolved(rest, parts, _doubtful(connection, rest, parts), base)


def _next(connection: duckdb.DuckDBPyConnection, data: bytes, base: int, longest: int) -> tuple[Documents, int]:
    """The documents that are whole in `data`, and where in it the next one starts."""
    *parts, (last, _) = _parts(data)
    kept = last
    doubtful = _doubtful(connection, data, parts)
    # A document may go on in the next block, in the last part or in doubtful ones before it.
    while parts and doubtful[-1] is not None:
        kept = parts.pop()[0]
        doubtful.pop()
    found = _resolved(data, parts, doubtful, base)
    if kept < last or len(data) - kept > longest:
        kept = _resync(data, (kept, len(data)), base, found, goes_on=longest)
    return found, kept


def _parts(data: bytes) -> list[_Span]:
    borders = list(_BORDER.finditer(data))
    starts = [0, *(border.end() - 1 for border in borders)]
    ends = [*(border.start() + 1 for border in borders), len(data)]
    return list(zip(starts, ends, strict=True))


def _doubtful(connection: duckdb.DuckDBPyConnection, data: bytes, parts: list[_Span]) -> list[bool | None]:
    """For each part: None if it is a document; False if it is not; True if it is one that may be a string's inside.

    That is `{}` alone: any other document has quotes, which are escaped in a string.
    """
    if not parts:
        return []
    payload = pa.array([data[start:end] for start, end in parts], pa.binary())
    connection.register("parts", pa.table({"number": pa.array(range(len(parts)), pa.int64()), "part": payload}))
    invalid = {number for (number,) in connection.execute(_INVALID).fetchall()}
    return [
        False if number in invalid else None if data.find(b'"', start, end) >= 0 else True
        for number, (start, end) in enumerate(parts)
    ]


def _resolved(data: bytes, parts: list[_Span], doubtful: list[bool | None], base: int) -> Documents:
    found = Documents()
    for doubt, group in groupby(zip(parts, doubtful, strict=True), key=lambda part: part[1] is not None):
        spans = list(group)
        if doubt and any(document is False for _, document in spans):
            _resync(data, (spans[0][0][0], spans[-1][0][1]), base, found)
            continue
        for (start, end), _ in spans:
            found.add(data, start, end, base)
    return found


def _resync(data: bytes, span: _Span, base: int, found: Documents, *, goes_on: int = 0) -> int:
    """Add the documents that can be made out, and what is between them. Returns up to where.

    With `goes_on` a document that the end cuts off is left for the next block, unless it has more bytes than that.
    """
    start, end = span
    text = data[start:end].decode("latin-1")  # a character for each byte
    done = at = 0
    while match := _START.search(text, at):
        first = match.start(1)
        try:
            _, last = _DECODER.raw_decode(text, first)
        except (ValueError, RecursionError) as error:
            if len(text) - first <= goes_on and _is_cut_off(error, len(text)):
                end = start + first
                break
            at = first + 1
            continue
        _add_broken(data, start + done, start + first, base, found)
        found.add(data, start + first, start + last, base)
        done = at = last
    _add_broken(data, start + done, end, base, found)
    return end


def _is_cut_off(error: Exception, end: int) -> bool:
    """Whether a value may be whole once more bytes have come."""
    if not isinstance(error, json.JSONDecodeError):
        return False
    return error.pos >= end - _LONGEST_TOKEN or error.msg.startswith("Unterminated string")


def _add_broken(data: bytes, start: int, end: int, base: int, found: Documents) -> None:
    for line in _LINE.finditer(data, start, end):
        found.add(data, line.start(), line.end(), base)
