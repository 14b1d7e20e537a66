"""Fixtures for what is served: a real OpenSearch that lives as long as the test session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from opensearchpy import OpenSearch

from infra.local.opensearch.engine import OpenSearchEngine, answering_pids
from orchestration.settings import Settings
from serving.opensearch.client import connect
from tests.conftest import free_port, running_server


@pytest.fixture(scope="session")
def opensearch_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """OpenSearch on a free port. It ends with the session, however that ends."""
    engine = OpenSearchEngine()
    if (reason := engine.available()) is not None:
        pytest.skip(reason)
    url = f"http://127.0.0.1:{free_port()}"
    folder: Path = tmp_path_factory.mktemp("local-opensearch")
    settings = Settings(opensearch_url=url, state_dir=folder)  # pyright: ignore[reportCallIssue]  defaults supply the rest
    launch = engine.launch(settings, exit_with_stdin=True)
    log = folder / "opensearch.log"
    with running_server(launch.command, log, lambda pid: pid in answering_pids(url), within=launch.healthy_within):
        yield url


@pytest.fixture
def opensearch(opensearch_url: str) -> Iterator[OpenSearch]:
    """A client of an OpenSearch without indexes."""
    client = connect(opensearch_url)
    client.indices.delete(index="*")
    yield client
    client.close()
