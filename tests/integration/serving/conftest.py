"""Fixtures for what is served: a real OpenSearch that lives as long as the test session."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from opensearchpy import OpenSearch

from infra.local.opensearch.engine import OpenSearchEngine, answering_pids
from orchestration.settings import Settings
from serving.opensearch.client import connect


@pytest.fixture(scope="session")
def opensearch_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """OpenSearch on a free port. It ends with the session, however that ends."""
    engine = OpenSearchEngine()
    if (reason := engine.available()) is not None:
        pytest.skip(reason)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    folder: Path = tmp_path_factory.mktemp("local-opensearch")
    settings = Settings(opensearch_url=url, state_dir=folder)  # pyright: ignore[reportCallIssue]  defaults supply the rest
    launch = engine.launch(settings, exit_with_stdin=True)
    log = folder / "opensearch.log"
    with log.open("wb") as output:
        server = subprocess.Popen(launch.command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + launch.healthy_within
        while server.pid not in answering_pids(url):
            if server.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"OpenSearch did not start:\n{log.read_text()}")
            time.sleep(0.1)
        yield url
    finally:
        server.terminate()
        server.wait(timeout=20)
        assert server.stdin is not None
        server.stdin.close()


@pytest.fixture
def opensearch(opensearch_url: str) -> Iterator[OpenSearch]:
    """A client of an OpenSearch without indexes."""
    client = connect(opensearch_url)
    client.indices.delete(index="*")
    yield client
    client.close()
