"""Decoding: what each type takes and refuses, where a breach is, what is kept of the unknown."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

import ingestion.decode
from ingestion.contract import Contract, load_contracts
from ingestion.decode import decode, reject_schema, row_schema
from ingestion.records import Batch, Csv, Unreadable
from orchestration.settings import CONTRACTS_DIR
from tests.unit.ingestion.conftest import Document, contract_of, decode_all, files, prop, records_of, rejections


def decoded_value(folder: Path, wanted: Document, text: str) -> Any:
    """The value that a field gets from JSON text, or the reason of its rejection."""
    decoded = decode_all(contract_of(folder, wanted), [b'{"id": 1, "x": %s}' % text.encode()])
    if len(decoded.rejects):
        field, reason = rejections(decoded)[0]
        assert field is not None
        assert field.split("[")[0].split(".")[0] == "x"
        return reason
    return decoded.rows.column("x").to_pylist()[0]


def x(physical: str, **options: Any) -> Document:
    return prop("x", physical, logicalTypeOptions=options) if options else prop("x", physical)


ACCEPTED: list[tuple[str, str, Any]] = [
    ("varchar(5)", '"abcde"', "abcde"),
    ("varchar(5)", '""', ""),
    ("varchar(4)", '"\\u00e9\\u00e9"', "éé"),
    ("varchar(4)", '"\\ud83d\\ude00"', "😀"),
    ("varchar(9)", '"a\\"b\\\\c\\n"', 'a"b\\c\n'),
    ("bigint", "12", 12),
    ("bigint", "12.0", 12),
    ("bigint", "1e2", 100),
    ("bigint", "-0", 0),
    ("bigint", "9223372036854775807", 2**63 - 1),
    ("bigint", "-9223372036854775808", -(2**63)),
    ("integer", "-2147483648", -(2**31)),
    ("double precision", "1", 1.0),
    ("double precision", "-1.5e300", -1.5e300),
    ("double precision", "18446744073709551615", 18446744073709551615.0),
    ("numeric(5,2)", "123.45", Decimal("123.45")),
    ("numeric(5,2)", "-0.50", Decimal("-0.50")),
    ("numeric(5,2)", "7", Decimal("7.00")),
    ("numeric(5,2)", '"123.4500"', Decimal("123.45")),
    ("numeric(38,10)", '"1234567890123456789012345678.0123456789"', Decimal("1234567890123456789012345678.0123456789")),
    ("numeric(20,0)", "12345678901234567890", Decimal("12345678901234567890")),
    ("boolean", "true", True),
    ("boolean", "false", False),
    ("date", '"2024-02-29"', date(2024, 2, 29)),
    ("timestamp", '"2013-01-01T10:15:00Z"', datetime(2013, 1, 1, 10, 15)),
    ("timestamp", '"2013-01-01T10:15:00"', datetime(2013, 1, 1, 10, 15)),
    ("timestamp", '"2013-01-01 10:15"', datetime(2013, 1, 1, 10, 15)),
    ("timestamp", '"2013-01-01T00:15:00.123456+05:30"', datetime(2012, 12, 31, 18, 45, 0, 123456)),
    ("timestamp", '"2013-06-30T20:00:00-0400"', datetime(2013, 7, 1)),
    ("timestamp", '"2013-06-30T20:00:00-04"', datetime(2013, 7, 1)),
    ("timestamp", '"2013-06-30T20:00:00+14:00"', datetime(2013, 6, 30, 6)),
    ("timestamp", '"2013-01-01T10:15:00.9Z"', datetime(2013, 1, 1, 10, 15, 0, 900000)),
    ("timestamp", '"2013-12-31T23:59:59.999999999Z"', datetime(2013, 12, 31, 23, 59, 59, 999999)),
]


@pytest.mark.parametrize(("physical", "text", "value"), ACCEPTED)
def test_a_value_of_its_type_is_taken(folder: Path, physical: str, text: str, value: Any) -> None:
    assert decoded_value(folder, x(physical), text) == value


@pytest.mark.parametrize("physical", ["varchar(5)", "bigint", "numeric(5,2)", "boolean", "date", "timestamp"])
@pytest.mark.parametrize("written", [b'{"id": 1, "x": null}', b'{"id": 1}'])
def test_null_and_missing_are_the_same(folder: Path, physical: str, written: bytes) -> None:
    decoded = decode_all(contract_of(folder, x(physical)), [written])
    assert decoded.rows.column("x").to_pylist() == [None]
    assert decoded.rows.column("_unexpected").to_pylist() == [None]
    required = contract_of(folder, x(physical) | {"required": True})
    assert rejections(decode_all(required, [written])) == [("x", "required, but missing")]


REFUSED: list[tuple[str, str, str]] = [
    ("varchar(5)", '"abcdef"', "longer than 5 bytes: abcdef"),
    ("varchar(3)", '"\\u00e9\\u00e9"', "longer than 3 bytes: éé"),
    ("varchar(5)", "12", "not a varchar(5): 12"),
    ("varchar(5)", "true", "not a varchar(5): true"),
    ("varchar(5)", "{}", "not a varchar(5): {}"),
    ("varchar(5)", '"a\\u0000b"', "holds the character U+0000"),
    ("bigint", "12.5", "not a bigint: 12.5"),
    ("bigint", '"12"', "not a bigint: 12"),
    ("bigint", "9223372036854775808", "not a bigint: 9223372036854775808"),
    ("bigint", "1e400", "not a bigint: 1e400"),
    # 2^53 + 1 with a fraction is read as 2^53: it must not pass as another number.
    ("bigint", "9007199254740993.0", "not a bigint: 9007199254740992.0"),
    ("bigint", "NaN", "not a bigint: NaN"),
    ("bigint", "[1]", "not a bigint: [1]"),
    ("integer", "2147483648", "not an integer: 2147483648"),
    ("integer", "true", "not an integer: true"),
    ("double precision", '"1.5"', "not a double precision: 1.5"),
    ("double precision", "NaN", "not a double precision: NaN"),
    ("double precision", "Infinity", "not a double precision: Infinity"),
    ("double precision", "1e400", "not a double precision: 1e400"),
    ("numeric(5,2)", "1.234", "not a numeric(5,2): 1.234"),
    ("numeric(5,2)", "1234", "not a numeric(5,2): 1234"),
    ("numeric(5,2)", '"1e2"', "not a numeric(5,2): 1e2"),
    ("numeric(5,2)", '"abc"', "not a numeric(5,2): abc"),
    ("numeric(5,2)", '""', "not a numeric(5,2): "),
    (
        "numeric(20,10)",
        "123456789.0123456789",
        "a number of more than 15 digits, write it as a string: 123456789.01234567",
    ),
    ("boolean", '"true"', "not a boolean: true"),
    ("boolean", "1", "not a boolean: 1"),
    ("date", '"2023-02-29"', "not a date: 2023-02-29"),
    ("date", '"2023-2-9"', "not a date: 2023-2-9"),
    ("date", '"2023-02-09T00:00:00"', "not a date: 2023-02-09T00:00:00"),
    ("date", '"infinity"', "not a date: infinity"),
    ("date", "20230209", "not a date: 20230209"),
    ("timestamp", '"2013-01-01"', "not a timestamp: 2013-01-01"),
    ("timestamp", '"2013-02-30T10:15:00Z"', "not a timestamp: 2013-02-30T10:15:00Z"),
    ("timestamp", '"2013-01-01T25:00:00Z"', "not a timestamp: 2013-01-01T25:00:00Z"),
    ("timestamp", '"2013-01-01T10:15:00 Europe/Berlin"', "not a timestamp: 2013-01-01T10:15:00 Europe/Berlin"),
    ("timestamp", "1357035300", "not a timestamp: 1357035300"),
    ("timestamp", '"2013-01-01T10:15:00+99:99"', "not a timestamp: 2013-01-01T10:15:00+99:99"),
    ("timestamp", '"2013-01-01T10:15:00+18:01"', "not a timestamp: 2013-01-01T10:15:00+18:01"),
    ("timestamp", '"2013-01-01T10:15:00-01:60"', "not a timestamp: 2013-01-01T10:15:00-01:60"),
    # Python has no such years, so pyiceberg cannot write them.
    ("date", '"0000-01-01"', "not of the years 1 to 9999: 0000-01-01"),
    ("timestamp", '"0001-01-01T00:00:00+14:00"', "not of the years 1 to 9999: 0001-01-01T00:00:00+14:00"),
    ("timestamp", '"9999-12-31T23:59:59-14:00"', "not of the years 1 to 9999: 9999-12-31T23:59:59-14:00"),
    ("timestamp", '"2013\\u0000"', "not a timestamp: 2013\N{REPLACEMENT CHARACTER}"),
]


@pytest.mark.parametrize(("physical", "text", "reason"), REFUSED)
def test_a_value_of_another_type_is_refused(folder: Path, physical: str, text: str, reason: str) -> None:
    assert decoded_value(folder, x(physical), text) == reason


BOUNDS: list[tuple[Document, str, str | None]] = [
    (x("bigint", minimum=3), "3", None),
    (x("bigint", minimum=3), "2", "below 3: 2"),
    (x("bigint", maximum=3), "3", None),
    (x("bigint", maximum=3), "4", "above 3: 4"),
    (x("double precision", exclusiveMinimum=0), "0.1", None),
    (x("double precision", exclusiveMinimum=0), "0", "not above 0: 0"),
    (x("numeric(4,2)", exclusiveMaximum=14.5), "14.49", None),
    (x("numeric(4,2)", exclusiveMaximum=14.5), "14.50", "not below 14.5: 14.5"),
    (x("varchar(9)", minLength=2), '"éé"', None),
    (x("varchar(9)", minLength=2), '"é"', "shorter than 2: é"),
    (x("varchar(9)", pattern="^[A-Z]{3}$"), '"EWR"', None),
    (x("varchar(9)", pattern="^[A-Z]{3}$"), '"EWR\\n"', "does not match ^[A-Z]{3}$: EWR\n"),
    (x("varchar(9)", pattern="it's"), '"it\'s"', None),
    (prop("x", "varchar(9)", enum=[{"value": "it's"}, {"value": "b"}]), '"it\'s"', None),
    (prop("x", "varchar(9)", enum=[{"value": "a"}, {"value": "b"}]), '"c"', "not one of a, b: c"),
]


@pytest.mark.parametrize(("wanted", "text", "reason"), BOUNDS)
def test_bounds_hold(folder: Path, wanted: Document, text: str, reason: str | None) -> None:
    found = decoded_value(folder, wanted, text)
    assert found == (reason or json.loads(text)) or (reason is None and float(found) == float(text))


LEG: Document = {
    "logicalType": "object",
    "physicalType": "struct",
    "properties": [
        prop("origin", "varchar(3)", required=True),
        prop("stops", "array", items={"logicalType": "integer", "physicalType": "integer"}),
    ],
}
ROUTE = [
    prop(
        "sender",
        "struct",
        properties=[
            prop("name", "varchar(5)", required=True),
            prop("geo", "struct", properties=[prop("lat", "bigint")]),
        ],
    ),
    prop("legs", "array", logicalTypeOptions={"minItems": 1, "maxItems": 3}, items=LEG),
    prop(
        "grid",
        "array",
        items={
            "logicalType": "array",
            "physicalType": "array",
            "items": {"logicalType": "string", "physicalType": "varchar(1)"},
        },
    ),
]


@pytest.fixture(scope="module")
def route(folder: Path) -> Contract:
    """A contract with objects in objects, and arrays of objects with arrays, and arrays of arrays."""
    return contract_of(folder, *ROUTE)


def test_nested_values_keep_their_shape(route: Contract) -> None:
    document = {
        "id": 1,
        "sender": {"name": "Ann", "geo": {"lat": 52}},
        "legs": [{"origin": "EWR", "stops": [1, 2]}, {"origin": "IAH", "stops": []}, {"origin": "LAX"}],
        "grid": [["a", "b"], [], ["c"]],
    }
    row = decode_all(route, [json.dumps(document).encode()]).rows.to_pylist()[0]
    document["legs"][2]["stops"] = None
    assert {name: row[name] for name in document} == document
    assert row["_unexpected"] is None


@pytest.mark.parametrize("name", ["sender", "legs", "grid"])
def test_a_nested_field_that_is_missing_is_null(route: Contract, name: str) -> None:
    rows = decode_all(route, [b'{"id": 1}', b'{"id": 2, "%s": null}' % name.encode()]).rows
    assert rows.column(name).to_pylist() == [None, None]


@pytest.mark.parametrize(
    ("text", "field", "reason"),
    [
        ('"sender": {}', "sender.name", "required, but missing"),
        ('"sender": {"name": "Ann-Marie"}', "sender.name", "longer than 5 bytes: Ann-Marie"),
        ('"sender": {"name": "A", "geo": {"lat": "x"}}', "sender.geo.lat", "not a bigint: x"),
        ('"sender": {"name": "A", "geo": []}', "sender.geo", "not a struct: a JSON array"),
        ('"sender": "Ann"', "sender", "not a struct: a JSON string"),
        ('"legs": {}', "legs", "not an array: a JSON object"),
        ('"legs": 5', "legs", "not an array: a JSON number"),
        ('"legs": []', "legs", "fewer than 1 items: 0"),
        (
            '"legs": [{"origin": "A"}, {"origin": "B"}, {"origin": "C"}, {"origin": "D"}]',
            "legs",
            "more than 3 items: 4",
        ),
        ('"legs": [{"origin": "EWR"}, {}]', "legs[1].origin", "required, but missing"),
        ('"legs": [{"origin": "EWR"}, null]', "legs[1]", "required, but missing"),
        ('"legs": [{"origin": "EWR"}, []]', "legs[1]", "not a struct: a JSON array"),
        ('"legs": [{"origin": "EWR", "stops": [1, "2"]}]', "legs[0].stops[1]", "not an integer: 2"),
        ('"legs": [{"origin": "EWR", "stops": 7}]', "legs[0].stops", "not an array: a JSON number"),
        ('"grid": [["a"], ["b", "cc"]]', "grid[1][1]", "longer than 1 bytes: cc"),
        ('"grid": [["a"], "b"]', "grid[1]", "not an array: a JSON string"),
        ('"sender": {"name": "A", "name": "B"}', "sender", "a member named twice: name"),
        ('"legs": [{"origin": "A", "x": 1, "x": 2}]', "legs[0]", "a member named twice: x"),
        ('"sender": {}, "legs": []', "sender.name", "required, but missing"),
    ],
)
def test_a_breach_is_told_with_its_path(route: Contract, text: str, field: str, reason: str) -> None:
    assert rejections(decode_all(route, [b'{"id": 1, %s}' % text.encode()])) == [(field, reason)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"id": 1} {"id": 2}', "not JSON"),
        (b"{'id': 1}", "not JSON"),
        (b'{"id": 1, "x": "\\ud800"}', "not JSON"),
        (b'{"id": 1, "x": "a\nb"}', "not JSON"),
        (b'\xef\xbb\xbf{"id": 1}', "not JSON"),
        (b'{"id": 1}\x00', "not JSON"),
        (b"\xff", "not UTF-8"),
        (b'{"id": 1, "x": "\xed\xa0\x80"}', "not UTF-8"),
        (b"[]", "a JSON array, not an object"),
        (b"null", "a JSON null, not an object"),
        (b"12", "a JSON number, not an object"),
        (b'"x"', "a JSON string, not an object"),
        (b'{"id": 1, "id": 2}', "a member named twice: id"),
        (b'{"id": 1, "y": 1, "y": 1}', "a member named twice: y"),
        (b'{"id": 1, "y": [1, NaN]}', "fields that the contract does not know: NaN or Infinity is not JSON"),
        (b'{"id": 1, "y": {"z": -Inf}}', "fields that the contract does not know: NaN or Infinity is not JSON"),
        (
            b'{"id": 1, "y": "%s"}' % (b"y" * 16384),
            "fields that the contract does not know: longer than 16384 bytes",
        ),
    ],
)
def test_bytes_that_are_no_document_are_rejected_as_a_whole(folder: Path, text: bytes, reason: str) -> None:
    decoded = decode_all(contract_of(folder), [text])
    assert rejections(decoded) == [(None, reason)]
    assert decoded.rejects.column("_payload").to_pylist() == [text]


def test_a_trailing_comma_passes(folder: Path) -> None:
    assert len(decode_all(contract_of(folder), [b'{"id": 1,}']).rows) == 1


def test_a_deeply_nested_document_is_rejected_and_nothing_breaks(folder: Path) -> None:
    deep = b'{"id": 1, "y": %s}' % (b'{"a":' * 100_000 + b"1" + b"}" * 100_000)
    decoded = decode_all(contract_of(folder), [deep, b'{"id": 2}'])
    assert decoded.rows.column("id").to_pylist() == [2]
    assert [field for field, _ in rejections(decoded)] == [None]


UNKNOWN_KEYS = [
    "x",
    "a.b",
    "",
    "*",
    "$",
    "$.id",
    "[0]",
    "a/b",
    "~0",
    "a\\b",
    'a"b',
    "é",
    "\0",
    "ID",
    "0",
    "it's",
    "null",
]


@pytest.mark.parametrize("key", UNKNOWN_KEYS)
def test_what_the_contract_does_not_know_is_kept_whatever_its_name(route: Contract, key: str) -> None:
    unknown = {key: {"deep": [1, None, {"é": "NaN"}]}}
    document = {"id": 1, "sender": {"name": "A", **unknown}, "legs": [{"origin": "B"}, {"origin": "C", **unknown}]}
    rows = decode_all(route, [json.dumps(document | unknown).encode()]).rows
    assert json.loads(rows.column("_unexpected").to_pylist()[0]) == {
        key: unknown[key],
        f"sender.{key}": unknown[key],
        f"legs[1].{key}": unknown[key],
    }


def test_two_unknown_fields_of_one_path_are_both_kept(route: Contract) -> None:
    rows = decode_all(route, [b'{"id": 1, "sender.x": 1, "sender": {"name": "A", "x": 2}}']).rows
    assert rows.column("_unexpected").to_pylist() == ['{"sender.x":1,"sender.x":2}']


def test_an_unknown_null_is_kept(folder: Path) -> None:
    rows = decode_all(contract_of(folder), [b'{"id": 1, "y": null}']).rows
    assert rows.column("_unexpected").to_pylist() == ['{"y":null}']


NAMES = ["number", "date", "group", "order", "select", "key", "raw", "known", "types", "keys", "document", "broken"]
NAMES += [
    "breach",
    "unexpected",
    "parsed",
    "decoded",
    "documents",
    "payload",
    "text",
    "element",
    "field",
    "reason",
    "found",
]


def test_a_field_may_be_named_like_anything(folder: Path) -> None:
    """SQL's keywords, and words that the query might use itself."""
    members = [prop(name, "varchar(9)") for name in NAMES]
    item = {"logicalType": "object", "physicalType": "struct", "properties": members}
    contract = contract_of(
        folder, *members, prop("nested", "struct", properties=members), prop("list", "array", items=item)
    )
    values = {name: f"a {name}"[:9] for name in NAMES}
    document = {"id": 1, **values, "nested": values, "list": [values, values]}
    decoded = decode_all(contract, [json.dumps(document).encode()])
    assert rejections(decoded) == []
    row = decoded.rows.to_pylist()[0]
    assert {name: row[name] for name in document} == document


def test_rejects_carry_payload_provenance_and_version(folder: Path) -> None:
    contract = contract_of(folder)
    payloads = [b'{"id": 0}', b"bad", b'{"id": 2}', b'{"id": "3"}']
    decoded = decode_all(contract, payloads)
    assert decoded.rows.schema == row_schema(contract)
    assert decoded.rejects.schema == reject_schema(contract)
    assert decoded.rejects.column("_payload").to_pylist() == [payloads[1], payloads[3]]
    assert decoded.rejects.column("_sub_sequence_number").to_pylist() == [1, 3]
    assert decoded.rejects.column("_contract_version").to_pylist() == ["1.0.0", "1.0.0"]
    assert decoded.rows.column("_sub_sequence_number").to_pylist() == [0, 2]


def test_a_long_reason_is_cut(folder: Path) -> None:
    contract = contract_of(folder, prop("x", "varchar(9)", enum=[{"value": f"value {n}"} for n in range(200)]))
    assert len(rejections(decode_all(contract, [b'{"id": 1, "x": "y"}']))[0][1]) == 512


def test_a_large_batch_keeps_each_records_provenance(folder: Path) -> None:
    """More records than one thread of the engine takes at a time, some of them bad."""
    contract = contract_of(folder)
    count = 300_000
    payloads = [b'{"id":%d}' % n if n % 1000 else b'{"id":"%d"}' % n for n in range(count)]
    decoded = decode_all(contract, payloads)
    assert decoded.rows.column("id").to_pylist() == [n for n in range(count) if n % 1000]
    assert decoded.rows.column("_sub_sequence_number").equals(decoded.rows.column("id"))
    assert decoded.rejects.column("_payload").to_pylist() == payloads[::1000]
    assert decoded.rejects.column("_sub_sequence_number").to_pylist() == list(range(0, count, 1000))


def test_a_batch_of_several_encodings_is_decoded_in_order(folder: Path) -> None:
    contract = contract_of(folder, prop("x", "varchar(9)"), server=files("csv"))
    parts = [
        records_of(contract, [b"1,a", b"2"], Csv(("id", "x"), ",", ("",))),
        records_of(contract, [], Csv(("id", "x"), ",", ("",))),
        records_of(contract, [b""], Unreadable("unreadable from record 2 on")),
        records_of(contract, [b"b,3"], Csv(("x", "id"), ",", ("",))),
    ]
    decoded = decode(contract, Batch(parts, {}))
    assert decoded.rows.select(["id", "x"]).to_pylist() == [{"id": 1, "x": "a"}, {"id": 3, "x": "b"}]
    assert rejections(decoded) == [
        (None, "a line of 1 values under a header of 2"),
        (None, "unreadable from record 2 on"),
    ]


def test_an_empty_batch_has_the_schemas(folder: Path) -> None:
    contract = contract_of(folder)
    decoded = decode(contract, Batch([], {}))
    assert (decoded.rows.schema, decoded.rejects.schema) == (row_schema(contract), reject_schema(contract))


# --- CSV ---

HEADER = Csv(("id", "x", "more"), ",", ("", "NA"))


def csv_of(folder: Path, wanted: Document, line: bytes, header: Csv = HEADER) -> Any:
    """The row of a CSV line, or why there is none."""
    decoded = decode_all(contract_of(folder, wanted, server=files("csv")), [line], header)
    return rejections(decoded)[0] if len(decoded.rejects) else decoded.rows.to_pylist()[0]


@pytest.mark.parametrize(
    ("physical", "text", "value"),
    [
        ("varchar(9)", b"abc", "abc"),
        ("varchar(9)", b" abc ", " abc "),
        ("varchar(9)", b'"a,b"', "a,b"),
        ("varchar(9)", b'"a""b"', 'a"b'),
        ("varchar(9)", b'"a\nb"', "a\nb"),
        ("varchar(9)", b'a"b', 'a"b'),
        ("varchar(9)", "é".encode(), "é"),
        ("varchar(9)", b"", None),
        ("varchar(9)", b"NA", None),
        ("bigint", b"12", 12),
        ("bigint", b"+012", 12),
        ("bigint", b"12.00", 12),
        ("double precision", b"1.5e3", 1500.0),
        ("numeric(5,2)", b"-123.45", Decimal("-123.45")),
        ("boolean", b"True", True),
        ("boolean", b"FALSE", False),
        ("date", b"2024-02-29", date(2024, 2, 29)),
        ("timestamp", b"2013-01-01 10:15:00+01:00", datetime(2013, 1, 1, 9, 15)),
    ],
)
def test_csv_text_is_read_as_its_fields_type(folder: Path, physical: str, text: bytes, value: Any) -> None:
    row = csv_of(folder, x(physical), b"1,%s,z" % text)
    assert (row["id"], row["x"], row["_unexpected"]) == (1, value, '{"more":"z"}')


@pytest.mark.parametrize(
    ("physical", "text", "reason"),
    [
        ("bigint", b"12.5", "not a bigint: 12.5"),
        ("bigint", b" 12", "not a bigint:  12"),
        ("bigint", b"1_000", "not a bigint: 1_000"),
        ("bigint", b"0x10", "not a bigint: 0x10"),
        ("double precision", b"nan", "not a double precision: nan"),
        ("double precision", b"1_000.5", "not a double precision: 1_000.5"),
        ("double precision", b" 1.5", "not a double precision:  1.5"),
        ("numeric(5,2)", b"1.234", "not a numeric(5,2): 1.234"),
        ("boolean", b"yes", "not a boolean: yes"),
        ("boolean", b"1", "not a boolean: 1"),
        ("date", b"02/29/2024", "not a date: 02/29/2024"),
        ("varchar(3)", b"abcd", "longer than 3 bytes: abcd"),
    ],
)
def test_csv_text_that_is_not_of_its_fields_type_is_refused(
    folder: Path, physical: str, text: bytes, reason: str
) -> None:
    assert csv_of(folder, x(physical), b"1,%s,z" % text) == ("x", reason)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"1,a", "a line of 2 values under a header of 3"),
        (b"1,a,b,c", "a line of 4 values under a header of 3"),
        (b"", "a line of 1 values under a header of 3"),
        (b'1,"a,b', "not one line of CSV: unexpected end of data"),
        (b'1,"a"b,c', "not one line of CSV: ',' expected after '\"'"),
        (b"1,a,b\r2,c,d", "not one line of CSV: a line break outside of quotes"),
        (b"1,\xff,b", "not UTF-8"),
        (b"1," + b"a" * 200_000 + b",b", "not one line of CSV: field larger than field limit (131072)"),
    ],
)
def test_a_line_that_is_not_one_of_the_header_is_rejected(folder: Path, line: bytes, reason: str) -> None:
    assert csv_of(folder, x("varchar(9)"), line) == (None, reason)


def test_a_stray_quote_rejects_its_own_line_alone(folder: Path) -> None:
    contract = contract_of(folder, x("varchar(9)"), server=files("csv"))
    lines = [b'1,"a,', b"2,b,", b'3,c",', b'4,"d"e,', b"5,f,"]
    decoded = decode_all(contract, lines, HEADER)
    assert decoded.rows.column("id").to_pylist() == [2, 3, 5]
    assert decoded.rows.column("_ordinal").to_pylist() == [1, 2, 4]
    assert decoded.rejects.column("_payload").to_pylist() == [lines[0], lines[3]]


def test_a_header_may_hold_any_names_in_any_order(folder: Path) -> None:
    header = Csv(("*", "x", "", "ID", 'a"b', "id"), ";", ())
    row = csv_of(folder, x("varchar(9)"), b"1;2;3;4;5;6", header)
    assert (row["id"], row["x"]) == (6, "2")
    assert json.loads(row["_unexpected"]) == {"*": "1", "": "3", "ID": "4", 'a"b': "5"}


def test_a_column_that_the_header_lacks_is_null(folder: Path) -> None:
    assert csv_of(folder, x("varchar(9)"), b"1", Csv(("id",), ",", ()))["x"] is None


# --- the example ---


def test_a_flight_event_is_decoded_as_its_contract_says() -> None:
    contract = load_contracts(CONTRACTS_DIR)["flight_events"]
    event = {
        "event_id": "20130101-UA-1545-EWR-0515-scheduled",
        "flight_id": "20130101-UA-1545-EWR-0515",
        "event_type": "scheduled",
        "event_time": "2013-01-01T10:15:00Z",
        "flight": {"date": "2013-01-01", "carrier": "UA", "number": 1545, "tail_number": "N14228"},
        "legs": [{"origin": "EWR", "destination": "IAH", "distance_miles": 1400}],
    }
    wrong = event | {"legs": [event["legs"][0], {"origin": "IAH", "destination": "lax"}]}
    decoded = decode_all(contract, [json.dumps(event).encode(), json.dumps(wrong).encode()])
    row = decoded.rows.to_pylist()[0]
    assert row["event_time"] == datetime(2013, 1, 1, 10, 15)
    assert row["flight"]["date"] == date(2013, 1, 1)
    assert row["legs"] == event["legs"]
    assert (row["departure"], row["arrival"]) == (None, None)
    assert rejections(decoded) == [("legs[1].destination", "does not match ^[0-9A-Z]{3}$: lax")]


def failing_on(word: str) -> Callable[[Contract, bool], str]:
    """The query, with an expression in it that raises for a document with a word."""
    failing = f"case when contains(_document, '{word}') then error('unheard of') else _document end"
    documents = f"from (select * replace ({failing} as _document) from _documents)"
    real = ingestion.decode._query
    return lambda contract, text_only: real(contract, text_only).replace("from _documents", documents)


def test_a_record_that_the_query_fails_on_is_rejected_and_stops_no_other(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingestion.decode, "_query", failing_on("poison"))
    poisoned, broken = [3, 4, 17], [8]
    payloads = [
        b'{"id": %d, "x": "%s"}' % (n, b"poison" if n in poisoned else b"longer" if n in broken else b"fine")
        for n in range(20)
    ]
    decoded = decode_all(contract_of(folder, x("varchar(5)")), payloads)
    assert decoded.rows.column("id").to_pylist() == [n for n in range(20) if n not in poisoned + broken]
    assert decoded.rejects.column("_sub_sequence_number").to_pylist() == [3, 4, 8, 17]
    assert decoded.rejects.column("_payload").to_pylist() == [payloads[n] for n in (3, 4, 8, 17)]
    reasons = [reason for _, reason in rejections(decoded)]
    assert [reason.split(":")[0] for reason in reasons] == ["cannot be decoded"] * 2 + [
        "longer than 5 bytes",
        "cannot be decoded",
    ]
    assert "unheard of" in reasons[0]


def test_a_query_that_fails_on_no_record_at_all_rejects_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingestion.decode, "_query", lambda *_: "select error('a bug')")
    with pytest.raises(duckdb.Error, match="a bug"):
        decode_all(contract_of(folder, x("varchar(5)")), [b'{"id": 1}'])
