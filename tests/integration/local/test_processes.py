"""Servers as child processes: nothing is lost sight of, and nothing is left running."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.errors import EngineStartError
from infra.local.launch import identity
from infra.local.processes import Launch, Process, running, start, stop, wait_until_healthy

SLEEP = (sys.executable, "-c", "import time; time.sleep(60)")


def launch(free_url: str, *command: str, seconds: float = 10) -> Launch:
    return Launch("fake", command or SLEEP, free_url, port_setting="WATERSHED_FAKE_URL", healthy_within=seconds)


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 10
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.02)


@pytest.fixture
def state_dir(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    process = running(tmp_path, "fake")
    if process is not None:
        stop(process)


def test_a_started_server_is_recorded_runs_in_its_own_session_and_stops(state_dir: Path, free_url: str) -> None:
    process = start(state_dir, launch(free_url))
    assert running(state_dir, "fake") == process
    assert os.getsid(process.pid) == process.pid
    stop(process)
    assert running(state_dir, "fake") is None
    assert identity(process.pid) is None


def test_a_server_that_ignores_sigterm_is_killed(
    state_dir: Path, free_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.local.processes._STOP_SECONDS", 0.5)
    ready = state_dir / "ready"
    code = f"import signal, time, pathlib; signal.signal(15, lambda *_: None); pathlib.Path({str(ready)!r}).touch()"
    process = start(state_dir, launch(free_url, sys.executable, "-c", f"{code}; time.sleep(60); time.sleep(60)"))
    wait_for(ready)
    stop(process)
    assert identity(process.pid) is None


def test_a_server_that_dies_is_reported_with_the_end_of_its_log(state_dir: Path, free_url: str) -> None:
    dies = launch(free_url, sys.executable, "-c", "raise SystemExit('no disk left')")
    process = start(state_dir, dies)
    with pytest.raises(EngineStartError, match="no disk left"):
        wait_until_healthy(process, dies, lambda _: False)
    assert running(state_dir, "fake") is None


def test_a_server_that_never_answers_is_ended(state_dir: Path, free_url: str) -> None:
    silent = launch(free_url, seconds=0.3)
    process = start(state_dir, silent)
    with pytest.raises(EngineStartError, match="did not answer within"):
        wait_until_healthy(process, silent, lambda _: False)
    assert identity(process.pid) is None


def test_another_server_that_answers_on_its_port_does_not_make_a_dead_one_healthy(
    state_dir: Path, free_url: str
) -> None:
    dies = launch(free_url, sys.executable, "-c", "pass")
    process = start(state_dir, dies)
    while identity(process.pid) is not None:
        time.sleep(0.02)
    with pytest.raises(EngineStartError):
        wait_until_healthy(process, dies, lambda _: True)


def test_a_taken_port_is_refused_with_what_to_do(state_dir: Path, local_aws_url: str) -> None:
    with pytest.raises(EngineStartError, match="WATERSHED_FAKE_URL"):
        start(state_dir, launch(local_aws_url))
    assert running(state_dir, "fake") is None


@pytest.mark.parametrize("url", ["http://example.com:80", "http://127.0.0.1"])
def test_only_a_port_of_this_machine_is_served(state_dir: Path, url: str) -> None:
    with pytest.raises(EngineStartError, match=r"127\.0\.0\.1"):
        start(state_dir, launch(url))


def test_a_command_that_cannot_be_run_is_reported(state_dir: Path, free_url: str) -> None:
    absent = launch(free_url, "/no/such/program")
    process = start(state_dir, absent)
    with pytest.raises(EngineStartError, match="No such file"):
        wait_until_healthy(process, absent, lambda _: False)


def test_a_recycled_pid_is_not_taken_for_the_server(state_dir: Path) -> None:
    bystander = subprocess.Popen(SLEEP)
    record = state_dir / "processes" / "fake.json"
    record.parent.mkdir()
    record.write_text(json.dumps({"pid": bystander.pid, "identity": "an earlier start", "url": ""}))
    assert running(state_dir, "fake") is None
    stop(Process("fake", bystander.pid, "an earlier start", "", state_dir, record))
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def test_a_server_whose_starter_is_gone_before_it_confirms_is_not_started(tmp_path: Path) -> None:
    record, started = tmp_path / "fake.json", tmp_path / "started"
    command = [sys.executable, "-m", "infra.local.launch", str(record), "http://127.0.0.1:1", "touch", str(started)]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert ended.returncode != 0
    assert not record.exists()
    assert not started.exists()


STARTER = """
import sys
from pathlib import Path
from infra.local.processes import Launch, start, wait_until_healthy
launch = Launch("fake", (sys.executable, "-c", "import time; time.sleep(60)"), sys.argv[2], "X", healthy_within=60)
wait_until_healthy(start(Path(sys.argv[1]), launch), launch, lambda _: False)
"""


def test_a_server_whose_starter_was_killed_is_found_by_its_record(state_dir: Path, free_url: str) -> None:
    starter = subprocess.Popen([sys.executable, "-c", STARTER, str(state_dir), free_url])
    wait_for(state_dir / "processes" / "fake.json")
    time.sleep(0.3)  # the confirmation
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    process = running(state_dir, "fake")
    assert process is not None
    stop(process)
    assert identity(process.pid) is None
