"""How what is declared differs from what is deployed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
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


def differences(deployed: Any, declared: Any, path: str = "$", *, extras: bool) -> Iterator[Difference]:
    """Compare two requests, member by member.

    Args:
        extras: Whether a member that only the deployed side has is a difference. QuickSight adds members of its own to
            some resources (ids of columns, for one), so False there.
    """
    if isinstance(deployed, Mapping) and isinstance(declared, Mapping):
        for key in dict.fromkeys([*declared, *(deployed if extras else ())]):
            yield from differences(deployed.get(key), declared.get(key), f"{path}.{key}", extras=extras)
    elif _is_list(deployed) and _is_list(declared) and len(deployed) == len(declared):
        for index, (left, right) in enumerate(zip(deployed, declared, strict=True)):
            yield from differences(left, right, f"{path}[{index}]", extras=extras)
    elif deployed != declared:
        yield Difference(path, deployed, declared)


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
