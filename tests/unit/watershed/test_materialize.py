"""What a job in this process makes of a run that failed, and of one that was interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from watershed.materialize import Materializer

SERVE = "serve"


def forget(line: str) -> None:
    """Progress that nobody watches."""


@pytest.fixture
def instance() -> Any:
    with dg.DagsterInstance.ephemeral() as found:
        yield found


def materializer(
    instance: dg.DagsterInstance, folder: Path, monkeypatch: pytest.MonkeyPatch, step: Any
) -> Materializer:
    """Over one asset, `model`, which does as a step says."""

    @dg.asset
    def model() -> None:
        step()

    job = dg.define_asset_job(SERVE, [model])
    definitions = dg.Definitions(assets=[model], jobs=[job], executor=dg.in_process_executor)
    monkeypatch.setattr("watershed.materialize.defs", lambda: definitions)
    return Materializer(instance, folder / "job.log")


def test_a_job_whose_last_run_failed_waits_though_its_assets_are_newly_built(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with dbt, which materializes a model before it tests it."""
    found = materializer(instance, tmp_path, monkeypatch, lambda: None)
    found.run(SERVE, forget)
    assert found.waiting_of(SERVE) == set()
    (last,) = instance.get_runs(limit=1)
    instance.report_run_failed(last)
    assert found.waiting_of(SERVE) == {dg.AssetKey("model")}


def test_a_job_whose_last_run_built_another_project_waits(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that was edited, or a new test."""
    materializer(instance, tmp_path, monkeypatch, lambda: None).run(SERVE, forget)
    assert materializer(instance, tmp_path, monkeypatch, lambda: None).waiting_of(SERVE) == set()
    monkeypatch.setattr("watershed.materialize.fingerprint", lambda: "edited")
    edited = materializer(instance, tmp_path, monkeypatch, lambda: None)
    assert edited.waiting_of(SERVE) == {dg.AssetKey("model")}
    edited.run(SERVE, forget)
    assert edited.waiting_of(SERVE) == set()


def test_an_interrupted_step_interrupts_the_job(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dagster makes a failure of it, and would go on with the next step."""

    def interrupted() -> None:
        raise dg.DagsterExecutionInterruptedError

    with pytest.raises(KeyboardInterrupt):
        materializer(instance, tmp_path, monkeypatch, interrupted).run(SERVE, forget)


def test_a_step_that_fails_otherwise_is_told_and_does_not_interrupt(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise ValueError("broken")

    outcome = materializer(instance, tmp_path, monkeypatch, broken).run(SERVE, forget)
    assert not outcome.good
    assert "broken" in outcome.errors[0]
