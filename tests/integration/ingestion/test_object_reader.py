"""Reading objects of the local S3: every form that files come in, each record once, whatever is broken."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable, Set
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import ingestion.readers.objects
from ingestion.contract import Contract
from ingestion.decode import Decoded, decode
from ingestion.errors import SourceError
from ingestion.readers.objects import ObjectReader
from ingestion.records import Batch, Position
from orchestration.settings import Settings
from tests.integration.ingestion.conftest import FILES, MakeContract

PREFIX = "readings/"

Ledger = Set[tuple[str, str]]


@dataclass
class Bucket:
    """A bucket of the local S3, and a contract of what is dropped there."""

    client: Any
    name: str
    contract: Contract

    def put(self, key: str, data: bytes) -> str:
        """Drop a file; returns its ETag."""
        return self.client.put_object(Bucket=self.name, Key=PREFIX + key, Body=data)["ETag"].strip('"')

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=PREFIX + key)

    def reader(self, max_bytes: int = 1024 * 1024, client: Any = None) -> ObjectReader:
        return ObjectReader(client or self.client, self.contract, self.name, max_bytes=max_bytes)

    def read(self, position: Position | None = None, landed: Ledger = frozenset(), **arguments: Any) -> Read:
        """Read what has not landed."""
        return Read(self.contract, list(self.reader(**arguments).batches(position, lambda _: set(landed))), position)


@dataclass
class Read:
    """What a run read, decoded."""

    contract: Contract
    batches: list[Batch]
    before: Position | None = None

    @property
    def position(self) -> Any:
        """As the table would hold it."""
        return json.loads(json.dumps(self.batches[-1].position if self.batches else self.before))

    @property
    def decoded(self) -> Decoded:
        return decode(self.contract, Batch([records for b in self.batches for records in b.records], {}))

    @property
    def ids(self) -> list[int]:
        return self.decoded.rows.column("id").to_pylist()

    @property
    def reasons(self) -> list[str]:
        return self.decoded.rejects.column("_reason").to_pylist()

    @property
    def landed(self) -> set[tuple[str, str]]:
        """What the tables' provenance would tell."""
        both = [self.decoded.rows, self.decoded.rejects]
        return {(row["_key"], row["_etag"]) for t in both for row in t.select(["_key", "_etag"]).to_pylist()}


def server(format_: str, **custom: Any) -> str:
    properties = ", ".join(f"{{property: {name}, value: {json.dumps(value)}}}" for name, value in custom.items())
    return FILES.replace("json", format_).replace("readings/'", f"readings/', customProperties: [{properties}]")


MakeBucket = Callable[..., Bucket]


@pytest.fixture
def bucket_of(fresh_settings: Settings, make_contract: MakeContract) -> MakeBucket:
    """A bucket that no other test sees, for files of one format."""
    client = boto3.client("s3", **fresh_settings.client_args())

    def make(format_: str, **custom: Any) -> Bucket:
        client.create_bucket(Bucket=fresh_settings.landing_bucket)
        return Bucket(client, fresh_settings.landing_bucket, make_contract(server=server(format_, **custom)))

    return make


def csv_of(*ids: int, ending: str = "\n") -> bytes:
    return "".join(f"{line}{ending}" for line in ["id,amount", *(f"{n},{n % 100}" for n in ids)]).encode()


def json_of(*ids: int, ending: str = "\n") -> bytes:
    return "".join(json.dumps({"id": n, "amount": n % 100}) + ending for n in ids).encode()


def parquet_of(*ids: int, **options: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table({"id": ids, "amount": pa.array([n % 100 for n in ids], pa.int32())}), file, **options)
    return file.getvalue()


def parquet_with(values: pa.Array) -> bytes:
    """A file of one more column than the contract knows."""
    file = io.BytesIO()
    pq.write_table(pa.table({"id": range(len(values)), "more": values}), file)
    return file.getvalue()


WRITERS: dict[str, Callable[..., bytes]] = {"csv": csv_of, "json": json_of, "parquet": parquet_of}


@pytest.mark.parametrize("format_", WRITERS)
def test_each_record_has_its_values_and_its_place(bucket_of: MakeBucket, format_: str) -> None:
    bucket = bucket_of(format_)
    etag = bucket.put("a/first", WRITERS[format_](*range(100)))
    read = bucket.read()
    rows = read.decoded.rows
    assert read.ids == list(range(100))
    assert rows.column("amount").to_pylist() == list(range(100))
    assert rows.column("_ordinal").to_pylist() == list(range(100))
    assert set(rows.column("_key").to_pylist()) == {PREFIX + "a/first"}
    assert set(rows.column("_etag").to_pylist()) == {etag}
    assert set(rows.column("_bucket").to_pylist()) == {bucket.name}
    arrived = rows.column("_arrived_at").to_pylist()[0]
    assert abs((datetime.now(UTC).replace(tzinfo=None) - arrived).total_seconds()) < 60
    assert read.position == {"open": None, "empty": []}


@pytest.mark.parametrize("format_", ["csv", "json"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte-order-mark"])
def test_line_ends_and_gzip_are_seen_whatever_the_name(
    bucket_of: MakeBucket, format_: str, ending: str, mark: bytes
) -> None:
    bucket = bucket_of(format_)
    write = WRITERS[format_]
    bucket.put("1.gz", mark + write(1, 2, ending=ending))
    bucket.put("2.txt", gzip.compress(mark + write(3, 4, ending=ending)))
    third = mark + write(5, 6, ending=ending)
    bucket.put("3", gzip.compress(third[:20]) + gzip.compress(third[20:]))
    bucket.put("4", (mark + write(7, 8, ending=ending)).rstrip())
    read = bucket.read()
    assert sorted(read.ids) == list(range(1, 9))
    assert read.reasons == []


@pytest.mark.parametrize("format_", ["csv", "json"])
@pytest.mark.parametrize("block", [2, 7, 64])
def test_records_may_go_over_the_borders_of_blocks(
    bucket_of: MakeBucket, monkeypatch: pytest.MonkeyPatch, format_: str, block: int
) -> None:
    bucket = bucket_of(format_)
    bucket.put("1", WRITERS[format_](*range(30)))
    bucket.put("2", gzip.compress(WRITERS[format_](*range(30, 60))))
    monkeypatch.setattr(ingestion.readers.objects, "_BLOCK", block)
    assert sorted(bucket.read().ids) == list(range(60))


def test_a_quoted_line_break_is_no_end_of_a_record(bucket_of: MakeBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingestion.readers.objects, "_BLOCK", 5)
    bucket = bucket_of("csv")
    bucket.put("1", b'note,id\n"one\ntwo, ""three""\r\n",1\n5" pipe,2\n"",3\n6" pipe,4\n')
    read = bucket.read()
    assert read.ids == [1, 2, 3, 4]
    assert [json.loads(text)["note"] for text in read.decoded.rows.column("_unexpected").to_pylist()] == [
        'one\ntwo, "three"\r\n',
        '5" pipe',
        None,
        '6" pipe',
    ]


def test_a_files_delimiter_and_null_values_are_its_contracts(bucket_of: MakeBucket) -> None:
    bucket = bucket_of("csv", delimiter=";", nullValues=["-"])
    bucket.put("1", b'id;amount;note\n1;-;"a;b"\n')
    row = bucket.read().decoded.rows.to_pylist()[0]
    assert (row["id"], row["amount"], row["_unexpected"]) == (1, None, '{"note":"a;b"}')


# --- broken objects: one reject tells, the rest lands ---

BROKEN: list[tuple[str, bytes, list[int], str]] = [
    ("json", gzip.compress(json_of(*range(5)))[:-9], list(range(5)), "the gzip stream ends in its middle"),
    ("json", gzip.compress(json_of(0)) + b"junk", [0], "incorrect header check"),
    ("csv", b"id\n1\n\xff\n2\n", [1, 2], "not UTF-8"),
    ("csv", b"amount,note\n1,x\n", [], "its header amount,note lacks id"),
    ("csv", b"id,amount,id\n1,2,3\n", [], "its header id,amount,id names a column twice"),
    ("csv", b"id,\xff\n1,2\n", [], "invalid start byte"),
    ("csv", b"id\r1\r2\r", [], "new-line character seen in unquoted field"),
    ("csv", b'"id\n1\n2\n', [], "unexpected end of data"),
    ("csv", b"id\n1\n2,3\n4\n", [1, 4], "a line of 2 values under a header of 1"),
    ("json", b'{"id": 1}\n[{"id": 2}]\n{"id": 3}\n', [1, 3], "a JSON array, not an object"),
    ("parquet", b"PAR1 and nothing more", [], "not a whole Parquet file"),
    ("parquet", parquet_of(1, 2)[:-20], [], "not a whole Parquet file"),
    ("parquet", b"", [], "not a whole Parquet file"),
    ("parquet", parquet_with(pa.array([10_000_000], pa.date32())), [], "date value out of range"),
    ("parquet", parquet_with(pa.array([0], pa.timestamp("us", "Nowhere/Else"))), [], "Nowhere/Else"),
]


@pytest.mark.parametrize(("format_", "data", "ids", "reason"), BROKEN, ids=[f"{b[0]}: {b[3]}" for b in BROKEN])
def test_what_is_broken_is_one_reject_and_all_else_lands(
    bucket_of: MakeBucket, format_: str, data: bytes, ids: list[int], reason: str
) -> None:
    bucket = bucket_of(format_)
    bucket.put("1", data)
    bucket.put("2", WRITERS[format_](70, 71))
    read = bucket.read()
    assert read.ids == [*ids, 70, 71]
    assert len(read.reasons) == 1
    assert reason in read.reasons[0]
    assert bucket.read(read.position, read.landed).batches == []


def test_a_broken_object_is_named_with_where_it_breaks(bucket_of: MakeBucket) -> None:
    bucket = bucket_of("json")
    bucket.put("1.gz", gzip.compress(json_of(*range(5)))[:-9])
    (reason,) = bucket.read().reasons
    assert reason.startswith("unreadable from record 5 on: ")
    assert reason.endswith(f"The bytes stay at s3://{bucket.name}/{PREFIX}1.gz")


def test_a_damaged_page_of_parquet_costs_the_rows_from_there_on(
    bucket_of: MakeBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingestion.readers.objects, "_PARQUET_ROWS", 10)
    bucket = bucket_of("parquet")
    data = bytearray(parquet_of(*range(1000), row_group_size=100, compression="snappy", use_dictionary=False))
    offset = pq.ParquetFile(io.BytesIO(bytes(data))).metadata.row_group(5).column(0).data_page_offset
    data[offset : offset + 60] = b"\xff" * 60
    bucket.put("1", bytes(data))
    bucket.put("2", parquet_of(2000))
    read = bucket.read()
    assert read.ids == [*range(500), 2000]
    assert [reason.split(":")[0] for reason in read.reasons] == ["unreadable from record 500 on"]


def test_a_record_that_is_too_long_is_rejected(bucket_of: MakeBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingestion.readers.objects, "LONGEST_RECORD", 50)
    monkeypatch.setattr(ingestion.readers.objects, "_BLOCK", 30)
    json_files, csv_files = bucket_of("json"), bucket_of("csv")
    json_files.put("1", b'{"id": 1}\n{"id": 2, "x": "%s"}\n{"id": 3}\n' % (b"x" * 200))
    read = json_files.read()
    assert read.ids == [1, 3]
    assert "not JSON: at byte 10 of the object" in read.reasons
    json_files.delete("1")
    csv_files.put("2", b"id,x\n1,a\n2,%s\n3,c\n" % (b"x" * 200))
    read = csv_files.read()
    assert read.ids == [1]
    assert "a record is longer than 50 bytes" in read.reasons[0]


@pytest.mark.parametrize("zipped", [False, True])
def test_documents_need_nothing_between_them_and_broken_ones_stand_alone(bucket_of: MakeBucket, zipped: bool) -> None:
    """As Firehose writes them."""
    bucket = bucket_of("json")
    data = json_of(1, ending="") + b'{"id": 2, "amo' + json_of(3, 4, ending="") + b"\xff" + json_of(5)
    bucket.put("1", gzip.compress(data) if zipped else data)
    read = bucket.read()
    assert read.ids == [1, 3, 4, 5]
    assert read.reasons == ["not JSON: at byte 22 of the object", "not UTF-8: at byte 80 of the object"]
    assert read.decoded.rejects.column("_payload").to_pylist() == [b'{"id": 2, "amo', b"\xff"]
    assert read.decoded.rows.column("_ordinal").to_pylist() == [0, 2, 3, 5]


def test_values_of_parquet_arrive_as_they_are(bucket_of: MakeBucket) -> None:
    """Those that JSON has no type for, too: a decimal keeps its digits, a time its microseconds."""
    values = {
        "id": 1,
        "rows": 2,
        "price": Decimal("12345678901234567.89"),
        "nested": {"price": Decimal("0.123456789012345678"), "on": date(2026, 1, 2)},
        "at": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        "text": b"caf\xc3\xa9",
        "list": [1, None],
    }
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([values]), file)
    bucket = bucket_of("parquet")
    bucket.put("1", file.getvalue())
    kept = json.loads(bucket.read().decoded.rows.column("_unexpected").to_pylist()[0])
    assert kept == {
        "rows": 2,
        "price": "12345678901234567.89",
        "nested": {"price": "0.123456789012345678", "on": "2026-01-02"},
        "at": "2026-01-02T03:04:05.678901+00:00",
        "text": "café",
        "list": [1, None],
    }


# --- which objects are read ---


def test_an_object_that_has_landed_is_not_read_again(bucket_of: MakeBucket) -> None:
    bucket = bucket_of("json")
    bucket.put("1", json_of(1))
    first = bucket.read()
    bucket.put("2", json_of(2))
    second = bucket.read(first.position, first.landed)
    assert second.ids == [2]
    assert bucket.read(second.position, first.landed | second.landed).batches == []


def test_an_object_that_arrives_late_in_an_older_prefix_is_read(bucket_of: MakeBucket) -> None:
    bucket = bucket_of("json")
    bucket.put("2026/01/02/b", json_of(2))
    first = bucket.read()
    bucket.put("2026/01/01/a", json_of(1))
    assert bucket.read(first.position, first.landed).ids == [1]


def test_objects_are_read_in_the_order_of_their_arrival(bucket_of: MakeBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = bucket_of("json")
    for key in ("c", "a", "b"):
        bucket.put(key, json_of(ord(key)))
    times = {"c": 1, "a": 2, "b": 2}

    class Dated:
        """The listing with times that a fast test cannot make: S3 keeps whole seconds."""

        def __getattr__(self, name: str) -> Any:
            return getattr(bucket.client, name)

        def get_paginator(self, name: str) -> Dated:
            self.pages = bucket.client.get_paginator(name)
            return self

        def paginate(self, **arguments: Any) -> Any:
            for page in self.pages.paginate(**arguments):
                for entry in page["Contents"]:
                    entry["LastModified"] = datetime(2026, 1, times[entry["Key"][-1]], tzinfo=UTC)
                yield page

    read = bucket.read(client=Dated())
    assert [chr(n) for n in read.ids] == ["c", "a", "b"]


def test_another_version_under_the_same_key_is_read(bucket_of: MakeBucket) -> None:
    bucket = bucket_of("json")
    bucket.put("1", json_of(1))
    first = bucket.read()
    bucket.put("1", json_of(1, 2))
    second = bucket.read(first.position, first.landed)
    assert second.ids == [1, 2]
    assert first.landed.isdisjoint(second.landed)


def test_folders_and_other_prefixes_are_not_read(bucket_of: MakeBucket) -> None:
    bucket = bucket_of("json")
    bucket.put("", b"")
    bucket.put("folder/", b"")
    bucket.client.put_object(Bucket=bucket.name, Key="other/1", Body=json_of(1))
    assert bucket.read().batches == []


EMPTY = [("csv", b"id,amount\n"), ("json", b"\n \n"), ("json", gzip.compress(b"")), ("parquet", parquet_of())]


@pytest.mark.parametrize(("format_", "data"), EMPTY)
def test_an_object_without_records_is_noted_once(bucket_of: MakeBucket, format_: str, data: bytes) -> None:
    bucket = bucket_of(format_)
    etag = bucket.put("1", data)
    first = bucket.read()
    assert [len(batch) for batch in first.batches] == [0]
    assert len(first.position["empty"]) == 1
    assert bucket.read(first.position).batches == []
    as_it_was_before = {"open": None, "empty": [[PREFIX + "1", etag]]}
    assert bucket.read(as_it_was_before).batches == []


def test_thousands_of_objects_without_records_fit_into_a_position(bucket_of: MakeBucket) -> None:
    bucket = bucket_of("csv")
    for name in ("a", "a-name-that-is-as-long-as-names-of-objects-often-are" * 10):
        bucket.put(name, b"id,amount\n")
    assert [len(each) for each in bucket.read().position["empty"]] == [12, 12]


@pytest.mark.parametrize("format_", ["json", "csv"])
def test_an_object_without_a_byte_needs_no_note(bucket_of: MakeBucket, format_: str) -> None:
    bucket = bucket_of(format_)
    bucket.put("_SUCCESS", b"")
    assert bucket.read().batches == []


def test_a_note_of_an_empty_object_goes_with_the_object(bucket_of: MakeBucket) -> None:
    bucket = bucket_of("json")
    bucket.put("1", b"\n")
    first = bucket.read().position
    bucket.put("2", b"\n")
    both = bucket.read(first).position
    assert len(both["empty"]) == 2
    bucket.delete("1")
    bucket.put("3", json_of(1))
    assert set(bucket.read(both).position["empty"]) == set(both["empty"]) - set(first["empty"])


def test_an_object_that_is_removed_before_it_is_read_may_come_again(bucket_of: MakeBucket) -> None:
    bucket = bucket_of("json")
    bucket.put("1", json_of(1))
    bucket.put("2", json_of(2))
    batches = bucket.reader(max_bytes=1).batches(None, lambda _: set())
    first = next(batches)
    bucket.delete("2")
    rest = list(batches)
    read = Read(bucket.contract, [first, *rest])
    assert read.ids == [1]
    assert read.position == {"open": None, "empty": []}
    bucket.put("2", json_of(2))
    assert bucket.read(read.position, read.landed).ids == [2]


# --- bounds, and going on ---


@pytest.mark.parametrize("format_", WRITERS)
def test_batches_are_bounded_and_each_position_can_be_gone_on_from(
    bucket_of: MakeBucket, monkeypatch: pytest.MonkeyPatch, format_: str
) -> None:
    monkeypatch.setattr(ingestion.readers.objects, "_BLOCK", 256)
    monkeypatch.setattr(ingestion.readers.objects, "_PARQUET_ROWS", 8)
    bucket = bucket_of(format_)
    for key in range(4):
        bucket.put(str(key), WRITERS[format_](*range(key * 100, key * 100 + 50)))
    wanted = [n for key in range(4) for n in range(key * 100, key * 100 + 50)]
    read = bucket.read(max_bytes=4096)
    assert sorted(read.ids) == wanted
    assert len(read.batches) >= 5
    part = 60 * 260  # the most that a block of 256 bytes becomes, with provenance
    assert all(batch.nbytes <= 4096 + part for batch in read.batches)
    for count in range(1, len(read.batches), 2):
        before = Read(bucket.contract, read.batches[:count])
        after = bucket.read(before.position, before.landed)
        assert sorted([*before.ids, *after.ids]) == wanted


def test_an_object_that_was_replaced_while_it_was_open_lands_as_a_new_version(
    bucket_of: MakeBucket, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ingestion.readers.objects, "_BLOCK", 64)
    bucket = bucket_of("json")
    bucket.put("1", json_of(*range(20)))
    first = Read(bucket.contract, [next(bucket.reader(max_bytes=1).batches(None, lambda _: set()))])
    assert first.position["open"]["ordinal"] == len(first.ids) < 20
    bucket.put("1", json_of(*range(100, 103)))
    second = bucket.read(first.position, first.landed)
    assert second.ids == [100, 101, 102]
    assert second.position["open"] is None
    assert f"{PREFIX}1 was replaced or removed after {len(first.ids)} of its records had landed" in caplog.text


def test_an_open_object_that_is_gone_is_closed(bucket_of: MakeBucket, caplog: pytest.LogCaptureFixture) -> None:
    bucket = bucket_of("json")
    gone = {"open": {"key": PREFIX + "1", "etag": "x", "ordinal": 7}, "empty": []}
    first = bucket.read(gone)
    assert first.position == {"open": None, "empty": []}
    assert "the rest of that version is gone" in caplog.text
    assert bucket.read(first.position).batches == []


def test_a_missing_bucket_is_told_with_its_cure(bucket_of: MakeBucket) -> None:
    bucket = bucket_of("json")
    bucket.name += "-other"
    with pytest.raises(SourceError, match=r"readings: there is no bucket '.*-other'\. Create it .*watershed up"):
        bucket.read()
