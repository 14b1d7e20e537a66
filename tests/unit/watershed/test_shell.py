"""What `watershed sql` writes, over a DuckDB without the landed tables."""

from __future__ import annotations

import io

import duckdb
import pytest
from rich.console import Console

from orchestration.settings import settings
from watershed import shell


@pytest.fixture(autouse=True)
def _database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "connect", lambda _: duckdb.connect())


def run(text: str, *, terminal: bool = False) -> tuple[bool, str]:
    """Whether all statements ran, and what was written to the console."""
    said = io.StringIO()
    good = shell.run(settings(), Console(file=said, force_terminal=terminal, width=100), text)
    return good, said.getvalue()


def test_a_pipe_gets_csv_of_all_rows_and_all_columns(capsys: pytest.CaptureFixture[str]) -> None:
    good, _ = run("select i, [i, i + 1] as pair, null as nothing from range(20_001) t(i)")
    lines = capsys.readouterr().out.splitlines()
    assert good
    assert (len(lines), lines[0], lines[-1]) == (20_002, "i,pair,nothing", '20000,"[20000, 20001]",')


def test_a_terminal_gets_a_table_no_wider_than_itself(capsys: pytest.CaptureFixture[str]) -> None:
    columns = ", ".join(f"'{'x' * 10}' as column_{n}" for n in range(30))
    assert run(f"select {columns}", terminal=True)[0]
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    assert "30 columns" in "\n".join(lines)


def test_statements_run_up_to_the_first_that_fails(capsys: pytest.CaptureFixture[str]) -> None:
    good, said = run("create table t as select 1 as a; select a from t; select b from t; select a + 1 as c from t")
    assert not good
    assert capsys.readouterr().out == "a\n1\n"
    assert 'Referenced column "b" not found' in said


def test_the_shell_reads_statements_over_lines_until_exit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("select\n1 as a;\nselect 2 as b;\nexit;\nselect 3 as c;\n"))
    assert shell.shell(settings(), Console())
    assert capsys.readouterr().out == "a\n1\nb\n2\n"
