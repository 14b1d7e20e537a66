"""Payload bytes -> typed Arrow columns, or a rejection with field and reason. One columnar pass for a whole batch.

The pass is a single DuckDB query, made from the contract. Each record becomes a JSON document first (a CSV line one of
strings), so that there is one set of rules. For each field the query has an expression for its value and one for its
breach; the first breach of a record, in the contract's order, is what the record is rejected for.

Strictness: types are JSON's own (the string "12" is not a number). Where all values are text (CSV), text is parsed.
Integers may be written 12 or 12.0, never 12.5. Lengths count UTF-8 bytes, as Redshift's varchar(n) does. Timestamps are
ISO 8601 and stored in UTC; without an offset they are taken as UTC.
"""

from __future__ import annotations

import csv as csv_module
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from ingestion.contract import Contract, Field
from ingestion.errors import ReconciliationError
from ingestion.records import Batch, Csv, Encoding, Json, Records, Unreadable
from ingestion.schemas import arrow_schema, landing_fields, quarantine_fields

_TIMESTAMP = r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}(:?\d{2})?)?"
_DATE = r"\d{4}-\d{2}-\d{2}"
_INTEGER = r"[+-]?\d+(\.0+)?"
_NUMBERS = ("BIGINT", "UBIGINT", "DOUBLE")
_LONGEST_REASON = 512


@dataclass(frozen=True)
class Decoded:
    """A batch, split: `rows` that hold the contract and `rejects` that break it, both without landing columns."""

    rows: pa.Table
    rejects: pa.Table


def decode(contract: Contract, batch: Batch) -> Decoded:
    """Decode every record of a batch.

    Raises ReconciliationError if rows and rejects are not as many as the records: that would be a bug in here.
    """
    decoded = [_decode_records(contract, records) for records in batch.records if len(records)]
    rows = pa.concat_tables([row_schema(contract).empty_table(), *(d.rows for d in decoded)])
    rejects = pa.concat_tables([reject_schema(contract).empty_table(), *(d.rejects for d in decoded)])
    if len(rows) + len(rejects) != len(batch):
        raise ReconciliationError(
            f"{contract.name}: {len(batch)} records were read, but {len(rows)} rows and {len(rejects)} rejects came out"
            f" of decoding, up to {batch.position}. Nothing of them was committed. This is a bug: report it."
        )
    return Decoded(rows, rejects)


def row_schema(contract: Contract) -> pa.Schema:
    """The landing table's columns up to provenance: what decoding produces."""
    return arrow_schema(landing_fields(contract)[:-2])


def reject_schema(contract: Contract) -> pa.Schema:
    """The quarantine table's columns up to provenance."""
    return arrow_schema(quarantine_fields(contract)[:-2])


def _decode_records(contract: Contract, records: Records) -> Decoded:
    breach, values = _run_query(contract, records)
    accepted = breach.is_null()
    provenance = records.provenance
    rows = pa.table([*values.columns, *provenance.columns], names=[*values.column_names, *provenance.column_names])
    rejected = breach.is_valid()
    return Decoded(
        rows=rows.filter(accepted).cast(row_schema(contract)),
        rejects=_rejects(
            contract, breach.filter(rejected), records.payload.filter(rejected), provenance.filter(rejected)
        ),
    )


def _rejects(contract: Contract, breach: pa.Array, payload: pa.Array, provenance: pa.Table) -> pa.Table:
    reasons, fields = breach.field("reason"), breach.field("field")
    version = pa.repeat(contract.version, len(breach))
    reasons = pc.utf8_slice_codeunits(reasons, 0, _LONGEST_REASON)  # pyright: ignore[reportAttributeAccessIssue]
    names = reject_schema(contract).names
    columns = dict(zip(names, [reasons, fields, payload, version, *provenance.columns], strict=True))
    return pa.table(columns).cast(reject_schema(contract))


def _run_query(contract: Contract, records: Records) -> tuple[pa.StructArray, pa.Table]:
    """The breach of each record (null if none), and a table of the contract's columns and `_unexpected`."""
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        if isinstance(records.encoding, Unreadable):
            documents = _unreadable(records, records.encoding)
        elif isinstance(records.encoding, Csv):
            documents = _csv_documents(connection, records.payload, records.encoding)
        else:
            documents = _json_documents(connection, records.payload)
        connection.register("documents", documents)
        result = connection.execute(_query(contract, _text_only(records.encoding))).to_arrow_table()
    breach = result.column("breach").combine_chunks()
    return breach, result.drop_columns(["breach"])


def _text_only(encoding: Encoding) -> bool:
    return not isinstance(encoding, Json)


def _unreadable(records: Records, encoding: Unreadable) -> pa.Table:
    reasons = pa.repeat(pa.scalar(encoding.reason, pa.string()), len(records))
    return pa.table({"document": pa.nulls(len(records), pa.string()), "broken": reasons})


def _json_documents(connection: duckdb.DuckDBPyConnection, payload: pa.BinaryArray) -> pa.Table:
    connection.register("payloads", pa.table({"payload": payload}))
    json_type = _type_name("json_type(text)")
    return connection.execute(f"""
        with texts as (select try(decode(payload)) as text from payloads),
        judged as (
            select
                text,
                case
                    when text is null then 'not UTF-8'
                    when not json_valid(text) then 'not JSON'
                    when json_type(text) <> 'OBJECT' then 'a JSON ' || {json_type} || ', not an object'
                end as broken,
            from texts
        )
        select case when broken is null then text end as document, broken from judged
    """).to_arrow_table()


def _csv_documents(connection: duckdb.DuckDBPyConnection, payload: pa.BinaryArray, csv: Csv) -> pa.Table:
    """CSV lines as JSON documents of strings. A line that is not UTF-8 or has another number of values is broken."""
    connection.register("payloads", pa.table({"payload": payload}))
    texts = connection.execute("select try(decode(payload)) as text from payloads").to_arrow_table().column("text")
    lines, misshapen = _parse_csv(texts.fill_null("").combine_chunks(), csv)
    connection.register("lines", lines)
    members = ", ".join(f"{_name(n)} := {_name(n)}" for n in csv.header)
    parsed = connection.execute(f"select to_json(struct_pack({members}))::varchar from lines").to_arrow_table()
    shaped = pa.array([index not in misshapen for index in range(len(texts))])
    documents = _scatter(shaped, parsed.column(0).combine_chunks())
    reasons = pa.array([misshapen.get(index) for index in range(len(texts))], pa.string())
    not_text = texts.is_null().combine_chunks()
    broken = pc.if_else(not_text, "not UTF-8", reasons)  # pyright: ignore[reportAttributeAccessIssue]
    return pa.table({"document": documents, "broken": broken})


def _scatter(mask: pa.BooleanArray, values: pa.Array) -> pa.Array:
    """The values where the mask is true, null elsewhere."""
    nulls = pa.nulls(len(mask), values.type)
    return pc.replace_with_mask(nulls, mask, values)  # pyright: ignore[reportAttributeAccessIssue]


def _parse_csv(lines: pa.StringArray, csv: Csv) -> tuple[pa.Table, dict[int, str]]:
    """The lines that have as many values as the header, as a table of strings, and why each other line has not."""
    invalid: dict[int, str] = {}

    def note(row: pa_csv.InvalidRow) -> str:
        invalid[row.number - 1] = _wrong_width(row.actual_columns, row.expected_columns)
        return "skip"

    text = "\n".join(lines.to_pylist()).encode()
    table = pa_csv.read_csv(
        io.BytesIO(text),
        # One thread and one block: only then are the numbers of invalid rows known.
        read_options=pa_csv.ReadOptions(use_threads=False, column_names=csv.header, block_size=max(len(text), 1) + 1),
        parse_options=pa_csv.ParseOptions(
            delimiter=csv.delimiter, newlines_in_values=True, ignore_empty_lines=False, invalid_row_handler=note
        ),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(csv.header, pa.string()),
            strings_can_be_null=True,
            null_values=list(csv.null_values),
        ),
    )
    if len(table) + len(invalid) == len(lines):
        return table, invalid
    return _parse_csv_one_by_one(lines, csv)


def _parse_csv_one_by_one(lines: pa.StringArray, csv: Csv) -> tuple[pa.Table, dict[int, str]]:
    """The same, line by line: where a stray quote makes one line of several, or several of one."""
    rows: list[list[str | None]] = []
    invalid: dict[int, str] = {}
    for index, line in enumerate(lines.to_pylist()):
        parsed = list(csv_module.reader(io.StringIO(line, newline=""), delimiter=csv.delimiter))
        if len(parsed) != 1:
            invalid[index] = "not one line of CSV: a quote is missing or not doubled"
        elif len(parsed[0]) != len(csv.header):
            invalid[index] = _wrong_width(len(parsed[0]), len(csv.header))
        else:
            rows.append([None if value in csv.null_values else value for value in parsed[0]])
    columns = zip(*rows, strict=True) if rows else [[] for _ in csv.header]
    arrays = [pa.array(column, pa.string()) for column in columns]
    return pa.table(arrays, names=list(csv.header)), invalid


def _wrong_width(actual: int, expected: int) -> str:
    return f"a line of {actual} values under a header of {expected}"


# --- the query ---


@dataclass(frozen=True)
class _Scope:
    """Where the query finds an object and all that is below it, down to arrays. All are SQL expressions.

    `known` is a struct of the contract's fields as text, arrays as JSON; `types` the JSON type of each path of `nodes`;
    `keys` the keys of each path of `objects`.
    """

    raw: str
    known: str
    types: str
    keys: str
    nodes: tuple[str, ...]
    objects: tuple[str, ...]

    def type_of(self, path: str) -> str:
        """The JSON type of what is at a path; SQL null if nothing is."""
        return f"nullif({self.types}[{self.nodes.index(path) + 1}], 'NULL')"

    def keys_of(self, path: str) -> str:
        """The keys of the object at a path."""
        return f"{self.keys}[{self.objects.index(path) + 1}]"


@dataclass(frozen=True)
class _Node:
    """A field's place in the query: its scope, its JSON path in it, its member of the scope's struct, its label.

    `label` is an SQL string: the field's path as a person writes it, `legs[0].origin`.
    """

    field: Field
    scope: _Scope
    path: str
    member: str
    label: str

    @property
    def type(self) -> str:
        return self.scope.type_of(self.path)

    def below(self, field: Field) -> _Node:
        """The node of a struct's member."""
        member = f"{self.member}.{_name(field.name)}"
        return _Node(field, self.scope, f'{self.path}."{field.name}"', member, f"{self.label} || '.{field.name}'")


@lru_cache(maxsize=256)
def _query(contract: Contract, text_only: bool) -> str:
    """The SQL that decodes the table `documents(document varchar, broken varchar)` of one contract."""
    scope = _scope(contract.fields, "document", columns=True)
    top = [_Node(f, scope, f'$."{f.name}"', f"known.{_name(f.name)}", f"'{f.name}'") for f in contract.fields]
    breaches = ", ".join(_breach(node, text_only) for node in top)
    values = ", ".join(f"{_value(node)} as {_name(node.field.name)}" for node in top)
    broken = "case when broken is not null then {'field': null::varchar, 'reason': broken} end"
    return f"""
        with parsed as materialized (
            select
                document,
                broken,
                {_known(contract.fields, "document")} as known,
                {_types(scope, "document")} as types,
                {_keys(scope, "document")} as keys,
            from documents
        ),
        decoded as materialized (
            select
                {values},
                {_unexpected(top, scope, "$", "''")} as unexpected,
                coalesce({broken}, {breaches}) as breach,
            from parsed
        )
        select
            * exclude (unexpected, breach),
            case when len(unexpected) > 0 then to_json(map_from_entries(unexpected))::varchar end as _unexpected,
            breach,
        from decoded
    """


def _scope(fields: Sequence[Field], raw: str, *, columns: bool) -> _Scope:
    """The scope of an object: its parts are columns of the query, or members of the struct `raw`."""
    nodes = tuple(_paths(fields, "$"))
    objects = ("$", *(path for path, field in _paths(fields, "$").items() if field.fields))
    part = "" if columns else f"{raw}."
    document = raw if columns else f"{raw}.raw"
    return _Scope(document, f"{part}known", f"{part}types", f"{part}keys", nodes, objects)


def _paths(fields: Sequence[Field], parent: str) -> dict[str, Field]:
    """JSON path -> field, for each field of an object and of the objects in it."""
    found: dict[str, Field] = {}
    for field in fields:
        path = f'{parent}."{field.name}"'
        found |= {path: field, **_paths(field.fields, path)}
    return found


def _known(fields: Sequence[Field], document: str) -> str:
    return f"from_json({document}, {_literal(json.dumps(_structure(fields)))})"


def _structure(fields: Sequence[Field]) -> dict[str, object]:
    """DuckDB's description of the struct to make of an object."""
    return {f.name: _structure(f.fields) if f.fields else "JSON" if f.element else "VARCHAR" for f in fields}


def _types(scope: _Scope, document: str) -> str:
    return f"json_type({document}, [{', '.join(map(_literal, scope.nodes))}])"


def _keys(scope: _Scope, document: str) -> str:
    return f"json_keys({document}, [{', '.join(map(_literal, scope.objects))}])"


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _value(node: _Node) -> str:
    """The typed value of a field. Where the field breaks its contract, the value means nothing."""
    if node.field.fields:
        members = ", ".join(f"{_name(f.name)} := {_value(node.below(f))}" for f in node.field.fields)
        return f"case when {node.type} is not null then struct_pack({members}) end"
    if node.field.element:
        item, inner = _element(node)
        values = f"list_transform({_elements(node)}, lambda {item}: {_value(inner)})"
        return f"case when {node.type} = 'ARRAY' then {values} end"
    return _scalar(node.field, node.member)


def _scalar(field: Field, text: str) -> str:
    match field.type.name:
        case "varchar":
            return text
        case "timestamp":
            return f"try_cast({text} as timestamptz)::timestamp"
        case "numeric":
            return f"try_cast({text} as decimal({field.type.args[0]},{field.type.args[1]}))"
        case name:
            return f"try_cast({text} as {name})"


# An array's elements are laid out as an object with the one field `element`: the same rules then serve both.


def _elements(node: _Node) -> str:
    """A list of scopes, one for each element of an array."""
    wrapped = _wrapped(node)
    scope = _scope(wrapped, "raw", columns=True)
    document = "('{\"element\":' || raw || '}')"
    parts = (
        f"'known': {_known(wrapped, document)}, 'types': {_types(scope, document)}, 'keys': {_keys(scope, document)}"
    )
    raw = f"json_extract({node.member}, '$[*]')"
    return f"list_transform({raw}, lambda raw: {{'raw': {document}, {parts}}})"


def _element(node: _Node) -> tuple[str, _Node]:
    """The name of the lambda's parameter for an element, and the element's node."""
    item = f"item_{node.member.count('item_')}"
    scope = _scope(_wrapped(node), item, columns=False)
    label = f"{node.label} || '[' || (index_{item} - 1) || ']'"
    return item, _Node(_wrapped(node)[0], scope, '$."element"', f"{item}.known.element", label)


def _wrapped(node: _Node) -> tuple[Field]:
    assert node.field.element
    return (replace(node.field.element, name="element", required=True),)


def _breach(node: _Node, text_only: bool) -> str:
    """The first breach of a field, as a struct of field and reason; null if it holds."""
    missing = _found(node, "'required, but missing'") if node.field.required else "null"
    checks = [*_type_checks(node, text_only), *_bound_checks(node)]
    broken = " ".join(f"when not coalesce({holds}, false) then {_found(node, reason)}" for holds, reason in checks)
    return f"case when {node.type} is null then {missing} {broken} else {_breach_below(node, text_only)} end"


def _breach_below(node: _Node, text_only: bool) -> str:
    if node.field.fields:
        return f"coalesce({', '.join(_breach(node.below(f), text_only) for f in node.field.fields)})"
    if node.field.element:
        item, inner = _element(node)
        breaches = f"list_transform({_elements(node)}, lambda {item}, index_{item}: {_breach(inner, text_only)})"
        return f"list_filter({breaches}, lambda found: found is not null)[1]"
    return "null"


def _found(node: _Node, reason: str) -> str:
    return f"{{'field': {node.label}, 'reason': {reason}}}"


# A check: an SQL condition that must hold, and an SQL string that says what is wrong where it does not.
Check = tuple[str, str]

# JSON types that a contract's type may be written as, and the form of its text.
_JSON_TYPES: dict[str, tuple[tuple[str, ...], str | None]] = {
    "varchar": (("VARCHAR",), None),
    "bigint": (_NUMBERS, _INTEGER),
    "integer": (_NUMBERS, _INTEGER),
    "double precision": (_NUMBERS, None),
    # As a string too: JSON parsers keep only 17 digits of a number.
    "numeric": ((*_NUMBERS, "VARCHAR"), None),
    "boolean": (("BOOLEAN",), "(?i)true|false"),
    "date": (("VARCHAR",), _DATE),
    "timestamp": (("VARCHAR",), _TIMESTAMP),
    "struct": (("OBJECT",), None),
    "array": (("ARRAY",), None),
}


def _type_checks(node: _Node, text_only: bool) -> list[Check]:
    field, text = node.field, node.member
    name = field.type.name
    allowed, form = _JSON_TYPES[name]
    scalar = not field.fields and not field.element
    if text_only and scalar:
        allowed = ("VARCHAR",)
    shown = f"left({text}, 200)" if scalar else f"'a JSON ' || {_type_name(node.type)}"
    article = "an" if name[0] in "aeiou" else "a"
    reason = f"{_literal(f'not {article} {field.type}: ')} || {shown}"
    checks = [(f"{node.type} in ({', '.join(map(_literal, allowed))})", reason)]
    if form:
        checks.append((f"regexp_full_match({text}, {_literal(form)})", reason))
    if name == "numeric":
        digits = rf"[+-]?\d+(\.\d{{0,{field.type.args[1]}}}0*)?"
        checks.append((f"regexp_full_match({text}, {_literal(digits)})", reason))
    if name == "double precision":
        checks.append((f"isfinite({_scalar(field, text)})", reason))
    elif scalar and name != "varchar":
        checks.append((f"{_scalar(field, text)} is not null", reason))
    return checks


def _type_name(json_type: str) -> str:
    """What JSON (RFC 8259) calls a type of DuckDB's."""
    numbers = ", ".join(map(_literal, _NUMBERS))
    other = f"replace(lower({json_type}), 'varchar', 'string')"
    return f"(case when {json_type} in ({numbers}) then 'number' else {other} end)"


def _bound_checks(node: _Node) -> list[Check]:
    field, text, value = node.field, node.member, _scalar(node.field, node.member)
    size = f"json_array_length({text})"
    longest = field.type.args[0] if field.type.name == "varchar" else None
    allowed = ", ".join(map(_literal, field.enum))
    bounds: list[tuple[object, str, str, str]] = [
        (longest, f"strlen({text}) <= {longest}", f"longer than {longest} bytes: ", text),
        (field.min_length, f"length({text}) >= {field.min_length}", f"shorter than {field.min_length}: ", text),
        (field.enum or None, f"{text} in ({allowed})", f"not one of {', '.join(field.enum)}: ", text),
        (
            field.pattern,
            f"regexp_matches({text}, {_literal(field.pattern or '')})",
            f"does not match {field.pattern}: ",
            text,
        ),
        (field.minimum, f"{value} >= {field.minimum}", f"below {field.minimum}: ", text),
        (field.maximum, f"{value} <= {field.maximum}", f"above {field.maximum}: ", text),
        (
            field.exclusive_minimum,
            f"{value} > {field.exclusive_minimum}",
            f"not above {field.exclusive_minimum}: ",
            text,
        ),
        (
            field.exclusive_maximum,
            f"{value} < {field.exclusive_maximum}",
            f"not below {field.exclusive_maximum}: ",
            text,
        ),
        (field.min_items, f"{size} >= {field.min_items}", f"fewer than {field.min_items} items: ", size),
        (field.max_items, f"{size} <= {field.max_items}", f"more than {field.max_items} items: ", size),
    ]
    return [
        (holds, f"{_literal(words)} || left(({shown})::varchar, 200)")
        for bound, holds, words, shown in bounds
        if bound is not None
    ]


def _unexpected(nodes: Sequence[_Node], scope: _Scope, path: str, prefix: str) -> str:
    """A list of {k, v}: what an object holds beside its fields, at any depth. `k` is a path: `flight.gate`."""
    names = ", ".join(_literal(node.field.name) for node in nodes)
    value = f"json_extract({scope.raw}, {_literal(path)} || '.\"' || replace(key, '\"', '\\\"') || '\"')"
    extra = f"list_filter(list_distinct({scope.keys_of(path)}), lambda key: key not in ({names}))"
    here = f"list_transform({extra}, lambda key: {{'k': {prefix} || key, 'v': {value}}})"
    return f"list_concat({', '.join([here, *filter(None, map(_unexpected_below, nodes))])})"


def _unexpected_below(node: _Node) -> str | None:
    if node.field.fields:
        members = [node.below(f) for f in node.field.fields]
        return _unexpected(members, node.scope, node.path, f"{node.label} || '.'")
    if node.field.element:
        item, inner = _element(node)
        below = _unexpected_below(inner)
        entries = f"list_transform({_elements(node)}, lambda {item}, index_{item}: {below})"
        return f"flatten(case when {node.type} = 'ARRAY' then {entries} end)" if below else None
    return None
