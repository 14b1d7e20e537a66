"""Decoding, against an independent check in plain Python: whatever comes in, each record comes out once, and right."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingestion.contract import Contract
from ingestion.decode import Decoded
from ingestion.records import Csv
from tests.unit.ingestion.conftest import contract_of, decode_all, files, prop

properties = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])

ITEM = {
    "logicalType": "object",
    "physicalType": "struct",
    "properties": [prop("code", "varchar(2)", required=True), prop("weight", "integer")],
}
TAG = {"logicalType": "string", "physicalType": "varchar(3)"}


@pytest.fixture(scope="module")
def parcels(folder: Path) -> Contract:
    return contract_of(
        folder,
        prop("label", "varchar(6)", logicalTypeOptions={"pattern": "^[a-zé]*$"}),
        prop("size", "varchar(1)", enum=[{"value": "S"}, {"value": "L"}]),
        prop("price", "numeric(5,2)", logicalTypeOptions={"minimum": 0}),
        prop("rate", "double precision", logicalTypeOptions={"exclusiveMaximum": 10}),
        prop("fragile", "boolean"),
        prop("sent_on", "date"),
        prop("sent_at", "timestamp"),
        prop("sender", "struct", properties=[prop("name", "varchar(4)", required=True), prop("age", "integer")]),
        prop("items", "array", logicalTypeOptions={"maxItems": 2}, items=ITEM),
        prop("tags", "array", items=TAG),
    )


# --- the independent check: a value of the row, or Broken ---


class Broken(Exception):
    """The document breaks the contract."""


def hold(condition: bool) -> None:
    if not condition:
        raise Broken


def text(longest: int, value: Any) -> str:
    hold(isinstance(value, str) and len(value.encode()) <= longest and "\0" not in value)
    return value


def whole(low: int, high: int, value: Any) -> int:
    hold(type(value) is int or (type(value) is float and value.is_integer() and abs(value) < 1e15))
    hold(low <= int(value) <= high)
    return int(value)


def label(value: Any) -> str:
    hold(re.fullmatch("[a-zé]*", text(6, value)) is not None)
    return value


def size(value: Any) -> str:
    hold(value in ("S", "L"))
    return value


def price(value: Any) -> Decimal:
    hold(type(value) in (int, float, str))
    hold(re.fullmatch(r"[+-]?\d+(\.\d{0,2}0*)?", str(value), re.ASCII) is not None)
    hold(0 <= Decimal(value if isinstance(value, str) else str(value)) <= Decimal("999.99"))
    return Decimal(str(value))


def rate(value: Any) -> float:
    hold(type(value) in (int, float) and value < 10)
    return float(value)


def fragile(value: Any) -> bool:
    hold(isinstance(value, bool))
    return value


def sent_on(value: Any) -> date:
    hold(isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII) is not None)
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise Broken from None


def sent_at(value: Any) -> datetime:
    form = r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{6})?)?(Z|[+-]\d{2}:\d{2})?"
    hold(isinstance(value, str) and re.fullmatch(form, value, re.ASCII) is not None)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise Broken from None
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def members(value: Any, checks: dict[str, Callable[[Any], Any]], required: set[str]) -> dict[str, Any]:
    hold(isinstance(value, dict))
    hold(all(value.get(name) is not None for name in required))
    return {name: None if value.get(name) is None else check(value[name]) for name, check in checks.items()}


def integer(value: Any) -> int:
    return whole(-(2**31), 2**31 - 1, value)


def sender(value: Any) -> dict[str, Any]:
    return members(value, {"name": lambda v: text(4, v), "age": integer}, {"name"})


def items(value: Any) -> list[Any]:
    hold(isinstance(value, list) and len(value) <= 2)
    return [members(item, {"code": lambda v: text(2, v), "weight": integer}, {"code"}) for item in value]


def tags(value: Any) -> list[str]:
    hold(isinstance(value, list))
    return [text(3, tag) for tag in value]


CHECKS: dict[str, Callable[[Any], Any]] = {
    "id": lambda value: whole(-(2**63), 2**63 - 1, value),
    "label": label,
    "size": size,
    "price": price,
    "rate": rate,
    "fragile": fragile,
    "sent_on": sent_on,
    "sent_at": sent_at,
    "sender": sender,
    "items": items,
    "tags": tags,
}


def expected(payload: bytes) -> dict[str, Any] | None:
    """The row of a payload, or None if it is to be rejected."""
    try:
        return members(json.loads(payload), CHECKS, {"id"})
    except Broken:
        return None


def rows_of(decoded: Decoded) -> dict[int, dict[str, Any]]:
    """Rows by the number of their record."""
    rows = decoded.rows.to_pylist()
    return {row["_sub_sequence_number"]: {name: row[name] for name in CHECKS} for row in rows}


# --- documents ---

moments = st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30))
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
valid: dict[str, st.SearchStrategy[Any]] = {
    "id": st.integers(-(2**63), 2**63 - 1),
    "label": st.text("abcé", max_size=3),
    "size": st.sampled_from(["S", "L"]),
    "price": st.decimals(0, 999, places=2).map(lambda d: str(d) if d > 500 else float(d)),
    "rate": st.floats(max_value=9.9, allow_nan=False, allow_infinity=False),
    "fragile": st.booleans(),
    "sent_on": st.dates().map(str),
    "sent_at": st.one_of(moments, st.tuples(moments, zones).map(lambda m: m[0].replace(tzinfo=m[1]))).map(str),
    "sender": st.fixed_dictionaries({"name": st.text("ab", max_size=4)}, optional={"age": st.integers(0, 99)}),
    "items": st.lists(st.fixed_dictionaries({"code": st.text("ab", max_size=2)}), max_size=2),
    "tags": st.lists(st.text("ab", max_size=3), max_size=3),
}
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="utf-8"), max_size=8),
    st.sampled_from(["12", "-1.50", "2024-02-30", "2024-01-01T00:00:00.000001+14:00", "S", "true", "\0"]),
)
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["name", "age", "code", "weight", "x"]), inner, max_size=3),
    ),
    max_leaves=5,
)
documents = st.tuples(
    st.fixed_dictionaries({"id": valid["id"]}, optional={n: s for n, s in valid.items() if n != "id"}),
    st.dictionaries(st.sampled_from([*CHECKS, "unknown"]), anything, max_size=2) | st.just({}),
).map(lambda pair: json.dumps(pair[0] | pair[1], ensure_ascii=False).encode())


@properties
@given(st.lists(documents, min_size=1, max_size=25))
def test_what_is_accepted_and_its_values_are_what_plain_python_says(parcels: Contract, payloads: list[bytes]) -> None:
    decoded = decode_all(parcels, payloads)
    wanted = {n: row for n, payload in enumerate(payloads) if (row := expected(payload)) is not None}
    assert rows_of(decoded) == wanted


@properties
@given(st.lists(documents, min_size=1, max_size=25))
def test_all_of_an_accepted_document_is_in_its_row(parcels: Contract, payloads: list[bytes]) -> None:
    for row in decode_all(parcels, payloads).rows.to_pylist():
        document = json.loads(payloads[row["_sub_sequence_number"]])
        kept = json.loads(row["_unexpected"] or "{}")
        unknown = {name: value for name, value in document.items() if name not in CHECKS}
        assert {name: value for name, value in kept.items() if "." not in name} == unknown
        for name, value in (document.get("sender") or {}).items():
            assert name in ("name", "age") or kept[f"sender.{name}"] == value
        for index, item in enumerate(document.get("items") or []):
            assert all(n in ("code", "weight") or kept[f"items[{index}].{n}"] == v for n, v in item.items())


payload_bytes = st.one_of(
    st.binary(max_size=40),
    documents,
    documents.flatmap(lambda d: st.integers(0, len(d)).map(lambda at: d[:at])),
    st.tuples(documents, st.binary(min_size=1, max_size=3), st.integers(0, 200)).map(
        lambda t: t[0][: t[2]] + t[1] + t[0][t[2] :]
    ),
    st.text('{}[]",:\\ntf0.1eu', max_size=30).map(str.encode),
)


def expect_each_once(decoded: Decoded, payloads: list[bytes], number: str) -> None:
    accepted = decoded.rows.column(number).to_pylist()
    rejected = decoded.rejects.column(number).to_pylist()
    assert sorted([*accepted, *rejected]) == list(range(len(payloads)))
    assert (accepted, rejected) == (sorted(accepted), sorted(rejected))
    assert decoded.rejects.column("_payload").to_pylist() == [payloads[n] for n in rejected]


@properties
@given(st.lists(payload_bytes, max_size=25))
def test_any_bytes_come_out_once_with_their_provenance(parcels: Contract, payloads: list[bytes]) -> None:
    expect_each_once(decode_all(parcels, payloads), payloads, "_sub_sequence_number")


keys = st.text(st.characters(codec="utf-8"), max_size=6) | st.text('*$.[]"\\/~?@#0', max_size=4)


@properties
@given(st.dictionaries(keys.filter(lambda key: key not in CHECKS), scalars, max_size=4))
def test_any_unknown_member_is_kept(parcels: Contract, unknown: dict[str, Any]) -> None:
    rows = decode_all(parcels, [json.dumps({"id": 1} | unknown).encode()]).rows
    assert json.loads(rows.column("_unexpected").to_pylist()[0] or "{}") == unknown


lines = st.one_of(
    st.binary(max_size=20),
    st.text('ab1",;\r\n \t\0é', max_size=12).map(str.encode),
    st.tuples(st.integers(), st.text("ab ", max_size=4)).map(lambda t: f'{t[0]},"{t[1]}"'.encode()),
)


@properties
@given(st.lists(lines, max_size=25))
def test_any_line_of_csv_comes_out_once_with_its_provenance(folder: Path, payloads: list[bytes]) -> None:
    contract = contract_of(folder, prop("label", "varchar(6)"), server=files("csv"))
    expect_each_once(decode_all(contract, payloads, Csv(("id", "label"), ",", ("",))), payloads, "_ordinal")
