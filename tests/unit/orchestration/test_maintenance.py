"""What keeps tables quick runs by itself, where there is something that it can run on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import dagster as dg
import pytest
from dagster import build_schedule_context

from ingestion.contract import load_contracts
from ingestion.errors import TableError
from ingestion.landing import Landed
from ingestion.maintenance import LEAST_KEPT, Expiry
from orchestration import platform
from orchestration.defs.maintenance import EXPIRE, MAINTAIN, defs, expire_hourly, expire_job
from orchestration.errors import GlueJobError
from orchestration.followers import lease, observation
from orchestration.platform import Maintenance
from orchestration.settings import CONTRACTS_DIR, settings


class Keeping(Maintenance):
    """Tells what it was asked for, and fails if it is to."""

    fails: bool = False

    def expire(self, keep: timedelta) -> Iterator[Expiry]:
        yield Expiry("landing.flight_events", snapshots=1_200, expired=int(keep / timedelta(hours=1)))

    def rewrite(self, progress: Callable[[str], None]) -> None:
        progress("run jr_1 is RUNNING")
        if self.fails:
            raise GlueJobError("lake.x: a file is missing")


@pytest.fixture(params=["", "rain-spark-maintain"], ids=["without Spark", "with Spark"])
def found(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.Definitions]:
    """The definitions of an environment."""
    monkeypatch.setenv("WATERSHED_MAINTENANCE_JOB", request.param)
    settings.cache_clear()
    yield defs()
    settings.cache_clear()


def test_snapshots_are_expired_hourly_while_a_contract_is_followed() -> None:
    contract = load_contracts(CONTRACTS_DIR)["flight_events"]
    with dg.DagsterInstance.local_temp() as instance:
        context = build_schedule_context(instance=instance)
        assert isinstance(expire_hourly(context), dg.SkipReason)
        follows = observation(contract, Landed(contract.name), lease(timedelta(seconds=60)))
        instance.report_runless_asset_event(follows)
        assert isinstance(expire_hourly(context), dg.RunRequest)


def test_an_expiry_keeps_an_hour_and_tells_of_each_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert expire_job.execute_in_process(resources={"maintenance": Keeping()}).success
    assert "landing.flight_events: 1 of 1,200 snapshots expired." in capsys.readouterr().err


@pytest.mark.parametrize("found", ["rain-spark-maintain"], indirect=True)
def test_the_nightly_run_ends_as_the_spark_job_does(found: dg.Definitions) -> None:
    for fails in (False, True):
        job = dg.Definitions.merge(found, dg.Definitions(resources={"maintenance": Keeping(fails=fails)}))
        done = job.resolve_job_def(MAINTAIN).execute_in_process(raise_on_error=False)
        assert done.success is not fails


def test_an_environment_has_the_spark_job_if_it_has_spark(found: dg.Definitions) -> None:
    jobs = {job.name for job in found.jobs or []}
    assert jobs == ({EXPIRE, MAINTAIN} if settings().maintenance_job else {EXPIRE})
    schedules = {each.job_name: each for each in found.schedules or [] if isinstance(each, dg.ScheduleDefinition)}
    assert schedules.keys() == jobs
    assert {each.default_status for each in schedules.values()} == {dg.DefaultScheduleStatus.RUNNING}


def test_a_table_that_cannot_be_maintained_keeps_no_other_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def expire(table: str, **_: object) -> Expiry:
        if table == "b":
            raise TableError("b changes all the time")
        return Expiry(table, snapshots=1, expired=0)

    monkeypatch.setattr(platform, "_landed_tables", lambda _: iter("abc"))
    monkeypatch.setattr(platform, "expire_snapshots", expire)
    done: list[str] = []
    with pytest.raises(TableError, match="b changes"):  # noqa: PT012  what was done before counts
        for each in platform.expire(settings(), LEAST_KEPT):
            done.append(each.table)
    assert done == ["a", "c"]


def test_less_than_a_lander_needs_is_refused_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "_landed_tables", lambda _: pytest.fail("a table was opened"))
    with pytest.raises(TableError, match="younger than 1:00:00 are kept"):
        list(platform.expire(settings(), timedelta(minutes=5)))
