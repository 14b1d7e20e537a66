"""Who follows a contract: what a long-lived landing says of itself, by observations of the contract's source."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from ingestion.contract import Contract
from ingestion.landing import Landed
from orchestration.keys import source_key

_FOLLOWED_UNTIL, _FOLLOWER = "followed_until", "follower"


def observation(contract: Contract, landed: Landed, followed_until: datetime | None) -> dg.AssetObservation:
    """What a follower of this process tells: what it has landed since it told the last time, and how long that waited.

    Args:
        contract: The contract.
        landed: Since the last observation.
        followed_until: It will have told again by then; None when it ends.
    """
    until = {} if followed_until is None else {_FOLLOWED_UNTIL: dg.MetadataValue.timestamp(followed_until)}
    return dg.AssetObservation(
        source_key(contract),
        metadata={
            "lag_seconds": round(landed.lag_seconds, 2),
            "records": landed.records,
            _FOLLOWER: f"process {os.getpid()} on {socket.gethostname()}",
            **until,
        },
    )


def follower_of(instance: dg.DagsterInstance, contract: Contract) -> str | None:
    """Who follows a contract now, for a message; None if nobody does, or has not said so for too long."""
    for record in instance.fetch_observations(source_key(contract), limit=1).records:
        metadata: Mapping[str, Any] = record.asset_observation.metadata if record.asset_observation else {}
        until = metadata.get(_FOLLOWED_UNTIL)
        if until is not None and datetime.fromtimestamp(until.value, UTC) > datetime.now(UTC):
            return str(metadata[_FOLLOWER].value)
    return None


def lease(report_every: timedelta) -> datetime:
    """Until when a follower that tells at this interval says that it follows: it may be late, or fail once."""
    return datetime.now(UTC) + 2 * report_every + timedelta(minutes=1)
