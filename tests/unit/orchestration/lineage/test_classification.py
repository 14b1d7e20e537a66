"""A classification follows a field through all that is made of it."""

from __future__ import annotations

import pytest

from orchestration.lineage.classification import classify
from orchestration.lineage.errors import ClassificationError
from orchestration.lineage.graph import Asset, AssetKind, Draft, Edge, Field, FieldId, FieldKind, Graph
from orchestration.lineage.transformation import Transformation

Sources = dict[str, Transformation]
V, C, M, J, W = Transformation


def _graph(fields: dict[str, str | None], made_of: dict[str, Sources]) -> Graph:
    """Fields by name with what they are declared as, and what they are made of."""
    draft = Draft()
    for name in fields:
        draft.add_asset(Asset(_id(name).asset, AssetKind.MODEL))
    for name, classification in fields.items():
        draft.add_field(Field(_id(name), FieldKind.COLUMN, classification=classification))
        draft.add_edges(Edge(_id(source), _id(name), how) for source, how in made_of.get(name, {}).items())
    return classify(draft.graph())


def _id(name: str) -> FieldId:
    asset, _, path = name.partition(".")
    return FieldId(asset, path)


def _told(graph: Graph, name: str) -> tuple[str | None, list[str]]:
    field = graph.fields[_id(name)]
    return field.classification, [str(step) for step in field.classified_by]


@pytest.mark.parametrize(("how", "carried"), [(V, True), (C, True), (M, False), (J, False), (W, False)])
def test_values_and_what_an_expression_asks_for_carry_it(how: Transformation, carried: bool) -> None:
    graph = _graph({"a.tail": "restricted", "b.made": None}, {"b.made": {"a.tail": how}})
    assert _told(graph, "b.made") == (("restricted", ["a.tail", "b.made"]) if carried else (None, []))


def test_the_way_leads_from_the_field_that_declares_it_first() -> None:
    """A landing table declares it too, since it has its contract's fields."""
    fields = {"a.tail": "restricted", "b.tail": "restricted", "c.tail": None}
    graph = _graph(fields, {"b.tail": {"a.tail": V}, "c.tail": {"b.tail": V}})
    assert _told(graph, "c.tail") == ("restricted", ["a.tail", "b.tail", "c.tail"])


def test_the_strongest_of_several_counts() -> None:
    fields = {"a.date": "public", "a.name": "confidential", "a.tail": "restricted", "b.made": None}
    graph = _graph(fields, {"b.made": {"a.date": V, "a.name": V, "a.tail": C}})
    assert _told(graph, "b.made") == ("restricted", ["a.tail", "b.made"])


def test_what_is_raw_beside_its_mask_stays_private() -> None:
    fields = {"a.tail": "restricted", "b.key": None, "c.made": None}
    graph = _graph(fields, {"b.key": {"a.tail": M}, "c.made": {"b.key": V, "a.tail": V}})
    assert _told(graph, "b.key")[0] is None
    assert _told(graph, "c.made")[0] == "restricted"


def test_a_struct_is_as_private_as_it_says_for_each_member() -> None:
    fields = {"a.person": "confidential", "a.person.name": None, "a.person.tail": "restricted", "b.all": None}
    graph = _graph(fields, {"b.all": {"a.person": V}})
    assert _told(graph, "a.person.name") == ("confidential", ["a.person.name"])
    assert _told(graph, "b.all") == ("restricted", ["a.person.tail", "b.all"])


def test_a_model_may_raise_it() -> None:
    graph = _graph({"a.birth": "internal", "b.birth": "restricted"}, {"b.birth": {"a.birth": V}})
    assert _told(graph, "b.birth") == ("restricted", ["b.birth"])


def test_a_word_does_not_lower_it() -> None:
    with pytest.raises(ClassificationError, match=r"b\.tail is declared public, .* restricted: a\.tail -> b\.tail\. "):
        _graph({"a.tail": "restricted", "b.tail": "public"}, {"b.tail": {"a.tail": V}})


def test_a_misspelt_one_is_not_taken_for_public() -> None:
    with pytest.raises(ClassificationError, match=r"a\.tail: 'restrictd' is no classification; write public, "):
        _graph({"a.tail": "restrictd"}, {})
