from __future__ import annotations

from typing import Any

import pytest

from serving.opensearch.spec import Column, IndexSpec, IndexSpecError, index_options, index_spec

_COLUMNS = (Column("flight_id", "varchar(48)"), Column("origin", "varchar(3)"), Column("delay", "integer"))


def _spec(**meta: Any) -> IndexSpec:
    options = index_options({"index": "flights", "model": "int_flights", "id": "flight_id", **meta}, "flights")
    return index_spec(options, "lake.int_flights", _COLUMNS, "To search")


def test_an_index_holds_all_columns_of_its_model():
    assert _spec() == IndexSpec("flights", "lake.int_flights", _COLUMNS, "flight_id", "To search")


def test_an_index_may_hold_some_columns_in_an_order_of_its_own():
    assert _spec(columns=["delay", "flight_id"]).column_names == ["delay", "flight_id"]


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
        ({"index": "Flights"}, "lower case"),
        ({"index": "flights,all"}, "lower case"),
        ({"id": "x", "text": ["y"]}, r"id names x.*; text names y"),
    ],
)
def test_what_does_not_fit_the_model_is_told(meta: dict[str, Any], message: str):
    with pytest.raises(IndexSpecError, match=message):
        _spec(**meta)
