"""What is drafted for what: each test has a sample and says what of it is in the draft."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ingestion.contract import Contract, KinesisSource, ObjectSource, load_contract
from ingestion.draft.contract import DraftedContract, draft_contract
from ingestion.draft.document import Head, Transport
from ingestion.errors import SampleError


def draft(path: Path, transport: Transport | None = None, **options: Any) -> tuple[Contract, DraftedContract]:
    drafted = draft_contract([path], Head("sample"), transport, **options)
    written = path.with_name("sample.yaml")
    written.write_text(drafted.text, encoding="utf-8")
    return load_contract(written), drafted


def lines(path: Path, documents: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(document) + "\n" for document in documents), encoding="utf-8")
    return path


def doubts(drafted: DraftedContract, field: str) -> str:
    return " ".join(doubt.text for doubt in drafted.doubts if doubt.field == field)


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Contract, DraftedContract]:
    """60 orders that hold one of each: what a draft has to tell apart."""
    documents = [
        {
            "placed_at": f"2024-03-{1 + number % 28:02d}T10:00:00{'' if number % 2 else 'Z'}",
            "order_id": f"o-{number:04d}",
            "line": number % 7,
            "due": "2024-04-01",
            "state": ("open", "paid", "sent")[number % 3],
            "country": ("DE", "FR", "IT", "ES", "NL", "BE", "AT", "PL", "CZ", "SE", "DK", "NO")[number % 12],
            "price": 10.25 + number,
            "weight": 1e-7 * number,
            "views": 3_000_000_000 + number,
            "buyer": {"email": f"user{number}@example.com", "age": None if number < 9 else 30, "passport": "X"},
            "contact": f"someone{number}@example.org",
            "items": [{"sku": "a" * (1 + number % 3), "count": 2}] * (number % 3),
            "codes": ["x", "y"],
            "amount_text": "12.50",
            "mixed": 1 if number % 2 else "one",
            "wide": 1 if number % 2 else "2.5",
            "never": None,
            "holes": [1, None],
            "Odd Name": 1,
            "epoch_at": 1_700_000_000 + number,
            "latitude": 48.5,
        }
        for number in range(60)
    ]
    folder = tmp_path_factory.mktemp("orders")
    return draft(lines(folder / "orders.jsonl", documents))


def test_types_are_told_apart(orders: tuple[Contract, DraftedContract]) -> None:
    assert {field.name: str(field.type) for field in orders[0].fields} == {
        "placed_at": "timestamp",
        "order_id": "varchar(16)",
        "line": "integer",
        "due": "date",
        "state": "varchar(8)",
        "country": "varchar(2)",
        "price": "numeric(8,2)",
        "weight": "double precision",
        "views": "bigint",
        "buyer": "struct",
        "contact": "varchar(64)",
        "items": "array",
        "codes": "array",
        "amount_text": "varchar(16)",
        "wide": "numeric(6,1)",
        "never": "varchar(256)",
        "epoch_at": "bigint",
        "latitude": "double precision",
    }


def test_the_sample_decodes_under_its_draft(orders: tuple[Contract, DraftedContract]) -> None:
    assert (orders[1].rows, orders[1].rejects) == (60, ())


def test_what_is_always_there_is_required(orders: tuple[Contract, DraftedContract]) -> None:
    fields = {field.name: field for field in orders[0].fields}
    assert fields["items"].required
    assert not fields["never"].required
    assert {member.name: member.required for member in fields["buyer"].fields} == {
        "email": True,
        "age": False,
        "passport": True,
    }


def test_key_partition_enum_and_range(orders: tuple[Contract, DraftedContract]) -> None:
    contract, drafted = orders
    fields = {field.name: field for field in contract.fields}
    assert contract.primary_key == ("order_id",)
    assert "unique in the sample too" in doubts(drafted, "key")
    assert [(part.field, part.transform) for part in contract.partitions] == [("placed_at", "day")]
    assert set(fields["state"].enum) == {"open", "paid", "sent"}
    assert not fields["country"].enum, "of 12 values: too many for a list"
    assert (fields["latitude"].minimum, fields["latitude"].maximum) == (-90, 90)


def test_private_fields_are_classified_by_name_and_by_value_and_their_values_not_shown(
    orders: tuple[Contract, DraftedContract],
) -> None:
    contract, drafted = orders
    fields = {field.name: field for field in contract.fields}
    buyer = {member.name: member for member in fields["buyer"].fields}
    assert {name: member.classification for name, member in buyer.items()} == {
        "email": "restricted",
        "age": None,
        "passport": "restricted",
    }
    assert fields["contact"].classification == "restricted"
    assert "@example" not in drafted.text


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ("placed_at", "without an offset"),
        ("amount_text", "numbers written as strings"),
        ("wide", "numeric takes both"),
        ("never", "without a value"),
        ("mixed", "is left out (of several types: number, string)"),
        ("holes", "is left out (an array with null among its elements"),
        ("Odd Name", "is left out (a name must start with"),
        ("epoch_at", "seconds since 1970"),
        ("price", "an amount, so exact"),
        ("country", "each value has 2 characters"),
        ("state", "Complete it, or remove it"),
    ],
)
def test_what_is_unsure_stands_at_its_place(orders: tuple[Contract, DraftedContract], field: str, told: str) -> None:
    drafted = orders[1]
    assert told in doubts(drafted, field)
    line = next(doubt.line for doubt in drafted.doubts if doubt.field == field)
    assert "# unsure:" in drafted.text.splitlines()[line - 1]


def test_csv_is_read_as_what_it_looks_like(tmp_path: Path) -> None:
    path = tmp_path / "planes.csv"
    path.write_text("tail;year;zip;flag;note\nN1;1999;01234;true;NA\nN2;NA;00501;false;3 seats\n")
    contract, drafted = draft(path)
    assert isinstance(contract.source, ObjectSource)
    assert (contract.source.format, contract.source.delimiter) == ("csv", ";")
    assert contract.source.null_values == ("", "NA")
    assert [str(field.type) for field in contract.fields] == [
        "varchar(2)",
        "integer",
        "varchar(5)",
        "boolean",
        "varchar(16)",
    ]
    assert "NA is read as a missing value in every column" in doubts(drafted, "server")
    assert "leading zeros" in doubts(drafted, "zip")
    assert (drafted.rows, drafted.rejects) == (2, ())


def test_a_key_of_several_fields_is_found_and_records_sent_twice_are_told(tmp_path: Path) -> None:
    documents = [{"a": a, "b": b, "c": 1} for a in "xyz" for b in "uvw"]
    contract, drafted = draft(lines(tmp_path / "s.jsonl", [*documents, documents[4]]))
    assert contract.primary_key == ("a", "b")
    assert "1 records are there again, word for word" in doubts(drafted, "key")


def test_without_a_key_the_nearest_is_told(tmp_path: Path) -> None:
    contract, drafted = draft(lines(tmp_path / "s.jsonl", [{"a": 1, "b": n / 7} for n in range(30)]))
    assert contract.primary_key == ("a",)
    assert "29 records have the same values as another" in doubts(drafted, "key")


@pytest.mark.parametrize("transport", ["stream", "firehose", "files"])
def test_the_way_in_is_as_asked_for(tmp_path: Path, transport: Transport) -> None:
    contract, _ = draft(lines(tmp_path / "s.jsonl", [{"a": 1}]), transport)
    if transport == "stream":
        assert contract.source == KinesisSource("sample", "json")
        return
    assert isinstance(contract.source, ObjectSource)
    assert (contract.source.delivery is not None) is (transport == "firehose")
    assert contract.source.prefix == f"{transport}/sample/"


def test_gzip_is_read_whatever_the_name_and_a_large_file_in_part(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_bytes(gzip.compress(b"".join(b'{"a": %d}\n' % n for n in range(500))))
    _, drafted = draft(path, most=100)
    assert (drafted.sample.records, drafted.sample.complete, drafted.rows) == (100, False, 100)
    assert "100 records, the first of more" in drafted.text


def test_lines_that_are_no_record_are_told(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text('{"a": 1}\n{"a": \n[1]\n{"a": 2}\n')
    _, drafted = draft(path)
    assert drafted.rows == 2
    assert "2 lines of the sample are no record" in doubts(drafted, "server")


def test_documents_may_stand_side_by_side_and_an_array_is_told(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_text('{"a": 1}{"a":\n2}')
    _, beside = draft(path, "files")
    path.write_text('[{"a": 1}, {"a": 2}]')
    _, array = draft(path, "files")
    assert beside.rows == array.rows == 2
    assert "an array, which does not land" in doubts(array, "server")
    assert "array" not in doubts(beside, "server")


def test_records_that_no_contract_takes_are_told_by_their_reason_alone(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text('{"a": 1}\n{"a": 2, "secret": 3, "secret": 4}\n')
    _, drafted = draft(path)
    assert (drafted.rows, drafted.rejects) == (1, (("a member named twice", 1),))


@pytest.mark.parametrize(
    ("name", "content", "transport", "told"),
    [
        ("a.jsonl", "", None, "no record"),
        ("a.jsonl", "nothing like it", None, "not JSON"),
        ("a.jsonl", '{"A B": 1}\n', None, "no field that a contract can declare"),
        ("a.csv", "a,a\n1,2\n", None, "names a column twice"),
        ("a.csv", "a,b\n1,2\n", "stream", "a stream carries JSON"),
        ("a.parquet", "PAR1 but no more", None, "not a whole Parquet file"),
        ("a.jsonl.gz", b"\x1f\x8b\x08 broken", None, "cannot be read"),
    ],
)
def test_a_sample_that_serves_for_nothing_is_refused(
    tmp_path: Path, name: str, content: str | bytes, transport: Transport | None, told: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(SampleError, match=told):
        draft(path, transport)


def test_samples_of_several_formats_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    with pytest.raises(SampleError, match="several formats"):
        draft_contract([tmp_path / "a.csv", lines(tmp_path / "b.jsonl", [{"a": 1}])], Head("sample"))


def test_several_samples_are_drafted_as_one(tmp_path: Path) -> None:
    paths = [lines(tmp_path / f"{name}.jsonl", [{"id": name, "n": n}]) for n, name in enumerate("ab")]
    drafted = draft_contract([*paths, lines(tmp_path / "c.jsonl", [{"id": "c"}])], Head("sample"))
    assert drafted.rows == 3
    assert "# seen: 0 to 1; missing in 1 of 3" in drafted.text


def test_samples_under_different_headers_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    (tmp_path / "b.csv").write_text("a,c\n1,2\n")
    with pytest.raises(SampleError, match=r"b.csv has another header or delimiter than a.csv"):
        draft_contract([tmp_path / "a.csv", tmp_path / "b.csv"], Head("sample"))
