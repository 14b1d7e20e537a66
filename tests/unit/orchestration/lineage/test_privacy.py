"""Private data is shown only with a reason, whatever it is called on its way; masked it is not private."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from ingestion.contract import Contract, load_contracts
from orchestration import exposures
from orchestration.errors import ExposureError
from orchestration.lineage.build import field_graph
from orchestration.lineage.classification import Classification
from orchestration.lineage.errors import PrivateDataError
from orchestration.lineage.graph import ENDS, FieldId, Graph
from orchestration.lineage.privacy import require_permitted
from orchestration.settings import CONTRACTS_DIR

DIM_CARRIER = "model.watershed.dim_carrier"
DASHBOARD, FLIGHTS = "exposure.watershed.on_time_performance", "exposure.watershed.flights"
REASON = {"reason": "Shown to the airline's own staff alone.", "approved_by": "flight-operations"}


def _exposures(manifest: Mapping[str, Any], *names: str, **meta: Any) -> dict[str, Any]:
    """The manifest, in which the named exposures say something else of one engine, or of private data."""
    changed = {**manifest, "exposures": deepcopy(dict(manifest["exposures"]))}
    for name in names:
        told = changed["exposures"][name]["config"]["meta"]
        for key, value in meta.items():
            told[key] = {**told[key], **value} if key in told else value
    return changed


def _require(manifest: Mapping[str, Any], graph: Graph, name: str) -> None:
    require_permitted(graph, manifest, [manifest["exposures"][name]])


def _refused(manifest: Mapping[str, Any], graph: Graph, name: str) -> str:
    with pytest.raises(PrivateDataError) as refused:
        _require(manifest, graph, name)
    return str(refused.value)


def test_what_this_project_serves_is_permitted(manifest: dict[str, Any], graph: Graph) -> None:
    require_permitted(graph, manifest, manifest["exposures"].values())
    private = [f.id for f in graph.fields.values() if f.classification and Classification(f.classification).is_private]
    assert FieldId("marts/dim_plane", "tail_number") in private
    assert [id_ for id_ in private if graph.fields[id_].kind in ENDS or id_.asset.startswith("quicksight/")] == []


def test_an_aircraft_is_shown_under_its_masked_name(graph: Graph) -> None:
    field = graph.fields[FieldId("opensearch/flights", "aircraft_key")]
    assert field.classification is None
    assert FieldId("kinesis/flight_events", "flight.tail_number") in graph.reached([field.id], graph.upstream)


def test_an_index_of_a_private_column_is_refused(manifest: dict[str, Any], graph: Graph) -> None:
    shown = _exposures(manifest, FLIGHTS, opensearch={"exclude": []})
    message = _refused(shown, _graph(shown), FLIGHTS)
    assert message == (
        "dbt_project/models/exposures/flights.yml:\n"
        "  int_flights.tail_number is restricted, by kinesis/flight_events.flight.tail_number -> "
        "landing/flight_events.flight.tail_number -> lake/stg_flight_events.tail_number -> "
        "lake/int_flights.tail_number\n"
        "    shown in index field opensearch/flights.tail_number\n"
        "    Leave it out (config.meta.opensearch.exclude: [tail_number]), mask it in the model "
        "({{ mask('tail_number') }}), or say why it may be shown (config.meta.private: {int_flights.tail_number: "
        "{reason: ...}}). See docs/private-data.md."
    )


def test_a_field_that_is_searched_in_another_way_is_named_too(manifest: dict[str, Any]) -> None:
    shown = _exposures(manifest, FLIGHTS, opensearch={"exclude": [], "as_you_type": ["tail_number"]})
    assert "index field opensearch/flights.tail_number.as_you_type" in _refused(shown, _graph(shown), FLIGHTS)


def test_a_reason_permits_it(manifest: dict[str, Any]) -> None:
    shown = _exposures(manifest, FLIGHTS, opensearch={"exclude": []}, private={"int_flights.tail_number": REASON})
    _require(shown, _graph(shown), FLIGHTS)


@pytest.mark.parametrize(
    ("private", "message"),
    [
        ({"int_flights.tail_number": REASON}, "gives a reason for int_flights.tail_number, which it does not show"),
        ({"int_flights.carrier": REASON}, "gives a reason for int_flights.carrier, which is not private (lake/int_fl"),
        ({"int_flights.craft": REASON}, "gives a reason for int_flights.craft, which it does not show"),
    ],
)
def test_a_reason_for_what_needs_none_is_stale(
    manifest: dict[str, Any], graph: Graph, private: dict[str, Any], message: str
) -> None:
    assert message in _refused(_exposures(manifest, FLIGHTS, private=private), graph, FLIGHTS)


@pytest.mark.parametrize(
    ("private", "message"),
    [
        ({"int_flights.tail_number": {}}, r"private\.int_flights\.tail_number: reason: Field required.* approved_by"),
        ({"int_flights.tail_number": {"reason": "  because "}}, "at least 10 characters"),
        ({"int_flights.tail_number": {**REASON, "until": 2030}}, "until: Extra inputs are not permitted"),
        ({"int_flights.tail_number": "we may"}, "Input should be a valid dictionary"),
        ("everything", "write a mapping"),
    ],
)
def test_a_permission_that_cannot_be_read_permits_nothing(
    manifest: dict[str, Any], graph: Graph, private: Any, message: str
) -> None:
    told = {**manifest["exposures"][FLIGHTS]["config"]["meta"], "private": private}
    wrong = _exposures(manifest)
    wrong["exposures"][FLIGHTS]["config"]["meta"] = told
    with pytest.raises(ExposureError, match=message):
        _require(wrong, graph, FLIGHTS)


@pytest.mark.parametrize(
    ("column", "permitted"),
    [
        ("tail_number", False),
        ("renamed as carrier_name", False),
        ("cast(upper(substring(renamed, 2)) || '!' as varchar(100))", False),
        ("max(renamed) over (partition by carrier)", False),
        ("cast(count(distinct renamed) over () as varchar(100))", False),
        ("case when renamed = 'N14228' then 'ours' else 'theirs' end", False),
        ("(select max(tail_number) from lake.int_flights)", False),
        (
            "case when exists (select 1 from lake.int_flights as f where f.tail_number = renamed) then 'known' end",
            False,
        ),
        ("{'tail': renamed}.tail", False),
        ("watershed_mask(renamed)", True),
        ("watershed_mask(upper(renamed))", True),
        ("watershed_mask(renamed) || renamed", False),
        ("sha256(renamed)", False),
        ("model", True),  # Of a row that was found by it.
        ("cast(row_number() over (order by renamed) as varchar(100))", True),
    ],
)
def test_no_name_expression_or_join_hides_it_and_a_mask_does(
    manifest: dict[str, Any], column: str, permitted: bool
) -> None:
    """The mart is made anew, and the dashboard's carrier_name is taken from it."""
    expression = column.removesuffix(" as carrier_name")
    sql = f"""
        with planes as (select tailnum as renamed, model from landing.planes),
        flights as (
            select carrier, tail_number from lake.int_flights union all select carrier, null from lake.int_airlines
        ),
        joined as (select * from flights left join planes on flights.tail_number = planes.renamed)
        select carrier, {expression} as carrier_name from joined
    """
    made = _with_sql(manifest, sql)
    graph = _graph(made)
    (private,) = ["agg_on_time_daily.carrier_name"]
    if permitted:
        _require(made, graph, DASHBOARD)
        return
    message = _refused(made, graph, DASHBOARD)
    assert f"{private} is restricted, by " in message
    assert "-> marts/dim_carrier.carrier_name -> marts/agg_on_time_daily.carrier_name" in message
    assert "column quicksight/on_time_performance/agg_on_time_daily.carrier_name" in message
    assert "visual quicksight/on_time_performance.by-carrier" in message
    reasoned = _exposures(made, DASHBOARD, private={private: REASON})
    _require(reasoned, graph, DASHBOARD)


def test_a_calculated_field_and_a_filter_over_it_are_named(manifest: dict[str, Any], tmp_path: Path) -> None:
    definition = yaml.safe_load(exposures.definition_path(manifest["exposures"][DASHBOARD]).read_text())
    calculated = {"DataSetIdentifier": "fct_flights", "Name": "Prefix", "Expression": "left({tail_number}, 2)"}
    definition["CalculatedFields"].append(calculated)
    column = {"DataSetIdentifier": "fct_flights", "ColumnName": "Prefix"}
    listed = {"FilterListConfiguration": {"MatchOperator": "CONTAINS", "SelectAllOptions": "FILTER_ALL_VALUES"}}
    filter_ = {"CategoryFilter": {"FilterId": "prefix", "Column": column, "Configuration": listed}}
    group = {**definition["FilterGroups"][0], "FilterGroupId": "prefixes", "Filters": [filter_]}
    definition["FilterGroups"].append({**group, "CrossDataset": "SINGLE_DATASET"})
    path = Path(exposures.DBT_PROJECT_DIR) / "target" / f"{tmp_path.name}.yml"
    path.write_text(yaml.safe_dump(definition))
    try:
        options = {"definition": f"../../target/{path.name}", "exclude": {}}
        shown = _exposures(manifest, DASHBOARD, quicksight=options)
        message = _refused(shown, _graph(shown), DASHBOARD)
    finally:
        path.unlink()
    assert "calculated field quicksight/on_time_performance/fct_flights.Prefix" in message
    assert "filter quicksight/on_time_performance.filter.prefix" in message


def test_a_column_that_the_lineage_does_not_know_is_not_taken_for_public(
    manifest: dict[str, Any], graph: Graph
) -> None:
    newer = _with_columns(manifest, "model.watershed.int_airports", "owner")
    assert "Nobody knows how private lake/int_airports.owner is" in _refused(
        newer, graph, "exposure.watershed.airports"
    )


@pytest.mark.parametrize(
    ("name", "meta", "message"),
    [
        (
            DASHBOARD,
            {"quicksight": {"exclude": {"fct_flights": ["tail"]}}},
            r"exclude\.fct_flights: there is no column",
        ),
        (DASHBOARD, {"quicksight": {"exclude": {"fct": ["tail"]}}}, r"exclude\.fct: depends_on has no such model"),
        (DASHBOARD, {"quicksight": {"excluded": {}}}, "excluded: Extra inputs are not permitted"),
        (FLIGHTS, {"opensearch": {"model": "fct_flights"}}, "depends_on has no model 'fct_flights'"),
    ],
)
def test_an_exposure_that_cannot_be_read_is_named(
    manifest: dict[str, Any], graph: Graph, name: str, meta: dict[str, Any], message: str
) -> None:
    with pytest.raises(ExposureError, match=rf"^dbt_project/models/exposures/.*{message}"):
        _require(_exposures(manifest, name, **meta), graph, name)


def _graph(manifest: Mapping[str, Any]) -> Graph:
    return field_graph(_contracts().values(), manifest)


@cache
def _contracts() -> Mapping[str, Contract]:
    return load_contracts(CONTRACTS_DIR)


def _with_sql(manifest: Mapping[str, Any], sql: str) -> dict[str, Any]:
    """The manifest with another dim_carrier, which reads what it joins."""
    node = deepcopy(manifest["nodes"][DIM_CARRIER])
    node["compiled_code"] = sql
    node["depends_on"]["nodes"] = ["model.watershed.int_flights", "model.watershed.int_airlines"]
    return {**manifest, "nodes": {**manifest["nodes"], DIM_CARRIER: node}}


def _with_columns(manifest: Mapping[str, Any], model: str, column: str) -> dict[str, Any]:
    """The manifest with a further column in a model's YAML."""
    node = deepcopy(manifest["nodes"][model])
    node["columns"][column] = {**next(iter(node["columns"].values())), "name": column}
    return {**manifest, "nodes": {**manifest["nodes"], model: node}}
