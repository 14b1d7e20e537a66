"""Fixtures of the tests of the local services: servers whose threads switch often, with our corrections and without.

A race that needs minutes to show under Python's usual 5 ms shows within a second so.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest

from orchestration.settings import Settings

ClientFactory = Callable[[Settings, str], Any]

CORRECTED = "from infra.local.aws.server import serve; serve({port}).serve_forever()"
PLAIN = "from moto.server import main; main(['--port', '{port}'])"


@contextmanager
def _server(code: str) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-c", "import sys; sys.setswitchinterval(1e-5); " + code.format(port=port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while not _accepts(port):
            if server.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the server did not start: {command}")
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def client() -> ClientFactory:
    """Makes a boto3 client of a service."""
    session = boto3.Session()
    return lambda settings, service: session.client(service, **settings.client_args())  # pyright: ignore


@pytest.fixture
def local_aws_url(local_aws: Settings) -> str:
    """Where a server listens."""
    assert local_aws.aws_endpoint_url is not None
    return local_aws.aws_endpoint_url


@pytest.fixture(scope="session")
def _plain_url() -> Iterator[str]:
    with _server(PLAIN) as url:
        yield url


@pytest.fixture
def plain_moto(_plain_url: str, fresh_settings: Settings) -> Settings:
    """The settings of this test, for moto as it comes."""
    return fresh_settings.model_copy(update={"aws_endpoint_url": _plain_url})


@pytest.fixture
def hasty_aws(fresh_settings: Settings) -> Iterator[Settings]:
    """The settings of this test, for a local AWS whose threads switch often."""
    with _server(CORRECTED) as url:
        yield fresh_settings.model_copy(update={"aws_endpoint_url": url})
