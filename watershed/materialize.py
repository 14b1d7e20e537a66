"""Runs Dagster jobs in this process, into the instance that the UI shows, and tells what became of each asset."""

from __future__ import annotations

import contextlib
import io
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TextIO

import dagster as dg

from infra.local.errors import StateInUseError
from orchestration.definitions import defs
from orchestration.manifests import fingerprint
from orchestration.waiting import last_built, waiting
from watershed.instance import COMMAND_TAG, UNDER_WAY

# Dagster tells everything to its instance; on the terminal it would drown the job's own lines.
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}

NO_CONFIG: Mapping[str, Any] = MappingProxyType({})

_ANSI = re.compile(r"\x1b\[[0-9;]*m")

# The dbt project that a run built, by its files.
PROJECT_TAG = "watershed/project"

_PATIENCE_SECONDS = 120

State = Literal["built", "unchanged", "skipped", "failed"]


@dataclass
class AssetOutcome:
    """What a job did to an asset. `rows` and `seconds` are None where the asset has none."""

    key: dg.AssetKey
    state: State = "unchanged"
    rows: int | None = None
    seconds: float | None = None
    passed: int = 0
    failed: int = 0
    warned: int = 0
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class JobOutcome:
    """What a job did. `errors` holds what each failed step said."""

    name: str
    run_id: str
    assets: dict[dg.AssetKey, AssetOutcome]
    errors: tuple[str, ...]

    def __str__(self) -> str:
        built = [asset for asset in self.assets.values() if asset.state == "built"]
        rows = sum(asset.rows or 0 for asset in built)
        passed, failed = (sum(getattr(a, name) for a in self.assets.values()) for name in ("passed", "failed"))
        checks = f"{passed} checks passed" + (f", {failed} failed" if failed else "")
        counted = f"{len(built)} assets" + (f", {rows:,} rows" if rows else "")
        return f"{counted if built else 'nothing new'}, {checks}"

    @property
    def good(self) -> bool:
        """No step and no check failed. Checks that warn do not count."""
        return not self.errors and not any(asset.failed for asset in self.assets.values())


class Materializer:
    """Runs the jobs of the definitions into an instance. What steps print goes to a log file.

    `command` is the one that holds the lock of its name meanwhile: by that a run is known whose process is gone.
    """

    def __init__(self, instance: dg.DagsterInstance, log: Path, command: str = "demo") -> None:
        self._definitions = defs()
        self._graph = self._definitions.resolve_asset_graph()
        self._instance = instance
        self._log = log
        self._command = command
        self._project = fingerprint()

    def keys_of(self, job: str) -> list[dg.AssetKey]:
        """The assets that a job builds, parents before children."""
        selected = self._definitions.resolve_job_def(job).asset_layer.selected_asset_keys
        return [key for key in self._graph.toposorted_asset_keys if key in selected]

    def waiting_of(self, job: str) -> set[dg.AssetKey]:
        """The assets of a job that wait to be built: all of them if its last run failed or was of another dbt project.

        dbt materializes a model before it tests it, so a failed test leaves a model that looks newly built.
        """
        keys = set(self.keys_of(job))
        last = self._instance.get_runs(dg.RunsFilter(job_name=job), limit=1)
        if last and (last[0].status != dg.DagsterRunStatus.SUCCESS or last[0].tags.get(PROJECT_TAG) != self._project):
            return keys
        parents = {key: self._graph.get(key).parent_keys for key in self._graph.toposorted_asset_keys if key in keys}
        every = {*keys, *(parent for reads in parents.values() for parent in reads)}
        return waiting(parents, last_built(self._instance, every))

    def wait_for_other_runs(self, progress: Callable[[str], None]) -> None:
        """Wait while a run is in progress that something else started: the UI, or a sensor of `watershed dev`.

        Raises:
            StateInUseError: If it takes too long.
        """
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while runs := self._instance.get_runs(UNDER_WAY):
            if time.monotonic() > deadline:
                raise StateInUseError(
                    f"Dagster run {runs[0].run_id} ({runs[0].job_name}) is in progress for more than"
                    f" {_PATIENCE_SECONDS} s. Wait for it, or end it in the UI (`make dev`)."
                )
            progress(f"waiting for Dagster run {runs[0].run_id}, which something else started")
            time.sleep(1)

    def unchanged(self, job: str) -> JobOutcome:
        """What a job would tell that has nothing to do: the assets are as they were last built, or were never built."""
        built = last_built(self._instance, self.keys_of(job))
        outcomes = {
            key: AssetOutcome(key, "unchanged" if when else "skipped", rows=self._rows(key))
            for key, when in built.items()
        }
        return JobOutcome(job, "", outcomes, ())

    def run(self, job: str, progress: Callable[[str], None], run_config: Mapping[str, Any] = NO_CONFIG) -> JobOutcome:
        """Execute a job. What steps print goes to the log file, and line by line to `progress`."""
        self.wait_for_other_runs(progress)
        definition = self._definitions.resolve_job_def(job)
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("a") as log, contextlib.redirect_stdout(_Watched(log, progress)):
            result = definition.execute_in_process(
                instance=self._instance,
                run_config={**_QUIET, **run_config},
                raise_on_error=False,
                tags={COMMAND_TAG: self._command, PROJECT_TAG: self._project},
            )
        if any(_is_interrupt(event) for event in result.all_events):
            raise KeyboardInterrupt
        return _outcome(job, self.keys_of(job), definition, result)

    def _rows(self, key: dg.AssetKey) -> int | None:
        """The rows that an asset had when it was last materialized."""
        event = self._instance.get_latest_materialization_event(key)
        told = event.asset_materialization if event else None
        return _number(told.metadata.get("dagster/row_count")) if told else None


class _Watched(io.TextIOBase):
    """A text file that tells each line that is written to it."""

    def __init__(self, file: TextIO, progress: Callable[[str], None]) -> None:
        self._file = file
        self._progress = progress

    def write(self, text: str, /) -> int:
        """Write, and tell."""
        if line := _ANSI.sub("", text).strip():
            self._progress(line)
        return self._file.write(text)


def _outcome(job: str, keys: list[dg.AssetKey], definition: Any, result: dg.ExecuteInProcessResult) -> JobOutcome:
    assets = {key: AssetOutcome(key) for key in keys}
    errors: dict[str, None] = {}  # in order, each once
    for event in result.all_events:
        if event.is_step_failure:
            errors[_failure(event)] = None
            for key in definition.asset_layer.get_selected_entity_keys_for_node(event.node_handle):
                if isinstance(key, dg.AssetKey) and assets[key].state != "built":
                    assets[key].state = "failed"
        elif event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION:
            _note_materialization(assets, event)
        elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            _note_check(assets, event.asset_check_evaluation_data)
        elif event.is_step_success and not event.is_hook_event:
            _note_duration(assets, definition, event)
    return JobOutcome(job, result.run_id, assets, tuple(errors))


def _is_interrupt(event: dg.DagsterEvent) -> bool:
    """Whether a step ended by an interrupt: Dagster makes a failure of it and goes on with the next step."""
    error = event.step_failure_data.error if event.is_step_failure else None
    while error and error.cls_name != "DagsterExecutionInterruptedError":
        error = error.cause
    return error is not None


def _failure(event: dg.DagsterEvent) -> str:
    data = event.step_failure_data
    error = data.error
    while error and error.cause:
        error = error.cause
    said = data.user_failure_data.description if data.user_failure_data else None
    return f"{event.step_key}: {said or (error.message.strip() if error else 'failed')}"


def _note_materialization(assets: dict[dg.AssetKey, AssetOutcome], event: dg.DagsterEvent) -> None:
    metadata = event.step_materialization_data.materialization.metadata
    outcome = assets[event.step_materialization_data.materialization.asset_key]
    outcome.state = "built"
    outcome.rows = _number(metadata.get("dagster/row_count"))
    seconds = metadata.get("Execution Duration") or metadata.get("seconds")
    outcome.seconds = float(_number(seconds) or 0.0) if seconds else None


def _note_check(assets: dict[dg.AssetKey, AssetOutcome], check: Any) -> None:
    # A test of a source is evaluated by the job that builds the models: it counts for the landing table, elsewhere.
    outcome = assets.setdefault(check.asset_key, AssetOutcome(check.asset_key))
    if check.passed:
        outcome.passed += 1
        return
    warns = check.severity == dg.AssetCheckSeverity.WARN
    verdict = "warned" if warns else "failed"
    outcome.notes.append(f"{check.check_name} {verdict}{f': {check.description}' if check.description else ''}")
    if warns:
        outcome.warned += 1
    else:
        outcome.failed += 1


def _note_duration(assets: dict[dg.AssetKey, AssetOutcome], definition: Any, event: dg.DagsterEvent) -> None:
    """The step's duration, for an asset that has a step of its own."""
    keys = [
        key
        for key in definition.asset_layer.get_selected_entity_keys_for_node(event.node_handle)
        if isinstance(key, dg.AssetKey)
    ]
    if len(keys) != 1:
        return
    outcome = assets[keys[0]]
    outcome.seconds = event.step_success_data.duration_ms / 1000
    if outcome.state == "unchanged" and outcome.warned:
        outcome.state = "skipped"


def _number(value: Any) -> Any:
    return getattr(value, "value", None)


def merged(outcomes: Iterable[JobOutcome]) -> Iterator[AssetOutcome]:
    """One outcome for each asset, in the order of the jobs: checks add up."""
    found: dict[dg.AssetKey, AssetOutcome] = {}
    for asset in (asset for outcome in outcomes for asset in outcome.assets.values()):
        known = found.setdefault(asset.key, asset)
        if known is not asset:
            known.passed += asset.passed
            known.failed += asset.failed
            known.warned += asset.warned
            known.notes += asset.notes
    yield from found.values()
