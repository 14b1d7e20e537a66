"""Where each asset stands on the page: in columns from left to right, as data flows. Numbers; nothing is drawn here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from orchestration.lineage.graph import AssetKind, Graph

# Pixels of the unscaled page.
WIDTH = 250
HEADER = 40
ROW = 20
_PADDING = 8
_GAP_ACROSS = 130
_GAP_DOWN = 36
_SWEEPS = 8


@dataclass(frozen=True)
class Box:
    """An asset on the page."""

    asset: str
    x: int
    y: int
    height: int


def layout(graph: Graph) -> list[Box]:
    """A box for each asset: right of all that it is made of, and near to them."""
    parents = _neighbours(graph)
    columns = _columns(graph, parents)
    heights = {asset: HEADER + ROW * len(fields) + _PADDING for asset, fields in graph.fields_by_asset.items()}
    tallest = max(_height(column, heights) for column in columns)
    boxes = []
    for index, column in enumerate(columns):
        y = (tallest - _height(column, heights)) // 2
        for asset in column:
            boxes.append(Box(asset, index * (WIDTH + _GAP_ACROSS), y, heights[asset]))
            y += heights[asset] + _GAP_DOWN
    return boxes


def _neighbours(graph: Graph) -> dict[str, set[str]]:
    """The assets that each asset is made of, directly."""
    parents: dict[str, set[str]] = {asset: set() for asset in graph.assets}
    for edge in graph.edges:
        if edge.source.asset != edge.target.asset:
            parents[edge.target.asset].add(edge.source.asset)
    return parents


def _columns(graph: Graph, parents: Mapping[str, set[str]]) -> list[list[str]]:
    """Assets by how many steps lie before them, each column ordered so that lines cross little.

    The order is Sugiyama's: each asset is moved to the mean place of its neighbours, forth and back some times.
    """
    depth: dict[str, int] = {}

    def depth_of(asset: str) -> int:
        if asset not in depth:
            depth[asset] = 1 + max(map(depth_of, parents[asset]), default=-1)
        return depth[asset]

    columns: list[list[str]] = [[] for _ in range(max(map(depth_of, graph.assets), default=0) + 1)]
    # Data sets side by side, before their dashboards: the lines between would run behind another box.
    data_sets = [key for key, asset in graph.assets.items() if asset.kind is AssetKind.DATA_SET]
    depth |= dict.fromkeys(data_sets, max((depth[key] for key in data_sets), default=0))
    for asset in graph.assets:
        columns[depth[asset]].append(asset)
    children = {asset: {other for other, of in parents.items() if asset in of} for asset in graph.assets}
    for sweep in range(_SWEEPS):
        forth = sweep % 2 == 0
        for column in columns if forth else reversed(columns):
            place = {asset: (index + 0.5) / len(column) for column in columns for index, asset in enumerate(column)}
            near = parents if forth else children
            column.sort(key=lambda asset: _mean((place[n] for n in near[asset]), place[asset]))
    return columns


def _mean(values: Iterable[float], default: float) -> float:
    found = list(values)
    return sum(found) / len(found) if found else default


def _height(column: list[str], heights: Mapping[str, int]) -> int:
    return sum(heights[asset] for asset in column) + _GAP_DOWN * (len(column) - 1)
