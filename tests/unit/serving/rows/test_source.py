from __future__ import annotations

import pytest

from serving.rows.source import quoted, select


def test_a_query_names_its_columns_and_the_relation_quoted():
    assert (
        select("lake.int_flights", ["flight_id", "origin"]) == 'select "flight_id", "origin" from "lake"."int_flights"'
    )


def test_an_expression_stands_in_for_its_column_under_the_same_name():
    query = select("lake.t", ["a", "b"], {"b": 'cast("b" as timestamp(3))'})
    assert query == 'select "a", cast("b" as timestamp(3)) as "b" from "lake"."t"'


@pytest.mark.parametrize("relation", ["flights", "a.b.c", 'lake."x', "lake.x; drop table y", "Lake.x", "lake."])
def test_what_is_no_plain_schema_and_name_is_refused(relation: str):
    with pytest.raises(ValueError, match=r"schema\.name|identifier"):
        quoted(relation)


def test_a_column_that_is_no_identifier_is_refused():
    with pytest.raises(ValueError, match="identifier"):
        select("lake.t", ['a" , "b'])


def test_a_query_without_columns_is_refused():
    with pytest.raises(ValueError, match="No columns"):
        select("lake.t", [])
