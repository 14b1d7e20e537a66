"""`watershed status` over one day of flights."""

from __future__ import annotations

from orchestration.settings import Settings
from tests.integration.orchestration.conftest import Execute
from watershed.status import contract_statuses


def test_tells_what_waits_and_then_what_has_landed(execute: Execute, platform: Settings) -> None:
    before = {status.name: status for status in contract_statuses(platform)}
    assert all(status.waits and status.last_landing is None and status.rows == 0 for status in before.values())
    assert execute("land").success
    after = {status.name: status for status in contract_statuses(platform)}
    assert not any(status.waits or status.last_landing is None for status in after.values())
    assert (after["airlines"].rows, after["airlines"].rejects) == (16, 0)
