"""One day of flights from the stream to the dashboard, through Dagster. Each test builds on those before it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import boto3
import dagster as dg
import duckdb
import pytest

from ingestion.contract import KinesisSource, load_contracts
from orchestration.dbt import LAKE, manifest, node_key
from orchestration.errors import RebuildError
from orchestration.rebuild import DailyModel, daily_models, followed, run_config
from orchestration.settings import CONTRACTS_DIR, Settings
from tests.integration.orchestration.conftest import Execute
from watershed.rebuild import Day, look

pytestmark = pytest.mark.slow

DAY = date(2013, 1, 1)
FIRST_OF_JANUARY = 842  # flights, by the csv file; infra.local's tests count them


def materialized(result: dg.ExecuteInProcessResult) -> set[str]:
    return {event.asset_key.to_user_string() for event in result.get_asset_materialization_events() if event.asset_key}


def checks(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    found = [
        event.asset_check_evaluation_data
        for event in result.all_events
        if event.event_type_value == "ASSET_CHECK_EVALUATION"
    ]
    return {f"{check.asset_key.to_user_string()}:{check.check_name}": check.passed for check in found}


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> Mapping[str, object]:
    (event,) = result.asset_materializations_for_node(_node(asset))
    return {name: value.value for name, value in event.metadata.items()}


def _node(asset: str) -> str:
    layer, name = asset.split("/")
    return {"landing": "land_", "quicksight": "quicksight_"}[layer] + name


def test_landing_tells_rows_rejects_and_position(execute: Execute) -> None:
    result = execute("land")
    assert result.success
    names = ("airlines", "airports", "flight_events", "planes", "weather")
    assert materialized(result) == {f"landing/{name}" for name in names}
    told = metadata(result, "landing/flight_events")
    assert told["records"] == told["dagster/row_count"]
    assert told["rejects"] == 0
    assert len(told["position"]["shards"]) == 2  # type: ignore[index]
    assert all(checks(result).values())
    names = {"reconciliation", "quarantine_limit", "freshness", "nothing_lost"}
    assert {name.rpartition(":")[2] for name in checks(result)} == names


def test_nothing_is_rebuilt_before_it_was_built(platform: Settings) -> None:
    with pytest.raises(RebuildError, match=r"lake.int_flights has not been built yet.*`watershed demo`"):
        look(platform, _daily_model(), DAY, DAY)


def _daily_model() -> DailyModel:
    (model,) = daily_models(manifest(LAKE))
    return model


def test_models_are_built_and_every_test_is_run(
    execute: Execute, definitions: dg.Definitions, platform: Settings
) -> None:
    result = execute("transform")
    assert result.success
    job = definitions.resolve_job_def("transform")
    assert materialized(result) == {key.to_user_string() for key in job.asset_layer.selected_asset_keys}
    declared = {key for data in job.asset_layer.data for key in data.assets_def.check_keys}
    assert set(checks(result)) == {f"{key.asset_key.to_user_string()}:{key.name}" for key in declared}
    assert any(name.startswith("landing/flight_events:") for name in checks(result))
    with duckdb.connect(str(platform.duckdb_path), read_only=True) as connection:
        assert connection.sql("select count(*) from marts.fct_flights").fetchone() == (FIRST_OF_JANUARY,)


def test_models_have_row_counts_schema_and_column_lineage(
    definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    keys = definitions.resolve_job_def("transform").asset_layer.selected_asset_keys
    views = {node_key(n) for n in manifest(LAKE)["nodes"].values() if n["config"].get("materialized") == "view"}
    for key in keys:
        event = instance.get_latest_materialization_event(key)
        assert event is not None
        assert event.asset_materialization is not None
        found = event.asset_materialization.metadata
        assert {"dagster/column_schema", "dagster/column_lineage"} <= found.keys(), key
        if key not in views:  # to count them would run them
            assert "dagster/row_count" in found, key


def test_days_are_rebuilt_and_what_reads_them_follows(execute: Execute, platform: Settings) -> None:
    flights = "select count(*), sum(hash(f)) from lake.int_flights as f where flight_date = '2013-01-01'"
    statuses = (
        "select status, count(*) from marts.fct_flights where flight_date = '2013-01-01' group by all order by all"
    )
    with duckdb.connect(str(platform.duckdb_path)) as connection:
        as_built = connection.sql(flights).fetchall(), connection.sql(statuses).fetchall()
        connection.execute(
            "update lake.int_flights set status = 'cancelled', air_time_minutes = 1 where carrier = 'UA'"
        )
        # A flight of which no event is left, on the day and on another.
        for name, day in (("vanished", DAY), ("of another day", DAY + timedelta(days=1))):
            copied = "select * replace ($name as flight_id, $day as flight_date) from lake.int_flights limit 1"
            connection.execute(f"insert into lake.int_flights {copied}", {"name": name, "day": day})
        assert connection.sql(flights).fetchall() != as_built[0]
    assert look(platform, _daily_model(), DAY, DAY) == [Day(DAY, FIRST_OF_JANUARY + 1, FIRST_OF_JANUARY)]

    result = execute("rebuild", run_config=run_config(manifest(LAKE), DAY, DAY))

    assert result.success
    assert materialized(result) == {key.to_user_string() for key in followed(manifest(LAKE))}
    assert checks(result)["lake/int_flights:unique_int_flights_flight_id"]
    assert all(checks(result).values())
    with duckdb.connect(str(platform.duckdb_path)) as connection:
        assert (connection.sql(flights).fetchall(), connection.sql(statuses).fetchall()) == as_built
        assert connection.sql("delete from lake.int_flights where flight_id = 'of another day' returning 1").fetchall()


@pytest.mark.parametrize(
    ("first", "last", "message"),
    [
        (DAY - timedelta(days=1), DAY, "Nothing of 2012-12-31 has landed: .* from 2013-01-01 to 2013-01-01"),
        (DAY, DAY + timedelta(days=9), "Nothing of 2013-01-10 has landed"),
    ],
)
def test_days_without_data_are_not_rebuilt(platform: Settings, first: date, last: date, message: str) -> None:
    with pytest.raises(RebuildError, match=message):
        look(platform, _daily_model(), first, last)


def test_days_whose_events_are_gone_are_not_rebuilt(platform: Settings) -> None:
    """As after retention: the rows would be deleted."""
    gone = DAY + timedelta(days=3)
    with duckdb.connect(str(platform.duckdb_path)) as connection:
        copied = "select * replace ('gone' as flight_id, $day as flight_date) from lake.int_flights limit 1"
        connection.execute(f"insert into lake.int_flights {copied}", {"day": gone})
    try:
        with pytest.raises(RebuildError, match=r"has rows of 2013-01-04, but what .* a rebuild would delete them"):
            look(platform, _daily_model(), DAY, gone)
    finally:
        with duckdb.connect(str(platform.duckdb_path)) as connection:
            connection.execute("delete from lake.int_flights where flight_id = 'gone'")


def test_dashboard_is_deployed_from_the_marts(execute: Execute, platform: Settings) -> None:
    result = execute("serve", asset_selection=[dg.AssetKey(["quicksight", "on_time_performance"])])
    assert result.success
    assert metadata(result, "quicksight/on_time_performance")["version"] == 1
    quicksight = boto3.client("quicksight", **platform.client_args())  # type: ignore[call-overload]
    dashboards = quicksight.list_dashboards(AwsAccountId=platform.account_id)["DashboardSummaryList"]
    assert [d["DashboardId"] for d in dashboards if d["DashboardId"].startswith(platform.prefix)] == [
        f"{platform.prefix}-on_time_performance"
    ]


def test_restricted_columns_stay_out_of_the_dashboard_data(platform: Settings) -> None:
    quicksight = boto3.client("quicksight", **platform.client_args())  # type: ignore[call-overload]
    data_set = quicksight.describe_data_set(
        AwsAccountId=platform.account_id, DataSetId=f"{platform.prefix}-fct_flights"
    )["DataSet"]
    names = {column["Name"] for column in data_set["OutputColumns"]}
    assert "tail_number" not in names
    assert "flight_number" in names


def test_every_column_lineage_edge_leads_to_a_column(definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
    """A wrong key or name is silent otherwise."""
    specs = {spec.key: spec for spec in definitions.resolve_all_asset_specs()}
    columns: dict[dg.AssetKey, set[str]] = {}
    edges: list[tuple[dg.AssetKey, str, dg.AssetKey, str]] = []
    for key, spec in specs.items():
        event = instance.get_latest_materialization_event(key)
        told = event.asset_materialization.metadata if event and event.asset_materialization else {}
        schema: Any = told.get("dagster/column_schema") or spec.metadata.get("dagster/column_schema")
        lineage: Any = told.get("dagster/column_lineage") or spec.metadata.get("dagster/column_lineage")
        if schema is not None:
            columns[key] = {column.name for column in getattr(schema, "value", schema).columns}
        if lineage is not None:
            for name, deps in getattr(lineage, "value", lineage).deps_by_column.items():
                edges += [(key, name, dep.asset_key, dep.column_name) for dep in deps]
    reached = {key.path[0] for key, *_ in edges}
    assert reached == {"landing", "lake", "marts", "quicksight", "opensearch"}
    broken = [edge for edge in edges if edge[2] not in columns or edge[3] not in columns[edge[2]]]
    assert not broken


def test_a_run_that_lands_nothing_materializes_nothing(execute: Execute) -> None:
    result = execute("land")
    assert result.success
    assert materialized(result) == set()
    assert all(checks(result).values())


def test_rejects_above_the_limit_fail_the_check_and_the_rest_lands(execute: Execute, platform: Settings) -> None:
    source = load_contracts(CONTRACTS_DIR)["flight_events"].source
    assert isinstance(source, KinesisSource)
    kinesis = boto3.client("kinesis", **platform.client_args())  # type: ignore[call-overload]
    for payload in (b"no JSON", json.dumps({"event_id": 1}).encode()):
        kinesis.put_record(StreamName=platform.stream_name(source.stream), Data=payload, PartitionKey="x")
    result = execute("land")
    assert materialized(result) == {"landing/flight_events"}
    told = metadata(result, "landing/flight_events")
    assert (told["dagster/row_count"], told["rejects"]) == (0, 2)
    assert checks(result)["landing/flight_events:quarantine_limit"] is False
    assert checks(result)["landing/flight_events:reconciliation"] is True


def test_a_failure_in_one_contract_does_not_stop_another(execute: Execute, platform: Settings) -> None:
    """The stream is gone; a new file of airlines lands all the same."""
    source = load_contracts(CONTRACTS_DIR)["flight_events"].source
    assert isinstance(source, KinesisSource)
    kinesis = boto3.client("kinesis", **platform.client_args())  # type: ignore[call-overload]
    kinesis.delete_stream(StreamName=platform.stream_name(source.stream))
    s3 = boto3.client("s3", **platform.client_args())  # type: ignore[call-overload]
    s3.put_object(Bucket=platform.landing_bucket, Key="files/airlines/new.csv", Body=b"carrier,name\nZZ,Zig Zag\n")
    result = execute("land")
    assert not result.success
    assert materialized(result) == {"landing/airlines"}
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert failure.step_key == "land_flight_events"
    assert "there is no Kinesis stream" in str(failure.step_failure_data.user_failure_data)
