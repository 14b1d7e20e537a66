"""What becomes of a job when a server ends that it works with."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.errors import EngineEndedError
from infra.local.launch import identity
from infra.local.processes import Process
from watershed.watchdog import watched


@pytest.fixture
def server() -> Iterator[subprocess.Popen[bytes]]:
    started = subprocess.Popen(["sleep", "60"])
    yield started
    started.kill()
    started.wait()


def process_of(server: subprocess.Popen[bytes], folder: Path) -> Process:
    found = identity(server.pid)
    assert found
    return Process("aws", server.pid, found, "http://127.0.0.1:9", folder / "aws.log", folder / "aws.json")


@pytest.fixture(params=[signal.default_int_handler, signal.SIG_IGN], ids=["foreground", "background"])
def interrupts(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a job does at SIGINT: a shell starts its background jobs with it ignored."""
    before = signal.signal(signal.SIGINT, request.param)
    yield
    assert signal.signal(signal.SIGINT, before) is request.param


@pytest.mark.usefixtures("interrupts")
def test_a_job_is_broken_off_when_its_server_ends(server: subprocess.Popen[bytes], tmp_path: Path) -> None:
    def job() -> None:
        processes: list[Process] = []
        with watched(processes):
            processes.append(process_of(server, tmp_path))
            server.kill()
            time.sleep(10)

    with pytest.raises(EngineEndedError, match=rf"aws \(pid {server.pid}, log .*\) ended"):
        job()


def test_an_error_of_the_job_itself_is_left_alone(server: subprocess.Popen[bytes], tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), watched([process_of(server, tmp_path)]):
        raise ZeroDivisionError


def test_servers_that_end_after_the_job_are_no_matter(server: subprocess.Popen[bytes], tmp_path: Path) -> None:
    with watched([process_of(server, tmp_path)]):
        pass
    server.kill()
    time.sleep(0.6)
