"""The lineage of this very project: compiled with no server by `make setup`, or here if it has changed since."""

from __future__ import annotations

from typing import Any

import pytest

from ingestion.contract import load_contracts
from orchestration.lineage.build import field_graph
from orchestration.lineage.compiled import compiled_manifest
from orchestration.lineage.graph import Graph
from orchestration.settings import CONTRACTS_DIR


@pytest.fixture(scope="session")
def manifest() -> dict[str, Any]:
    return compiled_manifest()


@pytest.fixture(scope="session")
def graph(manifest: dict[str, Any]) -> Graph:
    return field_graph(load_contracts(CONTRACTS_DIR).values(), manifest)
