"""A draft as an ODCS document: YAML with comments that say what was seen and what is unsure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import yaml

from ingestion.contract import API_VERSION
from ingestion.draft.fields import Draft, LeftOut
from ingestion.draft.samples import Sample

Transport = Literal["stream", "firehose", "files"]

WIDTH = 118
# Begins the text that somebody has to write.
DESCRIBE = "DESCRIBE"
_LOGICAL_TYPES = {
    "varchar": "string",
    "double precision": "number",
    "numeric": "number",
    "struct": "object",
    "bigint": "integer",
}
_FRESHNESS = {"stream": (1, "h"), "firehose": (3, "h"), "files": (30, "d")}
_QUARANTINE_LIMIT = {"stream": 0.01, "firehose": 0.01, "files": 0}


@dataclass(frozen=True)
class Doubt:
    """Something that somebody has to decide: on which line of the document, of which field."""

    line: int
    field: str
    text: str


@dataclass(frozen=True)
class Head:
    """What a contract says of the whole data set. Parts that are not given are asked for in the document."""

    name: str
    purpose: str | None = None
    domain: str | None = None
    team: str | None = None


@dataclass
class _Lines:
    """The document while it is written."""

    lines: list[str] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)

    def add(self, indent: int, text: str = "") -> None:
        self.lines.append(f"{' ' * indent}{text}".rstrip())

    def key(self, indent: int, name: str, value: Any) -> None:
        self.add(indent, f"{name}: {_scalar(value)}")

    def comment(self, indent: int, text: str) -> None:
        for line in textwrap.wrap(text, WIDTH - indent, break_long_words=False, break_on_hyphens=False):
            self.add(indent, f"# {line}")

    def doubt(self, indent: int, name: str, text: str) -> None:
        self.doubts.append(Doubt(len(self.lines) + 1, name, text))
        self.comment(indent, f"unsure: {text}")

    def custom(self, indent: int, values: dict[str, Any]) -> None:
        """The customProperties of their holder."""
        self.add(indent, "customProperties:")
        for name, value in values.items():
            self.add(indent + 2, f"- property: {name}")
            self.key(indent + 4, "value", value)


def render(
    head: Head,
    transport: Transport,
    sample: Sample,
    *,
    drafts: Sequence[Draft],
    left_out: Sequence[LeftOut],
    doubts: Iterable[tuple[str, str]],
) -> tuple[str, list[Doubt]]:
    """The document, and what is unsure in it.

    Args:
        head: What is known of the data set.
        transport: How it comes in.
        sample: What the draft was made of.
        drafts: The fields.
        left_out: What no field could be drafted for.
        doubts: Of the whole data set, as pairs of part (`server`, `key`, `partition`) and text.
    """
    lines = _Lines()
    of_part: dict[str, list[str]] = {}
    for part, text in doubts:
        of_part.setdefault(part, []).append(text)
    _write_head(lines, head, sample)
    _write_server(lines, head, transport, sample, of_part.get("server", []))
    lines.add(0, "schema:")
    lines.add(2, f"- name: {_scalar(head.name)}")
    lines.key(4, "logicalType", "object")
    lines.key(4, "physicalType", "table")
    lines.key(4, "description", f"{DESCRIBE} what a row of {head.name} is.")
    grain = "line of each file" if transport == "files" else "record that a producer sent"
    lines.key(4, "dataGranularityDescription", f"One row for each {grain}.")
    for part in ("key", "partition"):
        for text in of_part.get(part, []):
            lines.doubt(4, part, text)
    lines.add(4, "properties:")
    _write_fields(lines, 6, drafts, left_out, "")
    _write_sla(lines, transport)
    return "\n".join(lines.lines) + "\n", lines.doubts


def _write_head(lines: _Lines, head: Head, sample: Sample) -> None:
    whole = "all that is there" if sample.complete else "the first of more"
    names = ", ".join(sample.names)
    lines.comment(0, f"Drafted by `watershed new contract` from {names}: {sample.records:,} records, {whole}.")
    lines.comment(
        0,
        f"Before it is used: write what {DESCRIBE} stands for, decide what is unsure, remove the comments. A field is"
        " required if each of these records has it; a varchar is about twice as long as the longest seen, in bytes.",
    )
    for name, value in (
        ("apiVersion", API_VERSION),
        ("kind", "DataContract"),
        ("id", head.name),
        ("name", head.name),
        ("version", "1.0.0"),
        ("status", "draft"),
        ("domain", head.domain or DESCRIBE.lower()),
    ):
        lines.key(0, name, value)
    lines.add(0, "description:")
    lines.key(2, "purpose", head.purpose or f"{DESCRIBE} what the data set is for, in a sentence.")
    lines.add(0, "team:")
    lines.key(2, "name", head.team or DESCRIBE.lower())
    lines.add(0)


def _write_server(lines: _Lines, head: Head, transport: Transport, sample: Sample, doubts: Sequence[str]) -> None:
    lines.add(0, "servers:")
    for text in doubts:
        lines.doubt(2, "server", text)
    if transport == "stream":
        lines.key(2, "- server", "stream")
        lines.key(4, "type", "kinesis")
        lines.key(4, "format", "json")
        lines.custom(4, {"stream": head.name.replace("_", "-")})
    elif transport == "firehose":
        lines.key(2, "- server", "deliveries")
        lines.key(4, "type", "s3")
        lines.key(4, "location", f"s3://{{landing}}/firehose/{head.name}/")
        lines.key(4, "format", "json")
        lines.custom(4, {"deliveryStream": head.name.replace("_", "-")[:40]})
    else:
        lines.key(2, "- server", "files")
        lines.key(4, "type", "s3")
        lines.key(4, "location", f"s3://{{landing}}/files/{head.name}/")
        lines.key(4, "format", sample.format)
        own: dict[str, Any] = {"delimiter": sample.delimiter} if sample.delimiter != "," else {}
        if sample.format == "csv" and sample.null_values != ("",):
            own["nullValues"] = list(sample.null_values)
        if own:
            lines.custom(4, own)
    lines.add(0)


def _write_fields(
    lines: _Lines, indent: int, drafts: Sequence[Draft], left_out: Sequence[LeftOut], parent: str
) -> None:
    for draft in drafts:
        path = f"{parent}{draft.name}"
        lines.key(indent, "- name", draft.name)
        inner = indent + 2
        lines.key(inner, "description", f"{DESCRIBE} {draft.name}, with its unit if it has one.")
        if draft.seen:
            lines.comment(inner, f"seen: {draft.seen}")
        for text in draft.doubts:
            lines.doubt(inner, path, text)
        _write_type(lines, inner, draft, path)
    for field_ in left_out:
        lines.doubt(
            indent,
            f"{parent}{field_.name}",
            f"{field_.name!r} is left out ({field_.reason}). Its values land in the column _unexpected, as JSON.",
        )


def _write_type(lines: _Lines, indent: int, draft: Draft, path: str) -> None:
    """A field's type and rules; those of what it consists of below it."""
    lines.key(indent, "logicalType", _LOGICAL_TYPES.get(draft.type.name, draft.type.name))
    lines.key(indent, "physicalType", str(draft.type))
    if draft.required:
        lines.key(indent, "required", True)
    if draft.key_position:
        lines.key(indent, "primaryKey", True)
        lines.key(indent, "primaryKeyPosition", draft.key_position)
    if draft.classification:
        lines.key(indent, "classification", draft.classification)
    if draft.partition:
        lines.key(indent, "partitioned", True)
        lines.key(indent, "partitionKeyPosition", 1)
        lines.custom(indent, {"partitionTransform": draft.partition})
    if draft.range:
        lines.add(indent, "logicalTypeOptions:")
        lines.key(indent + 2, "minimum", draft.range[0])
        lines.key(indent + 2, "maximum", draft.range[1])
    if draft.enum:
        lines.add(indent, "enum:")
        for value in draft.enum:
            lines.key(indent + 2, "- value", value)
    if draft.members:
        lines.add(indent, "properties:")
        _write_fields(lines, indent + 2, draft.members, draft.left_out, f"{path}.")
    if draft.element:
        lines.add(indent, "items:")
        # A classification stands at the array.
        _write_type(lines, indent + 2, _bare(draft.element), path)


def _bare(element: Draft) -> Draft:
    return Draft(
        element.name,
        element.type,
        enum=element.enum,
        range=element.range,
        members=element.members,
        element=element.element,
        left_out=element.left_out,
    )


def _write_sla(lines: _Lines, transport: Transport) -> None:
    value, unit = _FRESHNESS[transport]
    lines.add(0)
    lines.add(0, "slaProperties:")
    lines.doubt(2, "freshness", "how old may the newest record be, and how long are rows and bytes kept? A guess each")
    for name, amount, in_, description in (
        ("freshness", value, unit, "The newest record is at most this old."),
        ("retention", 3, "y", "How long rows stay in the landing table."),
        ("archive", 30, "d", "How long the bytes are kept as they came in."),
    ):
        lines.add(2, f"- property: {name}")
        lines.key(4, "value", amount)
        lines.key(4, "unit", in_)
        lines.key(4, "description", description)
    lines.add(0)
    lines.add(0, "customProperties:")
    lines.add(2, "- property: quarantineLimit")
    lines.key(4, "value", _QUARANTINE_LIMIT[transport])
    lines.key(
        4,
        "description",
        "The greatest share of a landing's records that may break the contract before its check fails.",
    )


def _scalar(value: Any) -> str:
    """A value as YAML writes it on one line: `on`, a word of YAML's own, in quotes."""
    text = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), allow_unicode=True)
    return text.removesuffix("\n...\n").strip()
