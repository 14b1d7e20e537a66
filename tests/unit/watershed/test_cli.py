"""The command line: what it offers, and how it says what is wrong."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import watershed.cli
from infra.local.processes import recorded_names
from orchestration.errors import ParseError
from orchestration.settings import settings
from watershed.cli import app

COMMANDS = {
    "bootstrap",
    "cost",
    "demo",
    "dev",
    "down",
    "land",
    "latency",
    "lineage",
    "maintain",
    "prepare",
    "preview",
    "put",
    "rebuild",
    "reference",
    "reset",
    "sources",
    "sql",
    "status",
    "traffic",
    "up",
}


@pytest.fixture(autouse=True)
def _settings_of_this_test(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WATERSHED_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("WATERSHED_AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    settings.cache_clear()


def test_every_command_has_help() -> None:
    assert {command.callback.__name__ for command in app.registered_commands if command.callback} == COMMANDS
    for command in COMMANDS:
        result = CliRunner().invoke(app, [command, "--help"])
        assert result.exit_code == 0
        assert len(result.output) > 100


@pytest.mark.parametrize("command", ["up", "down", "status", "reset", "demo", "dev"])
def test_what_starts_or_clears_refuses_another_environment(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATERSHED_ENVIRONMENT", "production")
    monkeypatch.setenv("WATERSHED_ACCOUNT_ID", "123456789012")
    monkeypatch.setattr(watershed.cli, "_refresh_manifests", lambda: None)
    result = CliRunner().invoke(app, [command])
    assert result.exit_code == 2
    assert "WATERSHED_ENVIRONMENT is production" in result.output


def test_dev_tells_that_its_port_is_taken_before_it_starts_anything(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WATERSHED_STATE_DIR", str(tmp_path))
    monkeypatch.setattr(watershed.cli, "_refresh_manifests", lambda: None)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        result = CliRunner().invoke(app, ["dev", "--port", str(port)])
    assert result.exit_code == 1
    assert f"Dagster cannot start: port {port} of 127.0.0.1 is taken" in result.output
    assert "choose another port with `watershed dev --port`" in result.output
    assert recorded_names(tmp_path) == []


def test_bootstrap_refuses_the_local_environment_before_it_parses_a_project(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = list[bool]()
    monkeypatch.setattr(watershed.cli, "_refresh_manifests", lambda: parsed.append(True))
    result = CliRunner().invoke(app, ["bootstrap", "--plan"])
    assert result.exit_code == 1
    assert "WATERSHED_ENVIRONMENT is local" in result.output
    assert parsed == []


def test_sql_says_in_a_sentence_that_the_local_aws_is_down() -> None:
    result = CliRunner().invoke(app, ["sql", "select 1"])
    assert result.exit_code == 1
    assert "The local AWS is not running at http://127.0.0.1:9. Start it with `watershed up`." in result.output
    assert "Traceback" not in result.output


def test_down_and_reset_say_that_there_was_nothing() -> None:
    assert "nothing was running" in CliRunner().invoke(app, ["down"]).output
    assert "nothing was there" in CliRunner().invoke(app, ["reset", "--yes"]).output


def test_reset_asks_first(tmp_path: Path) -> None:
    kept = tmp_path / "state" / "duckdb" / "watershed.duckdb"
    kept.parent.mkdir(parents=True)
    kept.touch()
    result = CliRunner().invoke(app, ["reset"], input="n\n")
    assert result.exit_code == 1
    assert kept.exists()


def test_sources_check_fails_on_a_stale_file_and_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(watershed.cli, "DBT_PROJECT_DIR", tmp_path / "dbt_project")
    result = CliRunner().invoke(app, ["sources", "--check"])
    assert result.exit_code == 1
    assert "stale" in result.output
    assert not (tmp_path / "dbt_project").exists()


def test_sources_writes_and_then_has_nothing_to_write(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(watershed.cli, "DBT_PROJECT_DIR", tmp_path / "dbt_project")
    assert "wrote" in CliRunner().invoke(app, ["sources"]).output
    assert "every dbt source is as its contract says" in CliRunner().invoke(app, ["sources"]).output


def test_a_bad_contract_is_shown_with_its_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("kind: DataContract\n")
    monkeypatch.setattr(watershed.cli, "CONTRACTS_DIR", tmp_path)
    result = CliRunner().invoke(app, ["sources"])
    assert result.exit_code == 1
    assert "broken.yaml:1" in result.output


def test_an_error_that_dagster_wraps_is_spoken_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    def load() -> None:
        try:
            raise ParseError("dbt cannot parse \x1b[4mthe project\x1b[0m")
        except ParseError as error:
            raise RuntimeError("while loading definitions") from error

    with pytest.raises(typer.Exit), watershed.cli._spoken():
        load()
    assert capsys.readouterr().err == "ParseError: dbt cannot parse the project\n"


def test_a_fault_of_the_program_is_not_spoken() -> None:
    with pytest.raises(ZeroDivisionError), watershed.cli._spoken():
        raise ZeroDivisionError
