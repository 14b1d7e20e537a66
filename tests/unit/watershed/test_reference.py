"""The pages that are written from the code, and what the other pages say of it."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import ingestion.contract
from orchestration.settings import PROJECT_ROOT
from watershed.contract_reference import render
from watershed.messages import error_classes, messages

DOCS = PROJECT_ROOT / "docs"
# Classes that only ever come as one of those below them.
_BASES = {"IngestionError", "QuickSightError", "OrchestrationError", "LineageError"}


def test_the_reference_of_contracts_is_as_the_code_says() -> None:
    page = (DOCS / "contracts.md").read_text(encoding="utf-8")
    assert page == render(), "stale: run `watershed reference`"


def test_each_mistake_in_a_contract_is_shown_with_its_message() -> None:
    """Each `yield where, message` of the rules is met by a mistake that the page shows."""
    shown = (DOCS / "contracts.md").read_text(encoding="utf-8")
    tree = ast.parse(inspect.getsource(ingestion.contract))
    yielded = [node.value for node in ast.walk(tree) if isinstance(node, ast.Yield)]
    told = [pair.elts[1] for pair in yielded if isinstance(pair, ast.Tuple) and len(pair.elts) == 2]
    patterns = [_pattern(message) for message in told]
    assert len(patterns) > 40
    # A file's name cannot be wrong in the reference, which writes the file.
    missing = [
        pattern for pattern in patterns if not re.search(pattern, shown) and "it\\ names\\ tables" not in pattern
    ]
    assert missing == [], "add a mistake to watershed/contract_reference.py"


def _pattern(message: ast.expr) -> str:
    """A regular expression for what an f-string makes."""
    if isinstance(message, ast.JoinedStr):
        return "".join(re.escape(p.value) if isinstance(p, ast.Constant) else ".*" for p in message.values)  # pyright: ignore[reportArgumentType]
    return re.escape(message.value) if isinstance(message, ast.Constant) else ".*"  # pyright: ignore[reportArgumentType]


def test_each_class_of_error_has_its_section_under_troubleshooting() -> None:
    page = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    sections = set(re.findall(r"^### (\w+)$", page, re.MULTILINE))
    assert sections == set(error_classes(PROJECT_ROOT)) - _BASES


def test_messages_are_found_with_what_varies_left_out(tmp_path: Path) -> None:
    package = tmp_path / "ingestion"
    package.mkdir()
    (package / "errors.py").write_text(
        "class Bad(Exception): pass\nclass Worse(Bad): pass\nclass _Own(Bad): pass\nclass Kind: pass\n"
    )
    (package / "work.py").write_text(
        "raise Worse(f'{path}: cannot'\n ' be read')\nraise Bad(str(error))\n"
        "raise Kind('no error')\nother = Bad('twice')\n"
    )
    assert set(error_classes(tmp_path)) == {"Bad", "Worse"}
    assert [(m.error, m.text) for m in messages(tmp_path)] == [("Worse", "…: cannot be read"), ("Bad", "twice")]


def test_links_between_pages_lead_to_files_of_docs() -> None:
    wrong = []
    for page in DOCS.rglob("*.md"):
        for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text(encoding="utf-8")):
            linked = (page.parent / target).resolve()
            if not linked.is_file() or not linked.is_relative_to(DOCS):
                wrong.append(f"{page.relative_to(DOCS)}: {target}")
    assert wrong == []


def test_every_page_is_in_the_navigation() -> None:
    navigation = (PROJECT_ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}
    assert pages == set(re.findall(r"([\w/-]+\.md)$", navigation, re.MULTILINE))
