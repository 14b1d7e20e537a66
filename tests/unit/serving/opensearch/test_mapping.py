from __future__ import annotations

from typing import Any

import pytest

from serving.opensearch.mapping import index_settings, mapping
from serving.opensearch.spec import Column, GeoPoint, IndexSpec, IndexSpecError


def _spec(*columns: Column, **options: Any) -> IndexSpec:
    return IndexSpec("flights", "lake.int_flights", columns, columns[0].name, **options)


def _field(kind: str, **options: Any) -> dict[str, Any]:
    return mapping(_spec(Column("c", kind), **options))["properties"]["c"]


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("varchar(3)", {"type": "keyword"}),
        ("varchar(8191)", {"type": "keyword"}),
        ("varchar(8192)", {"type": "keyword", "ignore_above": 8191}),
        ("smallint", {"type": "short"}),
        ("integer", {"type": "integer"}),
        ("bigint", {"type": "long"}),
        ("double precision", {"type": "double"}),
        ("boolean", {"type": "boolean"}),
        ("date", {"type": "date", "format": "strict_date"}),
        ("timestamp", {"type": "date", "format": "strict_date_optional_time"}),
        ("numeric(4,2)", {"type": "scaled_float", "scaling_factor": 100}),
        ("numeric(15, 3)", {"type": "scaled_float", "scaling_factor": 1000}),
        ("numeric(16,3)", {"type": "double"}),
        ("numeric(18,0)", {"type": "long"}),
        ("numeric(19,0)", {"type": "double"}),
        ("DECIMAL(4,2)", {"type": "scaled_float", "scaling_factor": 100}),
    ],
)
def test_each_type_has_its_field(kind: str, field: dict[str, Any]):
    assert _field(kind) == field


def test_a_string_that_is_searched_as_text_has_a_subfield_for_it():
    field = _field("varchar(100)", text=frozenset({"c"}))
    assert field == {"type": "keyword", "fields": {"text": {"type": "text"}}}


def test_a_string_that_is_searched_as_people_type_has_a_subfield_for_it_beside_that_for_its_words():
    field = _field("varchar(100)", text=frozenset({"c"}), as_you_type=frozenset({"c"}))
    assert field["fields"] == {"text": {"type": "text"}, "as_you_type": {"type": "search_as_you_type"}}


def test_a_geo_point_is_a_field_beside_its_columns_and_the_mapping_tells_them():
    columns = Column("airport", "varchar(3)"), Column("y", "double precision"), Column("x", "double precision")
    found = mapping(_spec(*columns, geo_points={"location": GeoPoint(lat="y", lon="x")}))
    assert found["properties"]["location"] == {"type": "geo_point"}
    assert found["properties"]["y"] == {"type": "double"}
    assert found["_meta"]["geo_points"] == {"location": {"lat": "y", "lon": "x"}}


def test_a_field_of_the_exposure_takes_the_place_of_the_derived_one():
    assert _field("varchar(100)", fields={"c": {"type": "wildcard"}}) == {"type": "wildcard"}


@pytest.mark.parametrize("kind", ["varchar", "numeric", "super", "integer[]", "varchar(10) not null"])
def test_a_type_without_a_field_is_told_with_the_column_and_the_types_that_have_one(kind: str):
    with pytest.raises(IndexSpecError, match=r"Index flights: column c .*double precision.*varchar\(n\)"):
        _field(kind)


def test_the_mapping_is_strict_and_tells_model_types_and_descriptions():
    found = mapping(_spec(Column("flight_id", "varchar(48)", "One flight"), description="Flights to search"))
    assert found["dynamic"] == "strict"
    assert found["_meta"] == {
        "description": "Flights to search",
        "model": "lake.int_flights",
        "id": "flight_id",
        "columns": {"flight_id": {"type": "varchar(48)", "description": "One flight"}},
        "geo_points": {},
    }


def test_settings_of_the_exposure_come_before_the_usual_ones():
    assert index_settings(_spec(Column("c", "date"), settings={"number_of_shards": 3})) == {
        "number_of_shards": 3,
        "auto_expand_replicas": "0-1",
    }
