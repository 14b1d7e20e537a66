"""The lineage of this very project, compiled once a session with no server."""

from __future__ import annotations

from typing import Any

import pytest

from ingestion.contract import load_contracts
from orchestration.lineage.build import field_graph
from orchestration.lineage.compiled import compiled_manifest
from orchestration.lineage.graph import Graph
from orchestration.settings import CONTRACTS_DIR


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return compiled_manifest(tmp_path_factory.mktemp("lineage"))


@pytest.fixture(scope="session")
def graph(manifest: dict[str, Any]) -> Graph:
    return field_graph(load_contracts(CONTRACTS_DIR).values(), manifest)
