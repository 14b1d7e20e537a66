"""`watershed new contract` as a user meets it."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import watershed.cli
from ingestion.contract import load_contracts
from watershed.cli import app

SAMPLE = '{"id": 1, "at": "2024-01-01T00:00:00Z", "email": "a@example.com"}\n'


@pytest.fixture(autouse=True)
def contracts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "contracts"
    folder.mkdir()
    monkeypatch.setattr(watershed.cli, "CONTRACTS_DIR", folder)
    return folder


def new(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, ["new", "contract", *arguments], input=stdin)


def test_a_contract_is_written_that_is_read_and_the_next_steps_are_told(contracts: Path, tmp_path: Path) -> None:
    sample = tmp_path / "orders.jsonl"
    sample.write_text(SAMPLE)
    result = new("orders", "--from", str(sample), "--purpose", "Orders.", "--domain", "sales", "--team", "shop")
    assert result.exit_code == 0, result.output
    contract = load_contracts(contracts)["orders"]
    assert (contract.description, contract.domain, contract.owner) == ("Orders.", "sales", "shop")
    assert "1 rows, 0 rejects" in result.output
    written = (contracts / "orders.yaml").read_text().splitlines()
    line = next(number for number, text in enumerate(written, 1) if "unsure: restricted" in text)
    assert f"line {line:>3}  email: restricted" in result.output
    assert f"put orders {sample}" in result.output


def test_what_is_there_is_not_overwritten_unless_told_to(contracts: Path) -> None:
    (contracts / "orders.yaml").write_text("mine")
    refused = new("orders", "--from", "-", stdin=SAMPLE)
    assert refused.exit_code == 1
    assert "is there already" in refused.output
    assert (contracts / "orders.yaml").read_text() == "mine"
    assert new("orders", "--from", "-", "--force", stdin=SAMPLE).exit_code == 0
    assert "Drafted by" in (contracts / "orders.yaml").read_text()


def test_a_dry_run_prints_the_draft_and_writes_nothing(contracts: Path) -> None:
    result = new("orders", "--from", "-", "--dry-run", "--firehose", stdin=SAMPLE)
    assert result.output.startswith("# Drafted by `watershed new contract` from stdin: 1 records")
    assert "deliveryStream" in result.output
    assert list(contracts.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("Orders", "--from", "-"), "cannot be a contract's name"),
        (("orders", "--from", "-", "--stream", "--files"), "A contract has one way in"),
        (("orders", "--from", "missing.jsonl"), "missing.jsonl: cannot be read"),
    ],
)
def test_a_mistake_is_named(arguments: tuple[str, ...], told: str) -> None:
    result = new(*arguments, stdin=SAMPLE)
    assert result.exit_code in (1, 2)
    assert told in result.output
    assert "Traceback" not in result.output
