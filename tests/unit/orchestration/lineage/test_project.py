"""The lineage of what this repository ships."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
import sqlglot
from sqlglot import exp
from sqlglot.lineage import lineage

from ingestion.contract import load_contracts
from ingestion.schemas import landing_fields
from orchestration.definitions import defs
from orchestration.exposures import definition_path
from orchestration.lineage.build import field_graph
from orchestration.lineage.errors import UnreadableSqlError, UnservableError
from orchestration.lineage.graph import AssetKind, FieldKind, Graph, find
from orchestration.settings import CONTRACTS_DIR
from serving.quicksight import column_uses, load_definition


def _ends(graph: Graph, name: str) -> set[str]:
    return {str(field) for field in graph.ends([find(graph, name)])}


def _models(manifest: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    nodes = manifest["nodes"].values()
    return {f"{n['config']['schema']}/{n['name']}": n for n in nodes if n["resource_type"] == "model"}


def test_every_edge_leads_between_fields_that_exist(graph: Graph) -> None:
    assert graph.edges
    for edge in graph.edges:
        assert edge.source in graph.fields
        assert edge.target in graph.fields
        assert graph.leaves(edge.source) == (edge.source,)


def test_columns_of_models_are_those_that_their_yaml_declares(graph: Graph, manifest: dict[str, Any]) -> None:
    """Each with its type and description: the graph takes the names from the SQL, all else from the YAML."""
    for key, node in _models(manifest).items():
        assert [field.id.path for field in graph.fields_by_asset[key]] == list(node["columns"])
        assert all(field.type and field.description for field in graph.fields_by_asset[key])


def test_landing_tables_have_every_field_of_their_contract(graph: Graph) -> None:
    for contract in load_contracts(CONTRACTS_DIR).values():
        fields = graph.fields_by_asset[f"landing/{contract.name}"]
        assert [f.id.path for f in fields if "." not in f.id.path] == [f.name for f in landing_fields(contract)]


def test_every_column_is_made_of_something(graph: Graph) -> None:
    """No model here makes a constant; what lands by itself is the provenance of a row."""
    models = [field for field in graph.fields.values() if graph.assets[field.id.asset].kind is AssetKind.MODEL]
    assert [str(field.id) for field in models if not graph.upstream(field.id)] == []


def test_edges_between_assets_are_the_dependencies_of_the_asset_graph(graph: Graph) -> None:
    keys = {spec.key.to_user_string(): spec for spec in defs().resolve_all_asset_specs()}
    # The data sets of a dashboard are one asset with it.
    asset = {key: key if key in keys else key.rpartition("/")[0] for key in graph.assets}
    of_fields = {(asset[e.source.asset], asset[e.target.asset]) for e in graph.edges}
    of_assets = {(dep.asset_key.to_user_string(), key) for key, spec in keys.items() for dep in spec.deps}
    assert {(source, target) for source, target in of_fields if source != target} <= of_assets
    assert set(asset.values()) == set(keys)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("kinesis/flight_events.flight.carrier", "opensearch/flights.carrier"),
        ("kinesis/flight_events.flight.carrier", "quicksight/on_time_performance.filter.carrier"),
        # Through the join that looks the name up.
        ("kinesis/flight_events.flight.carrier", "quicksight/on_time_performance.by-carrier"),
        ("landing/airlines.name", "quicksight/on_time_performance.by-carrier"),
        ("kinesis/flight_events.legs.distance_miles", "opensearch/flights.distance_miles"),
        # Through a calculated field.
        ("marts/agg_on_time_daily.departed_on_time", "quicksight/on_time_performance.on-time-departures"),
        ("kinesis/flight_events.departure.delay_minutes", "quicksight/on_time_performance.on-time-departures"),
        # A filter for all data sets reads the column of that name in each.
        ("quicksight/on_time_performance/fct_flights.flight_date", "quicksight/on_time_performance.filter.flight-date"),
        # Into a field of an index that is searched in another way.
        ("s3/airports.name", "opensearch/airports.airport_name.as_you_type"),
        ("s3/airports.lat", "opensearch/airports.location"),
        ("kinesis/flight_events.schedule.departure_local_time", "quicksight/on_time_performance.by-hour"),
    ],
)
def test_a_field_reaches_what_shows_it(graph: Graph, name: str, shown: str) -> None:
    assert shown in _ends(graph, name)


def test_the_way_from_a_field_of_the_stream_to_a_visual(graph: Graph) -> None:
    way = [
        "kinesis/flight_events.flight.carrier",
        "landing/flight_events.flight.carrier",
        "lake/stg_flight_events.carrier",
        "lake/int_flights.carrier",
        "marts/fct_flights.carrier",
        "marts/agg_on_time_daily.carrier_name",
        "quicksight/on_time_performance/agg_on_time_daily.carrier_name",
        "quicksight/on_time_performance.by-carrier",
    ]
    fields = [find(graph, name) for name in way]
    for above, below in pairwise(fields):
        assert below in graph.downstream(above)
        assert above in graph.upstream(below)


def test_every_visual_of_the_dashboard_reads_what_its_definition_says(graph: Graph, manifest: dict[str, Any]) -> None:
    """Held against `column_uses`, which follows the calculated fields by itself."""
    (exposure,) = (e for e in manifest["exposures"].values() if e["name"] == "on_time_performance")
    wanted: dict[str, set[str]] = {}
    for use in column_uses(load_definition(definition_path(exposure))):
        if use.visual_id:
            data_set = f"quicksight/on_time_performance/{use.data_set}"
            wanted.setdefault(use.visual_id, set()).add(f"{data_set}.{use.column}")
    fields = graph.fields_by_asset["quicksight/on_time_performance"]
    found = {}
    for visual in (field.id for field in fields if field.kind is FieldKind.VISUAL):
        above = graph.reached([visual], graph.upstream)
        columns = {f for f in above if graph.assets[f.asset].kind is AssetKind.DATA_SET}
        found[visual.path] = {str(f) for f in columns if graph.fields[f].kind is FieldKind.COLUMN}
    assert found == wanted


def test_the_columns_agree_with_sqlglots_own_lineage(graph: Graph, manifest: dict[str, Any]) -> None:
    """It knows whole columns alone, and nothing of joins; what it finds has to be here."""
    columns = {
        key: {field.id.path: "unknown" for field in fields if "." not in field.id.path}
        for key, fields in graph.fields_by_asset.items()
    }
    for key, node in _models(manifest).items():
        query = sqlglot.parse_one(node["compiled_code"], dialect="duckdb")
        schema: dict[str, dict[str, dict[str, str]]] = {}
        for table in query.find_all(exp.Table):
            table.set("catalog", None)
            if table.db:
                schema.setdefault(table.db, {})[table.name] = columns[f"{table.db}/{table.name}"]
        for field in graph.fields_by_asset[key]:
            leaves = lineage(field.id.path, query.sql("duckdb"), schema=schema, dialect="duckdb").walk()
            wanted = {
                (f"{table.db}/{table.name}", exp.to_column(leaf.name).name)
                for leaf in leaves
                if isinstance(table := leaf.expression, exp.Table)
            }
            found = {(f.asset, f.path.partition(".")[0]) for f in graph.upstream(field.id)}
            assert wanted, field.id
            assert wanted <= found, field.id


def test_a_model_that_cannot_be_followed_is_named(manifest: dict[str, Any]) -> None:
    nodes = {name: dict(node) for name, node in manifest["nodes"].items()}
    nodes["model.watershed.dim_carrier"]["compiled_code"] = "select carier from lake.int_airlines"
    with pytest.raises(UnreadableSqlError, match=r"dbt_project/models/warehouse/marts/dim_carrier\.sql: .*carier"):
        field_graph(load_contracts(CONTRACTS_DIR).values(), {**manifest, "nodes": nodes})


def test_an_index_of_a_column_that_is_not_there_is_named(manifest: dict[str, Any]) -> None:
    exposures = {name: {**exposure} for name, exposure in manifest["exposures"].items()}
    flights = exposures["exposure.watershed.flights"]
    wrong = {"index": "flights", "model": "int_flights", "id": "flight"}
    flights["config"] = {**flights["config"], "meta": {"opensearch": wrong}}
    with pytest.raises(UnservableError, match=r"models/exposures/flights\.yml: Index flights: id names flight"):
        field_graph(load_contracts(CONTRACTS_DIR).values(), {**manifest, "exposures": exposures})
