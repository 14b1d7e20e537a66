"""Which assets wait to be built: something that they read has changed since, or they were never built."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import dagster as dg


def last_built(instance: dg.DagsterInstance, keys: Iterable[dg.AssetKey]) -> dict[dg.AssetKey, float | None]:
    """When each asset was last materialized, in seconds since 1970; None if never."""
    events = {key: instance.get_latest_materialization_event(key) for key in keys}
    return {key: event.timestamp if event else None for key, event in events.items()}


def waiting(
    parents: Mapping[dg.AssetKey, Iterable[dg.AssetKey]], built: Mapping[dg.AssetKey, float | None]
) -> set[dg.AssetKey]:
    """The assets that wait.

    Args:
        parents: Each asset that can be built, parents before children, with what it reads.
        built: When each was last built. What is not in here, an external asset, never changes by a run.
    """
    found: set[dg.AssetKey] = set()
    for key, reads in parents.items():
        own = built.get(key)
        newer = any(parent in found or (own is not None and (built.get(parent) or 0) > own) for parent in reads)
        if own is None or newer:
            found.add(key)
    return found
