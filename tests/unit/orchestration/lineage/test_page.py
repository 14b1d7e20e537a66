"""The page: where things stand on it, and that it needs nothing else."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import combinations
from typing import Any

from orchestration.lineage.graph import AssetKind, Graph
from orchestration.lineage.layout import WIDTH, layout
from orchestration.lineage.page import page


def test_no_two_boxes_overlap(graph: Graph) -> None:
    boxes = layout(graph)
    assert {box.asset for box in boxes} == set(graph.assets)
    for one, other in combinations(boxes, 2):
        apart_across = one.x + WIDTH < other.x or other.x + WIDTH < one.x
        assert apart_across or one.y + one.height < other.y or other.y + other.height < one.y


def test_every_line_goes_to_the_right(graph: Graph) -> None:
    place = {box.asset: box.x for box in layout(graph)}
    for edge in graph.edges:
        inside = edge.source.asset == edge.target.asset
        assert inside or place[edge.source.asset] < place[edge.target.asset]


def test_data_sets_stand_side_by_side(graph: Graph) -> None:
    """Else the lines from one of them to its dashboard would run behind another."""
    places = {box.x for box in layout(graph) if graph.assets[box.asset].kind is AssetKind.DATA_SET}
    assert len(places) == 1


def test_the_page_holds_every_field_and_every_edge(graph: Graph) -> None:
    data = _data(page(graph))
    names = {
        field["number"]: f"{asset['key']}.{field['path']}" for asset in data["assets"] for field in asset["fields"]
    }
    assert set(names.values()) == {str(field) for field in graph.fields}
    edges = {(names[source], names[target], how == "condition") for source, target, how in data["edges"]}
    assert edges == {(str(edge.source), str(edge.target), edge.transformation.decides) for edge in graph.edges}


def test_the_page_needs_no_network(graph: Graph) -> None:
    text = page(graph)
    # SVG's namespace is a name and is never fetched.
    assert set(re.findall(r"https?://[^\s\"'<>]+", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<link|<script[^>]* src=|@import|url\(|fetch\(|<img", text)


def test_a_description_cannot_end_the_pages_script(graph: Graph) -> None:
    evil = "</script><script>alert('{{ data }}')</script>"
    assets = {key: replace(asset, description=evil) for key, asset in graph.assets.items()}
    text = page(Graph(assets, graph.fields, graph.edges))
    assert text.count("</script>") == 2
    assert {asset["description"] for asset in _data(text)["assets"]} == {evil}


def _data(text: str) -> dict[str, Any]:
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', text, re.DOTALL)
    assert found
    return json.loads(found[1])
