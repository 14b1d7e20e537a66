"""The blocks of code of a page of docs/: tests follow them to the letter."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from orchestration.settings import PROJECT_ROOT

_HEADING_OR_BLOCK = re.compile(
    r'^## (?P<heading>[^\n]+)$|^```(?P<language>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^```$',
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A block of code. `title` is the file that it is, `heading` what it stands under, `line` where it begins."""

    language: str
    title: str | None
    text: str
    heading: str
    line: int


def blocks(page: str, root: Path = PROJECT_ROOT) -> list[Block]:
    """The blocks of a page, such as `docs/search.md`, in their order."""
    text = (root / page).read_text(encoding="utf-8")
    heading, found = "", list[Block]()
    for each in _HEADING_OR_BLOCK.finditer(text):
        if each["heading"]:
            heading = each["heading"]
        else:
            line = text.count("\n", 0, each.start()) + 1
            found.append(Block(each["language"], each["title"], each["text"], heading, line))
    return found
