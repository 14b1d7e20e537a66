"""What is drafted for each field of a profile: a type, rules, and what stays unsure."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import timedelta

from ingestion.contract import LONGEST_STRING, Type
from ingestion.draft.names import RANGES, event_time_rank, is_money, private
from ingestion.draft.profile import MOST_MEMBERS, Keys, Profile, Values

# Of a contract, a field or a member: see ingestion.contract.
NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_LENGTHS = (8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, LONGEST_STRING)
_CODE_LENGTH = 8
_NUMBERS = frozenset({"BIGINT", "UBIGINT", "DOUBLE"})
_INTEGER_ROOM = 2**31 // 10
_BIGGEST = 2**63 - 1
_EXACT_DIGITS = 15
_MOST_DIGITS = 38
_ENUM_VALUES, _ENUM_SEEN, _ENUM_EACH = 10, 50, 3
_ENUM_VALUE = re.compile(r"[\w.+/-][\w .,:+/-]{0,39}")
_DAYS, _YEARS = timedelta(days=400), timedelta(days=30 * 365)
_EPOCHS = {"seconds": (1e9, 3e9), "milliseconds": (1e12, 3e12)}


@dataclass(frozen=True)
class Draft:
    """A field as drafted. `seen` is told of the sample, `doubts` are what somebody has to decide."""

    name: str
    type: Type
    required: bool = False
    key_position: int | None = None
    partition: str | None = None
    classification: str | None = None
    enum: tuple[str, ...] = ()
    range: tuple[int, int] | None = None
    members: tuple[Draft, ...] = ()
    element: Draft | None = None
    left_out: tuple[LeftOut, ...] = ()
    seen: str = ""
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True)
class LeftOut:
    """A field that no contract can declare as it is. What is in it lands in `_unexpected`, as JSON."""

    name: str
    reason: str


def draft_fields(
    profile: Profile, *, text_only: bool, refused: Set[str] = frozenset()
) -> tuple[tuple[Draft, ...], tuple[LeftOut, ...]]:
    """The members of an object, and which of them are left out.

    Args:
        profile: Of the object.
        text_only: Whether all values are text, as in CSV: then text is read as what it looks like.
        refused: Paths of fields of which landing refused a value under an earlier draft: they are left out.
    """
    return _members(profile, text_only, refused, "")


def _members(
    profile: Profile, text_only: bool, refused: Set[str], parent: str
) -> tuple[tuple[Draft, ...], tuple[LeftOut, ...]]:
    drafts: list[Draft] = []
    left_out: list[LeftOut] = []
    for member in profile.members[:MOST_MEMBERS]:
        path = f"{parent}{member.name}"
        drafted = (
            _field(member, text_only, refused, path)
            if NAME.fullmatch(member.name)
            else LeftOut(member.name, "a name must start with a letter a-z and hold only a-z, 0-9 and _")
        )
        if path in refused:
            drafted = LeftOut(member.name, "landing refuses some of its values")
        if isinstance(drafted, Draft):
            drafts.append(drafted)
        else:
            left_out.append(drafted)
    return tuple(drafts), tuple(left_out)


def _field(profile: Profile, text_only: bool, refused: Set[str], path: str) -> Draft | LeftOut:
    """The draft of a field, or why there can be none."""
    required = profile.present == profile.parents
    if profile.types == {"OBJECT"}:
        if len(profile.members) > MOST_MEMBERS:
            return LeftOut(profile.name, f"an object of more than {MOST_MEMBERS} different members: its keys are data")
        members, left_out = _members(profile, text_only, refused, f"{path}.")
        if not members:
            return LeftOut(profile.name, "an object without a member that can be declared")
        return Draft(profile.name, Type("struct"), required, members=members, left_out=left_out, seen=_missing(profile))
    if profile.types == {"ARRAY"}:
        return _array(profile, text_only, refused, path)
    return _scalar(profile, text_only)


def _array(profile: Profile, text_only: bool, refused: Set[str], path: str) -> Draft | LeftOut:
    assert profile.element
    if profile.element.present < profile.element.parents:
        return LeftOut(profile.name, "an array with null among its elements")
    element = _field(profile.element, text_only, refused, path)
    if isinstance(element, LeftOut):
        return LeftOut(profile.name, f"an array whose elements have no common type: {element.reason}")
    doubts = element.doubts
    if not profile.element.parents:
        doubts = ("always empty in the sample: what it consists of is a guess",)
    return Draft(
        profile.name,
        Type("array"),
        profile.present == profile.parents,
        classification=element.classification,
        element=element,
        seen="; ".join(filter(None, [element.seen, _missing(profile)])),
        doubts=doubts,
    )


def _missing(profile: Profile) -> str:
    missing = profile.parents - profile.present
    return f"missing in {missing:,} of {profile.parents:,}" if missing else ""


def _scalar(profile: Profile, text_only: bool) -> Draft | LeftOut:
    values = profile.values
    if not profile.present:
        return Draft(profile.name, Type("varchar", (256,)), doubts=("without a value in the sample: a guess",))
    chosen = _type(profile, text_only)
    if isinstance(chosen, LeftOut):
        return chosen
    type_, doubts = chosen
    told = private(profile.name) or _private_by_values(values)
    classification = None
    if told and type_.name != "boolean":
        classification = "restricted"
        doubts.append(f"restricted: it looks like {told}. Remove the classification if it is none")
    enum = () if classification else _enum(profile, type_)
    if enum:
        doubts.append(
            "enum: the list is what the sample holds; any other value is rejected. Complete it, or remove it if the "
            "list is open"
        )
    return Draft(
        profile.name,
        type_,
        profile.present == profile.parents,
        classification=classification,
        enum=enum,
        range=_range(profile, type_),
        seen="; ".join(filter(None, [_seen(values, type_, classification), _missing(profile)])),
        doubts=tuple(doubts),
    )


def _type(profile: Profile, text_only: bool) -> tuple[Type, list[str]] | LeftOut:
    """The type that takes every value, and what is unsure of it."""
    values, types = profile.values, profile.types
    if values.nul:
        return LeftOut(profile.name, "a string with the character U+0000, which no warehouse holds")
    if types == {"BOOLEAN"} or (text_only and values.booleans):
        return Type("boolean"), []
    if types <= _NUMBERS or (text_only and values.numbers and not values.leading_zeros):
        return _number(profile)
    if types == {"VARCHAR"}:
        return _text(profile, text_only)
    digits = (values.digits or 0) + (values.scale or 0)
    if types <= _NUMBERS | {"VARCHAR"} and values.numbers and not values.exponents and digits <= _EXACT_DIGITS:
        return _decimal(values), ["numbers, in some records written as strings: numeric takes both"]
    return LeftOut(profile.name, f"of several types: {', '.join(sorted(map(_json_name, types)))}")


def _number(profile: Profile) -> tuple[Type, list[str]] | LeftOut:
    values = profile.values
    if not values.numbers or values.low is None or values.high is None:
        return LeftOut(profile.name, "numbers that are none, such as NaN")
    biggest = max(abs(values.low), abs(values.high))
    if values.integers and not values.exponents:
        if biggest < _INTEGER_ROOM:
            return Type("integer"), _epoch(profile.name, values)
        if biggest < _BIGGEST:
            return Type("bigint"), _epoch(profile.name, values)
        if (values.digits or 0) <= _MOST_DIGITS and "DOUBLE" not in profile.types:
            return Type("numeric", (_MOST_DIGITS, 0)), ["integers beyond 64 bits"]
    exact = not values.exponents and (values.digits or 0) + (values.scale or 0) <= _EXACT_DIGITS
    if is_money(profile.name) and exact:
        return _decimal(values), ["an amount, so exact: numeric. Is the scale that of the currency?"]
    return Type("double precision"), []


def _decimal(values: Values) -> Type:
    """A numeric with room for four more digits before the point."""
    scale = min(values.scale or 0, _EXACT_DIGITS)
    return Type("numeric", (min(_MOST_DIGITS, (values.digits or 0) + scale + 4), scale))


def _epoch(name: str, values: Values) -> list[str]:
    last = name.rsplit("_", 1)[-1]
    for unit, (low, high) in _EPOCHS.items():
        if (
            low <= (values.low or 0)
            and (values.high or 0) <= high
            and last in ("at", "time", "timestamp", "ts", "date")
        ):
            return [f"looks like {unit} since 1970: kept as it comes; make a timestamp of it in the staging model"]
    return []


def _text(profile: Profile, text_only: bool) -> tuple[Type, list[str]] | LeftOut:
    values = profile.values
    if values.dates:
        return Type("date"), []
    if values.timestamps:
        return Type("timestamp"), [] if values.offsets else ["without an offset it is read as UTC: is it?"]
    longest = values.longest or 0
    if longest > LONGEST_STRING:
        return LeftOut(profile.name, f"a string of {longest:,} bytes; the longest that lands has {LONGEST_STRING:,}")
    return Type("varchar", (_length(values),)), list(_text_doubts(values, text_only))


def _length(values: Values) -> int:
    """A code's own length; else twice the longest, rounded up."""
    longest = values.longest or 0
    if values.codes and values.shortest == longest <= _CODE_LENGTH and values.distinct > 1:
        return longest
    return next((length for length in _LENGTHS if length >= 2 * longest), LONGEST_STRING) if longest else 256


def _text_doubts(values: Values, text_only: bool) -> list[str]:
    longest = values.longest or 0
    if not longest:
        return ["empty strings alone: the length is a guess"]
    if values.other_dates:
        return ["looks like a date that is not ISO 8601: kept as text; parse it in the staging model"]
    if text_only and values.leading_zeros and values.numbers:
        return ["digits with leading zeros: kept as text, as for a code"]
    if not text_only and values.numbers:
        return ["numbers written as strings: text as it is; numeric(p,s) would take them as numbers"]
    if _length(values) == longest:
        return [f"each value has {longest} characters: is that always so?"]
    return [] if longest * 2 <= LONGEST_STRING else ["long text: there is little room, or none, above what was seen"]


def _private_by_values(values: Values) -> str | None:
    forms = {
        "an e-mail address": values.emails,
        "a telephone number": values.phones,
        "an IP address": values.ips,
        "a bank account": values.ibans,
    }
    return next((told for told, all_of_it in forms.items() if all_of_it), None)


def _enum(profile: Profile, type_: Type) -> tuple[str, ...]:
    """Each value, if they are few and each is there again and again."""
    common = profile.values.common
    if type_.name != "varchar" or profile.present < _ENUM_SEEN or not 2 <= len(common) <= _ENUM_VALUES:
        return ()
    if any(times < _ENUM_EACH or not _ENUM_VALUE.fullmatch(value) for value, times in common):
        return ()
    return tuple(value for value, _ in common)


def _range(profile: Profile, type_: Type) -> tuple[int, int] | None:
    """The range that a field has by its name, if the sample keeps to it."""
    low, high = RANGES.get(profile.name.rsplit("_", 1)[-1], (0, 0))
    values = profile.values
    if low == high or type_.name not in ("integer", "double precision") or values.low is None or values.high is None:
        return None
    return (low, high) if low <= values.low and values.high <= high else None


def _seen(values: Values, type_: Type, classification: str | None) -> str:
    """What the sample holds, for whoever edits the draft. Nothing of a restricted field's values."""
    distinct = f"{values.distinct:,} different"
    if classification:
        return distinct
    if type_.name in ("date", "timestamp"):
        form = "%Y-%m-%d" if type_.name == "date" else "%Y-%m-%d %H:%M:%S"
        return f"{values.first:{form}} to {values.last:{form}}" if values.first and values.last else distinct
    if type_.name == "varchar":
        return f"{distinct}, up to {values.longest} bytes"
    return distinct if type_.name == "boolean" else f"{values.low:.15g} to {values.high:.15g}"


def _json_name(type_: str) -> str:
    return "number" if type_ in _NUMBERS else type_.lower().replace("varchar", "string")


def partition_of(profile: Profile, drafts: Sequence[Draft]) -> tuple[str, str] | None:
    """The field to partition by, and its transform: the moment of the event, in parts that are not too many."""
    dated = [draft for draft in drafts if draft.type.name in ("date", "timestamp")]
    if not dated:
        return None
    best = min(dated, key=lambda draft: (not draft.required, event_time_rank(draft.name)))
    values = next(member.values for member in profile.members if member.name == best.name)
    span = values.last - values.first if values.first and values.last else timedelta()
    return best.name, "day" if span <= _DAYS else "month" if span <= _YEARS else "year"


def key_of(keys: Keys, drafts: Sequence[Draft]) -> tuple[tuple[str, ...], str]:
    """The key, and what is unsure of it: a candidate whose fields were drafted, else the best that there is."""
    declared = {draft.name: draft for draft in drafts}
    unique = [key for key in keys.unique if set(key) <= set(declared) and all(declared[name].required for name in key)]
    if unique:
        others = "; ".join(", ".join(key) for key in unique[1:4])
        return unique[0], f"unique in the sample too: {others}" if others else ""
    if keys.nearest and set(keys.nearest) <= set(declared):
        return keys.nearest, f"no key was found: {keys.duplicates:,} records have the same values as another"
    required = [draft.name for draft in drafts if draft.required]
    chosen = (required or [draft.name for draft in drafts])[:1]
    return tuple(chosen), "no field is there in each record and different in each: a guess"
