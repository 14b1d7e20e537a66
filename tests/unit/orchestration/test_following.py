"""A follower around a lander, models and an index that do as a test says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from ingestion.contract import Contract, load_contract, load_contracts
from ingestion.errors import PositionMoved
from ingestion.landing import Landed
from orchestration.dbt import LAKE, manifest
from orchestration.errors import ModelsNotBuiltError, UnknownNameError
from orchestration.followers import follower_of
from orchestration.following import Follower, Through, exposure_of, joined
from orchestration.keys import landing_key, source_key
from orchestration.platform import Lander
from orchestration.settings import CONTRACTS_DIR
from serving.opensearch.incremental import Updated

CONTRACT = load_contract(CONTRACTS_DIR / "airlines.yaml")
MODEL, INDEX = dg.AssetKey(["lake", "m"]), dg.AssetKey(["opensearch", "m"])
NOTHING = Landed(CONTRACT.name)


def landed(rows: int, **values: Any) -> Landed:
    moment = datetime.now(UTC).replace(tzinfo=None)
    return Landed(CONTRACT.name, records=rows, rows=rows, commits=1, newest_arrival=moment, **values)


class Scripted(Lander):
    """Lands what `script` says, in order: an outcome, or an error after a commit."""

    script: list[Any]

    def land(self, contract: Contract, progress: Callable[[Landed], None]) -> Landed:
        outcome = self.script.pop(0)
        if isinstance(outcome, Exception):
            progress(landed(1))
            raise outcome
        if not outcome.nothing:
            progress(outcome)
        return outcome


class Models:
    """Builds, or fails as often as `failures` says. `calls` has whether each was to be tested."""

    def __init__(self, failures: int = 0) -> None:
        self.failures, self.calls = failures, list[bool]()

    def build(self, *, test: bool) -> list[Any]:
        self.calls.append(test)
        if self.failures:
            self.failures -= 1
            raise ModelsNotBuiltError("on purpose")
        return [dg.AssetMaterialization(MODEL)]


class Index:
    """An index that others may move from under the follower."""

    def __init__(self) -> None:
        self.updates, self.knows_the_index = 0, True

    def update(self) -> Updated:
        self.updates += 1
        self.knows_the_index = True
        return Updated("m-v000001", sent=1, rows=2, full=False, seconds=0.1)


class Case:
    """A follower and all that it works with."""

    def __init__(self, instance: dg.DagsterInstance, *script: Any, failures: int = 0) -> None:
        self.instance, self.models, self.index = instance, Models(failures), Index()
        through = Through(INDEX, self.models, self.index)  # pyright: ignore[reportArgumentType]
        self.follower = Follower(instance, Scripted(script=list(script)), CONTRACT, through)

    def materialized(self, key: dg.AssetKey) -> list[dict[str, Any]]:
        records = self.instance.fetch_materializations(key, limit=10, ascending=True).records
        found = [record.asset_materialization for record in records]
        return [{name: value.value for name, value in each.metadata.items()} for each in found if each]


@pytest.fixture
def instance() -> Any:
    with dg.DagsterInstance.ephemeral() as found:
        yield found


def test_what_landed_is_carried_on_and_told_at_one_moment_parents_first(instance: dg.DagsterInstance) -> None:
    case = Case(instance, landed(3, lag_seconds=4.0), landed(2, lag_seconds=1.0))
    case.follower.cycle()
    cycle = case.follower.cycle()
    assert None not in (cycle.landed_at, cycle.modelled_at, cycle.indexed_at)
    assert case.materialized(landing_key(CONTRACT)) == []
    case.follower.report(followed_until=None)
    (told,) = case.materialized(landing_key(CONTRACT))
    assert (told["dagster/row_count"], told["commits"], told["lag_seconds"]) == (5, 2, 4.0)
    when = [instance.get_latest_materialization_event(key) for key in (landing_key(CONTRACT), MODEL, INDEX)]
    moments = [event.timestamp for event in when if event]
    assert moments == sorted(moments)
    assert len(moments) == 3
    case.follower.report(followed_until=None)
    assert len(case.materialized(landing_key(CONTRACT))) == 1


def test_a_model_that_failed_is_built_again_although_nothing_new_has_landed(instance: dg.DagsterInstance) -> None:
    case = Case(instance, landed(3), NOTHING, NOTHING, failures=1)
    with pytest.raises(ModelsNotBuiltError):
        case.follower.cycle()
    assert case.index.updates == 0
    assert case.follower.cycle().indexed_at
    idle = case.follower.cycle()
    assert (idle.modelled_at, idle.indexed_at) == (None, None)
    assert case.index.updates == 1


def test_after_a_failed_test_each_build_is_tested_until_one_passes(instance: dg.DagsterInstance) -> None:
    case = Case(instance, landed(1), landed(1), landed(1), NOTHING, NOTHING, failures=1)
    with pytest.raises(ModelsNotBuiltError):
        case.follower.cycle(test=True)
    case.follower.cycle()
    case.follower.cycle()
    case.follower.cycle(test=True)  # what was built since without a test
    case.follower.cycle(test=True)  # nothing was
    assert case.models.calls == [True, True, False, True]


def test_what_was_committed_before_an_error_is_told_and_carried_on(instance: dg.DagsterInstance) -> None:
    case = Case(instance, PositionMoved("others were faster"), NOTHING)
    with pytest.raises(PositionMoved):
        case.follower.cycle()
    assert case.follower.cycle().modelled_at
    case.follower.report(followed_until=None)
    assert [told["records"] for told in case.materialized(landing_key(CONTRACT))] == [1]


def test_an_index_that_another_has_built_is_caught_up_with_although_nothing_is_new(
    instance: dg.DagsterInstance,
) -> None:
    case = Case(instance, NOTHING, NOTHING)
    case.follower.cycle()
    case.index.knows_the_index = False
    cycle = case.follower.cycle()
    assert (cycle.modelled_at, cycle.indexed_at is not None, case.index.updates) == (None, True, 2)


def test_it_says_that_it_follows_and_its_checks_are_those_of_the_asset(instance: dg.DagsterInstance) -> None:
    case = Case(instance, landed(4))
    case.follower.cycle()
    case.follower.report(followed_until=datetime.now(UTC) + timedelta(minutes=3))
    assert (follower_of(instance, CONTRACT) or "").startswith("process ")
    keys = [dg.AssetCheckKey(landing_key(CONTRACT), name) for name in ("reconciliation", "quarantine_limit")]
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    assert {record.status.value for record in latest.values()} == {"SUCCEEDED"}
    assert len(latest) == 2
    (observed,) = instance.fetch_observations(source_key(CONTRACT), limit=1).records
    assert observed.asset_observation is not None
    assert observed.asset_observation.metadata["records"].value == 4
    case.follower.report(followed_until=None)
    assert follower_of(instance, CONTRACT) is None


def test_an_index_that_no_model_of_the_lake_leads_to_from_the_contract_is_refused() -> None:
    contracts, dbt = load_contracts(CONTRACTS_DIR), manifest(LAKE)
    flights = contracts["flight_events"]
    assert exposure_of(dbt, flights, "opensearch/flights")["name"] == "flights"
    with pytest.raises(UnknownNameError, match=r"int_airports is not made from landing\.flight_events"):
        exposure_of(dbt, flights, "opensearch/airports")
    for other in ("opensearch/nothing", "quicksight/on_time_performance", "lake/int_flights"):
        with pytest.raises(UnknownNameError, match=r"there is opensearch/airports, opensearch/flights\."):
            exposure_of(dbt, flights, other)


def test_two_landings_are_one() -> None:
    one = landed(3, lag_seconds=2.0, nbytes=10, seconds=1.0, reasons={"a": 1}, position={"at": 1})
    other = landed(4, lag_seconds=1.0, nbytes=5, seconds=0.5, reasons={"a": 2, "b": 1}, position={"at": 2})
    both = joined(one, other)
    assert (both.records, both.rows, both.commits, both.nbytes, both.seconds) == (7, 7, 2, 15, 1.5)
    assert (both.lag_seconds, both.reasons, both.position) == (2.0, {"a": 3, "b": 1}, {"at": 2})
    assert both.newest_arrival == max(one.newest_arrival or datetime.min, other.newest_arrival or datetime.min)
