"""`watershed lineage`: trees, changes, and what it says to a wrong name."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

import orchestration.lineage.build
import watershed.lineage
from orchestration.lineage.errors import CompileError
from orchestration.lineage.graph import Asset, AssetKind, Draft, Edge, Field, FieldId, FieldKind, Graph
from orchestration.lineage.transformation import Transformation
from watershed.cli import app

RAW, CODE, NAME = (
    FieldId("landing/events", "flight.carrier"),
    FieldId("lake/flights", "code"),
    FieldId("lake/flights", "name"),
)
VISUAL = FieldId("quicksight/delays", "by-carrier")


def _graph() -> Graph:
    draft = Draft()
    draft.add_asset(Asset("landing/events", AssetKind.LANDING))
    draft.add_asset(Asset("lake/flights", AssetKind.MODEL, files=frozenset({"models/flights.sql"})))
    draft.add_asset(Asset("quicksight/delays", AssetKind.DASHBOARD))
    draft.add_field(Field(RAW, FieldKind.FIELD, "varchar(2)", classification="restricted"))
    draft.add_field(Field(CODE, FieldKind.COLUMN, "varchar(2)"), [RAW])
    draft.add_field(Field(NAME, FieldKind.COLUMN, "varchar(9)"))
    draft.add_edges([Edge(RAW, NAME, Transformation.JOIN)])
    draft.add_field(Field(VISUAL, FieldKind.VISUAL), [CODE, NAME])
    return draft.graph()


@pytest.fixture(autouse=True)
def _small_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orchestration.lineage.build, "project_graph", _graph)


def _run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["lineage", *arguments])
    return result.exit_code, result.output


def test_down_is_what_a_field_goes_into() -> None:
    assert _run(str(RAW), "--down") == (
        0,
        "landing/events.flight.carrier varchar(2) restricted goes into\n"
        "├── lake/flights.code varchar(2)\n"
        "│   └── quicksight/delays.by-carrier visual\n"
        "└── lake/flights.name varchar(9) decides\n"
        "    └── quicksight/delays.by-carrier visual\n",
    )


def test_up_is_what_a_field_is_made_of_each_branch_once() -> None:
    raw = "landing/events.flight.carrier varchar(2) restricted"
    assert _run(str(VISUAL), "--up") == (
        0,
        "quicksight/delays.by-carrier visual made of\n"
        f"├── lake/flights.code varchar(2)\n│   └── {raw}\n"
        f"└── lake/flights.name varchar(9)\n    └── {raw} decides\n",
    )


def test_without_a_way_both_are_shown() -> None:
    code, output = _run(str(RAW))
    assert code == 0
    assert "restricted made of nothing" in output
    assert "restricted goes into" in output


def test_a_wrong_name_is_answered_with_the_nearest() -> None:
    code, output = _run("lake/flights.cod")
    assert code == 1
    assert "UnknownFieldError: lake/flights has no field 'cod'. Did you mean code?" in output


def test_a_page_is_written(tmp_path: Path) -> None:
    path = tmp_path / "made" / "lineage.html"
    code, _ = _run("--html", str(path))
    assert code == 0
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_change_names_what_it_reaches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watershed.lineage, "changed_files", lambda base: {"models/flights.sql", "README.md"})
    assert _run("--changed", "main") == (
        0,
        "models/flights.sql declares lake/flights\n\nreached:\n  quicksight/delays: 1 visual: by-carrier\n",
    )


def test_a_change_of_nothing_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watershed.lineage, "changed_files", lambda base: {"README.md"})
    assert _run("--changed", "main") == (0, "No file that declares a field differs from main.\n")


def test_without_anything_to_do_it_says_what_there_is() -> None:
    assert _run() == (2, "Name a field, or give --html or --changed.\n")


def test_what_dbt_cannot_compile_is_no_stack_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Graph:
        raise CompileError("dbt cannot compile the project; mend what it says:\nCompilation Error in model x")

    monkeypatch.setattr(orchestration.lineage.build, "project_graph", refuse)
    code, output = _run(str(RAW))
    assert code == 1
    assert "CompileError: dbt cannot compile the project" in output
    assert "Traceback" not in output
