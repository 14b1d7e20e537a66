"""The local state as one unit: the local AWS, OpenSearch's indexes, DuckDB's file and Dagster's instance.

The local AWS keeps its data in memory. Once it is down, what the others remember of it is of no use, and worse, would
mix with what comes new: `up` then clears all of it before it starts. Every function here is for the state that
`settings.state_dir` names.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from infra.local.aws.engine import AwsEngine
from infra.local.engines import Engine, all_engines
from infra.local.errors import EngineStartError, LocalServicesError, StateInUseError
from infra.local.locks import exclusive, holder
from infra.local.processes import (
    Process,
    recorded_names,
    running,
    start,
    stop,
    wait_until_healthy,
)
from orchestration.settings import Settings

_LOCKS = "locks"
_JOB = "job-"
_IDENTITY_FILE = "state.json"
_DATA = ("dagster", "duckdb", "opensearch")  # folders
_DERIVED = ("preview", "lineage")  # pages about the data
_BUSY_SECONDS = 180.0


@dataclass(frozen=True)
class Skipped:
    """An engine that was not started."""

    name: str
    reason: str


@dataclass(frozen=True)
class Up:
    """What `up` did."""

    state_id: str
    """Of this life of the local AWS."""
    started: tuple[Process, ...]
    already_running: tuple[Process, ...]
    skipped: tuple[Skipped, ...]
    cleared: str | None
    """A sentence, if the rest of an earlier state was cleared."""


@dataclass(frozen=True)
class EngineStatus:
    """How an engine is."""

    name: str
    state: Literal["running", "not answering", "stopped", "not available"]
    url: str = ""
    pid: int | None = None
    log: Path | None = None
    detail: str = ""


def up(settings: Settings, engines: Sequence[Engine] | None = None) -> Up:
    """Start what does not run yet, and wait until all of it answers.

    Args:
        settings: Where everything listens, and the state's folder.
        engines: What to start, the local AWS among it; all that this machine can run by default.

    Raises:
        EngineStartError: If one did not start. What this call had started is ended again.
        StateInUseError: If another program starts or stops the services, or works with a state that must be cleared.
    """
    wanted = all_engines() if engines is None else tuple(engines)
    reasons = {engine.name: reason for engine in wanted if (reason := engine.available()) is not None}
    if AwsEngine.name in reasons:
        raise EngineStartError(reasons[AwsEngine.name])
    with _exclusive(settings):
        cleared = _clear_what_outlived_aws(settings)
        launches = [(engine, engine.launch(settings)) for engine in wanted if engine.name not in reasons]
        before = {launch.name for _, launch in launches if running(settings.state_dir, launch.name)}
        try:
            processes = [
                running(settings.state_dir, launch.name) or start(settings.state_dir, launch) for _, launch in launches
            ]
            for process, (engine, launch) in zip(processes, launches, strict=True):
                wait_until_healthy(process, launch, engine.healthy)
        except BaseException:
            _stop(settings, [launch.name for _, launch in launches if launch.name not in before])
            raise
    return Up(
        state_id=_identity(settings)["id"],
        started=tuple(process for process in processes if process.name not in before),
        already_running=tuple(process for process in processes if process.name in before),
        skipped=tuple(Skipped(name, reason) for name, reason in reasons.items()),
        cleared=cleared,
    )


def end(settings: Settings, processes: Sequence[Process]) -> None:
    """End servers that an `up` of this program started.

    Raises:
        StateInUseError: If another program works with the state by now. They are left running for it.
    """
    with _exclusive(settings):
        _require_no_other_job(settings)
        for process in reversed(processes):
            stop(process)


def down(settings: Settings) -> tuple[str, ...]:
    """End every server of this state.

    Returns:
        The names of those that ran.

    Raises:
        StateInUseError: If another program works with the state.
    """
    with _exclusive(settings):
        _require_no_other_job(settings)
        return _stop(settings, recorded_names(settings.state_dir))


def reset(settings: Settings) -> tuple[str, ...]:
    """End every server and clear the state: all of it.

    Returns:
        What was cleared: the names of the folders.

    Raises:
        StateInUseError: If another program works with the state.
    """
    with _exclusive(settings):
        _require_no_other_job(settings)
        _stop(settings, recorded_names(settings.state_dir))
        return _clear(settings)


def status(settings: Settings, engines: Sequence[Engine] | None = None) -> list[EngineStatus]:
    """How each engine is. Changes nothing."""
    return [_status(settings, engine) for engine in (all_engines() if engines is None else engines)]


def require_aws(settings: Settings) -> None:
    """Raise LocalServicesError unless the local AWS is running."""
    if any(each.state != "running" for each in status(settings, [AwsEngine()])):
        raise LocalServicesError("The local AWS is not running. Start it: `watershed up`, `watershed demo`.")


def local_environment(settings: Settings) -> dict[str, str]:
    """Environment variables that lead a child process to this state, and to no AWS account.

    To be laid over `os.environ`.
    """
    own = {
        f"WATERSHED_{name.upper()}": str(value)
        for name, value in settings.model_dump(mode="json").items()
        if value is not None
    }
    return own | {
        "AWS_ENDPOINT_URL": settings.aws_endpoint_url or "",
        "AWS_ACCESS_KEY_ID": settings.aws_access_key_id or "",
        "AWS_SECRET_ACCESS_KEY": settings.aws_secret_access_key or "",
        "AWS_SESSION_TOKEN": "",
        "AWS_DEFAULT_REGION": settings.region,
        "AWS_REGION": settings.region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "DAGSTER_HOME": str(settings.state_dir / "dagster"),
    }


def job_lock(settings: Settings, name: str) -> AbstractContextManager[None]:
    """Hold the right to do a job with this state: one program at a time does `name`.

    While any job's lock is held, no other program can stop or clear the state.

    Args:
        settings: The state.
        name: The job, as its command is called: `demo`, `dev`.

    Raises:
        StateInUseError: On entry, if another program does it; names its pid.
    """
    return exclusive(_job_path(settings, name), f"`watershed {name}`", wait_seconds=1)


def other_jobs(settings: Settings) -> dict[str, int]:
    """The jobs that other programs do with this state, and their pids."""
    found = {path.stem: holder(path) for path in sorted((settings.state_dir / _LOCKS).glob(f"{_JOB}*.lock"))}
    return {name.removeprefix(_JOB): pid for name, pid in found.items() if pid is not None and pid != os.getpid()}


def started_at(settings: Settings) -> datetime | None:
    """When this life of the local AWS began; None if there was none."""
    try:
        return datetime.fromisoformat(_identity(settings)["started_at"])
    except FileNotFoundError:
        return None


def _exclusive(settings: Settings) -> AbstractContextManager[None]:
    """One start, stop or clear at a time. A start may fetch an engine: others wait for it."""
    path = settings.state_dir / _LOCKS / "services.lock"
    return exclusive(path, "starting or stopping the local services", wait_seconds=_BUSY_SECONDS)


def _job_path(settings: Settings, name: str) -> Path:
    return settings.state_dir / _LOCKS / f"{_JOB}{name}.lock"


def _require_no_other_job(settings: Settings) -> None:
    jobs = other_jobs(settings)
    if jobs:
        named = ", ".join(f"`watershed {name}` (pid {pid})" for name, pid in jobs.items())
        raise StateInUseError(f"{named} works with the local state in {settings.state_dir}. End it first.")


def _clear_what_outlived_aws(settings: Settings) -> str | None:
    """Without the local AWS, begin a new state: end what else runs, clear what else is there."""
    if running(settings.state_dir, AwsEngine.name) is not None:
        return None
    remains = [part for part in _DATA if _is_filled(settings.state_dir / part)]
    if remains:
        _require_no_other_job(settings)
    _stop(settings, recorded_names(settings.state_dir))
    _clear(settings)
    for part in _DATA:
        (settings.state_dir / part).mkdir(parents=True, exist_ok=True)
    identity = {"id": uuid.uuid4().hex, "started_at": datetime.now(UTC).isoformat()}
    (settings.state_dir / _IDENTITY_FILE).write_text(json.dumps(identity))
    if not remains:
        return None
    return f"The local AWS was down, and its data with it: cleared what was left of that state ({', '.join(remains)})."


def _clear(settings: Settings) -> tuple[str, ...]:
    """Remove what is ours in the state's folder, except for the locks."""
    cleared: list[str] = []
    for part in (*_DATA, *_DERIVED, "logs", "processes"):
        folder = settings.state_dir / part
        if _is_filled(folder):
            cleared.append(part)
        shutil.rmtree(folder, ignore_errors=not folder.exists())
    (settings.state_dir / _IDENTITY_FILE).unlink(missing_ok=True)
    return tuple(cleared)


def _is_filled(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())


def _stop(settings: Settings, names: Sequence[str]) -> tuple[str, ...]:
    processes = [process for name in names if (process := running(settings.state_dir, name)) is not None]
    for process in processes:
        stop(process)
    return tuple(process.name for process in processes)


def _identity(settings: Settings) -> dict[str, str]:
    return json.loads((settings.state_dir / _IDENTITY_FILE).read_text())


def _status(settings: Settings, engine: Engine) -> EngineStatus:
    process = running(settings.state_dir, engine.name)
    if process is not None:
        state = "running" if engine.healthy(process) else "not answering"
        return EngineStatus(engine.name, state, process.url, process.pid, process.log)
    reason = engine.available()
    if reason is not None:
        return EngineStatus(engine.name, "not available", detail=reason)
    return EngineStatus(engine.name, "stopped")
