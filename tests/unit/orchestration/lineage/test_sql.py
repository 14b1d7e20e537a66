"""What the columns of a query are made of."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from orchestration.lineage.errors import UnreadableSqlError
from orchestration.lineage.sql import Origins, TableField, column_sources
from orchestration.lineage.transformation import Transformation

TABLES = {
    ("landing", "events"): ["id", "kind", "at", "flight", "legs", "minutes"],
    ("lake", "carriers"): ["carrier", "name"],
}


def _origins(sql: str, dialect: str = "duckdb") -> dict[str, Origins]:
    return column_sources(sql, TABLES, dialect)


def _names(fields: Iterable[TableField]) -> set[str]:
    return {f"{field.table}.{'.'.join(field.path)}" for field in fields}


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("id", {"events.id"}),
        ("cast(id as varchar(3)) || kind", {"events.id", "events.kind"}),
        ("42", set()),
        ("count(*)", set()),
        ("sum(minutes)", {"events.minutes"}),
        ("flight", {"events.flight"}),
        ("flight.carrier", {"events.flight.carrier"}),
        ("events.flight.carrier", {"events.flight.carrier"}),
        ("flight['carrier']", {"events.flight.carrier"}),
        ("struct_extract(flight, 'carrier')", {"events.flight.carrier"}),
        ("flight.aircraft.tail_number", {"events.flight.aircraft.tail_number"}),
        ("legs[1].origin", {"events.legs.origin"}),
        ("legs[-1]", {"events.legs"}),
        ("list_transform(legs, lambda leg: leg.miles)", {"events.legs.miles"}),
        ("list_transform(legs, lambda leg: leg.miles + minutes)", {"events.legs.miles", "events.minutes"}),
        (
            "list_reduce(list_transform(legs, lambda leg: leg.miles), lambda total, each: total + each, 0)",
            {"events.legs.miles"},
        ),
        ("list_filter(legs, lambda leg: leg.miles > 9)", {"events.legs", "events.legs.miles"}),
        ("(select max(name) from lake.carriers)", {"carriers.name"}),
        ("(select max(name) from lake.carriers where carrier = flight.carrier)", {"carriers.name"}),
        ("kind in (select carrier from lake.carriers)", {"events.kind", "carriers.carrier"}),
    ],
)
def test_values(expression: str, values: set[str]) -> None:
    found = _origins(f"select {expression} as made from landing.events")
    assert _names(found["made"].values) == values
    assert not found["made"].conditions


@pytest.mark.parametrize(
    ("expression", "values", "conditions"),
    [
        ("case when kind = 'late' then minutes end", {"events.minutes"}, {"events.kind"}),
        ("case kind when id then minutes else at end", {"events.minutes", "events.at"}, {"events.kind", "events.id"}),
        ("if(kind = 'late', minutes, 0)", {"events.minutes"}, {"events.kind"}),
        ("max(case when kind = 'late' then minutes end)", {"events.minutes"}, {"events.kind"}),
        ("sum(minutes) filter (where kind = 'late')", {"events.minutes"}, {"events.kind"}),
        ("row_number() over (partition by id order by at desc)", set(), {"events.id", "events.at"}),
        ("lag(minutes) over (partition by id order by at)", {"events.minutes"}, {"events.id", "events.at"}),
    ],
)
def test_conditions_decide_among_values(expression: str, values: set[str], conditions: set[str]) -> None:
    found = _origins(f"select {expression} as made from landing.events")["made"]
    assert (_names(found.values), _names(found.conditions)) == (values, conditions)


@pytest.mark.parametrize(
    ("expression", "transformation"),
    [
        ("upper(kind)", "VALUE"),
        ("kind = 'late'", "VALUE"),
        ("count(distinct kind)", "VALUE"),
        ("case when kind = 'late' then 1 end", "CONDITIONAL"),
        ("case kind when 'late' then 1 end", "CONDITIONAL"),
        ("if(kind = 'late', 1, 0)", "CONDITIONAL"),
        ("count(*) filter (where kind = 'late')", "CONDITIONAL"),
        ("exists (select 1 from lake.carriers where carriers.carrier = events.kind)", "CONDITIONAL"),
        ("sum(case when kind = 'late' then 1 end) over (partition by id)", "CONDITIONAL"),
        ("row_number() over (partition by kind)", "WINDOW"),
        ("lag(minutes) over (order by kind)", "WINDOW"),
        ("case when row_number() over (order by kind) = 1 then 1 end", "WINDOW"),
        ("watershed_mask(kind)", "MASKED"),
        ("watershed_mask(case when kind = 'late' then kind end)", "MASKED"),
        ("case when watershed_mask(kind) = 'a1' then 1 end", "MASKED"),
        ("coalesce(watershed_mask(kind), kind)", "VALUE"),
        ("case when kind = 'late' then watershed_mask(kind) end", "CONDITIONAL"),
        ("sha256(kind)", "VALUE"),
    ],
)
def test_of_steps_in_a_row_the_loosest_counts_and_of_ways_side_by_side_the_closest(
    expression: str, transformation: str
) -> None:
    found = _origins(f"select {expression} as made from landing.events")["made"]
    kind = TableField("landing", "events", ("kind",))
    assert found.fields[kind] is Transformation[transformation]


def test_a_mask_holds_through_the_queries_behind_it_and_for_what_is_inside_alone() -> None:
    found = _origins(
        "with masked as (select watershed_mask(kind) as key, kind, id from landing.events) "
        "select key, key || id as both_, kind from masked"
    )
    assert (_names(found["key"].masked), _names(found["key"].values)) == ({"events.kind"}, set())
    assert (_names(found["both_"].masked), _names(found["both_"].values)) == ({"events.kind"}, {"events.id"})
    assert (_names(found["kind"].masked), _names(found["kind"].values)) == (set(), {"events.kind"})


def test_a_condition_stays_one_through_the_queries_behind_it() -> None:
    found = _origins(
        """
        with ranked as (select *, row_number() over (partition by id order by at) as recency from landing.events)
        select max(case when recency = 1 then minutes end) as made from ranked group by id
        """
    )["made"]
    assert _names(found.values) == {"events.minutes"}
    assert _names(found.conditions) == {"events.id", "events.at"}


def test_a_joined_row_is_found_by_the_joins_condition() -> None:
    found = _origins(
        """
        with flights as (select flight.carrier as code, id from landing.events)
        select id, carriers.name from flights left join lake.carriers as carriers on flights.code = carriers.carrier
        """
    )
    assert set(found["id"].fields.values()) == {Transformation.VALUE}
    assert _names(found["name"].values) == {"carriers.name"}
    assert _names(found["name"].conditions) == {"carriers.carrier", "events.flight.carrier"}


def test_what_only_decides_which_rows_there_are_makes_no_column() -> None:
    found = _origins("select id from landing.events where kind = 'late' group by id, at having max(minutes) > 3")
    assert _names(found["id"].values) == {"events.id"}
    assert not found["id"].conditions


def test_columns_of_a_union_come_from_each_of_its_queries_by_position() -> None:
    found = _origins(
        "with both_ as (select id, kind from landing.events union all select carrier, name from lake.carriers) "
        "select * from both_"
    )
    assert {name: _names(origins.values) for name, origins in found.items()} == {
        "id": {"events.id", "carriers.carrier"},
        "kind": {"events.kind", "carriers.name"},
    }


@pytest.mark.parametrize(
    ("sql", "dialect"),
    [
        ("select leg.origin as made from landing.events, unnest(legs) as u(leg)", "duckdb"),
        ("select leg.origin as made from landing.events cross join unnest(legs) as u(leg)", "duckdb"),
        ("select unnest(legs).origin as made from landing.events", "duckdb"),
        ("select transform(legs, leg -> leg.origin) as made from landing.events", "trino"),
        ("select element_at(legs, 1).origin as made from landing.events", "trino"),
    ],
)
def test_elements_of_an_array_have_its_name(sql: str, dialect: str) -> None:
    assert _names(_origins(sql, dialect)["made"].values) == {"events.legs.origin"}


def test_a_recursive_query_ends() -> None:
    found = _origins(
        "with recursive up as (select id, 1 as step from landing.events union all select id, step + 1 from up) "
        "select id from up"
    )
    assert _names(found["id"].values) == {"events.id"}


def test_columns_come_in_the_order_of_the_query() -> None:
    assert (
        list(_origins("with all_ as (select * from landing.events) select * from all_")) == TABLES["landing", "events"]
    )


@pytest.mark.parametrize(
    "sql",
    [
        "select idd from landing.events",
        "select nothing.id from landing.events",
        "select from where",
        # A row as a whole: what is in it would not be seen.
        "select to_json(events) as made from landing.events",
        "with source as (select * from landing.events) select source as made from source",
        "select struct_pack(*columns(*)) as made from landing.events",
        "drop table landing.events",
    ],
)
def test_what_cannot_be_followed_is_refused(sql: str) -> None:
    with pytest.raises(UnreadableSqlError):
        _origins(sql)
