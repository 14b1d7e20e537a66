"""The local state as one unit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import pytest

from infra.local.aws.engine import AwsEngine
from infra.local.errors import EngineStartError, StateInUseError
from infra.local.launch import identity
from infra.local.processes import Launch, Process, running
from infra.local.state import down, end, job_lock, local_environment, other_jobs, reset, started_at, status, up
from orchestration.settings import Settings


class BrokenEngine:
    """An engine that is installed and does not start."""

    name = "broken"

    def available(self) -> str | None:
        return None

    def launch(self, settings: Settings) -> Launch:
        return Launch(self.name, (sys.executable, "-c", "exit('out of order')"), settings.opensearch_url, "X")

    def healthy(self, process: Process) -> bool:
        return False


class AbsentEngine(BrokenEngine):
    """An engine that is not installed."""

    name = "absent"

    def available(self) -> str | None:
        return "Install it."


ENGINES = (AwsEngine(),)


@pytest.fixture
def settings(fresh_settings: Settings, free_url: str, another_free_url: str) -> Iterator[Settings]:
    """Settings of a state, and services, of this test's own."""
    own = fresh_settings.model_copy(update={"aws_endpoint_url": free_url, "opensearch_url": another_free_url})
    yield own
    down(own)


def pid_of_aws(settings: Settings) -> int:
    process = running(settings.state_dir, "aws")
    assert process is not None
    return process.pid


def test_up_starts_what_does_not_run_and_only_that(settings: Settings) -> None:
    first = up(settings, (*ENGINES, AbsentEngine()))
    second = up(settings, ENGINES)
    assert [process.name for process in first.started] == ["aws"]
    assert [(skipped.name, skipped.reason) for skipped in first.skipped] == [("absent", "Install it.")]
    assert (second.started, second.already_running) == ((), first.started)
    assert second.state_id == first.state_id
    assert first.cleared is None
    assert second.cleared is None


def test_concurrent_ups_start_one_server(settings: Settings) -> None:
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda _: up(settings, ENGINES), range(3)))
    assert sum(len(result.started) for result in results) == 1


def test_a_failure_ends_what_the_same_up_had_started(settings: Settings) -> None:
    with pytest.raises(EngineStartError, match="out of order"):
        up(settings, (*ENGINES, BrokenEngine()))
    assert running(settings.state_dir, "aws") is None


def test_a_failure_leaves_alone_what_ran_before(settings: Settings) -> None:
    up(settings, ENGINES)
    pid = pid_of_aws(settings)
    with pytest.raises(EngineStartError, match="out of order"):
        up(settings, (*ENGINES, BrokenEngine()))
    assert pid_of_aws(settings) == pid


UP = """
import signal
from infra.local.aws.engine import AwsEngine
from infra.local.state import up
from orchestration.settings import settings
class Slow(AwsEngine):
    def healthy(self, process):
        print(process.pid, flush=True)
        return False
signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever this test's own parent ignores
up(settings(), (Slow(),))
"""


def test_an_interrupted_up_leaves_nothing_running(settings: Settings) -> None:
    environment = {**os.environ, **local_environment(settings)}
    starter = subprocess.Popen(
        [sys.executable, "-c", UP], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    )
    assert starter.stdout is not None
    pid = int(starter.stdout.readline())
    assert identity(pid) is not None
    starter.send_signal(signal.SIGINT)
    starter.communicate(timeout=20)
    assert identity(pid) is None


def test_a_restart_clears_what_outlived_the_local_aws(settings: Settings) -> None:
    first = up(settings, ENGINES)
    (settings.state_dir / "duckdb" / "watershed.duckdb").touch()
    down(settings)
    second = up(settings, ENGINES)
    assert second.state_id != first.state_id
    assert second.cleared is not None
    assert "duckdb" in second.cleared
    assert not (settings.state_dir / "duckdb" / "watershed.duckdb").exists()


def test_a_state_is_kept_as_long_as_the_local_aws_runs(settings: Settings) -> None:
    up(settings, ENGINES)
    (settings.state_dir / "duckdb" / "watershed.duckdb").touch()
    up(settings, ENGINES)
    assert (settings.state_dir / "duckdb" / "watershed.duckdb").exists()


def test_reset_ends_and_clears_everything_that_is_ours(settings: Settings) -> None:
    up(settings, ENGINES)
    (settings.state_dir / "dagster" / "history").touch()
    (settings.state_dir / "mine.txt").touch()
    pid = pid_of_aws(settings)
    assert "dagster" in reset(settings)
    assert identity(pid) is None
    assert started_at(settings) is None
    assert {path.name for path in settings.state_dir.iterdir()} == {"locks", "mine.txt"}


def test_status_tells_running_stopped_and_not_available(settings: Settings) -> None:
    engines = (*ENGINES, AbsentEngine())
    assert [row.state for row in status(settings, engines)] == ["stopped", "not available"]
    up(settings, engines)
    running_row, absent_row = status(settings, engines)
    assert (running_row.state, running_row.pid) == ("running", pid_of_aws(settings))
    assert absent_row.detail == "Install it."


def test_end_stops_what_was_started(settings: Settings) -> None:
    started = up(settings, ENGINES).started
    end(settings, started)
    assert running(settings.state_dir, "aws") is None


HOLD = """
import sys, time
from infra.local.state import job_lock
from orchestration.settings import settings
with job_lock(settings(), "demo"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def demo_elsewhere(settings: Settings) -> Iterator[int]:
    """Another program that does the job `demo`; its pid."""
    environment = {**os.environ, **local_environment(settings)}
    holder = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, env=environment)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    yield holder.pid
    holder.kill()
    holder.communicate()


def test_a_job_is_done_by_one_program_at_a_time(settings: Settings, demo_elsewhere: int) -> None:
    assert other_jobs(settings) == {"demo": demo_elsewhere}
    with pytest.raises(StateInUseError, match=f"pid {demo_elsewhere}"), job_lock(settings, "demo"):
        pass
    with job_lock(settings, "dev"):
        assert other_jobs(settings) == {"demo": demo_elsewhere}


def test_a_job_whose_program_was_killed_is_free(settings: Settings, demo_elsewhere: int) -> None:
    os.kill(demo_elsewhere, signal.SIGKILL)
    time.sleep(0.2)
    with job_lock(settings, "demo"):
        assert other_jobs(settings) == {}


@pytest.mark.usefixtures("demo_elsewhere")
def test_a_state_that_another_program_works_with_is_neither_stopped_nor_cleared(settings: Settings) -> None:
    started = up(settings, ENGINES).started
    for change in (lambda: down(settings), lambda: reset(settings), lambda: end(settings, started)):
        with pytest.raises(StateInUseError, match="watershed demo"):
            change()
    assert running(settings.state_dir, "aws") is not None
    os.kill(started[0].pid, signal.SIGKILL)
    while running(settings.state_dir, "aws") is not None:
        time.sleep(0.01)
    (settings.state_dir / "duckdb" / "watershed.duckdb").touch()
    with pytest.raises(StateInUseError, match="watershed demo"):
        up(settings, ENGINES)


def test_one_s_own_job_does_not_stand_in_the_way(settings: Settings) -> None:
    with job_lock(settings, "dev"):
        up(settings, ENGINES)
        assert down(settings) == ("aws",)


def test_a_child_process_finds_the_same_settings_and_aws(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    up(settings, ENGINES)
    for name, value in local_environment(settings).items():
        monkeypatch.setenv(name, value)
    assert Settings() == settings  # pyright: ignore[reportCallIssue]
    assert boto3.client("s3").list_buckets()["Buckets"] == []
    assert Path(local_environment(settings)["DAGSTER_HOME"]).is_dir()
