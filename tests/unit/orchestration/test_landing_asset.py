"""A landing asset around a lander that does as a test says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
from botocore.exceptions import ClientError
from pyiceberg.exceptions import CommitFailedException

import orchestration.defs.landing
from ingestion.contract import Contract, load_contract
from ingestion.errors import PositionMoved, SourceError
from ingestion.landing import Landed
from orchestration.defs.landing import landing_asset, spoken
from orchestration.platform import Lander
from orchestration.settings import CONTRACTS_DIR

CONTRACT = load_contract(CONTRACTS_DIR / "airlines.yaml")
THROTTLED = ClientError({"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}, "GetTable")


def materialize(
    *outcomes: Landed | Exception, first: Landed | None = None, instance: dg.DagsterInstance | None = None
) -> dg.ExecuteInProcessResult:
    """Materialize the asset with a lander that returns, or raises, one outcome a call.

    `first` is what the first call commits before that. An `instance` remembers earlier runs.
    """
    left = list(outcomes)
    commits = [first] if first else []

    class Scripted(Lander):
        def land(self, contract: Contract, progress: Callable[[Landed], None]) -> Landed:
            if commits:
                progress(commits.pop())
            outcome = left.pop(0)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

    result = dg.materialize(
        [landing_asset(CONTRACT)], resources={"lander": Scripted()}, raise_on_error=False, instance=instance
    )
    assert not left
    return result


def landed(**counts: Any) -> Landed:
    return Landed("airlines", newest_arrival=datetime.now(UTC).replace(tzinfo=None), **counts)


def checks(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {check.check_name: check.passed for check in result.get_asset_check_evaluations()}


def test_throttling_is_tried_again_with_back_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orchestration.defs.landing, "_FIRST_WAIT_SECONDS", 0)
    result = materialize(THROTTLED, THROTTLED, landed(records=2, rows=2))
    assert result.success
    assert len(result.get_asset_materialization_events()) == 1


@pytest.mark.parametrize(
    "error",
    [
        OSError("AWS Error SLOW_DOWN during PutObject operation"),
        CommitFailedException("Glue detected concurrent update"),
        PositionMoved("another lander committed first"),
    ],
)
def test_what_passes_is_tried_again(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orchestration.defs.landing, "_FIRST_WAIT_SECONDS", 0)
    assert materialize(error, landed(records=2, rows=2)).success


@pytest.mark.parametrize(
    ("after", "materialized"),
    [(Landed("airlines"), [3]), (landed(records=2, rows=2), [3, 2]), (SourceError("the bucket is gone"), [3])],
    ids=["then-nothing", "then-the-rest", "then-an-error"],
)
def test_what_was_committed_before_an_error_is_materialized(
    after: Landed | Exception, materialized: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next try finds nothing new: without this nothing downstream would be rebuilt."""
    monkeypatch.setattr(orchestration.defs.landing, "_FIRST_WAIT_SECONDS", 0)
    result = materialize(THROTTLED, after, first=landed(records=3, rows=3))
    events = result.get_asset_materialization_events()
    assert [event.materialization.metadata["dagster/row_count"].value for event in events] == materialized
    assert result.success == isinstance(after, Landed)


def test_throttling_that_does_not_end_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orchestration.defs.landing, "_FIRST_WAIT_SECONDS", 0)
    assert not materialize(*[THROTTLED] * 4).success


def test_an_error_that_would_come_again_is_not_tried_again() -> None:
    result = materialize(SourceError("there is no bucket"))
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "there is no bucket" in str(failure.step_failure_data.user_failure_data)


def test_a_run_that_lands_nothing_materializes_nothing_and_checks_all_the_same() -> None:
    result = materialize(Landed("airlines"))
    assert result.success
    assert result.get_asset_materialization_events() == []
    assert checks(result) == {"reconciliation": True, "quarantine_limit": True, "freshness": False}


def test_more_rejects_than_the_contract_allows_fail_the_check() -> None:
    assert checks(materialize(landed(records=10, rows=9, rejects=1)))["quarantine_limit"] is False


def test_a_run_without_news_repeats_the_verdict_on_the_last_landing() -> None:
    with dg.instance_for_test() as instance:
        materialize(landed(records=10, rows=9, rejects=1, reasons={"carrier: missing": 1}), instance=instance)
        result = materialize(Landed("airlines"), instance=instance)
        assert checks(result) == {"reconciliation": True, "quarantine_limit": False, "freshness": True}
        (limit,) = [c for c in result.get_asset_check_evaluations() if c.check_name == "quarantine_limit"]
        assert "1 of 10 records (10.00%) break the contract; its limit is" in str(limit.description)
        assert "carrier: missing (1)" in str(limit.description)
        assert checks(materialize(landed(records=10, rows=10), instance=instance))["quarantine_limit"] is True


def test_counts_that_do_not_add_up_fail_the_check() -> None:
    assert checks(materialize(landed(records=10, rows=9)))["reconciliation"] is False


def test_old_records_fail_the_freshness_check_as_a_warning() -> None:
    result = materialize(Landed("airlines", records=1, rows=1, newest_arrival=datetime(2020, 1, 1)))
    (freshness,) = [c for c in result.get_asset_check_evaluations() if c.check_name == "freshness"]
    assert (freshness.passed, freshness.severity) == (False, dg.AssetCheckSeverity.WARN)


@pytest.mark.parametrize(
    ("duration", "said"),
    [
        (timedelta(hours=1), "1 hour"),
        (timedelta(hours=26, minutes=5), "1 day 2 hours 5 minutes"),
        (timedelta(days=400), "400 days"),
        (timedelta(), "0 minutes"),
    ],
)
def test_a_contracts_freshness_is_said_in_words(duration: timedelta, said: str) -> None:
    assert spoken(duration) == said
