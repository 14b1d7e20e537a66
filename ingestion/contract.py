"""A contract: what one data set that comes in looks like, read from its ODCS file.

The file is checked twice: against the Open Data Contract Standard's own JSON schema, and against what this platform
needs on top of it. The derived schemas live in `ingestion.schemas`, the dbt source in `ingestion.dbt_source`.

Standard: https://bitol-io.github.io/open-data-contract-standard/v3.1.0/
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, TypeGuard

import jsonschema
import pyarrow as pa
import pyarrow.compute as pc
import yaml
from open_data_contract_standard.model import OpenDataContractStandard

from ingestion.errors import ContractError

API_VERSION = "v3.1.0"

# Longer strings are cut by Redshift Spectrum when it reads an Iceberg table.
# https://docs.aws.amazon.com/redshift/latest/dg/querying-iceberg-supported-data-types.html
LONGEST_STRING = 16_384

_UNITS = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "y": timedelta(days=365),
}
# Of what is promised. A time so long before now is still a date.
_LONGEST_PROMISE = timedelta(days=100 * 365)
_DATE_TRANSFORMS = ("identity", "year", "month", "day")
_TRANSFORMS = {"date": _DATE_TRANSFORMS, "timestamp": (*_DATE_TRANSFORMS, "hour"), "struct": (), "array": ()}
_DEFAULT_TRANSFORM = {"timestamp": "day", "date": "identity"}
_LOGICAL_TYPES = {
    "varchar": "string",
    "bigint": "integer",
    "integer": "integer",
    "double precision": "number",
    "numeric": "number",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp",
    "struct": "object",
    "array": "array",
}
_NUMBERS = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
_GREATEST = sys.float_info.max
# What of the standard's logicalTypeOptions is held, by type. An option that nothing holds is refused.
_OPTIONS = {
    "varchar": {"pattern", "minLength"},
    "bigint": _NUMBERS,
    "integer": _NUMBERS,
    "double precision": _NUMBERS,
    "numeric": _NUMBERS,
    "array": {"minItems", "maxItems"},
}
# What each customProperty means here, by where it is written. A misspelt one must not pass in silence.
CUSTOM_PROPERTIES: Mapping[str, Mapping[str, str]] = {
    "contract": {
        "quarantineLimit": "Greatest share of a landing's records that may break the contract: 0.01 is one of 100.",
    },
    "kinesis": {
        "stream": "Name of the Kinesis stream, without the environment's prefix.",
    },
    "s3": {
        "delimiter": "CSV: the character between values. Default: a comma.",
        "nullValues": 'CSV: the texts that mean a missing value. Default: [""].',
        "onReplace": "What becomes of a file's rows when a new version is dropped under its key: `append` keeps them"
        " beside the new ones (default), `replace` removes them in the commit that brings the new ones.",
        "deliveryStream": "Name of the Firehose delivery stream that writes the objects, without the environment's"
        " prefix. It writes those of one contract. Keys are <location>YYYY/MM/dd/HH/, in UTC.",
        "sourceStream": "Firehose: name of the Kinesis stream that it reads. Default: producers put records into it.",
        "compression": "Firehose: GZIP (default) or UNCOMPRESSED.",
        "bufferSeconds": "Firehose: seconds after which a buffer is delivered, 0 to 900. Default: 300.",
        "bufferMiB": "Firehose: MiB at which a buffer is delivered, 1 to 128. Default: 5.",
        "lookBackHours": "Firehose: for how many hours an hour's prefix may still get objects. Default: 25.",
    },
    "field": {
        "partitionTransform": "Iceberg transform of a partition key. Default: day of a timestamp, else the value.",
    },
}
_OF_DELIVERY = ("sourceStream", "compression", "bufferSeconds", "bufferMiB", "lookBackHours")
# https://docs.aws.amazon.com/firehose/latest/APIReference/API_BufferingHints.html; a look-back is at most a month.
_RANGES = {"bufferSeconds": (0, 900), "bufferMiB": (1, 128), "lookBackHours": (1, 744)}
_PHYSICAL_TYPE = re.compile(r"^(?P<name>[a-z]+(?: precision)?)(?:\((?P<args>\d+(?:\s*,\s*\d+)?)\))?$")
_NAME = re.compile(r"^[a-z][a-z0-9_]{0,62}$")
# Firehose takes 64 characters; an environment's prefix comes before.
_STREAM_NAME = re.compile(r"^[a-zA-Z0-9_.-]{1,100}$")
_DELIMITER = re.compile(r'[^"\r\n]')
_DELIVERY_STREAM_NAME = re.compile(r"^[a-zA-Z0-9_.-]{1,40}$")


@dataclass(frozen=True)
class Type:
    """An ANSI type name that means the same on every engine, and its arguments: `numeric`, (4, 2)."""

    name: str
    args: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}({','.join(map(str, self.args))})" if self.args else self.name


@dataclass(frozen=True)
class Field:
    """One field of a contract. `fields` holds a struct's members, `element` what an array consists of."""

    name: str
    type: Type
    description: str = ""
    required: bool = False
    classification: str | None = None
    enum: tuple[str, ...] = ()
    pattern: str | None = None
    min_length: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: float | None = None
    exclusive_maximum: float | None = None
    min_items: int | None = None
    max_items: int | None = None
    fields: tuple[Field, ...] = ()
    element: Field | None = None


@dataclass(frozen=True)
class Partition:
    """A partition of the landed table: a top-level field and an Iceberg transform of it."""

    field: str
    transform: str


@dataclass(frozen=True)
class KinesisSource:
    """A Kinesis stream, by the name that the contract gives it. Deployed names carry the environment's prefix."""

    stream: str
    format: Literal["json"]


@dataclass(frozen=True)
class FirehoseDelivery:
    """The Firehose delivery stream that writes a source's objects, by the name that the contract gives it.

    `source_stream` is the Kinesis stream that it reads; None if producers put records into it. An hour's prefix may get
    objects for `look_back` after the hour began: Firehose tries for up to 24 hours to deliver.
    https://docs.aws.amazon.com/firehose/latest/dev/retry.html
    """

    stream: str
    source_stream: str | None = None
    compression: Literal["GZIP", "UNCOMPRESSED"] = "GZIP"
    buffer_seconds: int = 300
    buffer_mib: int = 5
    look_back: timedelta = timedelta(hours=25)


@dataclass(frozen=True)
class ObjectSource:
    """Objects under a prefix of one of the platform's buckets: `zone` is landing.

    `replace` says that the rows of a key's older version go when a new one lands. `delivery` is None for files that
    people drop.
    """

    zone: str
    prefix: str
    format: Literal["csv", "json", "parquet"]
    delimiter: str = ","
    null_values: tuple[str, ...] = ("",)
    replace: bool = False
    delivery: FirehoseDelivery | None = None

    @property
    def error_prefix(self) -> str:
        """Where Firehose puts what it could not process: beside the prefix that is landed, never in it."""
        return f"errors/{self.prefix}"


@dataclass(frozen=True)
class Contract:
    """One data set that comes in."""

    name: str
    version: str
    path: Path
    description: str
    domain: str
    owner: str
    source: KinesisSource | ObjectSource
    fields: tuple[Field, ...]
    primary_key: tuple[str, ...]
    partitions: tuple[Partition, ...]
    freshness: timedelta
    retention: timedelta
    archive: timedelta
    quarantine_limit: float


def load_contracts(folder: Path) -> dict[str, Contract]:
    """Every contract of a folder, by name.

    Raises:
        ContractError: For the first bad file; for contracts that claim the same objects; if there is none.
    """
    for path in sorted(folder.glob("*.yml")):
        raise ContractError(f"{path}: would not be read; rename it to {path.stem}.yaml")
    contracts = {path.stem: load_contract(path) for path in sorted(folder.glob("*.yaml"))}
    if not contracts:
        raise ContractError(f"{folder}: holds no contract; write one as <name>.yaml")
    if clashes := [told for pair in combinations(contracts.values(), 2) for told in _told_clashes(*pair)]:
        raise ContractError("\n".join(clashes))
    return contracts


def load_contract(path: Path) -> Contract:
    """Read one contract. Raises ContractError that names every mistake with its line, field and cure."""
    text, document = _read(path)
    mistakes = list(_breaches_of_standard(document)) or list(_breaches_of_platform(document, path.stem))
    if mistakes:
        places = (_place(path, text, document, where, message) for where, message in mistakes)
        raise ContractError("\n".join(places))
    return _contract(path, OpenDataContractStandard(**document))


def _read(path: Path) -> tuple[str, dict[str, Any]]:
    """The text of a file, and the document that it holds."""
    content = path.read_bytes()
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ContractError(
            f"{path}:{line}: byte {error.start + 1} of the file, 0x{content[error.start]:02x}, is not UTF-8."
            " Save the file in UTF-8."
        ) from error
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ContractError(f"{path}: not YAML: {error}") from error
    if document is None:
        raise ContractError(f"{path}: empty. Write an Open Data Contract Standard document ({API_VERSION}).")
    if not isinstance(document, dict):
        raise ContractError(
            f"{path}: holds a {type(document).__name__}, not a mapping. Write lines of `key: value`, an Open Data"
            f" Contract Standard document ({API_VERSION})."
        )
    return text, document


# What is wrong with a document: pairs of (path into the document, message with its cure).
Mistake = tuple[Sequence[str | int], str]


def _told_clashes(earlier: Contract, later: Contract) -> Iterator[str]:
    """What of the later contract cannot be beside the earlier one, each with both places."""
    if not (isinstance(earlier.source, ObjectSource) and isinstance(later.source, ObjectSource)):
        return  # a Kinesis stream may be read by several
    for where, message in _clashes(earlier.source, later.source):
        line, _ = _found(*_read(earlier.path), where)
        yield _place(later.path, *_read(later.path), where, f"{message}. The other: {earlier.path}:{line}")


def _clashes(one: ObjectSource, other: ObjectSource) -> Iterator[Mistake]:
    """What two contracts cannot both say; the path leads to it in either."""
    names = [source.delivery.stream for source in (one, other) if source.delivery]
    if len(names) == 2 and names[0] == names[1]:
        yield ("servers", 0, "customProperties"), f"deliveryStream {names[0]!r} is there twice; write a name of its own"
    if one.prefix.startswith(other.prefix) or other.prefix.startswith(one.prefix):
        where = ("servers", 0, "location")
        yield where, "lies inside another contract's or holds it, so objects would land twice; write a prefix beside it"


@lru_cache
def _standard() -> jsonschema.Draft201909Validator:
    return jsonschema.Draft201909Validator(json.loads(OpenDataContractStandard.json_schema()))


def _breaches_of_standard(document: dict[str, Any]) -> Iterator[Mistake]:
    seen = set()
    for error in _standard().iter_errors(document):
        deepest = max([error, *(error.context or ())], key=lambda e: len(e.absolute_path))
        mistake = (tuple(deepest.absolute_path), f"{deepest.message} (Open Data Contract Standard {API_VERSION})")
        if mistake not in seen:
            seen.add(mistake)
            yield mistake


def _breaches_of_platform(document: dict[str, Any], stem: str) -> Iterator[Mistake]:
    if document["apiVersion"] != API_VERSION:
        yield ("apiVersion",), f"is {document['apiVersion']!r}; write {API_VERSION}"
    if document.get("name") != stem:
        yield ("name",), f"is {document.get('name')!r}; write {stem!r}, the file's name, or rename the file"
    if not _NAME.fullmatch(stem):
        yield (), f"the name {stem!r} must be lower-case letters, digits and underscores: it names tables"
    if not document.get("domain"):
        yield (), "has no domain; write the name of the group of data sets that it belongs to"
    if not (document.get("description") or {}).get("purpose"):
        yield ("description",), "has no purpose; write in a sentence what the data set is for"
    if not isinstance(document.get("team"), dict) or not document["team"].get("name"):
        yield ("team",), "has no name; write the team that owns the data set"
    yield from _breaches_of_custom(document, "contract", ())
    yield from _breaches_of_server(document)
    yield from _breaches_of_sla(document)
    yield from _breaches_of_schema(document, stem)


def _breaches_of_custom(holder: Mapping[str, Any], kind: str, where: Sequence[str | int]) -> Iterator[Mistake]:
    """Custom properties that nothing reads. Those of other vendors are theirs."""
    for prop in holder.get("customProperties") or ():
        if prop["property"] not in CUSTOM_PROPERTIES[kind] and not prop.get("vendor"):
            known = ", ".join(sorted(CUSTOM_PROPERTIES[kind]))
            yield where, f"customProperty {prop['property']!r}: nothing reads it here; write {known}, or remove it"


def _breaches_of_server(document: dict[str, Any]) -> Iterator[Mistake]:
    servers = document.get("servers") or []
    if len(servers) != 1:
        yield ("servers",), f"has {len(servers)} entries; write exactly one, of type kinesis or s3"
        return
    server, where = servers[0], ("servers", 0)
    if server["type"] not in ("kinesis", "s3"):
        yield (*where, "type"), f"is {server['type']!r}; write kinesis or s3"
        return
    yield from _breaches_of_custom(server, server["type"], where)
    yield from (_breaches_of_stream if server["type"] == "kinesis" else _breaches_of_objects)(server, where)


def _breaches_of_stream(server: dict[str, Any], where: tuple[str | int, ...]) -> Iterator[Mistake]:
    if server.get("format") != "json":
        yield where, f"format is {server.get('format')!r}; write json"
    if not _is_text(_custom(server).get("stream"), _STREAM_NAME):
        yield where, "has no stream; write a customProperty `stream` with the stream's name (a-z, 0-9, -, _, .)"


def _breaches_of_objects(server: dict[str, Any], where: tuple[str | int, ...]) -> Iterator[Mistake]:
    custom = _custom(server)
    if server.get("format") not in ("csv", "json", "parquet"):
        yield where, f"format is {server.get('format')!r}; write csv, json or parquet"
    if not re.fullmatch(r"s3://\{landing\}/[A-Za-z0-9_./=-]+/", server.get("location", "")):
        yield (*where, "location"), "must be s3://{landing}/<prefix>/ : the zone's bucket is filled in"
    elif server["location"].startswith("s3://{landing}/errors/"):
        yield (*where, "location"), "must not begin with errors/ : Firehose puts there what it could not process"
    elif server["location"].startswith("s3://{landing}/quarantine/"):
        yield (*where, "location"), "must not begin with quarantine/ : the tables of rejects are there"
    if not _is_text(custom.get("delimiter", ","), _DELIMITER):
        yield where, f"delimiter is {custom['delimiter']!r}; write one character"
    nulls = custom.get("nullValues", [])
    if not isinstance(nulls, list) or not all(isinstance(value, str) for value in nulls):
        yield where, f"nullValues is {nulls!r}; write a list of strings in quotes"
    if custom.get("onReplace", "append") not in ("append", "replace"):
        yield where, f"onReplace is {custom['onReplace']!r}; write append or replace"
    yield from (_breaches_of_delivery if "deliveryStream" in custom else _breaches_without_delivery)(server, where)


def _breaches_of_delivery(server: dict[str, Any], where: tuple[str | int, ...]) -> Iterator[Mistake]:
    custom = _custom(server)
    if not _is_text(custom["deliveryStream"], _DELIVERY_STREAM_NAME):
        yield where, f"deliveryStream is {custom['deliveryStream']!r}; write at most 40 of a-z, A-Z, 0-9, -, _ and ."
    if server.get("format") != "json":
        yield where, f"format is {server.get('format')!r}; what Firehose delivers is read as json"
    if custom.get("onReplace") == "replace":
        yield where, "onReplace is replace, but Firehose never writes a key twice; remove it"
    if not _is_text(custom.get("sourceStream", "none"), _STREAM_NAME):
        yield where, f"sourceStream is {custom['sourceStream']!r}; write the name of a Kinesis stream"
    if custom.get("compression", "GZIP") not in ("GZIP", "UNCOMPRESSED"):
        yield where, f"compression is {custom['compression']!r}; write GZIP or UNCOMPRESSED"
    for name, (least, most) in _RANGES.items():
        value = custom.get(name, least)
        if type(value) is not int or not least <= value <= most:
            yield where, f"{name} is {value!r}; write a whole number from {least} to {most}"


def _breaches_without_delivery(server: dict[str, Any], where: tuple[str | int, ...]) -> Iterator[Mistake]:
    for name in _OF_DELIVERY:
        if name in _custom(server):
            yield where, f"has {name}, but no deliveryStream; write its name, or remove {name}"


def _breaches_of_sla(document: dict[str, Any]) -> Iterator[Mistake]:
    properties = {p["property"]: (i, p) for i, p in enumerate(document.get("slaProperties") or [])}
    for name in ("freshness", "retention", "archive"):
        if name not in properties:
            yield ("slaProperties",), f"has no {name}; write property: {name}, value: 1, unit: d"
            continue
        index, prop = properties[name]
        value, unit = prop["value"], _UNITS.get(prop.get("unit"))
        if unit is None or not _is_number(value) or not value > 0:
            yield ("slaProperties", index), f"{name} must be a value above 0 with a unit of {', '.join(_UNITS)}"
        elif value > _LONGEST_PROMISE / unit:
            yield ("slaProperties", index), f"{name} must be at most {_LONGEST_PROMISE.days:,} days"
        elif not value * unit or value * unit % timedelta(minutes=1):
            yield ("slaProperties", index), f"{name} must be whole minutes, as dbt counts them"
    limit = _custom(document).get("quarantineLimit")
    if not _is_number(limit) or not 0 <= limit <= 1:
        yield ("customProperties",), "must hold quarantineLimit, a share between 0 and 1: 0.01 is one record of 100"


def _breaches_of_schema(document: dict[str, Any], stem: str) -> Iterator[Mistake]:
    objects = document.get("schema") or []
    if len(objects) != 1 or objects[0]["name"] != stem:
        yield ("schema",), f"must hold exactly one object, named {stem!r}"
        return
    properties = objects[0].get("properties") or []
    where = ("schema", 0, "properties")
    yield from _breaches_of_properties(properties, where)
    if not any(p.get("primaryKey") for p in properties):
        yield where, "none is a primary key; write primaryKey: true on what identifies a record"
    csv = (document.get("servers") or [{}])[0].get("format") == "csv"
    for index, prop in enumerate(properties):
        here = (*where, index)
        if prop.get("primaryKey") and not prop.get("required"):
            yield here, "is a primary key, so it must be required: true"
        if csv and prop.get("physicalType") in ("struct", "array"):
            yield here, f"a CSV file holds no {prop['physicalType']}; write the files as json or parquet"
        yield from _breaches_of_partition(prop, here)


def _breaches_of_partition(prop: dict[str, Any], where: tuple[str | int, ...]) -> Iterator[Mistake]:
    physical = str(prop.get("physicalType"))
    transforms = _TRANSFORMS.get(physical, ("identity",))
    transform = _custom(prop).get("partitionTransform")
    if transform is not None and not prop.get("partitioned"):
        yield where, "has a partitionTransform, but is no partition key; write partitioned: true"
    if not prop.get("partitioned"):
        return
    if not transforms:
        yield where, f"partitioned: a {physical} cannot be a partition key; write it on another field"
    elif transform is not None and transform not in transforms:
        yield where, f"partitionTransform is {transform!r}; for a {physical} write {', '.join(transforms)}"


def _breaches_of_properties(properties: list[dict[str, Any]], where: tuple[str | int, ...]) -> Iterator[Mistake]:
    names = [p.get("name") for p in properties]
    for index, prop in enumerate(properties):
        here = (*where, index)
        name = str(prop.get("name"))
        if not _NAME.fullmatch(name):
            yield here, "name must start with a letter a-z and hold only a-z, 0-9 and _ : rename the field"
        if names.index(prop.get("name")) < index:
            yield here, "is there twice; a field is declared once"
        if not prop.get("description"):
            yield here, "has no description; write in a sentence what it means, with its unit"
        yield from _breaches_of_custom(prop, "field", here)
        yield from _breaches_of_type(prop, here)


def _breaches_of_type(prop: dict[str, Any], where: tuple[str | int, ...]) -> Iterator[Mistake]:
    physical = prop.get("physicalType")
    match = _PHYSICAL_TYPE.match(str(physical))
    if not match or match["name"] not in _LOGICAL_TYPES:
        yield where, f"physicalType is {physical!r}; write one of {_type_menu()}"
        return
    name, args = match["name"], _args(match["args"])
    logical = _LOGICAL_TYPES[name]
    if prop.get("logicalType") != logical:
        yield where, f"logicalType is {prop.get('logicalType')!r}; for a {physical} write {logical}"
    if name == "varchar" and not (len(args) == 1 and 1 <= args[0] <= LONGEST_STRING):
        yield where, f"physicalType is {physical!r}; write a length, varchar(1) to varchar({LONGEST_STRING})"
    elif name == "numeric" and not (len(args) == 2 and args[1] <= args[0] and 1 <= args[0] <= 38):
        yield where, f"physicalType is {physical!r}; write precision (at most 38) and scale, as in numeric(12,2)"
    elif name not in ("varchar", "numeric") and args:
        yield where, f"physicalType is {physical!r}; {name} takes no length: write {name}"
    yield from _breaches_of_rules(prop, name, where)
    if name == "struct":
        yield from _breaches_of_members(prop.get("properties"), (*where, "properties"), where)
    if name == "array":
        yield from _breaches_of_items(prop.get("items"), where)


def _breaches_of_rules(prop: dict[str, Any], name: str, where: tuple[str | int, ...]) -> Iterator[Mistake]:
    options = prop.get("logicalTypeOptions") or {}
    if unknown := sorted(set(options) - _OPTIONS.get(name, set())):
        held = ", ".join(sorted(_OPTIONS.get(name, set()))) or "none"
        yield where, f"logicalTypeOptions {', '.join(unknown)}: not held for {name}; write of {held}, else a dbt test"
    for option in sorted(_NUMBERS & set(options)):
        if not -_GREATEST <= options[option] <= _GREATEST:
            yield where, f"{option} is {options[option]!r}, which no value is compared with; write a finite number"
    if unheld := sorted({"quality", "unique"} & set(prop)):
        yield where, f"{', '.join(unheld)}: not held when data lands; write it as a data test of the staging model"
    if prop.get("enum") and name != "varchar":
        yield where, f"enum: held for varchar only; this is a {name}"
    for value in (entry.get("value") for entry in prop.get("enum") or ()):
        # YAML reads NO and 01 as something else.
        if not isinstance(value, str):
            yield where, f"enum: {value!r} is not a string; write it in quotes"
    pattern = options.get("pattern")
    if pattern is not None and not _is_re2(pattern):
        yield where, f"pattern {pattern!r} is not a regular expression of RE2 (no look-around, no back-references)"


def _breaches_of_members(
    members: list[dict[str, Any]] | None, inside: tuple[str | int, ...], where: tuple[str | int, ...]
) -> Iterator[Mistake]:
    if not members:
        yield where, "is a struct without properties; list its members"
        return
    yield from _breaches_of_properties(members, inside)


def _breaches_of_items(items: dict[str, Any] | None, where: tuple[str | int, ...]) -> Iterator[Mistake]:
    if not items:
        yield where, "is an array without items; write what it consists of"
        return
    yield from _breaches_of_type(items, (*where, "items"))


def _type_menu() -> str:
    return "varchar(n), bigint, integer, double precision, numeric(p,s), boolean, date, timestamp, struct, array"


def _is_re2(pattern: str) -> bool:
    try:
        pc.match_substring_regex(pa.array([""]), pattern)  # pyright: ignore[reportAttributeAccessIssue]
    except pa.ArrowInvalid:
        return False
    return True


def _is_text(value: Any, pattern: re.Pattern[str]) -> bool:
    """Whether a value is a text that a pattern matches as a whole. YAML reads 1 and true as something else."""
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_number(value: Any) -> TypeGuard[int | float]:
    """Python takes true for 1."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _place(path: Path, text: str, document: Any, where: Sequence[str | int], message: str) -> str:
    """`file:line: field: message`."""
    line, field = _found(text, document, where)
    return f"{path}:{line}: {field}: {message}"


def _found(text: str, document: Any, where: Sequence[str | int]) -> tuple[int, str]:
    """The line that a path into a document leads to, and the field's name."""
    node: yaml.Node | None = yaml.compose(text)
    line = 1
    names: list[str] = []
    value = document
    for step in where:
        node = _child(node, step)
        if node is None:
            break
        line = node.start_mark.line + 1
        value = value[step]
        label = value.get("name", step) if isinstance(value, dict) and isinstance(step, int) else step
        if label not in ("properties", "schema"):
            names.append(str(label))
    return line, ".".join(names) or (str(where[0]) if where else "contract")


def _child(node: yaml.Node | None, step: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == step), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
        return node.value[step]
    return None


def _custom(holder: Mapping[str, Any]) -> dict[str, Any]:
    return {p["property"]: p.get("value") for p in holder.get("customProperties") or []}


def _args(text: str | None) -> tuple[int, ...]:
    return tuple(int(a) for a in text.split(",")) if text else ()


def _contract(path: Path, standard: OpenDataContractStandard) -> Contract:
    document = standard.model_dump(by_alias=True, exclude_none=True)
    properties = document["schema"][0]["properties"]
    sla = {p["property"]: p["value"] * _UNITS[p["unit"]] for p in document["slaProperties"]}
    return Contract(
        name=document["name"],
        version=document["version"],
        path=path,
        description=document["description"]["purpose"],
        domain=document["domain"],
        owner=document["team"]["name"],
        source=_source(document["servers"][0]),
        fields=tuple(_field(p) for p in properties),
        primary_key=tuple(p["name"] for p in _positioned(properties, "primaryKey", "primaryKeyPosition")),
        partitions=tuple(_partition(p) for p in _positioned(properties, "partitioned", "partitionKeyPosition")),
        freshness=sla["freshness"],
        retention=sla["retention"],
        archive=sla["archive"],
        quarantine_limit=float(_custom(document)["quarantineLimit"]),
    )


def _source(server: dict[str, Any]) -> KinesisSource | ObjectSource:
    custom = _custom(server)
    if server["type"] == "kinesis":
        return KinesisSource(stream=custom["stream"], format="json")
    return ObjectSource(
        zone="landing",
        prefix=server["location"].removeprefix("s3://{landing}/"),
        format=server["format"],
        delimiter=custom.get("delimiter", ","),
        null_values=tuple(custom.get("nullValues", ("",))),
        replace=custom.get("onReplace") == "replace",
        delivery=_delivery(custom) if "deliveryStream" in custom else None,
    )


def _delivery(custom: Mapping[str, Any]) -> FirehoseDelivery:
    default = FirehoseDelivery(custom["deliveryStream"])
    look_back = custom.get("lookBackHours")
    return FirehoseDelivery(
        stream=custom["deliveryStream"],
        source_stream=custom.get("sourceStream"),
        compression=custom.get("compression", default.compression),
        buffer_seconds=custom.get("bufferSeconds", default.buffer_seconds),
        buffer_mib=custom.get("bufferMiB", default.buffer_mib),
        look_back=timedelta(hours=look_back) if look_back else default.look_back,
    )


def _positioned(properties: Iterable[dict[str, Any]], flag: str, position: str) -> list[dict[str, Any]]:
    return sorted((p for p in properties if p.get(flag)), key=lambda p: p.get(position, 0))


def _partition(prop: dict[str, Any]) -> Partition:
    default = _DEFAULT_TRANSFORM.get(prop["physicalType"], "identity")
    return Partition(field=prop["name"], transform=_custom(prop).get("partitionTransform", default))


def _field(prop: dict[str, Any], name: str | None = None) -> Field:
    match = _PHYSICAL_TYPE.match(prop["physicalType"])
    assert match, "checked when the contract was read"
    options = prop.get("logicalTypeOptions") or {}
    return Field(
        name=name or prop["name"],
        type=Type(match["name"], _args(match["args"])),
        description=prop.get("description", ""),
        required=bool(prop.get("required")),
        classification=prop.get("classification"),
        enum=tuple(str(e["value"]) for e in prop.get("enum") or ()),
        pattern=options.get("pattern"),
        min_length=options.get("minLength"),
        minimum=options.get("minimum"),
        maximum=options.get("maximum"),
        exclusive_minimum=options.get("exclusiveMinimum"),
        exclusive_maximum=options.get("exclusiveMaximum"),
        min_items=options.get("minItems"),
        max_items=options.get("maxItems"),
        fields=tuple(_field(p) for p in prop.get("properties") or ()),
        element=_field(prop["items"], "element") if "items" in prop else None,
    )
