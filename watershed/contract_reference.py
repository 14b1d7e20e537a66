"""docs/contracts.md: what a contract may say, with the very message that each mistake is answered with.

Rules are told in words here. The messages are those of `ingestion.contract`: each mistake is made in a contract that is
right otherwise, and the contract is read, beside another one.
"""

from __future__ import annotations

import copy
import math
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ingestion.contract import CUSTOM_PROPERTIES, load_contracts
from ingestion.errors import ContractError
from orchestration.lineage.classification import Classification

Document = dict[str, Any]
# Makes a mistake in a document.
Mistake = Callable[[Document], object]

_NAME, _OTHER = "orders", "invoices"
_PRIVATE = " or ".join(each for each in Classification if each.is_private)
_CLASSIFICATIONS = (
    f"How private it is: {', '.join(f'`{each}`' for each in Classification)}. It follows the field through the models;"
    f" an exposure that would show what is {_PRIVATE} is refused"
)


@dataclass(frozen=True)
class Entry:
    """A thing that a contract says: where, of what type, whether it must, its rule, the mistakes that can be made."""

    place: str
    type: str
    default: str
    rule: str
    mistakes: tuple[Mistake, ...] = ()


@dataclass(frozen=True)
class Section:
    """Entries that belong together, and the contract that their mistakes are made in."""

    title: str
    text: str
    base: Document
    entries: tuple[Entry, ...]


def render() -> str:
    """The page. Raises KeyError if a customProperty of the platform is not told of."""
    parts = [_HEAD, f"```yaml\n{_example()}```\n"]
    for section in _sections():
        parts.append(f"## {section.title}\n\n{section.text}\n")
        parts.append(_table(section.entries))
        messages = list(dict.fromkeys(messages_of(section)))
        if messages:
            told = "\n".join(messages)
            parts.append(f"What a mistake is answered with:\n\n```text\n{told}\n```\n")
    parts.append(_TYPES)
    return "\n".join(parts)


def messages_of(section: Section) -> Iterator[str]:
    """What each mistake of a section is answered with, without the path."""
    for entry in section.entries:
        for mistake in entry.mistakes:
            yield from _answer(section.base, mistake)


def _answer(base: Document, mistake: Mistake) -> Iterable[str]:
    document = copy.deepcopy(base)
    mistake(document)
    with tempfile.TemporaryDirectory() as folder:
        for name, content in ((_NAME, document), (_OTHER, _other())):
            path = Path(folder) / f"{name}.yaml"
            path.write_text(yaml.safe_dump(content, sort_keys=False, width=10_000), encoding="utf-8")
        try:
            load_contracts(Path(folder))
        except ContractError as error:
            lines = str(error).replace(f"{folder}/", "").splitlines()
            return [line.split(":", 2)[2].strip() for line in lines]
    raise AssertionError(f"{mistake} is no mistake: the contract was read")


def _table(entries: Iterable[Entry]) -> str:
    lines = ["| where | what | default | rule |", "|---|---|---|---|"]
    lines += [f"| `{e.place}` | {e.type} | {e.default} | {e.rule} |" for e in entries]
    return "\n".join(lines) + "\n"


def _example() -> str:
    return yaml.safe_dump(_stream(), sort_keys=False, width=110)


# --- contracts that are right ---

_DESCRIPTIONS = {
    "order_id": "Identifies the order.",
    "ordered_at": "When it was placed, in UTC.",
    "state": "How far it is.",
    "total": "What it costs, in euros.",
    "email": "Where the customer is reached.",
    "address": "Where it is sent.",
    "city": "Name of the city.",
    "codes": "Vouchers that were used.",
}


def _field(name: str, logical: str, physical: str, **more: Any) -> Document:
    return {
        "name": name,
        "description": _DESCRIPTIONS.get(name, "Something."),
        "logicalType": logical,
        "physicalType": physical,
        **more,
    }


def _contract(server: Document, fields: list[Document], name: str = _NAME) -> Document:
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": name,
        "name": name,
        "version": "1.0.0",
        "status": "active",
        "domain": "sales",
        "description": {"purpose": "What customers order."},
        "team": {"name": "shop"},
        "servers": [server],
        "schema": [
            {"name": name, "logicalType": "object", "physicalType": "table", "properties": fields},
        ],
        "slaProperties": [
            {"property": "freshness", "value": 1, "unit": "h"},
            {"property": "retention", "value": 3, "unit": "y"},
            {"property": "archive", "value": 30, "unit": "d"},
        ],
        "customProperties": [{"property": "quarantineLimit", "value": 0.01}],
    }


def _fields() -> list[Document]:
    return [
        _field("order_id", "string", "varchar(32)", required=True, primaryKey=True),
        _field("ordered_at", "timestamp", "timestamp", required=True, partitioned=True),
        _field("state", "string", "varchar(8)", enum=[{"value": "open"}, {"value": "paid"}]),
        _field("total", "number", "numeric(12,2)", logicalTypeOptions={"minimum": 0}),
        _field("email", "string", "varchar(128)", classification="restricted"),
        _field("address", "object", "struct", properties=[_field("city", "string", "varchar(64)")]),
        _field("codes", "array", "array", items={"logicalType": "string", "physicalType": "varchar(8)"}),
    ]


def _stream() -> Document:
    server = {"server": "stream", "type": "kinesis", "format": "json"}
    return _contract(server | _custom(stream="orders"), _fields())


def _files() -> Document:
    server = {"server": "files", "type": "s3", "location": "s3://{landing}/files/orders/", "format": "csv"}
    return _contract(server | _custom(nullValues=["", "NA"], onReplace="replace"), _fields()[:4])


def _firehose() -> Document:
    server = {"server": "files", "type": "s3", "location": "s3://{landing}/firehose/orders/", "format": "json"}
    return _contract(server | _custom(deliveryStream="orders", bufferSeconds=60), _fields())


def _other() -> Document:
    """Is read beside the one that a mistake is made in."""
    server = {"server": "files", "type": "s3", "location": "s3://{landing}/firehose/invoices/", "format": "json"}
    return _contract(server | _custom(deliveryStream=_OTHER), _fields()[:1], _OTHER)


def _custom(**values: Any) -> Document:
    return {"customProperties": [{"property": name, "value": value} for name, value in values.items()]}


# --- mistakes ---


def _set(name: str, value: Any) -> Mistake:
    return lambda document: document.__setitem__(name, value)


def _drop(name: str) -> Mistake:
    return lambda document: document.pop(name)


def _server(**values: Any) -> Mistake:
    return lambda document: document["servers"][0].update(values)


def _server_custom(**values: Any) -> Mistake:
    """Custom properties of the server in place of what is there; None takes one away."""

    def mistake(document: Document) -> None:
        server = document["servers"][0]
        kept = {p["property"]: p["value"] for p in server.get("customProperties", [])} | values
        server |= _custom(**{name: value for name, value in kept.items() if value is not None})

    return mistake


def _of_field(name: str, **values: Any) -> Mistake:
    def mistake(document: Document) -> None:
        fields = document["schema"][0]["properties"]
        next(each for each in fields if each["name"] == name).update(values)

    return mistake


def _sla(index: int, **values: Any) -> Mistake:
    return lambda document: document["slaProperties"][index].update(values)


def _add_field(field: Document) -> Mistake:
    return lambda document: document["schema"][0]["properties"].append(field)


# --- what is told ---


def _told(kind: str, name: str, *mistakes: Mistake, what: str) -> Entry:
    """An entry of a customProperty: its rule stands in the code, a default at its end."""
    rule, _, default = CUSTOM_PROPERTIES[kind][name].partition(" Default: ")
    said = default.rstrip(".") or ("required" if what.endswith("required") else "see rule")
    rule = rule.replace("<", "&lt;")
    return Entry(f"customProperties: {name}", what.removesuffix(", required"), said, rule, mistakes)


def _sections() -> tuple[Section, ...]:
    sections = (_of_contract(), _of_streams(), _of_files(), _of_firehose(), _of_promises(), _of_fields())
    told = {entry.place.split(": ")[1] for section in sections for entry in section.entries if ": " in entry.place}
    known = {name for properties in CUSTOM_PROPERTIES.values() for name in properties}
    if untold := sorted(known - told):
        raise KeyError(f"The contract's reference tells nothing of {', '.join(untold)}: add it to {__name__}.")
    return sections


def _of_contract() -> Section:
    entries = (
        Entry("apiVersion", "text", "required", "`v3.1.0`", (_set("apiVersion", "v3.0.2"),)),
        Entry("kind", "text", "required", "`DataContract`", (_set("kind", "Contract"),)),
        Entry("id", "text", "required", "Any, by the standard"),
        Entry(
            "name",
            "text",
            "required",
            "The file's name without `.yaml`: lower-case letters, digits and underscores. It names the tables",
            (_set("name", "order"),),
        ),
        Entry("version", "text", "required", "Is kept with each reject. Raise it with each change"),
        Entry("status", "text", "required", "Any, by the standard"),
        Entry("domain", "text", "required", "The group of data sets that it belongs to", (_drop("domain"),)),
        Entry("description.purpose", "text", "required", "What it is for", (_set("description", {}),)),
        Entry("team.name", "text", "required", "Who owns it: the asset's owner in Dagster", (_set("team", {}),)),
        _told(
            "contract",
            "quarantineLimit",
            _set("customProperties", []),
            _set("customProperties", [{"property": "quarantineLimits", "value": 0}]),
            what="number, required",
        ),
    )
    text = "Another key of the standard may be there and is not read. An unknown key is a mistake."
    return Section("The data set", text, _stream(), entries)


def _of_streams() -> Section:
    entries = (
        Entry("servers", "list", "required", "Exactly one", (_set("servers", []),)),
        Entry(
            "servers[0].type",
            "text",
            "required",
            "`kinesis`; `s3` for files and Firehose",
            (_server(type="kafka", host="h"),),
        ),
        Entry("servers[0].format", "text", "required", "`json`: one document a record", (_server(format="avro"),)),
        _told("kinesis", "stream", _server_custom(stream=None), what="text, required"),
    )
    return Section("Comes in on a Kinesis stream", "One server of type `kinesis`.", _stream(), entries)


def _of_files() -> Section:
    entries = (
        Entry(
            "servers[0].location",
            "text",
            "required",
            "`s3://{landing}/<prefix>/`, never under `errors/` or `quarantine/`; no contract's is inside another's",
            (
                _server(location="s3://mine/"),
                _server(location="s3://{landing}/errors/orders/"),
                _server(location="s3://{landing}/quarantine/orders/"),
                _server(location="s3://{landing}/firehose/"),
            ),
        ),
        Entry(
            "servers[0].format",
            "text",
            "required",
            "`csv` with a header, `json`, or `parquet`; plain or gzip",
            (_server(format="xml"),),
        ),
        _told("s3", "delimiter", _server_custom(delimiter="||"), what="text"),
        _told("s3", "nullValues", _server_custom(nullValues="NA"), what="list of texts"),
        _told("s3", "onReplace", _server_custom(onReplace="merge"), what="text"),
    )
    return Section("Comes in as files in S3", "One server of type `s3`, without a `deliveryStream`.", _files(), entries)


def _of_firehose() -> Section:
    entries = (
        Entry("servers[0].format", "text", "required", "`json`", (_server(format="csv"),)),
        _told(
            "s3",
            "deliveryStream",
            _server_custom(deliveryStream="o" * 41),
            _server_custom(deliveryStream=_OTHER),
            _server_custom(deliveryStream=None),
            _server_custom(onReplace="replace"),
            what="text, required",
        ),
        _told("s3", "sourceStream", _server_custom(sourceStream="a stream"), what="text"),
        _told("s3", "compression", _server_custom(compression="ZSTD"), what="text"),
        _told("s3", "bufferSeconds", _server_custom(bufferSeconds=901), what="integer"),
        _told("s3", "bufferMiB", _server_custom(bufferMiB=0), what="integer"),
        _told("s3", "lookBackHours", _server_custom(lookBackHours=0.5), what="integer"),
    )
    return Section(
        "Comes in through Firehose", "One server of type `s3`, with a `deliveryStream`.", _firehose(), entries
    )


def _of_promises() -> Section:
    entries = (
        Entry(
            "slaProperties: freshness",
            "value, unit",
            "required",
            "The newest record is at most so old. A check warns, and dbt's source freshness",
            (_set("slaProperties", []), _sla(0, unit="weeks"), _sla(0, value=0.01), _sla(0, value=10**6)),
        ),
        Entry("slaProperties: retention", "value, unit", "required", "How long rows stay"),
        Entry("slaProperties: archive", "value, unit", "required", "How long the bytes are kept as they came in"),
    )
    return Section(
        "What is promised", "Units are `m`, `h`, `d` and `y` (365 days). At most 36,500 days.", _stream(), entries
    )


def _of_fields() -> Section:
    text = "`schema[0].properties` lists the fields. What a record holds beside them is kept in `_unexpected`, as JSON."
    return Section("Fields", text, _stream(), (*_NAMES_AND_TYPES, *_PRIVACY_AND_PARTITIONS, *_RULES))


_NAMES_AND_TYPES = (
    Entry(
        "schema",
        "list",
        "required",
        "Exactly one object, named as the contract",
        (lambda document: document["schema"][0].update(name="lines"),),
    ),
    Entry(
        "name",
        "text",
        "required",
        "Starts with a letter a-z and holds a-z, 0-9 and `_`. Once among its neighbours",
        (_add_field(_field("Total", "integer", "bigint")), _add_field(_field("total", "integer", "bigint"))),
    ),
    Entry("description", "text", "required", "With its unit", (_of_field("total", description=""),)),
    Entry(
        "physicalType",
        "text",
        "required",
        "A type of the list below",
        (
            _of_field("total", physicalType="money"),
            _of_field("state", physicalType="varchar"),
            _of_field("total", physicalType="numeric"),
            _of_field("ordered_at", physicalType="timestamp(3)"),
        ),
    ),
    Entry(
        "logicalType",
        "text",
        "required",
        "The one of the physical type",
        (_of_field("state", logicalType="number"),),
    ),
    Entry("required", "true or false", "false", "A record without it is rejected"),
    Entry(
        "primaryKey",
        "true or false",
        "false",
        "At least one field has it, and is required. `primaryKeyPosition` orders several",
        (_of_field("order_id", primaryKey=False), _of_field("order_id", required=False)),
    ),
)
_PRIVACY_AND_PARTITIONS = (
    Entry(
        "classification",
        "text",
        "none",
        _CLASSIFICATIONS,
    ),
    Entry(
        "partitioned",
        "true or false",
        "false",
        "A partition key of the table; top-level fields only. `partitionKeyPosition` orders several",
        (_of_field("address", partitioned=True),),
    ),
    _told(
        "field",
        "partitionTransform",
        _of_field("state", **_custom(partitionTransform="identity")),
        _of_field("ordered_at", **_custom(partitionTransform="week")),
        what="identity, year, month, day, hour",
    ),
)
_RULES = (
    Entry(
        "enum",
        "list of values",
        "none",
        "For varchar. Each value a text, in quotes where YAML reads it as something else",
        (_of_field("state", enum=[{"value": True}]), _of_field("total", enum=[{"value": "1"}])),
    ),
    Entry(
        "logicalTypeOptions",
        "options",
        "none",
        "varchar: `pattern` (RE2), `minLength`; numbers: `minimum`, `maximum`, `exclusiveMinimum`,"
        " `exclusiveMaximum`; array: `minItems`, `maxItems`",
        (
            _of_field("total", logicalTypeOptions={"multipleOf": 5}),
            _of_field("total", logicalTypeOptions={"minimum": math.nan}),
            _of_field("state", logicalTypeOptions={"pattern": "(?=a)"}),
        ),
    ),
    Entry(
        "quality, unique",
        "",
        "none",
        "Not held when data lands: refused",
        (_of_field("order_id", unique=True),),
    ),
    Entry(
        "properties", "list of fields", "", "Of a struct: its members", (_add_field(_field("bad", "object", "struct")),)
    ),
    Entry(
        "items",
        "a type",
        "",
        "Of an array: what it consists of; it may have all that a field has",
        (_add_field(_field("bad", "array", "array")),),
    ),
)

_HEAD = """\
# Contracts

<!-- Written by `watershed reference` from watershed/contract_reference.py. Edit that, not this page. -->

A contract is a file in `ingestion/contracts/`, in the form of the
[Open Data Contract Standard](https://bitol-io.github.io/open-data-contract-standard/v3.1.0/) 3.1. Everything about data
that comes in follows from it: the stream, the tables, the rules, the asset, its checks, the dbt source. `watershed new
contract` drafts one from samples ([tutorial](tutorial.md)); `watershed sources` checks all of them.

The standard knows more than is read here. What would be ignored in silence, though it looks like a rule, is refused.
Each mistake is named as `file:line: field: what is wrong; what to write`. All mistakes of a file are named at once.

A whole one:
"""

_TYPES = """\
## Types

| physicalType | logicalType | a value in JSON | a value in CSV |
|---|---|---|---|
| `varchar(n)` | string | a string of at most n bytes in UTF-8, n up to 16384 | the same |
| `bigint`, `integer` | integer | a number without a fraction: `12`, `12.0`; 64 or 32 bits | the same |
| `double precision` | number | a number | the same, `1.5e3` too |
| `numeric(p,s)` | number | a number of up to 15 digits, or a string | digits, at most s after the point |
| `boolean` | boolean | `true`, `false` | `true`, `false`, in any case |
| `date` | date | `"2013-01-31"` | `2013-01-31` |
| `timestamp` | timestamp | `"2013-01-31T10:00:00Z"`, ISO 8601. Stored in UTC; without an offset it is UTC | the same |
| `struct` | object | an object | none: write the files as JSON or Parquet |
| `array` | array | an array without null | none |

Types are JSON's own: the string `"12"` is no integer. An object that names a member twice is rejected.
"""
