"""Drafts a contract: from sample files to a document that the platform reads, and that lands these samples.

A draft is decoded against the very records that it was made of. A field of which a value is refused is left out, and
the draft is made anew, until none is.
"""

from __future__ import annotations

import csv as csv_module
import io
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from ingestion.contract import Contract, load_contract
from ingestion.decode import decode
from ingestion.draft.document import Doubt, Head, Transport, render
from ingestion.draft.fields import Draft, draft_fields, key_of, partition_of
from ingestion.draft.profile import Keys, Profile, Profiler
from ingestion.draft.samples import Format, Sample, read_samples
from ingestion.errors import SampleError
from ingestion.records import Batch, Csv, Encoding, Json, Records
from ingestion.schemas import arrow_schema, provenance_fields

MOST_RECORDS = 20_000
_FEW_RECORDS = 20
_BATCH = 2_000


@dataclass(frozen=True)
class DraftedContract:
    """A contract's document, what is unsure in it, and what became of the sample when it was decoded under it."""

    text: str
    sample: Sample
    fields: int
    doubts: tuple[Doubt, ...]
    rows: int
    rejects: tuple[tuple[str, int], ...]
    """Reasons for which records of the sample would be rejected, and how many."""


def draft_contract(
    paths: Sequence[Path],
    head: Head,
    transport: Transport | None = None,
    *,
    most: int = MOST_RECORDS,
    format_: Format | None = None,
) -> DraftedContract:
    """Draft a contract from sample files.

    Args:
        paths: Files of one format, plain or gzip.
        head: The data set's name, and what is known of it.
        transport: How it comes in; by default JSON on a stream, and all else as files.
        most: How many records to read, at most.
        format_: The files' format; by default what their names or first bytes say.

    Raises:
        SampleError: If the files cannot be read, hold no record, or no field that a contract can declare.
    """
    with duckdb.connect() as connection:
        sample = read_samples(connection, paths, most, format_)
        transport = transport or ("stream" if sample.format == "json" else "files")
        if transport != "files" and sample.format != "json":
            raise SampleError(
                f"{sample.names[0]} is {sample.format}, but a {transport} carries JSON. Give a sample of the JSON"
                " documents, or --files."
            )
        profiler = Profiler(connection)
        profile = profiler.profile()
        keys = profiler.keys(profile)
        refused: set[str] = set()
        while True:
            drafted, contract = _draft(head, transport, sample, profile=profile, keys=keys, refused=refused)
            found = _decode(connection, contract, sample)
            news = {_path(field) for field, _ in found.rejects if field} - refused
            if not news:
                break
            refused |= news
    reasons = Counter[str]()
    for (_, reason), times in found.rejects.items():
        reasons[reason] += times
    return replace(drafted, rows=found.rows, rejects=tuple(reasons.most_common()))


def _draft(
    head: Head, transport: Transport, sample: Sample, *, profile: Profile, keys: Keys, refused: Set[str]
) -> tuple[DraftedContract, Contract]:
    drafts, left_out = draft_fields(profile, text_only=sample.format == "csv", refused=refused)
    if not drafts:
        told = "; ".join(f"{field.name!r}: {field.reason}" for field in left_out[:5])
        raise SampleError(f"{', '.join(sample.names)}: no field that a contract can declare. {told}")
    key, key_doubt = key_of(keys, drafts)
    partition = partition_of(profile, drafts)
    marked = tuple(
        replace(
            draft,
            key_position=key.index(draft.name) + 1 if draft.name in key else None,
            required=draft.required or draft.name in key,
            partition=partition[1] if partition and partition[0] == draft.name else None,
        )
        for draft in drafts
    )
    doubts = list(_doubts(transport, sample, keys, partition))
    if key_doubt:
        doubts.append(("key", key_doubt))
    text, found = render(head, transport, sample, drafts=marked, left_out=left_out, doubts=doubts)
    drafted = DraftedContract(text, sample, _count(marked), tuple(found), 0, ())
    return drafted, _load(text, head.name)


def _doubts(
    transport: Transport, sample: Sample, keys: Keys, partition: tuple[str, str] | None
) -> Iterator[tuple[str, str]]:
    if sample.unreadable:
        yield "server", f"{sample.unreadable:,} lines of the sample are no record; landing would reject them"
    if transport == "files" and sample.array:
        yield "server", "the sample is an array, which does not land: do the files hold documents side by side?"
    words = [value for value in sample.null_values if value]
    if words:
        yield "server", f"{', '.join(words)} is read as a missing value in every column: is it one everywhere?"
    if keys.repeated:
        yield "key", f"{keys.repeated:,} records are there again, word for word: does the producer send twice?"
    if sample.records < _FEW_RECORDS:
        yield "key", f"only {sample.records} records: all that is drafted from so few is weak"
    if not partition:
        yield "partition", "no date or timestamp to partition by: right for small data sets alone"


def _count(drafts: Sequence[Draft]) -> int:
    return sum(1 + _count(draft.members) + (_count(draft.element.members) if draft.element else 0) for draft in drafts)


def _load(text: str, name: str) -> Contract:
    """The draft as the platform reads it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.yaml"
        path.write_text(text, encoding="utf-8")
        return load_contract(path)


@dataclass(frozen=True)
class _Found:
    rows: int
    rejects: Counter[tuple[str | None, str]]
    """Of field and reason."""


def _decode(connection: duckdb.DuckDBPyConnection, contract: Contract, sample: Sample) -> _Found:
    """Decode the sample under a draft, as landing would."""
    encoding: Encoding = Csv(sample.header, ",", sample.null_values) if sample.format == "csv" else Json()
    reader = connection.execute("select document::varchar as document from documents order by number").to_arrow_reader(
        _BATCH
    )
    rows, rejects = 0, Counter[tuple[str | None, str]]()
    for batch in reader:
        documents = [str(document) for document in batch.column("document").to_pylist()]
        payload = [
            _csv_line(document, sample) if sample.format == "csv" else document.encode() for document in documents
        ]
        records = Records(pa.array(payload, pa.binary()), _provenance(contract, len(payload)), encoding)
        decoded = decode(contract, Batch([records], {}))
        rows += len(decoded.rows)
        rejects.update(
            zip(decoded.rejects["_field"].to_pylist(), map(_kind, decoded.rejects["_reason"].to_pylist()), strict=True)
        )
    return _Found(rows, rejects)


def _csv_line(document: str, sample: Sample) -> bytes:
    line = io.StringIO()
    values = json.loads(document)
    csv_module.writer(line, lineterminator="").writerow([values[name] or "" for name in sample.header])
    return line.getvalue().encode()


def _provenance(contract: Contract, count: int) -> pa.Table:
    """Columns that decoding passes on: a sample was read from nowhere."""
    schema = arrow_schema(provenance_fields(contract))
    nowhere = {pa.string(): "", pa.int64(): 0, pa.timestamp("us"): datetime.now(UTC).replace(tzinfo=None)}
    return pa.table(
        [pa.repeat(pa.scalar(nowhere[column.type], column.type), count) for column in schema], schema=schema
    )


def _kind(reason: str) -> str:
    """A reason without the value that it quotes: the sample may hold private data."""
    return reason.split(": ", 1)[0]


def _path(field: str) -> str:
    """The path of a field without the places in arrays: `legs[0].origin` is `legs.origin`."""
    return ".".join(step.split("[", 1)[0] for step in field.split("."))
