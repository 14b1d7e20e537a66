"""Payload bytes -> typed Arrow columns, or a rejection with field and reason. One columnar pass for a whole batch.

The pass is a single DuckDB query, made from the contract. Each record becomes a JSON document first (a CSV line one of
strings), so that there is one set of rules. For each field the query has an expression for its value and one for its
breach; the first breach of a record, in the contract's order, is what the record is rejected for.

Strictness: types are JSON's own (the string "12" is not a number). Where all values are text (CSV), text is parsed.
Integers may be written 12, 12.0 or 1.2e1, never 12.5. A number is read as 64-bit binary floating point (as RFC 8259
expects): a fraction of more than 15 digits would change on its way, so a numeric of that many must come as a string.
Lengths count UTF-8 bytes, as Redshift's varchar(n) does. Timestamps are ISO 8601 and stored in UTC; without an offset
they are taken as UTC. Dates and timestamps are of the years 1 to 9999, as in SQL: pyiceberg cannot write others. An
object that names a member twice is rejected: one of the two would be lost.

Names of the query's own begin with an underscore, which no field of a contract does.
"""

from __future__ import annotations

import csv as csv_module
import io
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.contract import Contract, Field
from ingestion.errors import ReconciliationError
from ingestion.records import Batch, Csv, Encoding, Json, Records, Unreadable
from ingestion.schemas import UNEXPECTED, arrow_schema, landing_fields, quarantine_fields

# Offsets go up to 18 hours, as in Java: DuckDB would take +99:99.
_OFFSET = r"[+-]((0\d|1[0-7])(:?[0-5]\d)?|18(:?00)?)"
_TIMESTAMP = rf"\d{{4}}-\d{{2}}-\d{{2}}[T ]\d{{2}}:\d{{2}}(:\d{{2}}(\.\d{{1,9}})?)?(Z|{_OFFSET})?"
_DATE = r"\d{4}-\d{2}-\d{2}"
# With a fraction, a number has been read as binary floating point: beyond 15 digits it need not be what was written.
_EXACT_DIGITS = 15
_INTEGER = rf"[+-]?(\d+|\d{{1,{_EXACT_DIGITS}}}\.0+)"
_FLOAT = r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?"
_NUMBERS = ("BIGINT", "UBIGINT", "DOUBLE")
_LONGEST_REASON = 512
_BREACH = pa.struct({"field": pa.string(), "reason": pa.string()})
# What DuckDB raises because of a value, and not for want of memory or disk.
_OF_A_VALUE = (duckdb.DataError, duckdb.InvalidInputException, duckdb.InternalException)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Decoded:
    """A batch, split: `rows` that hold the contract and `rejects` that break it, both without landing columns."""

    rows: pa.Table
    rejects: pa.Table


def decode(contract: Contract, batch: Batch) -> Decoded:
    """Decode every record of a batch.

    Raises ReconciliationError if rows and rejects are not as many as the records: that would be a bug in here.
    """
    read = [records for records in batch.records if len(records)]
    alike = [_merged(list(group)) for _, group in groupby(read, key=lambda records: records.encoding)]
    decoded = [_decode_records(contract, records) for records in alike]
    rows = pa.concat_tables([row_schema(contract).empty_table(), *(d.rows for d in decoded)])
    rejects = pa.concat_tables([reject_schema(contract).empty_table(), *(d.rejects for d in decoded)])
    if len(rows) + len(rejects) != len(batch):
        raise ReconciliationError(
            f"{contract.name}: {len(batch)} records were read, but {len(rows)} rows and {len(rejects)} rejects came out"
            f" of decoding, up to {batch.position}. Nothing of them was committed. This is a bug: report it."
        )
    return Decoded(rows, rejects)


def _merged(records: Sequence[Records]) -> Records:
    """Records of one encoding as one: a query for each of many small objects would cost more than their bytes."""
    payload = pa.chunked_array([r.payload for r in records]).combine_chunks()
    provenance = pa.concat_tables([r.provenance for r in records]).combine_chunks()
    return Records(payload, provenance, records[0].encoding, _merged_offsets(records))


def _merged_offsets(records: Sequence[Records]) -> pa.Int64Array | None:
    if all(r.offsets is None for r in records):
        return None
    unknown = pa.scalar(None, pa.int64())
    return pa.concat_arrays([pa.repeat(unknown, len(r)) if r.offsets is None else r.offsets for r in records])


def row_schema(contract: Contract) -> pa.Schema:
    """The landing table's columns up to provenance: what decoding produces."""
    return arrow_schema(landing_fields(contract)[:-2])


def reject_schema(contract: Contract) -> pa.Schema:
    """The quarantine table's columns up to provenance."""
    return arrow_schema(quarantine_fields(contract)[:-2])


def _decode_records(contract: Contract, records: Records) -> Decoded:
    try:
        breach, values = _run_query(contract, records)
    except _OF_A_VALUE as error:
        return _decode_apart(contract, records, error)
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


def _decode_apart(contract: Contract, records: Records, error: duckdb.Error) -> Decoded:
    """Decode records on which the query failed half by half: the one that it fails on alone is rejected for that.

    Else one record that nobody thought of would keep its stream from landing for ever. Raises the query's error if it
    is the query's own fault: then it fails on no record at all.
    """
    _run_query(contract, _part(records, 0, 0))
    if len(records) == 1:
        # Not the error: it may quote the record, and logs are read by more people than the quarantine.
        logger.error("%s: DuckDB failed on a record, which is rejected: %s", contract.name, type(error).__name__)
        breach = pa.array([{"field": None, "reason": f"cannot be decoded: {error}"}], _BREACH)
        rejects = _rejects(contract, breach, records.payload, records.provenance)
        return Decoded(row_schema(contract).empty_table(), rejects)
    half = len(records) // 2
    first = _decode_records(contract, _part(records, 0, half))
    second = _decode_records(contract, _part(records, half, len(records)))
    return Decoded(pa.concat_tables([first.rows, second.rows]), pa.concat_tables([first.rejects, second.rejects]))


def _part(records: Records, start: int, end: int) -> Records:
    count = end - start
    return replace(
        records,
        payload=records.payload.slice(start, count),
        provenance=records.provenance.slice(start, count),
        offsets=None if records.offsets is None else records.offsets.slice(start, count),
    )


def _rejects(contract: Contract, breach: pa.Array, payload: pa.Array, provenance: pa.Table) -> pa.Table:
    reasons, fields = breach.field("reason"), breach.field("field")
    version = pa.repeat(contract.version, len(breach))
    # A reason may quote what no engine's string may hold.
    reasons = pc.replace_substring(reasons, "\0", "\N{REPLACEMENT CHARACTER}")  # pyright: ignore[reportAttributeAccessIssue]
    reasons = pc.utf8_slice_codeunits(reasons, 0, _LONGEST_REASON)  # pyright: ignore[reportAttributeAccessIssue]
    names = reject_schema(contract).names
    columns = dict(zip(names, [reasons, fields, payload, version, *provenance.columns], strict=True))
    return pa.table(columns).cast(reject_schema(contract))


def _run_query(contract: Contract, records: Records) -> tuple[pa.StructArray, pa.Table]:
    """The breach of each record (null if none), and a table of the contract's columns and `_unexpected`.

    Both are in the order of the records. DuckDB's threads do not keep it, so each record carries its number.
    """
    numbers = pa.array(range(len(records)), pa.int64())
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        if isinstance(records.encoding, Json):
            offsets = pa.nulls(len(records), pa.int64()) if records.offsets is None else records.offsets
            payloads = pa.table({"_number": numbers, "_payload": records.payload, "_offset": offsets})
            connection.register("_payloads", payloads)
            connection.execute(_JSON_DOCUMENTS.format(type=_type_name("json_type(_text)")))
        else:
            documents, broken = _text_documents(records.payload, records.encoding)
            table = pa.table({"_number": numbers, "_document": documents, "_broken": broken})
            connection.register("_documents", table)
        result = connection.execute(_query(contract, _text_only(records.encoding))).to_arrow_table()
    if result.column("_number").combine_chunks() != numbers:
        raise ReconciliationError(
            f"{contract.name}: of {len(records)} records {len(result)} came out of decoding, or in another order."
            " Nothing of them was committed. This is a bug: report it."
        )
    breach = result.column("_breach").combine_chunks()
    return breach, result.drop_columns(["_number", "_breach"])


def _text_only(encoding: Encoding) -> bool:
    return not isinstance(encoding, Json)


# Bytes that are not a JSON object have no document, but a reason why.
_JSON_DOCUMENTS = """
    create temp view _documents as
    with texts as (
        select
            _number,
            try(decode(_payload)) as _text,
            coalesce(': at byte ' || _offset || ' of the object', '') as _place,
        from _payloads
    ),
    judged as (
        select
            _number,
            _text,
            case
                when _text is null then 'not UTF-8' || _place
                when not json_valid(_text) then 'not JSON' || _place
                when json_type(_text) <> 'OBJECT' then 'a JSON ' || {type} || ', not an object'
            end as _broken,
        from texts
    )
    select _number, case when _broken is null then _text end as _document, _broken from judged
"""


def _text_documents(payload: pa.BinaryArray, encoding: Csv | Unreadable) -> tuple[pa.Array, pa.Array]:
    """The document of each record, null if it has none, and then the reason."""
    parsed = [_csv_document(line, encoding) for line in payload.to_pylist()] if isinstance(encoding, Csv) else []
    if isinstance(encoding, Unreadable):
        parsed = [(None, encoding.reason)] * len(payload)
    return pa.array([document for document, _ in parsed], pa.string()), pa.array([b for _, b in parsed], pa.string())


def _csv_document(payload: bytes, csv: Csv) -> tuple[str | None, str | None]:
    """A CSV line as a JSON document of strings, or the reason why it is none."""
    try:
        line = payload.decode()
        rows = list(csv_module.reader(io.StringIO(line, newline=""), delimiter=csv.delimiter, strict=True))
    except UnicodeDecodeError:
        return None, "not UTF-8"
    except csv_module.Error as error:
        return None, f"not one line of CSV: {error}"
    if len(rows) > 1:
        return None, "not one line of CSV: a line break outside of quotes"
    values = rows[0] if rows else [""]
    if len(values) != len(csv.header):
        return None, f"a line of {len(values)} values under a header of {len(csv.header)}"
    nulls = csv.null_values
    members = {name: None if value in nulls else value for name, value in zip(csv.header, values, strict=True)}
    return json.dumps(members, ensure_ascii=False), None


# --- the query ---


@dataclass(frozen=True)
class _Scope:
    """Where the query finds an object and all that is below it, down to arrays. All are SQL expressions.

    `raw` is the object's JSON text; `known` a struct of the contract's fields as text, arrays as JSON; `types` the JSON
    type of each path of `nodes`; `keys` the keys of each path of `objects`.
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
    """The SQL that decodes `_documents(_number bigint, _document varchar, _broken varchar)` of one contract."""
    scope = _scope(contract.fields, "_document", columns=True)
    top = [_Node(f, scope, f'$."{f.name}"', f"_known.{_name(f.name)}", f"'{f.name}'") for f in contract.fields]
    breaches = ", ".join(_breach(node, text_only) for node in top)
    values = ", ".join(f"{_value(node)} as {_name(node.field.name)}" for node in top)
    broken = f"case when _broken is not null then {_found('null::varchar', '_broken')} end"
    return f"""
        with parsed as materialized (
            select
                _number,
                _document,
                _broken,
                {_known(contract.fields, "_document")} as _known,
                {_types(scope, "_document")} as _types,
                {_keys(scope, "_document")} as _keys,
            from _documents
        ),
        decoded as materialized (
            select
                _number,
                {values},
                {_unexpected(top, scope, "$", "''")} as _entries,
                coalesce({broken}, {_named_twice(scope, "$", "null::varchar")}, {breaches}) as _breach,
            from parsed
        ),
        collected as (
            select
                * exclude (_entries),
                case when len(_entries) > 0 then '{{' || array_to_string(_entries, ',') || '}}' end as _unexpected,
            from decoded
        )
        select * replace (coalesce(_breach, {_unexpected_breach()}) as _breach) from collected order by _number
    """


def _scope(fields: Sequence[Field], raw: str, *, columns: bool) -> _Scope:
    """The scope of an object: its parts are columns of the query, or members of the struct `raw`."""
    nodes = tuple(_paths(fields, "$"))
    objects = ("$", *(path for path, field in _paths(fields, "$").items() if field.fields))
    part = "" if columns else f"{raw}."
    document = raw if columns else f"{raw}._raw"
    return _Scope(document, f"{part}_known", f"{part}_types", f"{part}_keys", nodes, objects)


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
    scope = _scope(wrapped, "_raw", columns=True)
    document = "('{\"element\":' || _raw || '}')"
    parts = (
        f"'_known': {_known(wrapped, document)}, '_types': {_types(scope, document)}, '_keys': {_keys(scope, document)}"
    )
    raw = f"json_extract({node.member}, '$[*]')"
    return f"list_transform({raw}, lambda _raw: {{'_raw': {document}, {parts}}})"


def _element(node: _Node) -> tuple[str, _Node]:
    """The name of the lambda's parameter for an element, and the element's node."""
    item = f"_item_{node.member.count('_item_')}"
    scope = _scope(_wrapped(node), item, columns=False)
    label = f"{node.label} || '[' || (_index{item} - 1) || ']'"
    return item, _Node(_wrapped(node)[0], scope, '$."element"', f"{item}._known.element", label)


def _wrapped(node: _Node) -> tuple[Field]:
    assert node.field.element
    return (replace(node.field.element, name="element", required=True),)


def _breach(node: _Node, text_only: bool) -> str:
    """The first breach of a field, as a struct of field and reason; null if it holds."""
    missing = _found(node.label, "'required, but missing'") if node.field.required else "null"
    checks = [*_type_checks(node, text_only), *_bound_checks(node)]
    broken = " ".join(
        f"when not coalesce({holds}, false) then {_found(node.label, reason)}" for holds, reason in checks
    )
    return f"case when {node.type} is null then {missing} {broken} else {_breach_below(node, text_only)} end"


def _breach_below(node: _Node, text_only: bool) -> str:
    if node.field.fields:
        members = [_breach(node.below(f), text_only) for f in node.field.fields]
        return f"coalesce({', '.join([_named_twice(node.scope, node.path, node.label), *members])})"
    if node.field.element:
        item, inner = _element(node)
        breaches = f"list_transform({_elements(node)}, lambda {item}, _index{item}: {_breach(inner, text_only)})"
        return f"list_filter({breaches}, lambda _found: _found is not null)[1]"
    return "null"


def _found(label: str, reason: str) -> str:
    """A breach, as an SQL struct."""
    return f"{{'field': {label}, 'reason': {reason}}}"


def _named_twice(scope: _Scope, path: str, label: str) -> str:
    """The breach of an object that names a member twice (RFC 8259, section 4, leaves open which of them counts)."""
    keys = scope.keys_of(path)
    twice = f"list_filter({keys}, lambda _key, _index: list_position({keys}, _key) < _index)[1]"
    found = _found(label, f"'a member named twice: ' || {twice}")
    return f"case when list_unique({keys}) < len({keys}) then {found} end"


def _unexpected_breach() -> str:
    """The breach of what the contract does not know of a record: kept whole and as JSON, or the record is rejected."""
    longest = UNEXPECTED.type.args[0]
    too_long = _found("null::varchar", f"'fields that the contract does not know: longer than {longest} bytes'")
    # DuckDB reads NaN and Infinity, which are not JSON. They are looked for outside of strings.
    not_json = _found("null::varchar", "'fields that the contract does not know: NaN or Infinity is not JSON'")
    strings = r'"([^"\\]|\\.)*"'
    bare = f"regexp_replace(_unexpected, {_literal(strings)}, '', 'g')"
    return f"""
        case
            when strlen(_unexpected) > {longest} then {too_long}
            when regexp_matches({bare}, '(?i)nan|inf') then {not_json}
        end
    """


# A check: an SQL condition that must hold, and an SQL string that says what is wrong where it does not.
Check = tuple[str, str]

# JSON types that a contract's type may be written as, and the form of its text.
_JSON_TYPES: dict[str, tuple[tuple[str, ...], str | None]] = {
    "varchar": (("VARCHAR",), None),
    "bigint": (_NUMBERS, _INTEGER),
    "integer": (_NUMBERS, _INTEGER),
    "double precision": (_NUMBERS, _FLOAT),
    # As a string too: a number keeps only 15 digits of a fraction.
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
    if name == "varchar":
        # PostgreSQL and Redshift have no such strings.
        checks.append((f"not contains({text}, chr(0))", "'holds the character U+0000'"))
    if name == "numeric":
        digits = rf"[+-]?\d+(\.\d{{0,{field.type.args[1]}}}0*)?"
        checks.append((f"regexp_full_match({text}, {_literal(digits)})", reason))
        exact = f"{node.type} <> 'DOUBLE' or length(replace(ltrim({text}, '-0.'), '.', '')) <= {_EXACT_DIGITS}"
        inexact = f"'a number of more than {_EXACT_DIGITS} digits, write it as a string: ' || {shown}"
        checks.append((exact, inexact))
    if name == "double precision":
        checks.append((f"isfinite({_scalar(field, text)})", reason))
    elif scalar and name != "varchar":
        checks.append((f"{_scalar(field, text)} is not null", reason))
    if name in ("date", "timestamp"):
        years = f"'not of the years 1 to 9999: ' || {shown}"
        checks.append((f"year({_scalar(field, text)}) between 1 and 9999", years))
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
    """A list of JSON members: what an object holds beside its fields, at any depth. Named by path: `"flight.gate":7`.

    An unknown key may hold anything, `*` too: it is looked up with a JSON pointer (RFC 6901), not with a JSON path.
    """
    names = ", ".join(_literal(node.field.name) for node in nodes)
    pointer = path.removeprefix("$").replace('."', "/").replace('"', "") + "/"
    value = f"json_extract({scope.raw}, {_literal(pointer)} || replace(replace(_key, '~', '~0'), '/', '~1'))"
    extra = f"list_filter({scope.keys_of(path)}, lambda _key: _key not in ({names}))"
    here = f"list_transform({extra}, lambda _key: to_json({prefix} || _key)::varchar || ':' || {value})"
    return f"list_concat({', '.join([here, *filter(None, map(_unexpected_below, nodes))])})"


def _unexpected_below(node: _Node) -> str | None:
    if node.field.fields:
        members = [node.below(f) for f in node.field.fields]
        return _unexpected(members, node.scope, node.path, f"{node.label} || '.'")
    if node.field.element:
        item, inner = _element(node)
        below = _unexpected_below(inner)
        entries = f"list_transform({_elements(node)}, lambda {item}, _index{item}: {below})"
        return f"flatten(case when {node.type} = 'ARRAY' then {entries} end)" if below else None
    return None
