"""A contract that is followed, over one day of flights: from the stream through dbt in this process, told to Dagster.

Beside it what `watershed status` says, first of what has not landed. The tests build on one another.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import boto3
import dagster as dg
import pytest

from infra.local.duckdb.connection import connect
from infra.local.live import Player, start_position
from ingestion.contract import KinesisSource, load_contracts
from orchestration.following import Follower, Through, through
from orchestration.platform import Lander
from orchestration.settings import CONTRACTS_DIR, Settings
from serving.opensearch.incremental import Updated
from tests.integration.orchestration.conftest import Execute
from watershed.status import contract_statuses, waiting_models

pytestmark = pytest.mark.slow

CONTRACT = load_contracts(CONTRACTS_DIR)["flight_events"]
LANDING, MODEL, INDEX = (
    dg.AssetKey(path) for path in (["landing", "flight_events"], ["lake", "int_flights"], ["opensearch", "flights"])
)


class Index:
    """Stands where the index would: what updates a real one is tested in tests/integration/serving."""

    knows_the_index = True

    def update(self) -> Updated:
        return Updated("flights-v000001", sent=1, rows=1, full=False, seconds=0.1)


def told(instance: dg.DagsterInstance, key: dg.AssetKey) -> dict[str, Any]:
    event = instance.get_latest_materialization_event(key)
    assert event is not None
    assert event.asset_materialization is not None
    return dict(event.asset_materialization.metadata)


@pytest.fixture(scope="module")
def prepared(platform: Settings) -> Through:
    """The models, parsed, without a cluster."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("orchestration.following.IndexUpdater", lambda *arguments: Index())
        return through(platform, CONTRACT, "opensearch/flights")


def test_status_tells_what_waits_and_then_what_has_landed(
    execute: Execute, platform: Settings, instance: dg.DagsterInstance
) -> None:
    before = {status.name: status for status in contract_statuses(platform, instance)}
    assert all(status.last_landing is None and status.rows == 0 for status in before.values())
    assert all(status.waits_since and status.waits_since < datetime.now(UTC) for status in before.values())
    assert execute("land").success
    after = {status.name: status for status in contract_statuses(platform, instance)}
    assert not any(status.waits_since or status.last_landing is None for status in after.values())
    airlines = after["airlines"]
    assert (airlines.rows, airlines.rejects, airlines.last_records, airlines.last_rejects) == (16, 0, 16, 0)
    models = {each.key.path[-1]: each for each in waiting_models(instance)}
    assert models["stg_airlines"].waits_for == ()
    assert models["fct_flights"].cadence == "*/15 * * * *"
    assert MODEL in models["fct_flights"].waits_for


def test_a_follower_carries_new_events_into_the_model_and_tells_dagster_as_the_assets_do(
    platform: Settings, instance: dg.DagsterInstance, prepared: Through
) -> None:
    replace(prepared.models, select="+int_flights").build(test=False)  # what it reads beside the followed contract
    by_asset = told(instance, LANDING)
    assert isinstance(CONTRACT.source, KinesisSource)
    kinesis = boto3.client("kinesis", **platform.client_args())
    stream = platform.stream_name(CONTRACT.source.stream)
    start = start_position(kinesis, stream)
    assert start is not None
    Player(kinesis, stream, start).tell_next(300)
    follower = Follower(instance, Lander(), CONTRACT, prepared)
    cycle = follower.cycle(test=True)
    assert (cycle.landed.rows, cycle.landed.rejects) == (300, 0)
    follower.report(followed_until=None)
    by_follower = told(instance, LANDING)
    assert by_follower.keys() == by_asset.keys()
    assert 0 < by_follower["lag_seconds"].value < 600
    with connect(platform) as connection:
        days = dict(
            connection.execute("select flight_date, sum(event_count) from lake.int_flights group by all").fetchall()
        )
    assert days[date(2013, 1, 2)] == 300
    checks = instance.event_log_storage.get_latest_asset_check_execution_by_key(
        [dg.AssetCheckKey(MODEL, "not_null_int_flights_flight_id"), dg.AssetCheckKey(LANDING, "reconciliation")]
    )
    assert [record.status.value for record in checks.values()] == ["SUCCEEDED"] * 2
    assert [each.newer for each in waiting_models(instance) if each.key in (LANDING, MODEL, INDEX)] == [(), ()]


def test_a_cycle_without_tests_merges_what_has_landed_since(
    platform: Settings, instance: dg.DagsterInstance, prepared: Through
) -> None:
    assert isinstance(CONTRACT.source, KinesisSource)
    kinesis = boto3.client("kinesis", **platform.client_args())
    stream = platform.stream_name(CONTRACT.source.stream)
    start = start_position(kinesis, stream)
    assert start is not None
    Player(kinesis, stream, start).tell_next(200)
    follower = Follower(instance, Lander(), CONTRACT, prepared)
    assert follower.cycle().landed.rows == 200
    with connect(platform) as connection:
        counted = connection.execute(
            "select sum(event_count) from lake.int_flights where flight_date = date '2013-01-02'"
        ).fetchone()
    assert counted == (500,)
    assert follower.cycle().landed.nothing
