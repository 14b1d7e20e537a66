"""`watershed sql`: statements, or a shell that reads them. Tables on a terminal, CSV in a pipe."""

from __future__ import annotations

import contextlib
import csv
import sys

import duckdb
from rich.console import Console
from rich.text import Text

from infra.local.duckdb.connection import connect
from orchestration.settings import Settings

MOST_ROWS = 40
_CHUNK_ROWS = 10_000
_PROMPT, _MORE = "watershed> ", "        -> "
_FAREWELLS = {"exit", "quit", ".exit", ".quit", "\\q"}


def run(settings: Settings, console: Console, text: str) -> bool:
    """Run statements, one after the other up to the first that fails. Returns whether all ran.

    On a terminal what a statement returns is drawn as wide as that is, with the first and last rows of many; columns
    that have no room are left out, and their number told. Elsewhere it is written as CSV, all of it.
    """
    with connect(settings) as connection:
        try:
            for statement in connection.extract_statements(text):
                _show(connection.sql(statement.query), console)
        except duckdb.Error as error:
            console.print(Text(str(error), style="red"), soft_wrap=True)
            return False
    return True


def shell(settings: Settings, console: Console) -> bool:
    """Read statements until the end of input or `exit`. Each sees what has landed by then."""
    # Gives `input` line editing and a history, where the Python build has it.
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401

    if sys.stdin.isatty():
        console.print(
            "DuckDB over landing.*, quarantine.*, lake.*, marts.*, read-only. ; ends a statement, exit the shell"
        )
    good = True
    while (statement := _read()) is not None:
        if statement:
            good = run(settings, console, statement)
    return good or sys.stdin.isatty()


def _show(relation: duckdb.DuckDBPyRelation | None, console: Console) -> None:
    if relation is None:  # a statement that returns nothing
        return
    if console.is_terminal:
        relation.show(max_rows=MOST_ROWS, max_width=console.width)
        return
    # Nested values and intervals as DuckDB writes them.
    rows = relation.project("columns(*)::varchar")
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(rows.columns)
    while chunk := rows.fetchmany(_CHUNK_ROWS):
        out.writerows(chunk)


def _read() -> str | None:
    """Text up to a semicolon; None at the end. Ctrl-C forgets what was typed."""
    lines: list[str] = []
    first, more = (_PROMPT, _MORE) if sys.stdin.isatty() else ("", "")
    try:
        while not (lines and lines[-1].rstrip().endswith(";")):
            lines.append(input(more if lines else first))
            if len(lines) == 1 and lines[0].strip().rstrip(";").lower() in _FAREWELLS:
                return None
    except EOFError:
        return "\n".join(lines).strip() or None
    except KeyboardInterrupt:
        print()
        return ""
    return "\n".join(lines).strip()
