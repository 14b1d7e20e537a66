"""Walks through a small graph, and names in it."""

from __future__ import annotations

import pytest

from orchestration.lineage.errors import UnknownFieldError
from orchestration.lineage.graph import Asset, AssetKind, Draft, Edge, Field, FieldId, FieldKind, Graph, find
from orchestration.lineage.transformation import Transformation

PATHS = ["id", "flight", "flight.carrier", "flight.craft", "flight.craft.tail", "flight_id"]


def _draft() -> Draft:
    """A table with structs; a model over it; a visual over the model."""
    draft = Draft()
    draft.add_asset(Asset("landing/events", AssetKind.LANDING))
    for path in PATHS:
        draft.add_field(Field(FieldId("landing/events", path), FieldKind.FIELD))
    draft.add_asset(Asset("lake/flights", AssetKind.MODEL))
    draft.add_asset(Asset("quicksight/delays", AssetKind.DASHBOARD))
    return draft


def _add(draft: Draft, asset: str, path: str, kind: FieldKind, made_of: list[str], conditions: list[str]) -> None:
    field = FieldId(asset, path)
    draft.add_field(Field(field, kind), [_id(name) for name in made_of])
    draft.add_edges(Edge(_id(name), field, Transformation.JOIN) for name in conditions)


def _graph() -> Graph:
    draft = _draft()
    model = ("lake/flights", FieldKind.COLUMN)
    for path, made_of, conditions in [
        ("carrier", ["landing/events.flight.carrier"], ["landing/events.id"]),
        ("whole", ["landing/events.flight"], []),
        ("id", ["landing/events.id"], ["landing/events.id"]),
        ("untold", ["landing/events.id.not.declared"], []),
    ]:
        _add(draft, model[0], path, model[1], made_of, conditions)
    _add(draft, "quicksight/delays", "by-carrier", FieldKind.VISUAL, ["lake/flights.carrier"], [])
    return draft.graph()


def _id(name: str) -> FieldId:
    asset, _, path = name.partition(".")
    return FieldId(asset, path)


def _names(fields: object) -> set[str]:
    assert isinstance(fields, (tuple, frozenset))
    return {str(field) for field in fields}


def test_leaves_of_a_struct_are_its_innermost_members() -> None:
    graph = _graph()
    assert [f.path for f in graph.leaves(_id("landing/events.flight"))] == ["flight.carrier", "flight.craft.tail"]
    assert graph.leaves(_id("landing/events.flight_id")) == (_id("landing/events.flight_id"),)


def test_what_reads_a_whole_struct_is_made_of_each_member() -> None:
    graph = _graph()
    assert _names(graph.upstream(_id("lake/flights.whole"))) == {
        "landing/events.flight.carrier",
        "landing/events.flight.craft.tail",
    }


def test_a_struct_goes_where_its_members_go() -> None:
    graph = _graph()
    assert _names(graph.downstream(_id("landing/events.flight"))) == {"lake/flights.carrier", "lake/flights.whole"}
    assert _names(graph.downstream(_id("landing/events.flight.craft"))) == {"lake/flights.whole"}


def test_a_path_that_leads_deeper_than_what_is_declared_ends_there() -> None:
    assert _names(_graph().upstream(_id("lake/flights.untold"))) == {"landing/events.id"}


def test_a_walk_goes_on_to_its_end() -> None:
    graph = _graph()
    start = _id("landing/events.flight.carrier")
    assert _names(graph.reached([start], graph.downstream)) == {
        "lake/flights.carrier",
        "lake/flights.whole",
        "quicksight/delays.by-carrier",
    }
    assert _names(graph.ends([start])) == {"quicksight/delays.by-carrier"}
    assert _names(graph.ends([_id("quicksight/delays.by-carrier")])) == {"quicksight/delays.by-carrier"}


def test_a_field_that_is_a_value_and_a_condition_is_a_value() -> None:
    graph = _graph()
    assert graph.transformation(_id("landing/events.id"), _id("lake/flights.id")) is Transformation.VALUE
    assert graph.transformation(_id("landing/events.id"), _id("lake/flights.carrier")) is Transformation.JOIN
    assert len([edge for edge in graph.edges if edge.target.path == "id"]) == 1


def test_nothing_is_made_of_a_field_that_does_not_exist() -> None:
    draft = _draft()
    _add(draft, "lake/flights", "carrier", FieldKind.COLUMN, ["landing/events.carrier"], [])
    with pytest.raises(UnknownFieldError, match=r"lake/flights\.carrier is made of landing/events\.carrier"):
        draft.graph()


@pytest.mark.parametrize("name", ["landing/events.flight.carrier", "quicksight/delays.by-carrier"])
def test_a_field_is_found_by_its_name(name: str) -> None:
    assert str(find(_graph(), name)) == name


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("landing/events.flight.carier", r"has no field 'flight\.carier'. Did you mean flight\.carrier"),
        ("landing/event.flight.carrier", r"No asset is called 'landing/event'. Did you mean landing/events\.flight\."),
        ("events.flight.carrier", r"Did you mean landing/events\.flight\.carrier\?"),
        ("landing/events", r"Name a field of landing/events behind a dot. It has id, flight, flight\.carrier"),
        ("landing/events.zzz", r"There is id, flight"),
        ("zzz", r"No asset is called 'zzz'. There is landing/events, lake/flights, quicksight/delays\."),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest_right_ones(name: str, answer: str) -> None:
    with pytest.raises(UnknownFieldError, match=answer):
        find(_graph(), name)
