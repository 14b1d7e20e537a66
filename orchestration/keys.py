"""Asset keys. They are the same in every environment: the layer, and the name in it."""

from __future__ import annotations

import dagster as dg

from ingestion.contract import Contract, KinesisSource


def source_key(contract: Contract) -> dg.AssetKey:
    """The stream or the files that a contract is landed from."""
    return dg.AssetKey(["kinesis" if isinstance(contract.source, KinesisSource) else "s3", contract.name])


def landing_key(contract: Contract) -> dg.AssetKey:
    """The landing table of a contract."""
    return dg.AssetKey(["landing", contract.name])
