"""Reads objects under a prefix of S3: what Firehose delivered, or files that were dropped there. Each lands once.

Which objects have landed stands in the two tables themselves: their provenance columns are the ledger. The position
holds only what those cannot tell:
- `open`: an object of which a part has landed, and the ordinal to go on from;
- `empty`: objects without a record, which no row tells of, each by a digest of its key and ETag;
- of Firehose's deliveries, `after`: the keys up to here have been listed and get no company any more, and `whole_at`:
  when all of the prefix was listed last.

A new version of a key, by its ETag, lands beside the older one, or replaces it, as the contract says. Objects may be
gzip or plain, whatever their names say.
"""

from __future__ import annotations

import base64
import csv as csv_module
import hashlib
import json
import logging
import tempfile
import zlib
from codecs import BOM_UTF8
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import IO, TYPE_CHECKING, Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq
from botocore.exceptions import ClientError

from ingestion.contract import Contract, ObjectSource
from ingestion.errors import SourceError
from ingestion.readers.documents import documents
from ingestion.records import Batch, Csv, Encoding, Json, Position, Records, Unreadable
from ingestion.schemas import arrow_schema, provenance_fields

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client

logger = logging.getLogger(__name__)

LONGEST_RECORD = 10 * 1024 * 1024
_BLOCK = 8 * 1024 * 1024
_GZIP_MAGIC = b"\x1f\x8b"
_PARQUET_ROWS = 16_384
# How often all of a Firehose prefix is listed, for an object that came later than the contract's look-back allows.
_WHOLE_EVERY = timedelta(days=1)
_MOST_ERRORS = 10_000
# What replaces something is named in a property of the table, of which Glue takes 512,000 characters.
_MOST_REPLACED_CHARACTERS = 200_000


class Readable(Protocol):
    """Bytes that come from elsewhere."""

    def read(self, size: int, /) -> bytes:
        """Read up to `size` bytes; none at the end."""
        ...


# Given a key: the objects above it that have landed, as pairs of key and ETag.
Ledger = Callable[[str], set[tuple[str, str]]]


@dataclass(frozen=True)
class _Object:
    """An object of the bucket's listing."""

    key: str
    etag: str
    modified: datetime


@dataclass(frozen=True)
class _Part:
    """Some records of an object: their bytes, their encoding, the ordinal of the first, the byte where each starts."""

    payload: list[bytes]
    encoding: Encoding
    ordinal: int
    offsets: list[int] | None = None


@dataclass(frozen=True)
class _Window:
    """Which keys are listed: those above `after`. `position` is what to remember once all of them have landed.

    `due` says that this is worth a commit even if nothing has come.
    """

    after: str = ""
    position: Mapping[str, str] = field(default_factory=dict)
    due: bool = False


@dataclass(frozen=True)
class Waiting:
    """Versions of objects (key, ETag) that have not landed. `late`: the next listing does not look at all of them."""

    versions: Set[tuple[str, str]]
    late: bool


@dataclass
class _Filling:
    """The batch that is being filled. `opened` and `window` are as the last batch's position has them."""

    opened: dict[str, Any] | None
    empty: list[str]
    window: Mapping[str, str]
    parts: list[Records] = field(default_factory=list)
    replaces: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    size: int = 0
    replaced_characters: int = 0

    def add(self, records: Records) -> None:
        """Add records."""
        self.parts.append(records)
        self.size += records.nbytes

    def replace(self, obj: _Object) -> None:
        """Note that an object takes the place of an older version."""
        self.replaces[obj.key] = (obj.etag, _naive_utc(obj.modified))
        self.replaced_characters += len(json.dumps(obj.key)) + 100

    def batch(self, opened: dict[str, Any] | None, *, more: bool = False) -> Batch:
        """What has been added, to be landed; the next batch begins."""
        batch = Batch(self.parts, {"open": opened, "empty": list(self.empty), **self.window}, more, self.replaces)
        self.parts, self.size, self.opened = [], 0, opened
        if not more:
            self.replaces, self.replaced_characters = {}, 0
        return batch


class ObjectReader:
    """Reads the objects of one contract. `max_bytes` bounds a batch. `whole` lists all of a Firehose prefix now."""

    def __init__(
        self,
        client: S3Client,
        contract: Contract,
        bucket: str,
        *,
        max_bytes: int,
        whole: bool = False,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        assert isinstance(contract.source, ObjectSource)
        self._client = client
        self._contract = contract
        self._source = contract.source
        self._bucket = bucket
        self._max_bytes = max_bytes
        self._whole = whole
        self._clock = clock
        # An object without a byte has no record. But it replaces one that has, and it is no Parquet file.
        self._may_be_void = not contract.source.replace and contract.source.format != "parquet"

    def batches(self, position: Position | None, landed: Ledger) -> Generator[Batch, None, None]:
        """Batches of all objects that have not landed, oldest first. Raises SourceError if the bucket is missing."""
        position = position or {}
        opened: dict[str, Any] | None = position.get("open")
        window = self._window(position)
        # An object of which a part has landed is gone on with, also where it is late for the window.
        after = min(window.after, _just_before(opened["key"])) if opened else window.after
        listing = self._list(after)
        known = _empty(position)
        listed = {d: (o.key, o.etag) for o in listing if known and (d := _digest(o.key, o.etag)) in known}
        # One that is not listed is gone, unless its key is below what is listed.
        empty = sorted(known if after else listed)
        there = landed(after) | set(listed.values())
        filling = _Filling(opened, empty, {name: position[name] for name in window.position if name in position})
        if self._source.replace:
            if opened:
                # The contract said append before: what has landed of the object goes when all of it lands.
                there -= {(opened["key"], opened["etag"])}
            pending = self._pending(listing, there, None)
            keys = {key for key, _ in there} | ({opened["key"]} if opened else set())
            yield from self._whole_objects([obj for obj, _ in pending], filling, keys)
        else:
            yield from self._parts_of_objects(self._pending(listing, there, opened), filling)
        # Where a batch ended with an object, what is left to commit is that the object is closed.
        if filling.parts or filling.replaces or filling.opened or set(filling.empty) - known or window.due:
            filling.window = window.position
            yield filling.batch(None)

    def waiting(self, position: Position | None, landed: Ledger, told: Set[tuple[str, str]]) -> Waiting:
        """Which of the versions that somebody told of (key, ETag) are to land yet. A version that is gone is not.

        Raises SourceError if the bucket is missing.
        """
        position = position or {}
        opened = position.get("open")
        after = _just_before(min(key for key, _ in told))
        done = landed(after) - ({(opened["key"], opened["etag"])} if opened else set())
        empty = _empty(position)
        there = {(o.key, o.etag) for o in self._list(after)} & told - done
        waiting = {version for version in there if _digest(*version) not in empty}
        return Waiting(waiting, late=any(key <= self._bound(position) for key, _ in waiting))

    def _bound(self, position: Position) -> str:
        """The key up to which all has been listed. None of the contract's prefix: it had another one then."""
        after = position.get("after", "")
        return after if after.startswith(self._source.prefix) else ""

    def _parts_of_objects(self, pending: Sequence[tuple[_Object, int]], filling: _Filling) -> Iterator[Batch]:
        for obj, first in pending:
            body = self._body(obj)
            if body is None:
                continue
            ordinal = first
            for part in self._parts(obj, body, first):
                ordinal = part.ordinal + len(part.payload)
                filling.add(self._records(obj, part))
                if filling.size >= self._max_bytes:
                    yield filling.batch({"key": obj.key, "etag": obj.etag, "ordinal": ordinal})
            if ordinal == 0:
                filling.empty.append(_digest(obj.key, obj.etag))

    def _whole_objects(self, pending: Sequence[_Object], filling: _Filling, keys: Set[str]) -> Iterator[Batch]:
        """Commits end with an object: who reads the table must not see a part of one that replaces another.

        `keys` are those of which some version has landed.
        """
        for obj in pending:
            body = self._body(obj)
            if body is None:
                continue
            ordinal = 0
            for part in self._parts(obj, body, 0):
                if filling.size >= self._max_bytes:
                    yield filling.batch(None, more=True)
                ordinal = part.ordinal + len(part.payload)
                filling.add(self._records(obj, part))
            if ordinal == 0:
                filling.empty.append(_digest(obj.key, obj.etag))
            if obj.key in keys:
                filling.replace(obj)
            if filling.size >= self._max_bytes or filling.replaced_characters >= _MOST_REPLACED_CHARACTERS:
                yield filling.batch(None)

    def _window(self, position: Position) -> _Window:
        """Of files all keys are listed. Firehose's go by the hour: those that may still get company are listed."""
        delivery = self._source.delivery
        if delivery is None:
            return _Window()
        now = self._clock().astimezone(UTC)
        bound = self._bound(position)
        whole_at = position.get("whole_at") if bound else None
        whole = self._whole or whole_at is None or now - datetime.fromisoformat(whole_at) >= _WHOLE_EVERY
        horizon = f"{self._source.prefix}{now - delivery.look_back:%Y/%m/%d/%H}/"
        remembered = {
            "after": max(horizon, bound),
            "whole_at": now.isoformat(timespec="seconds") if whole else whole_at,
        }
        return _Window("" if whole else bound, remembered, due=whole and bool(position))

    def _list(self, after: str) -> list[_Object]:
        """The objects above a key, oldest first, without those that have no byte and need not be looked at for it."""
        paginator = self._client.get_paginator("list_objects_v2")
        try:
            pages = list(paginator.paginate(Bucket=self._bucket, Prefix=self._source.prefix, StartAfter=after))
        except self._client.exceptions.NoSuchBucket as error:
            raise SourceError(
                f"{self._contract.name}: there is no bucket {self._bucket!r}. Create it (`terraform apply`; locally"
                " `watershed up`)."
            ) from error
        found = [
            _Object(entry["Key"], entry["ETag"].strip('"'), entry["LastModified"])
            for page in pages
            for entry in page.get("Contents", ())
            if not entry["Key"].endswith("/") and (entry["Size"] or not self._may_be_void)
        ]
        return sorted(found, key=lambda o: (o.modified, o.key))

    def _pending(
        self, listing: Sequence[_Object], landed: set[tuple[str, str]], opened: dict[str, Any] | None
    ) -> list[tuple[_Object, int]]:
        """What is to be read, each with the ordinal to start from: the open object first."""
        if opened is None:
            return [(o, 0) for o in listing if (o.key, o.etag) not in landed]
        rest = [(o, 0) for o in listing if (o.key, o.etag) not in landed and o.key != opened["key"]]
        same = [o for o in listing if o.key == opened["key"]]
        if same and same[0].etag == opened["etag"]:
            return [(same[0], opened["ordinal"]), *rest]
        logger.warning(
            "%s: s3://%s/%s was replaced or removed after %s of its records had landed; the rest of that version is"
            " gone. Drop it again under another key to land it whole.",
            self._contract.name,
            self._bucket,
            opened["key"],
            opened["ordinal"],
        )
        return [*((o, 0) for o in same if (o.key, o.etag) not in landed), *rest]

    def _records(self, obj: _Object, part: _Part) -> Records:
        count = len(part.payload)
        columns = [
            pa.repeat(pa.scalar(self._bucket), count),
            pa.repeat(pa.scalar(obj.key), count),
            pa.repeat(pa.scalar(obj.etag), count),
            pa.array(range(part.ordinal, part.ordinal + count), pa.int64()),
            pa.repeat(pa.scalar(_naive_utc(obj.modified), pa.timestamp("us")), count),
        ]
        provenance = pa.table(columns, schema=arrow_schema(provenance_fields(self._contract)))
        offsets = None if part.offsets is None else pa.array(part.offsets, pa.int64())
        return Records(pa.array(part.payload, pa.binary()), provenance, part.encoding, offsets)

    def _body(self, obj: _Object) -> StreamingBody | None:
        """The object's bytes. None if it was replaced or removed since the listing: a later one tells what is there."""
        try:
            return self._client.get_object(Bucket=self._bucket, Key=obj.key, IfMatch=f'"{obj.etag}"')["Body"]
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in ("PreconditionFailed", "NoSuchKey"):
                return None
            raise

    def _parts(self, obj: _Object, body: StreamingBody, first: int) -> Iterator[_Part]:
        """The records of an object from an ordinal on. What cannot be read becomes one unreadable record."""
        ordinal = 0
        try:
            with body:
                for part in self._read(body):
                    skipped = max(first - ordinal, 0)
                    ordinal += len(part.payload)
                    if part.payload[skipped:]:
                        offsets = part.offsets[skipped:] if part.offsets else None
                        yield _Part(part.payload[skipped:], part.encoding, part.ordinal + skipped, offsets)
        except (zlib.error, EOFError, UnicodeDecodeError, csv_module.Error, Misshapen) as error:
            if ordinal < first:
                return  # it has been told: the batch before this one ended with it
            place = f"s3://{self._bucket}/{obj.key}"
            reason = f"unreadable from record {ordinal} on: {error}. The bytes stay at {place}"
            logger.warning("%s: %s: %s", self._contract.name, place, reason)
            yield _Part([b""], Unreadable(reason), ordinal)

    def _read(self, body: Readable) -> Iterator[_Part]:
        """All records of an object, in order."""
        return {"csv": self._csv_parts, "json": _json_parts, "parquet": _parquet_parts}[self._source.format](body)

    def _csv_parts(self, body: Readable) -> Iterator[_Part]:
        header: Csv | None = None
        ordinal = 0
        for lines in _split(_blocks(body), self._source.delimiter):
            if header is None:
                header, lines = self._header(lines[0]), lines[1:]  # noqa: PLW2901  what is under the header
            yield _Part(lines, header, ordinal)
            ordinal += len(lines)

    def _header(self, line: bytes) -> Csv:
        header = next(csv_module.reader([line.decode()], delimiter=self._source.delimiter, strict=True))
        missing = [f.name for f in self._contract.fields if f.required and f.name not in header]
        if missing or len(set(header)) < len(header):
            wrong = f"lacks {', '.join(missing)}" if missing else "names a column twice"
            raise Misshapen(f"its header {','.join(header)} {wrong}")
        return Csv(tuple(header), self._source.delimiter, self._source.null_values)


def losses(client: S3Client, contract: Contract, bucket: str) -> list[str]:
    """What Firehose could not process: a sentence, if anything lies under the contract's error prefix."""
    source = contract.source
    assert isinstance(source, ObjectSource)
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=source.error_prefix, PaginationConfig={"MaxItems": _MOST_ERRORS}
    )
    errors = [entry for page in pages for entry in page.get("Contents", ())]
    if not errors:
        return []
    newest = max(errors, key=lambda entry: entry["LastModified"])
    # Keys are listed by the hour, oldest first: of more than were listed, the newest is not known.
    all_of_them = len(errors) < _MOST_ERRORS
    count, which = (f"{len(errors):,}", "the newest") if all_of_them else (f"{len(errors):,} or more", "one of them")
    return [
        f"{contract.name}: Firehose could not process the records of {count} objects under"
        f" s3://{bucket}/{source.error_prefix}, {which} {newest['Key']} of {newest['LastModified']:%Y-%m-%d %H:%M}"
        " UTC. Each line tells errorCode and errorMessage, and has the record in base64 as rawData. Mend the cause, put"
        " the records again, then remove the objects."
    ]


class Misshapen(Exception):
    """An object whose form is not what its contract says."""


def _blocks(body: Readable) -> Iterator[bytes]:
    """The object's bytes, unzipped, a block at a time. Concatenated gzip members are one file (RFC 1952)."""
    head = body.read(_BLOCK)
    if not head.startswith(_GZIP_MAGIC):
        while head:
            yield head
            head = body.read(_BLOCK)
        return
    unzip = zlib.decompressobj(wbits=31)
    while head:
        data = unzip.decompress(head, _BLOCK)
        if data:
            yield data
        if unzip.eof:
            head = unzip.unused_data or body.read(_BLOCK)
            unzip = zlib.decompressobj(wbits=31) if head else unzip
        else:
            head = unzip.unconsumed_tail or body.read(_BLOCK)
    if not unzip.eof:
        raise EOFError("the gzip stream ends in its middle")


def _digest(key: str, etag: str) -> str:
    """Names a version of an object in a few characters: a position that remembers thousands has to stay short."""
    told = hashlib.sha256(f"{key}\n{etag}".encode()).digest()[:9]
    return base64.b64encode(told).decode()


def _empty(position: Position) -> set[str]:
    """Digests of the objects without a record. Positions had pairs of key and ETag before."""
    return {told if isinstance(told, str) else _digest(*told) for told in position.get("empty", ())}


def _just_before(key: str) -> str:
    """A key that sorts before another one: S3 lists what is above a key."""
    return key[:-1]


def _naive_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def _json_parts(body: Readable) -> Iterator[_Part]:
    ordinal = 0
    for found in documents(_blocks(body), LONGEST_RECORD):
        yield _Part(found.payload, Json(), ordinal, found.offsets)
        ordinal += len(found.payload)


def _split(blocks: Iterator[bytes], delimiter: str) -> Iterator[list[bytes]]:
    """Lines of CSV, without their ends and without empty ones, a block's worth at a time.

    A line break inside a quoted value is no end.
    """
    rest = b""
    first = True
    for block in blocks:
        data = rest + (block.removeprefix(BOM_UTF8) if first else block)
        first = False
        lines = data.split(b"\n")
        lines, rest = _join_quoted(lines[:-1], lines[-1], delimiter.encode())
        if len(rest) > LONGEST_RECORD:
            raise Misshapen(f"a record is longer than {LONGEST_RECORD} bytes")
        if found := [line.removesuffix(b"\r") for line in lines if line.strip()]:
            yield found
    if rest.strip():
        yield [rest.removesuffix(b"\r")]


def _join_quoted(lines: list[bytes], rest: bytes, delimiter: bytes) -> tuple[list[bytes], bytes]:
    """Join the lines that a quoted value goes over. What has no end yet becomes the rest."""
    joined: list[bytes] = []
    pending: list[bytes] = []
    for line in lines:
        quoted = _ends_quoted(line, delimiter, quoted=bool(pending))
        if quoted or pending:
            pending.append(line)
        else:
            joined.append(line)
        if pending and not quoted:
            joined.append(b"\n".join(pending))
            pending = []
    return joined, b"\n".join([*pending, rest])


def _ends_quoted(line: bytes, delimiter: bytes, *, quoted: bool) -> bool:
    """Whether a line ends inside a quoted value; `quoted` is whether it begins in one.

    A quote opens a value only at its start, and is doubled inside of one (RFC 4180): `5" pipe` is just text.
    """
    if b'"' not in line:
        return quoted
    at = 0
    if not quoted and line.startswith(b'"'):
        quoted, at = True, 1
    while True:
        found = line.find(b'"' if quoted else delimiter + b'"', at)
        if found < 0:
            return quoted
        if not quoted:
            quoted, at = True, found + len(delimiter) + 1
        elif line.startswith(b'""', found):
            at = found + 2
        else:
            quoted, at = False, found + 1


def _parquet_parts(body: Readable) -> Iterator[_Part]:
    """Rows of a Parquet file as JSON documents. The file is spooled to disk: Parquet is read from its end."""
    with tempfile.TemporaryFile() as spool:
        while block := body.read(_BLOCK):
            spool.write(block)
        spool.seek(0)
        ordinal = 0
        for rows in parquet_rows(spool):
            yield _Part(rows, Json(), ordinal)
            ordinal += len(rows)


def parquet_rows(file: IO[bytes]) -> Iterator[list[bytes]]:
    """Rows of a Parquet file as JSON documents, a batch at a time. Raises Misshapen if the file cannot be read.

    Arrow tells of broken files by errors of several kinds.
    """
    try:
        parquet = pq.ParquetFile(file)
        if len(set(parquet.schema_arrow.names)) < len(parquet.schema_arrow.names):
            raise Misshapen("it names a column twice")
        for batch in parquet.iter_batches(_PARQUET_ROWS):
            yield [json.dumps(row, default=_as_text, ensure_ascii=False).encode() for row in batch.to_pylist()]
    except MemoryError:
        raise  # Arrow's is an ArrowException too, and says nothing of the file
    except (pa.ArrowException, OSError) as error:
        raise Misshapen(f"not a whole Parquet file: {error}") from error
    except (OverflowError, ValueError, LookupError) as error:
        # Python has no such value: a year above 9999, a time zone that nobody knows.
        raise Misshapen(f"a value that cannot be read: {error}") from error


def _as_text(value: object) -> str:
    """A value that JSON has no type for, as a contract's types are written. A decimal as a number would lose digits."""
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    return value.isoformat() if isinstance(value, date | time) else str(value)
