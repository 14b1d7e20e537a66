"""Which assets wait to be built: something that they read has changed since, or they were never built."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import dagster as dg

from orchestration.conditions import ON_CHANGE
from orchestration.keys import exposure_keys, node_key


@dataclass(frozen=True)
class Waiting:
    """An asset that waits to be built."""

    key: dg.AssetKey
    cadence: str
    """`on_change`, or the cron expression of the times at which it is built."""
    newer: tuple[dg.AssetKey, ...]
    """What it reads that was built since it was; none if it was never built."""
    waits_for: tuple[dg.AssetKey, ...]
    """What it reads that waits itself, or was never built."""


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


def what_waits(instance: dg.DagsterInstance, manifests: Iterable[Path]) -> Iterator[Waiting]:
    """The models and exposures that wait, parents before children, by dbt's manifests alone: no definition is loaded.

    Args:
        instance: Knows when each was built.
        manifests: Of the layers.
    """
    reads, cadences = _graph([json.loads(path.read_bytes()) for path in manifests])
    built = last_built(instance, {*reads, *(parent for parents in reads.values() for parent in parents)})
    found = waiting(reads, built)
    for key, parents in reads.items():
        if key in found:
            own = built[key]
            yield Waiting(
                key,
                cadences[key],
                newer=tuple(parent for parent in parents if own is not None and (built[parent] or 0) > own),
                waits_for=tuple(parent for parent in parents if parent in found or built[parent] is None),
            )


def _graph(
    manifests: Sequence[Mapping[str, Any]],
) -> tuple[dict[dg.AssetKey, list[dg.AssetKey]], dict[dg.AssetKey, str]]:
    """What each model and each exposure reads, parents before children, and their cadences."""
    nodes = {
        id: node for manifest in manifests for id, node in [*manifest["nodes"].items(), *manifest["sources"].items()]
    }
    reads, cadences = {}, {}
    for node in nodes.values():
        if node["resource_type"] == "model":
            key = node_key(node)
            reads[key] = [node_key(nodes[parent]) for parent in node["depends_on"]["nodes"]]
            cadences[key] = node["config"]["meta"].get("cadence", ON_CHANGE)
    for exposure in manifests[0]["exposures"].values() if manifests else ():
        for key in exposure_keys(exposure):
            reads[key] = [node_key(nodes[parent]) for parent in exposure["depends_on"]["nodes"]]
            cadences[key] = ON_CHANGE
    order = TopologicalSorter(reads).static_order()
    return {key: reads[key] for key in order if key in reads}, cadences
