"""The messages that the project's errors carry, read from its code: what is raised where, and with which words."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("ingestion", "serving", "orchestration", "infra", "watershed")
# Errors of what is played, not of the player: the local AWS answers with AWS's own words.
_NOT_OURS = ("infra/local/aws/",)


@dataclass(frozen=True)
class Message:
    """What an error says at one place. What varies is shown as `…`."""

    error: str
    path: str
    text: str


def error_classes(root: Path) -> dict[str, str]:
    """The public exception classes of the project, and the file of each."""
    bases: dict[str, list[str]] = {}
    files: dict[str, str] = {}
    for path, tree in _modules(root):
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                bases[node.name] = [_name(base) for base in node.bases]
                files[node.name] = path
    return {name: path for name, path in files.items() if not name.startswith("_") and _is_error(name, bases)}


def messages(root: Path) -> Iterator[Message]:
    """Each message that one of these errors is raised with, in the order of files."""
    known = error_classes(root)
    seen: set[tuple[str, str]] = set()
    for path, tree in _modules(root):
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or _name(node.func) not in known or not node.args:
                continue
            text = max((_template(argument) for argument in node.args), key=len)
            # An error that passes on what another one said has no words of its own.
            if any(letter.isalpha() for letter in text) and (_name(node.func), text) not in seen:
                seen.add((_name(node.func), text))
                yield Message(_name(node.func), path, text)


def _modules(root: Path) -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            name = str(path.relative_to(root))
            if not name.startswith(_NOT_OURS):
                yield name, ast.parse(path.read_text(encoding="utf-8"))


def _is_error(name: str, bases: dict[str, list[str]]) -> bool:
    return name == "Exception" or any(_is_error(base, bases) for base in bases.get(name, ()))


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _template(node: ast.expr) -> str:
    """The words of an expression that makes a string; `…` for what varies."""
    match node:
        case ast.Constant(value=str(text)):
            return " ".join(text.split()) if text.strip() == text else text
        case ast.JoinedStr(values=parts):
            return " ".join("".join(_template(part) for part in parts).split())
        case ast.BinOp(left=left, right=right):
            return _template(left) + _template(right)
        case _:
            return "…"
