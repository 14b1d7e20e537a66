"""`watershed sql`: one statement, or a shell that reads statements up to their semicolon."""

from __future__ import annotations

import contextlib

import duckdb
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from infra.local.duckdb.connection import connect
from orchestration.settings import Settings

MOST_ROWS = 100
_PROMPT, _MORE = "watershed> ", "        -> "


def one(settings: Settings, console: Console, query: str) -> bool:
    """Run one statement and print what it returns. Returns whether it ran."""
    with connect(settings) as connection:
        return _execute(connection, console, query)


def shell(settings: Settings, console: Console) -> bool:
    """Read statements until the end of input. Each sees what has landed by then."""
    # Gives `input` line editing and a history, where the Python build has it.
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401

    console.print("DuckDB over landing.*, quarantine.*, lake.* and marts.*, read-only. End a statement with ;")
    while (statement := _read()) is not None:
        if statement:
            one(settings, console, statement)
    return True


def _read() -> str | None:
    """A statement; None at the end of input. Ctrl-C forgets what was typed."""
    lines: list[str] = []
    try:
        while not (lines and lines[-1].rstrip().endswith(";")):
            lines.append(input(_MORE if lines else _PROMPT))
    except EOFError:
        return None
    except KeyboardInterrupt:
        print()
        return ""
    return "\n".join(lines).strip()


def _execute(connection: duckdb.DuckDBPyConnection, console: Console, query: str) -> bool:
    try:
        result = connection.execute(query)
        names = [column[0] for column in result.description or ()]
        rows = result.fetchmany(MOST_ROWS + 1)
    except duckdb.Error as error:
        console.print(Text(str(error), style="red"))
        return False
    table = Table(*map(escape, names), box=None, pad_edge=False, header_style="bold")
    for row in rows[:MOST_ROWS]:
        table.add_row(*(Text("" if value is None else str(value)) for value in row))
    console.print(table)
    if len(rows) > MOST_ROWS:
        console.print(f"(the first {MOST_ROWS} rows)")
    return True
