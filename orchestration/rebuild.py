"""A range of days that is rebuilt: what a run is told, which models keep such days, which assets follow them.

A model that can be rebuilt for a range of days says in its `meta.rebuilt` which of its columns is the day, which its
key, and from which model it is merged. What reads it follows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from graphlib import TopologicalSorter
from typing import Any

import dagster as dg
from pydantic import Field

from orchestration.dbt import LAYERS, Layer, node_key
from orchestration.errors import RebuildError


class RebuiltDays(dg.Config):
    """What a run of models may be told. Without it, it is a plain build."""

    rebuild_from: str = Field(
        default="", description="First day to rebuild, YYYY-MM-DD: a local date of scheduled departure."
    )
    rebuild_to: str = Field(default="", description="Last day to rebuild, inclusive.")


@dataclass(frozen=True)
class DailyModel:
    """A model of the project whose days can be rebuilt."""

    name: str
    layer: Layer
    relation: str
    """`schema.name`."""
    day: str
    """The column that holds a row's day."""
    key: str
    """The column that identifies a row, here and in what it is merged from."""
    merged_from: str
    """`schema.name` of the model that it is merged from; it has the columns `day` and `key` too."""


def days(first: str, last: str) -> tuple[date, date]:
    """A range of days, both inclusive, from ISO dates.

    Raises:
        RebuildError: If one is no date, or the range is the wrong way round.
    """
    parsed = []
    for text in (first, last):
        try:
            parsed.append(date.fromisoformat(text))
        except ValueError as error:
            raise RebuildError(f"{text!r} is not a day. Write it as YYYY-MM-DD, such as 2013-01-05.") from error
    if parsed[0] > parsed[1]:
        raise RebuildError(f"The range is the wrong way round: {first} is after {last}. Swap them.")
    return parsed[0], parsed[1]


def build_arguments(told: RebuiltDays) -> list[str]:
    """The arguments of dbt for a run.

    Raises:
        RebuildError: If it is told a range that is none.
    """
    if not (told.rebuild_from or told.rebuild_to):
        return ["build"]
    first, last = days(told.rebuild_from, told.rebuild_to)
    variables = {"rebuild_from": first.isoformat(), "rebuild_to": last.isoformat()}
    return ["build", "--vars", json.dumps(variables)]


def daily_models(manifest: Mapping[str, Any]) -> Iterator[DailyModel]:
    """The models whose days can be rebuilt."""
    layers = {layer.name: layer for layer in LAYERS}
    by_name = {node["name"]: node for node in manifest["nodes"].values() if node["resource_type"] == "model"}
    for node in by_name.values():
        meta = node["config"]["meta"]
        if rebuilt := meta.get("rebuilt"):
            merged_from = by_name[rebuilt["from"]]
            yield DailyModel(
                name=node["name"],
                layer=layers[meta["layer"]],
                relation=".".join(node_key(node).path),
                day=rebuilt["day"],
                key=rebuilt["key"],
                merged_from=".".join(node_key(merged_from).path),
            )


def followed(manifest: Mapping[str, Any]) -> list[dg.AssetKey]:
    """The assets of a rebuild, parents first: the models whose days can be rebuilt, what they are made of and feed.

    What they are made of is built as it always is: a view that was changed, the weather as a whole.
    """
    models = {name: node for name, node in manifest["nodes"].items() if node["resource_type"] == "model"}
    parents = {name: [each for each in node["depends_on"]["nodes"] if each in models] for name, node in models.items()}
    children: dict[str, list[str]] = {name: [] for name in models}
    for name, reads in parents.items():
        for parent in reads:
            children[parent].append(name)
    starts = [name for name, node in models.items() if node["config"]["meta"].get("rebuilt")]
    selected = _reached(starts, parents) | _reached(starts, children)
    return [node_key(models[name]) for name in TopologicalSorter(parents).static_order() if name in selected]


def run_config(manifest: Mapping[str, Any], first: date, last: date) -> dict[str, Any]:
    """The run configuration that tells the layers with such models the range."""
    told = RebuiltDays(rebuild_from=first.isoformat(), rebuild_to=last.isoformat())
    layers = {model.layer.name for model in daily_models(manifest)}
    return {"ops": {f"dbt_{name}": {"config": told.model_dump()} for name in sorted(layers)}}


def _reached(starts: list[str], steps: Mapping[str, list[str]]) -> set[str]:
    found, waiting = set(starts), list(starts)
    while waiting:
        new = [name for name in steps[waiting.pop()] if name not in found]
        found.update(new)
        waiting += new
    return found
