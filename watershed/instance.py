"""Dagster's instance in the local state."""

from __future__ import annotations

import os
import shutil

import dagster as dg

from infra.local import state
from orchestration.settings import PROJECT_ROOT, Settings

_CONFIGURATION = PROJECT_ROOT / "infra" / "local" / "dagster.yaml"

# Names the command, such as `demo`, that executes a run in its own process; all others are `watershed dev`'s.
COMMAND_TAG = "watershed/command"

UNDER_WAY = dg.RunsFilter(
    statuses=[dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
)


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The instance, for this process and its children: configured, and without runs whose process is gone.

    A run that was killed stays "started" for ever, and would keep every other one waiting.
    """
    os.environ.update(state.local_environment(settings))
    home = settings.state_dir / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_CONFIGURATION, home / "dagster.yaml")
    instance = dg.DagsterInstance.get()
    working = state.other_jobs(settings)
    for run in instance.get_runs(UNDER_WAY):
        owner = run.tags.get(COMMAND_TAG, "dev")
        if owner not in working:
            instance.report_run_failed(run, f"The `watershed {owner}` that executed this run is gone.")
    return instance
