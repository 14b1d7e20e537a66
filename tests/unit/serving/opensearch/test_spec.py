from __future__ import annotations

import re
from typing import Any

import pytest

from orchestration.settings import PROJECT_ROOT
from serving.opensearch.spec import Column, IndexOptions, IndexSpec, IndexSpecError, index_options, index_spec

_COLUMNS = (Column("flight_id", "varchar(48)"), Column("origin", "varchar(3)"), Column("delay", "integer"))
_PLACE = (Column("y", "double precision"), Column("x", "numeric(9,6)"))


def _spec(columns_of_the_model: tuple[Column, ...] = _COLUMNS, /, **meta: Any) -> IndexSpec:
    options = index_options({"index": "flights", "model": "int_flights", "id": "flight_id", **meta}, "flights")
    return index_spec(options, "lake.int_flights", columns_of_the_model, "To search")


def test_an_index_holds_all_columns_of_its_model():
    assert _spec() == IndexSpec("flights", "lake.int_flights", _COLUMNS, "flight_id", "To search")


def test_an_index_may_hold_some_columns_in_an_order_of_its_own():
    assert _spec(columns=["delay", "flight_id"]).column_names == ["delay", "flight_id"]


def test_each_field_tells_the_columns_that_it_is_made_from():
    spec = _spec(_COLUMNS[:1] + _PLACE, geo_point={"location": {"lat": "y", "lon": "x"}})
    assert spec.sources == {"flight_id": ("flight_id",), "y": ("y",), "x": ("x",), "location": ("y", "x")}


def test_every_key_is_in_the_page_on_search():
    page = (PROJECT_ROOT / "docs" / "search.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == list(IndexOptions.model_fields)


def test_all_that_is_wrong_with_the_keys_is_told_at_once():
    with pytest.raises(IndexSpecError, match=r"Exposure flights.*id: Field required.*txt: Extra.*may say index, model"):
        index_options({"index": "flights", "model": "m", "txt": ["origin"]}, "flights")


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ({"id": "flight"}, r"id names flight, .* it has flight_id, origin, delay"),
        ({"columns": ["flight_id", "orgin"]}, "columns names orgin, which lake.int_flights lacks"),
        ({"columns": ["origin"]}, "id names flight_id, which is not a column of the index; it has origin"),
        ({"text": ["delay"]}, "text names delay, which is integer"),
        ({"fields": {"dealy": {"type": "long"}}}, "fields names dealy"),
        ({"text": ["origin"], "fields": {"origin": {"type": "text"}}}, "origin stands in text and in fields"),
        ({"as_you_type": ["delay"]}, "as_you_type names delay, which is integer"),
        ({"as_you_type": ["orgin"]}, "as_you_type names orgin, which is not a column"),
        ({"as_you_type": ["origin"], "fields": {"origin": {"type": "text"}}}, "origin stands in as_you_type and in f"),
        ({"geo_point": {"p": {"lat": "y", "lon": "delay"}}}, r"geo_point.p names y, which is not.*names delay, which"),
        ({"geo_point": {"p": {"lat": "origin", "lon": "origin"}}}, r"names origin, which is varchar\(3\); degrees are"),
        ({"geo_point": {"p.q": {"lat": "delay", "lon": "delay"}}}, r"geo_point.p.q: a field's name"),
        ({"geo_point": {"delay": {"lat": "delay", "lon": "delay"}}}, "geo_point.delay has the name of a column"),
        ({"geo_point": {"p": {"lat": "delay"}}}, r"geo_point.p.lon: Field required"),
        ({"geo_point": {"p": ["delay", "delay"]}}, r"geo_point.p: Input should be"),
        ({"index": "Flights"}, "lower case"),
        ({"index": "flights,all"}, "lower case"),
        ({"id": "x", "text": ["y"]}, r"id names x.*; text names y"),
    ],
)
def test_what_does_not_fit_the_model_is_told(meta: dict[str, Any], message: str):
    with pytest.raises(IndexSpecError, match=message):
        _spec(**meta)
