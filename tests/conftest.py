"""Fixtures for every test: settings, and a local AWS on a free port that lives as long as the test session."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from infra.local.aws.engine import answering_pid
from orchestration.settings import DEFAULTS, Environment, Settings, settings


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def local_settings(aws_endpoint_url: str, state_dir: Path) -> Settings:
    """Settings that share no name with those of another test."""
    run = uuid.uuid4().hex[:10]
    return Settings(
        **{
            **DEFAULTS[Environment.LOCAL],
            "environment": Environment.LOCAL,
            "aws_endpoint_url": aws_endpoint_url,
            "prefix": f"test-{run}",
            "landing_database": f"landing_{run}",
            "quarantine_database": f"quarantine_{run}",
            "lake_database": f"lake_{run}",
            "state_dir": state_dir,
        }
    )


# Files whose tests share one lake that holds January 2013: it takes long to make.
_JANUARY = {
    "tests/integration/dbt/test_connection.py",
    "tests/integration/dbt/test_january.py",
    "tests/integration/serving/test_search_docs.py",
}


class _Scheduling(LoadScopeScheduling):
    """One worker runs the tests of a file, whose fixtures they share, in their order; and one all of `_JANUARY`."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.split("::", maxsplit=1)[0]
        return "january" if path in _JANUARY else path


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """How pytest-xdist hands out tests."""
    return _Scheduling(config, log)


@pytest.fixture
def free_url() -> str:
    """A URL of this machine where nothing listens."""
    return f"http://127.0.0.1:{free_port()}"


another_free_url = free_url


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the developer's shell sets must not reach a test, nor what one test sets another."""
    for name in os.environ:
        if name.startswith(("WATERSHED_", "AWS_")):
            monkeypatch.delenv(name)
    settings.cache_clear()
    yield
    settings.cache_clear()


@contextmanager
def running_server(
    command: Sequence[str], log: Path, answers: Callable[[int], bool], *, within: float = 30
) -> Iterator[None]:
    """A server as a child process, once `answers` says so of its pid. It ends with its starter, however that ends.

    Args:
        command: Has the server end when its standard input does.
        log: Where its output goes.
        answers: Whether the server of a pid answers.
        within: Seconds until it has to.
    """
    with log.open("wb") as output:
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + within
        while not answers(server.pid):
            if server.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"{log.stem} did not start:\n{log.read_text()}")
            time.sleep(0.05)
        yield
    finally:
        server.terminate()
        server.wait(timeout=20)
        assert server.stdin is not None
        server.stdin.close()


@contextmanager
def running_aws(folder: Path, *options: str) -> Iterator[str]:
    """A local AWS on a free port: its URL. Its log is in the folder."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "infra.local.aws", "--port", str(port), "--exit-with-stdin", *options]
    with running_server(command, folder / "aws.log", lambda pid: answering_pid(url) == pid):
        yield url


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The local AWS, and settings that lead to it."""
    folder = tmp_path_factory.mktemp("local-aws")
    with running_aws(folder) as url:
        yield local_settings(url, folder)


@pytest.fixture
def fresh_settings(local_aws: Settings, tmp_path: Path) -> Settings:
    """Settings for the local AWS under names, and a state folder, of this test alone. Nothing is made in it yet."""
    assert local_aws.aws_endpoint_url is not None
    return local_settings(local_aws.aws_endpoint_url, tmp_path)
