"""The graph of fields as a page: one file of HTML that holds all it needs. What it looks like is in page.html."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from orchestration.lineage.graph import Field, Graph
from orchestration.lineage.layout import HEADER, ROW, WIDTH, layout
from orchestration.lineage.transformation import Transformation

_TEMPLATE = Path(__file__).with_name("page.html")


def page(graph: Graph) -> str:
    """The page. `#ASSET.FIELD` behind its address shows the way of a field."""
    # Inside a script element, only `</` could end it.
    data = json.dumps(_data(graph), ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    return _TEMPLATE.read_text(encoding="utf-8").replace("{{ data }}", data)


def _data(graph: Graph) -> dict[str, Any]:
    numbers = {field: number for number, field in enumerate(graph.fields)}
    assets = []
    for box in layout(graph):
        asset = graph.assets[box.asset]
        assets.append(
            {
                "key": asset.key,
                "kind": asset.kind,
                "description": asset.description,
                "files": sorted(asset.files),
                "x": box.x,
                "y": box.y,
                "height": box.height,
                "fields": [_field(field, numbers[field.id]) for field in graph.fields_by_asset[asset.key]],
            }
        )
    edges = [[numbers[edge.source], numbers[edge.target], _line(edge.transformation)] for edge in sorted(graph.edges)]
    return {"sizes": {"width": WIDTH, "header": HEADER, "row": ROW}, "assets": assets, "edges": edges}


def _line(transformation: Transformation) -> str:
    """What the line of an edge is drawn as: a class of the page's style; empty for a plain value."""
    return "condition" if transformation.decides else "masked" if transformation.masks else ""


def _field(field: Field, number: int) -> dict[str, Any]:
    told = {
        "path": field.id.path,
        "kind": field.kind,
        "type": field.type,
        "description": field.description,
        "classification": field.classification,
        "classified_by": [str(step) for step in field.classified_by],
        "expression": field.expression,
    }
    return {"number": number} | {key: value for key, value in told.items() if value}
