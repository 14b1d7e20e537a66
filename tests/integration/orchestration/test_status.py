"""`watershed status` over one day of flights."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg

from orchestration.settings import Settings
from tests.integration.orchestration.conftest import Execute
from watershed.status import contract_statuses, waiting_models


def test_tells_what_waits_and_then_what_has_landed(
    execute: Execute, platform: Settings, instance: dg.DagsterInstance
) -> None:
    before = {status.name: status for status in contract_statuses(platform, instance)}
    assert all(status.last_landing is None and status.rows == 0 for status in before.values())
    assert all(status.waits_since and status.waits_since < datetime.now(UTC) for status in before.values())
    assert dg.AssetKey(["lake", "int_flights"]) in {each.key for each in waiting_models(instance)}
    assert execute("land").success
    after = {status.name: status for status in contract_statuses(platform, instance)}
    assert not any(status.waits_since or status.last_landing is None for status in after.values())
    airlines = after["airlines"]
    assert (airlines.rows, airlines.rejects, airlines.last_records, airlines.last_rejects) == (16, 0, 16, 0)
    models = {each.key.path[-1]: each for each in waiting_models(instance)}
    assert models["stg_airlines"].waits_for == ()
    assert models["fct_flights"].cadence == "*/15 * * * *"
    assert dg.AssetKey(["lake", "int_flights"]) in models["fct_flights"].waits_for
