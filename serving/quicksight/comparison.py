"""How what is declared differs from what is deployed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Difference:
    """One value that differs. `deployed` or `declared` is None where that side has none."""

    path: str
    deployed: Any
    declared: Any

    def __str__(self) -> str:
        return f"{self.path}: {_short(self.deployed)} -> {_short(self.declared)}"


def differences(
    deployed: Any, declared: Any, path: str = "$", *, added: Collection[str] | None = None
) -> Iterator[Difference]:
    """Compare two requests, member by member.

    Args:
        added: Names of members that QuickSight adds by itself: none of these is a difference where only the deployed
            side has it, nor is one that says nothing, such as an empty list or false. Any other has been taken out of
            what is declared. None if QuickSight adds nothing.
    """
    if isinstance(deployed, Mapping) and isinstance(declared, Mapping):
        extras = [key for key, value in deployed.items() if added is None or (key not in added and _says(value))]
        for key in dict.fromkeys([*declared, *extras]):
            yield from differences(deployed.get(key), declared.get(key), f"{path}.{key}", added=added)
    elif _is_list(deployed) and _is_list(declared) and len(deployed) == len(declared):
        for index, (left, right) in enumerate(zip(deployed, declared, strict=True)):
            yield from differences(left, right, f"{path}[{index}]", added=added)
    elif deployed != declared:
        yield Difference(path, deployed, declared)


def _says(value: Any) -> bool:
    """Whether a member says anything: QuickSight describes what was never set as empty or false."""
    if isinstance(value, Mapping):
        return any(map(_says, value.values()))
    return value not in (None, False, "", [], ())


def fingerprint(request: Mapping[str, Any]) -> str:
    """A digest of a request: equal for equal requests, whatever the order of their keys."""
    text = json.dumps(request, sort_keys=True, separators=(",", ":"), default=_json)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _json(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{value!r} has no JSON form")


def _short(value: Any, limit: int = 80) -> str:
    text = "(none)" if value is None else json.dumps(value, default=_json, ensure_ascii=False)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
