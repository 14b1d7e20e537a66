"""Contracts: what each mistake is answered with, and what a good one says."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ingestion.contract import KinesisSource, ObjectSource, Partition, Type, load_contract, load_contracts
from ingestion.errors import ContractError
from orchestration.settings import CONTRACTS_DIR
from tests.unit.ingestion.conftest import STREAM, Document, contract_of, document, files, prop, write


def mistakes_in(folder: Path, content: Document) -> list[str]:
    """The lines of the error, each without the path of the file."""
    path = write(folder, content)
    with pytest.raises(ContractError) as caught:
        load_contract(path)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{path}:") for line in lines)
    return [line.removeprefix(f"{path}:") for line in lines]


@pytest.mark.parametrize("path", sorted(CONTRACTS_DIR.glob("*.yaml")), ids=lambda path: path.stem)
def test_each_contract_of_the_example_loads(path: Path) -> None:
    contract = load_contract(path)
    assert contract.name == path.stem
    assert contract.fields


def test_a_contract_says_what_its_document_says(tmp_path: Path) -> None:
    contract = contract_of(
        tmp_path,
        prop("sent_at", "timestamp", partitioned=True, partitionKeyPosition=2),
        prop("country", "varchar(2)", partitioned=True, partitionKeyPosition=1, classification="internal"),
        prop("weight", "numeric(6, 3)", logicalTypeOptions={"minimum": 0, "exclusiveMaximum": 30}),
        prop("sender", "struct", properties=[prop("name", "varchar(9)", required=True)]),
        prop("stops", "array", items={"logicalType": "date", "physicalType": "date"}),
    )
    fields = {field.name: field for field in contract.fields}
    assert contract.source == KinesisSource("parcels", "json")
    assert contract.primary_key == ("id",)
    assert contract.partitions == (Partition("country", "identity"), Partition("sent_at", "day"))
    assert (contract.freshness, contract.archive) == (timedelta(minutes=90), timedelta(days=30))
    assert contract.quarantine_limit == 0.01
    assert fields["country"].classification == "internal"
    assert fields["weight"].type == Type("numeric", (6, 3))
    assert (fields["weight"].minimum, fields["weight"].exclusive_maximum) == (0, 30)
    assert fields["sender"].fields[0].required
    assert fields["stops"].element
    assert fields["stops"].element.type == Type("date")


def test_a_contract_of_files_says_how_they_are_written(tmp_path: Path) -> None:
    contract = contract_of(tmp_path, server=files("csv", delimiter=";", nullValues=["", "NA"]))
    assert contract.source == ObjectSource("landing", "parcels/", "csv", ";", ("", "NA"))


TEXT = "varchar(9)"
NESTED: Document = prop("sender", "struct", properties=[prop("name", "varchar")])
# What is wrong with a property, and what the message must hold: where, and what to write instead.
WRONG_PROPERTIES: list[tuple[Document, str]] = [
    (prop("Name", TEXT), r"Name: name must start with a letter a-z .*: rename the field"),
    (prop("_x", TEXT), r"_x: name must start"),
    (prop("id", "bigint"), r"id: is there twice"),
    (prop("x", TEXT, description=""), r"x: has no description; write in a sentence"),
    (prop("x", "varchar"), r"x: physicalType is 'varchar'; write a length, varchar\(1\) to varchar\(16384\)"),
    (prop("x", "varchar(16385)"), r"write a length, varchar\(1\) to varchar\(16384\)"),
    (prop("x", "varchar(0)"), r"write a length"),
    (prop("x", "text", logicalType="string"), r"physicalType is 'text'; write one of varchar\(n\), bigint"),
    (prop("x", "numeric"), r"write precision \(at most 38\) and scale, as in numeric\(12,2\)"),
    (prop("x", "numeric(39,2)"), r"write precision \(at most 38\)"),
    (prop("x", "numeric(2,3)"), r"write precision \(at most 38\) and scale"),
    (prop("x", "bigint(8)"), r"bigint takes no length: write bigint"),
    (prop("x", "bigint", logicalType="string"), r"logicalType is 'string'; for a bigint write integer"),
    (prop("x", "struct"), r"x: is a struct without properties; list its members"),
    (prop("x", "array"), r"x: is an array without items"),
    (NESTED, r"sender\.name: physicalType is 'varchar'"),
    (prop("x", "array", items={"logicalType": "string", "physicalType": "varchar"}), r"x\.items: physicalType"),
    (prop("x", TEXT, logicalTypeOptions={"maximum": 3}), r"x\.logicalTypeOptions: .*'maximum' was unexpected"),
    (prop("x", "bigint", logicalTypeOptions={"multipleOf": 3}), r"logicalTypeOptions multipleOf: not held for bigint"),
    (prop("x", "boolean", logicalTypeOptions={"pattern": "x"}), r"not held for boolean; write of none"),
    (prop("x", TEXT, logicalTypeOptions={"format": "email"}), r"logicalTypeOptions format: not held for varchar"),
    (prop("x", "bigint", logicalTypeOptions={"minimum": float("nan")}), r"minimum is nan, .*; write a finite number"),
    (prop("x", "bigint", logicalTypeOptions={"maximum": 10**400}), r"maximum is 10+, which no value is compared with"),
    (prop("x", TEXT, unique=True), r"unique: not held when data lands; write it as a data test"),
    (prop("x", "bigint", enum=[{"value": "1"}]), r"enum: held for varchar only; this is a bigint"),
    (prop("x", TEXT, enum=[{"value": False}]), r"enum: False is not a string; write it in quotes"),
    (prop("x", TEXT, logicalTypeOptions={"pattern": "(?=x)"}), r"'\(\?=x\)' is not a regular expression of RE2"),
    (prop("x", TEXT, primaryKey=True), r"x: is a primary key, so it must be required: true"),
    (
        prop("x", TEXT, partitioned=True, customProperties=[{"property": "partitionTransform", "value": "day"}]),
        r"partitionTransform is 'day'; for a varchar\(9\) write identity",
    ),
    (
        prop("x", "date", customProperties=[{"property": "partitionTransform", "value": "day"}]),
        r"has a partitionTransform, but is no partition key; write partitioned: true",
    ),
    (
        prop("x", "date", partitioned=True, customProperties=[{"property": "partitionTransform", "value": "hour"}]),
        r"partitionTransform is 'hour'; for a date write identity, year, month, day",
    ),
    (prop("x", "struct", partitioned=True, properties=[prop("y", TEXT)]), r"a struct cannot be a partition key"),
    (
        prop("x", "date", customProperties=[{"property": "partitionTranform", "value": "day"}]),
        r"customProperty 'partitionTranform': nothing reads it here; write partitionTransform",
    ),
]


@pytest.mark.parametrize(("wrong", "message"), WRONG_PROPERTIES, ids=lambda value: str(value)[:60])
def test_a_mistake_in_a_property_is_told_with_line_field_and_cure(
    tmp_path: Path, wrong: Document, message: str
) -> None:
    content = document(prop("right", TEXT), wrong)
    mistakes = mistakes_in(tmp_path, content)
    assert re.search(message, mistakes[0]), mistakes
    line = int(mistakes[0].split(":")[0])
    text = (tmp_path / "parcels.yaml").read_text().splitlines()
    first = next(n for n, content in enumerate(text, 1) if content.strip() == "- name: right") + 4
    assert text[first - 1].strip() == f"- name: {wrong['name']}"
    assert line >= first


def change(where: tuple[str | int, ...], value: Any) -> Callable[[Document], None]:
    """Set a value of the document; None removes it."""

    def apply(content: Document) -> None:
        holder: Any = content
        for step in where[:-1]:
            holder = holder[step]
        if value is None:
            del holder[where[-1]]
        else:
            holder[where[-1]] = value

    return apply


SERVER = ("servers", 0)
WRONG_DOCUMENTS: list[tuple[Callable[[Document], None], str]] = [
    (change(("apiVersion",), "v3.0.2"), r"^1: apiVersion: is 'v3.0.2'; write v3.1.0"),
    (change(("name",), "letters"), r"^4: name: is 'letters'; write 'parcels', the file's name"),
    (change(("domain",), None), r"contract: has no domain; write the name"),
    (change(("description",), None), r"has no purpose; write in a sentence"),
    (change(("team",), None), r"has no name; write the team"),
    (change(("servers",), []), r"servers: has 0 entries; write exactly one"),
    (change((*SERVER, "format"), "csv"), r"format is 'csv'; write json"),
    (change((*SERVER, "customProperties"), []), r"has no stream; write a customProperty `stream`"),
    (change((*SERVER, "customProperties", 0, "value"), 1), r"has no stream; write a customProperty `stream`"),
    (change(("servers",), [files("csv", delimiter=1)]), r"delimiter is 1; write one character"),
    (change(("servers",), [files("xml")]), r"format is 'xml'; write csv, json"),
    (change(("servers",), [files("csv", delimiter="||")]), r"delimiter is '\|\|'; write one character"),
    (change(("servers",), [files("csv", onReplace="merge")]), r"onReplace is 'merge'; write append or replace"),
    (change(("servers",), [files("csv", deliveryStream="x")]), r"what Firehose delivers is read as json"),
    (change(("servers",), [files("json", deliveryStream="a b")]), r"deliveryStream is 'a b'; write at most 40 of"),
    (change(("servers",), [files("json", bufferMiB=5)]), r"has bufferMiB, but no deliveryStream; write its name, or"),
    (
        change(("servers",), [files("json", deliveryStream="x", bufferSeconds=901)]),
        r"bufferSeconds is 901; write a whole",
    ),
    (
        change(("servers",), [files("json", deliveryStream="x", lookBackHours=True)]),
        r"lookBackHours is True; write a who",
    ),
    (
        change(("servers",), [files("json", deliveryStream="x", compression="ZIP")]),
        r"compression is 'ZIP'; write GZIP or",
    ),
    (change(("servers",), [files("json", deliveryStream="x", sourceStream="")]), r"sourceStream is ''; write the name"),
    (
        change(("servers",), [files("json", deliveryStream="x", onReplace="replace")]),
        r"Firehose never writes a key twice; remove it",
    ),
    (
        change(("servers",), [files("csv") | {"location": "s3://{landing}/errors/x/"}]),
        r"must not begin with errors/ : Firehose puts there",
    ),
    (
        change(("servers",), [files("csv") | {"location": "s3://{landing}/quarantine/x/"}]),
        r"must not begin with quarantine/ : the tables of rejects are there",
    ),
    (change(("servers",), [files("csv", nullValues=["", 0])]), r"nullValues is \['', 0\]; write a list of strings"),
    (
        change(("servers",), [files("csv", separator=";")]),
        r"'separator': nothing reads it here; write bufferMiB, .*delimiter",
    ),
    (
        change(("servers",), [files("csv") | {"location": "s3://bucket/x/"}]),
        r"location: must be s3://\{landing\}/<prefix>/",
    ),
    (
        change(("servers",), [{"server": "k", "type": "kafka", "host": "x", "format": "json"}]),
        r"type: is 'kafka'; write kinesis or s3",
    ),
    (change(("slaProperties", 0), {"property": "latency", "value": 1}), r"has no freshness; write property: freshness"),
    (change(("slaProperties", 0, "unit"), "weeks"), r"freshness must be a value above 0 with a unit of m, h, d, y"),
    (change(("slaProperties", 0, "value"), 0), r"freshness must be a value above 0"),
    (change(("slaProperties", 0, "value"), 1.5), r"freshness must be whole minutes"),
    (change(("slaProperties", 0, "value"), 1e-12), r"^31: slaProperties.0: freshness must be whole minutes"),
    (change(("slaProperties", 0, "value"), True), r"freshness must be a value above 0"),
    (change(("slaProperties", 0, "value"), float("nan")), r"freshness must be a value above 0"),
    (change(("slaProperties", 0, "value"), 10**12), r"freshness must be at most 36,500 days"),
    (change(("slaProperties", 0, "value"), float("inf")), r"freshness must be at most 36,500 days"),
    (change(("customProperties",), []), r"must hold quarantineLimit, a share between 0 and 1"),
    (change(("customProperties", 0, "value"), 5), r"must hold quarantineLimit, a share between 0 and 1"),
    (change(("customProperties", 0, "value"), True), r"must hold quarantineLimit, a share between 0 and 1"),
    (change(("schema",), []), r"schema: must hold exactly one object, named 'parcels'"),
    (change(("schema", 0, "properties", 0, "primaryKey"), False), r"none is a primary key; write primaryKey: true"),
    # What the standard itself refuses.
    (change(("id",), None), r"'id' is a required property \(Open Data Contract Standard v3.1.0\)"),
    (change(("version",), 1.0), r"version: 1.0 is not of type 'string' \(Open Data Contract Standard"),
    (change(("schema", 0, "properties", 0, "primarykey"), True), r"schema\.parcels|primarykey"),
    (change(("schema", 0, "properties", 0, "logicalType"), "text"), r"logicalType: 'text' is not one of"),
]


@pytest.mark.parametrize(("wrong", "message"), WRONG_DOCUMENTS, ids=[message[:50] for _, message in WRONG_DOCUMENTS])
def test_a_mistake_in_the_document_is_told_with_line_field_and_cure(
    tmp_path: Path, wrong: Callable[[Document], None], message: str
) -> None:
    content = copy.deepcopy(document(server=STREAM))
    wrong(content)
    assert re.search(message, "\n".join(mistakes_in(tmp_path, content)))


def test_a_csv_file_cannot_hold_nested_fields(tmp_path: Path) -> None:
    content = document(prop("x", "struct", properties=[prop("y", TEXT)]), server=files("csv"))
    assert any("x: a CSV file holds no struct" in mistake for mistake in mistakes_in(tmp_path, content))


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    content = document(prop("X", TEXT), prop("y", "varchar")) | {"domain": ""}
    mistakes = mistakes_in(tmp_path, content)
    assert [re.split(": ", mistake)[1] for mistake in mistakes] == ["contract", "parcels.X", "parcels.y"]


def test_a_property_of_another_vendor_is_let_be(tmp_path: Path) -> None:
    content = document(prop("x", TEXT, customProperties=[{"property": "tag", "value": 1, "vendor": "atlan"}]))
    assert load_contract(write(tmp_path, content)).fields[1].name == "x"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", ": empty"),
        (b"a: [", ": not YAML"),
        (b"- a", ": holds a list, not a mapping. Write lines of `key: value`"),
        (b"parcels", ": holds a str, not a mapping"),
        (
            "a: 1\nb: caf\u00e9\n".encode("latin-1"),
            ":2: byte 12 of the file, 0xe9, is not UTF-8. Save the file in UTF-8",
        ),
    ],
)
def test_a_file_that_is_no_document_is_told(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "parcels.yaml"
    path.write_bytes(content)
    with pytest.raises(ContractError, match=re.escape(f"parcels.yaml{message}")):
        load_contract(path)


def at(location: str, **custom: Any) -> Document:
    """A server of JSON files under a prefix."""
    return files("json", **custom) | {"location": f"s3://{{landing}}/{location}/"}


# The server of `letters`, which is there beside `parcels`, that of `parcels`, and what is told of both.
CLASHES: list[tuple[Document, Document, str]] = [
    (at("a", deliveryStream="x"), at("b", deliveryStream="x"), r"servers\.0\.customProperties: deliveryStream 'x' is"),
    (at("a"), at("a"), r"servers\.0\.location: lies inside another .*; write a prefix beside it\. "),
    (at("a"), at("a/b"), r"servers\.0\.location: lies inside another"),
    (at("a/b"), at("a"), r"servers\.0\.location: lies inside another contract's or holds it"),
]


@pytest.mark.parametrize(("letters", "parcels", "message"), CLASHES)
def test_contracts_that_claim_the_same_objects_are_told_with_both_places(
    tmp_path: Path, letters: Document, parcels: Document, message: str
) -> None:
    beside(tmp_path, letters, parcels)
    with pytest.raises(ContractError) as caught:
        load_contracts(tmp_path)
    (told,) = str(caught.value).splitlines()
    places = re.fullmatch(rf"(.*parcels\.yaml):(\d+): {message}.*The other: (.*letters\.yaml):(\d+)", told)
    assert places, told
    for path, line in (places.group(1, 2), places.group(3, 4)):
        assert re.search(r"s3://|property: deliveryStream", Path(path).read_text().splitlines()[int(line) - 1])


@pytest.mark.parametrize(
    ("letters", "parcels"),
    [
        (STREAM, STREAM),
        (at("a"), at("ab")),
        (at("a", deliveryStream="x"), at("b", deliveryStream="y")),
        (STREAM, at("a")),
    ],
)
def test_contracts_may_read_one_stream_and_lie_beside_each_other(
    tmp_path: Path, letters: Document, parcels: Document
) -> None:
    beside(tmp_path, letters, parcels)
    assert list(load_contracts(tmp_path)) == ["letters", "parcels"]


def beside(folder: Path, letters: Document, parcels: Document) -> None:
    """Two contracts in a folder, by their servers."""
    path = write(folder, document(server=letters))
    (folder / "letters.yaml").write_text(path.read_text().replace("name: parcels", "name: letters"))
    write(folder, document(server=parcels))


def test_a_folder_without_contracts_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"holds no contract; write one as <name>\.yaml"):
        load_contracts(tmp_path / "missing")


def test_a_file_with_another_suffix_is_not_passed_over(tmp_path: Path) -> None:
    write(tmp_path, document()).rename(tmp_path / "parcels.yml")
    with pytest.raises(ContractError, match=r"parcels\.yml: would not be read; rename it to parcels\.yaml"):
        load_contracts(tmp_path)
