"""Asset keys. They are the same in every environment: the layer, and the name in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from ingestion.contract import Contract, KinesisSource


def source_key(contract: Contract) -> dg.AssetKey:
    """The stream or the files that a contract is landed from."""
    return dg.AssetKey(["kinesis" if isinstance(contract.source, KinesisSource) else "s3", contract.name])


def landing_key(contract: Contract) -> dg.AssetKey:
    """The landing table of a contract."""
    return dg.AssetKey(["landing", contract.name])


def node_key(node: Mapping[str, Any]) -> dg.AssetKey:
    """The asset key of a model or a source of dbt's manifest."""
    if node["resource_type"] == "source":
        return dg.AssetKey([node["source_name"], node["name"]])
    return dg.AssetKey([node["config"]["schema"], node["name"]])


def exposure_keys(exposure: Mapping[str, Any]) -> list[dg.AssetKey]:
    """The asset keys of an exposure of dbt's manifest: one for each way that it is served."""
    meta = exposure["config"]["meta"]
    keys = [dg.AssetKey(["quicksight", exposure["name"]])] if "quicksight" in meta else []
    return [*keys, dg.AssetKey(["opensearch", meta["opensearch"]["index"]])] if "opensearch" in meta else keys
