"""Samples: files of records, read into a DuckDB table of JSON documents, up to a number of records.

A record becomes the document that landing would make of it: a CSV line one of strings, a row of Parquet one in which
dates, times and decimals are strings.
"""

from __future__ import annotations

import csv as csv_module
import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import duckdb
import pyarrow as pa

from ingestion.errors import SampleError
from ingestion.readers.objects import Misshapen, parquet_rows

Format = Literal["json", "csv", "parquet"]

# A record that is longer does not land.
_LONGEST_RECORD = 10 * 1024 * 1024
_GZIP_MAGIC = b"\x1f\x8b"
_PARQUET_MAGIC = b"PAR1"
_JSON_SPACE = b"\xef\xbb\xbf \t\r\n"
_IS_RECORD = "coalesce(json_type(document), '') = 'OBJECT'"
_BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"
_SUFFIXES: dict[str, Format] = {
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
}
# What files write for a value that is missing. Taken as such if all else in a column is numbers, dates or times.
_NULLS = ("NA", "N/A", "n/a", "NULL", "null", "None", "NaN", "nan", r"\N", "-", ".")
# No value of a file: DuckDB would read the empty string as null otherwise.
_NO_NULL = "\x01"
_TYPED = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|(?i:true|false)|\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?"


@dataclass(frozen=True)
class Sample:
    """Records of some files. They are in the table `documents(number bigint, document json)` of a connection."""

    names: tuple[str, ...]
    format: Format
    records: int
    complete: bool
    """Whether the files hold no more than was read."""
    unreadable: int
    """Lines that are no record."""
    array: bool = False
    """Whether a JSON file is an array of records: landing reads documents side by side."""
    delimiter: str = ","
    header: tuple[str, ...] = ()
    null_values: tuple[str, ...] = ("",)


def read_samples(
    connection: duckdb.DuckDBPyConnection, paths: Sequence[Path], most: int, format_: Format | None = None
) -> Sample:
    """Read up to `most` records of some files of one format, plain or gzip, in equal parts.

    Raises SampleError if a file cannot be read, if there is no record, or if the files are of several formats.
    """
    connection.execute("create or replace temp table documents (number bigint, document json)")
    formats = {path: format_ or _format(path) for path in paths}
    if len(set(formats.values())) > 1:
        told = ", ".join(f"{path.name} is {found}" for path, found in formats.items())
        raise SampleError(f"The samples are of several formats: {told}. A contract has one; give --format if not so.")
    each = max(1, most // len(paths))
    reading = {"json": _read_json, "csv": _read_csv, "parquet": _read_parquet}[next(iter(formats.values()))]
    samples = [reading(connection, path, each) for path in paths]
    if not any(sample.records for sample in samples):
        raise SampleError(f"{', '.join(path.name for path in paths)}: no record to draft a contract from.")
    return _joined(samples)


def _joined(samples: Sequence[Sample]) -> Sample:
    first = samples[0]
    for other in samples[1:]:
        if (other.delimiter, other.header) != (first.delimiter, first.header):
            raise SampleError(f"{other.names[0]} has another header or delimiter than {first.names[0]}.")
    return Sample(
        names=tuple(sample.names[0] for sample in samples),
        format=first.format,
        records=sum(sample.records for sample in samples),
        complete=all(sample.complete for sample in samples),
        unreadable=sum(sample.unreadable for sample in samples),
        array=any(sample.array for sample in samples),
        delimiter=first.delimiter,
        header=first.header,
        null_values=tuple(dict.fromkeys(value for sample in samples for value in sample.null_values)),
    )


def _format(path: Path) -> Format:
    """The format by the file's name, else by its first bytes."""
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    if suffix in _SUFFIXES:
        return _SUFFIXES[suffix]
    head = _head(path, 64)
    if head.startswith(_PARQUET_MAGIC):
        return "parquet"
    return "json" if head.lstrip(_JSON_SPACE).startswith((b"{", b"[")) else "csv"


def _head(path: Path, size: int) -> bytes:
    try:
        with path.open("rb") as file:
            zipped = file.read(2) == _GZIP_MAGIC
        with gzip.open(path, "rb") if zipped else path.open("rb") as file:
            return file.read(size)
    except (OSError, EOFError) as error:
        raise SampleError(f"{path}: cannot be read: {error}") from error


def _compression(path: Path) -> str:
    with path.open("rb") as file:
        return "gzip" if file.read(2) == _GZIP_MAGIC else "uncompressed"


def _read_json(connection: duckdb.DuckDBPyConnection, path: Path, most: int) -> Sample:
    """One document a line; else documents side by side, or an array of them."""
    _head(path, 1)
    query = """
        insert into documents
        select row_number() over (), json from read_json_objects(
            $path, format = '{form}', ignore_errors = {lenient}, compression = $compression,
            maximum_object_size = {longest}
        ) limit {limit}
    """
    values = {"path": str(path), "compression": _compression(path)}

    def insert(form: str, *, lenient: bool) -> None:
        text = query.format(form=form, lenient=lenient, longest=_LONGEST_RECORD, limit=most + 1)
        connection.execute(text, values)

    before = _count(connection)
    try:
        insert("newline_delimited", lenient=True)
        if _count(connection, _IS_RECORD) == before:
            raise duckdb.InvalidInputException("no line of it is a document")
    except duckdb.Error:
        connection.execute(f"delete from documents where not {_IS_RECORD}")
        try:
            insert("auto", lenient=False)
        except duckdb.Error as error:
            raise SampleError(f"{path}: not JSON: {str(error).splitlines()[0]}") from error
        array = _head(path, 64).lstrip(_JSON_SPACE).startswith(b"[")
    else:
        array = False
    unreadable = _count(connection, f"not {_IS_RECORD}")
    connection.execute(f"delete from documents where not {_IS_RECORD}")
    read = _count(connection) - before
    _cut(connection, before + most)
    return Sample((path.name,), "json", min(read, most), read + unreadable <= most, unreadable, array)


def _read_csv(connection: duckdb.DuckDBPyConnection, path: Path, most: int) -> Sample:
    delimiter, header = _header(path)
    columns = {f"c{index}": "varchar" for index in range(len(header))}
    connection.execute("drop table if exists reject_errors; drop table if exists reject_scans")
    try:
        connection.execute(
            f"""
            create or replace temp table lines as
            select * from read_csv(
                $path, delim = $delimiter, quote = '"', escape = '"', header = false, skip = 1, auto_detect = false,
                columns = {columns}, nullstr = $no_null, store_rejects = true, compression = $compression,
                null_padding = false, max_line_size = {_LONGEST_RECORD}
            ) limit {most + 1}
            """,
            {"path": str(path), "delimiter": delimiter, "no_null": _NO_NULL, "compression": _compression(path)},
        )
    except duckdb.Error as error:
        raise SampleError(f"{path}: not CSV: {str(error).splitlines()[0]}") from error
    unreadable = connection.execute("select count(distinct line) from reject_errors").fetchall()[0][0]
    nulls = ("", *_null_values(connection, list(columns)))
    members = ", ".join(
        f"{_literal(name)}, case when {column} not in ({', '.join(map(_literal, nulls))}) then {column} end"
        for name, column in zip(header, columns, strict=True)
    )
    read = connection.execute("select count(*) from lines").fetchall()[0][0]
    connection.execute(
        f"insert into documents select row_number() over (), json_object({members}) from lines limit {most}"
    )
    return Sample(
        (path.name,),
        "csv",
        min(read, most),
        read <= most,
        unreadable,
        delimiter=delimiter,
        header=header,
        null_values=nulls,
    )


def _header(path: Path) -> tuple[str, tuple[str, ...]]:
    """The delimiter, as DuckDB sniffs it, and the names of the first line."""
    try:
        line = _head(path, _LONGEST_RECORD).decode().removeprefix(_BYTE_ORDER_MARK).split("\n", 1)[0].rstrip("\r")
        with duckdb.connect() as connection:
            sniffed = connection.execute("select delimiter from sniff_csv(?)", [str(path)]).fetchall()
        delimiter = str(sniffed[0][0])
        header = tuple(next(csv_module.reader([line], delimiter=delimiter, strict=True), ()))
    except (UnicodeDecodeError, csv_module.Error, duckdb.Error) as error:
        raise SampleError(f"{path}: not CSV: {str(error).splitlines()[0]}") from error
    if len(set(header)) < len(header) or not any(header):
        raise SampleError(f"{path}: its header {line[:200]!r} is empty or names a column twice. Name each column once.")
    return delimiter, header


def _null_values(connection: duckdb.DuckDBPyConnection, columns: Sequence[str]) -> list[str]:
    """The words for a missing value: found in a column whose other values are all numbers, dates or times."""
    words = ", ".join(map(_literal, _NULLS))
    found: set[str] = set()
    for column in columns:
        used, typed = connection.execute(
            f"""
            select
                list(distinct {column}) filter ({column} in ({words})),
                bool_and(regexp_full_match({column}, {_literal(_TYPED)})) filter ({column} not in ({words}, ''))
            from lines
            """
        ).fetchall()[0]
        found |= set(used or ()) if typed else set()
    return [word for word in _NULLS if word in found]


def _read_parquet(connection: duckdb.DuckDBPyConnection, path: Path, most: int) -> Sample:
    documents: list[str] = []
    try:
        with path.open("rb") as file:
            for rows in parquet_rows(file):
                documents += [row.decode() for row in rows]
                if len(documents) > most:
                    break
    except (Misshapen, OSError) as error:
        raise SampleError(f"{path}: {error}") from error
    connection.register("parquet_documents", pa.table({"document": pa.array(documents[:most], pa.string())}))
    connection.execute("insert into documents select row_number() over (), document from parquet_documents")
    connection.unregister("parquet_documents")
    return Sample((path.name,), "parquet", len(documents[:most]), len(documents) <= most, 0)


def _count(connection: duckdb.DuckDBPyConnection, which: str = "true") -> int:
    return connection.execute(f"select count(*) from documents where {which}").fetchall()[0][0]


def _cut(connection: duckdb.DuckDBPyConnection, most: int) -> None:
    connection.execute(
        f"delete from documents where rowid not in (select rowid from documents order by rowid limit {most})"
    )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
