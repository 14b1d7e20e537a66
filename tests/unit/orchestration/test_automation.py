"""What runs by itself: each condition evaluated on a small graph, the cadence of every asset, the sensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import dagster as dg
import pytest
from dagster_shared.check import CheckError
from pydantic import Field

from ingestion.contract import Contract, KinesisSource, ObjectSource, load_contract, load_contracts
from ingestion.landing import Landed
from ingestion.readers.arrivals import Arrival
from ingestion.readers.objects import Waiting
from orchestration.conditions import ON_CHANGE, condition
from orchestration.definitions import defs
from orchestration.defs.automation import CONTRACT_TAG, arrivals_sensor, stream_sensor
from orchestration.followers import lease, observation
from orchestration.keys import landing_key
from orchestration.platform import Arrivals, Lander
from orchestration.settings import CONTRACTS_DIR

AT_NOON = "0 12 * * *"


class Graph:
    """kinesis -> landing (which may land nothing) -> model (on change) -> mart (at noon) -> dashboard (on change)."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.lands = True
        self.cursor: Any = None

        @dg.multi_asset(specs=[dg.AssetSpec("landing", deps=["kinesis"], skippable=True)])
        def landing() -> Any:
            if self.lands:
                yield dg.MaterializeResult("landing")

        @dg.asset(deps=["landing"], automation_condition=condition(ON_CHANGE))
        def model() -> None: ...

        @dg.asset(deps=["model"], automation_condition=condition(AT_NOON))
        def mart() -> None: ...

        @dg.asset(deps=["mart"], automation_condition=condition(ON_CHANGE))
        def dashboard() -> None: ...

        self.assets = [dg.AssetSpec("kinesis"), landing, model, mart, dashboard]

    def requested(self, hour: int, minute: int = 0, day: int = 1) -> set[str]:
        """What is due at a time of 1 January 2026; it is built at once."""
        result = dg.evaluate_automation_conditions(
            dg.Definitions(assets=self.assets),
            instance=self.instance,
            cursor=self.cursor,
            evaluation_time=datetime(2026, 1, day, hour, minute, tzinfo=UTC),
        )
        self.cursor = result.cursor
        keys = [dg.AssetKey(name) for name in ("model", "mart", "dashboard")]
        due = [key for key in keys if result.get_num_requested(key)]
        if due:
            dg.materialize(self.assets, instance=self.instance, selection=due, raise_on_error=False)
        return {key.to_user_string() for key in due}

    @contextmanager
    def building(self, name: str) -> Iterator[None]:
        """Somebody builds an asset meanwhile."""
        job = dg.Definitions(assets=self.assets, jobs=[dg.define_asset_job("by_hand", [name])])
        run = self.instance.create_run_for_job(
            job.resolve_job_def("by_hand"), asset_selection=frozenset({dg.AssetKey(name)})
        )
        started = dg.DagsterEvent(dg.DagsterEventType.RUN_START.value, "by_hand")
        self.instance.report_dagster_event(started, run.run_id)
        yield
        self.instance.report_run_failed(run)

    def land(self, *, something: bool = True) -> None:
        self.lands = something
        dg.materialize(self.assets, instance=self.instance, selection=["landing"])


@pytest.fixture
def graph() -> Any:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Graph(instance)


def test_nothing_is_due_before_anything_has_landed(graph: Graph) -> None:
    assert graph.requested(10) == set()


def test_a_landing_makes_the_models_due_and_the_marts_wait_for_their_time(graph: Graph) -> None:
    graph.requested(10)
    graph.land()
    assert graph.requested(10, 1) == {"model"}
    assert graph.requested(11, 59) == set()
    assert graph.requested(12, 1) == {"mart", "dashboard"}


def test_a_landing_that_landed_nothing_makes_nothing_due(graph: Graph) -> None:
    graph.land()
    graph.requested(10)
    graph.requested(12, 1)
    graph.requested(12, 2)
    graph.land(something=False)
    assert graph.requested(12, 3) == set()
    assert graph.requested(12, 1, day=2) == set()


def test_at_its_time_a_mart_is_built_only_if_what_it_reads_has_changed(graph: Graph) -> None:
    graph.land()
    graph.requested(10)
    graph.requested(12, 1)
    assert graph.requested(12, 1, day=2) == set()
    graph.land()
    assert graph.requested(13, 0, day=2) == {"model"}
    assert graph.requested(12, 1, day=3) == {"mart", "dashboard"}


def test_a_change_that_comes_right_after_the_time_waits_for_the_next(graph: Graph) -> None:
    graph.land()
    graph.requested(10)
    graph.requested(12, 1)
    graph.land()
    assert graph.requested(12, 5) == {"model"}
    assert graph.requested(12, 6) == set()


def test_a_mart_that_cannot_be_built_at_its_time_is_built_as_soon_as_it_can(graph: Graph) -> None:
    """Else a model that is built again and again, and so at noon, would keep the mart from ever being built."""
    graph.requested(10)
    graph.land()
    assert graph.requested(10, 1) == {"model"}
    with graph.building("model"):
        assert graph.requested(12, 1) == set()
        assert graph.requested(12, 2) == set()
    assert graph.requested(12, 3) == {"mart", "dashboard"}
    assert graph.requested(12, 4) == set()


def test_a_model_that_is_added_to_a_running_deployment_is_built_at_the_next_evaluation(graph: Graph) -> None:
    model = graph.assets.pop(2)
    graph.land()
    graph.requested(10)
    graph.assets.insert(2, model)
    assert graph.requested(10, 1) == {"model"}
    assert graph.requested(10, 2) == set()


def test_a_mart_that_is_added_to_a_running_deployment_is_built_at_its_next_time(graph: Graph) -> None:
    mart = graph.assets.pop(3)
    graph.requested(10)
    graph.land()
    assert graph.requested(10, 1) == {"model"}
    graph.assets.insert(3, mart)
    assert graph.requested(10, 2) == set()
    assert "mart" in graph.requested(12, 1)


def test_a_model_whose_first_build_fails_is_not_asked_for_again_and_again(graph: Graph) -> None:
    @dg.asset(deps=["landing"], automation_condition=condition(ON_CHANGE))
    def model() -> None:
        raise ValueError("on purpose")

    graph.assets[2] = model
    graph.land()
    assert graph.requested(10) == {"model"}
    assert graph.requested(10, 1) == set()
    graph.land()
    assert graph.requested(10, 2) == {"model"}


def test_what_a_follower_tells_of_landing_and_model_requests_nothing_but_what_it_leaves_alone(graph: Graph) -> None:
    graph.land()
    graph.requested(10)
    for name in ("landing", "model"):
        graph.instance.report_runless_asset_event(dg.AssetMaterialization(name))
    assert graph.requested(10, 1) == set()
    assert graph.requested(12, 1) == {"mart", "dashboard"}


def test_what_is_neither_on_change_nor_cron_is_refused() -> None:
    with pytest.raises(CheckError, match="Invalid cron schedule"):
        condition("sometimes")


def test_cadences_of_the_layers() -> None:
    labels: dict[str, set[str | None]] = {}
    for spec in defs().resolve_all_asset_specs():
        found = spec.automation_condition
        labels.setdefault(spec.key.path[0], set()).add(found.get_label() if found else None)
    assert labels == {
        "kinesis": {None},
        "s3": {None},
        "landing": {None},  # a sensor looks at the source
        "lake": {"on_change"},
        "marts": {"at */15 * * * *"},
        "quicksight": {"on_change"},
        "opensearch": {"on_change"},
    }


def test_source_tests_run_when_something_has_landed() -> None:
    graph = defs().resolve_asset_graph()
    own = {"reconciliation", "quarantine_limit", "freshness", "nothing_lost"}
    for key in graph.asset_check_keys:
        if key.asset_key.path[0] == "landing":
            assert (graph.get(key).automation_condition is None) == (key.name in own)


CONTRACT = load_contract(CONTRACTS_DIR / "flight_events.yaml")


class Looking(Lander):
    """A lander that finds something new, or does not."""

    news: bool

    def has_news(self, contract: Contract) -> bool:
        return self.news

    def land(self, contract: Contract, progress: Callable[[Landed], None]) -> Landed:
        raise AssertionError("a sensor does not land")


def look(instance: dg.DagsterInstance, *, news: bool) -> Any:
    context = dg.build_sensor_context(instance=instance, resources={"lander": Looking(news=news)})
    return stream_sensor(CONTRACT)(context)


def test_a_sensor_requests_a_landing_once_there_is_something_new() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        request = look(instance, news=True)
        assert request.asset_selection == [landing_key(CONTRACT)]
        checks = {"reconciliation", "quarantine_limit", "freshness", "nothing_lost"}
        assert {key.name for key in request.asset_check_keys} == checks
        assert isinstance(look(instance, news=False), dg.SkipReason)


def test_a_sensor_waits_for_a_landing_that_is_under_way() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        job = defs().resolve_job_def("land")
        instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags={CONTRACT_TAG: CONTRACT.name})
        assert isinstance(look(instance, news=True), dg.SkipReason)


def test_a_sensor_leaves_the_landing_to_a_follower_until_that_ends_or_is_silent_for_too_long() -> None:
    def tell(until: datetime | None) -> None:
        instance.report_runless_asset_event(observation(CONTRACT, Landed(CONTRACT.name), until))

    with dg.DagsterInstance.ephemeral() as instance:
        tell(lease(timedelta(seconds=60)))
        skipped = look(instance, news=True)
        assert isinstance(skipped, dg.SkipReason)
        assert "followed by process" in (skipped.skip_message or "")
        tell(datetime.now(UTC) - timedelta(seconds=1))
        assert isinstance(look(instance, news=True), dg.RunRequest)
        tell(lease(timedelta(seconds=60)))
        tell(None)
        assert isinstance(look(instance, news=True), dg.RunRequest)


class Queue(Arrivals):
    """A queue of which a test says what arrived, by key. Dagster copies it, so the class has what was removed."""

    removed: ClassVar[list[str]] = []

    arrived: list[str]

    def receive(self) -> list[Arrival]:
        return [Arrival(key, frozenset({(key, "etag")})) for key in self.arrived]

    def remove(self, done: Sequence[Arrival]) -> None:
        self.removed.extend(arrival.receipt for arrival in done)


class LookingAtObjects(Lander):
    """A lander of whose contracts a test says which keys have not landed, are late, or cannot be looked at."""

    waits: list[str] = Field(default=[])
    late: list[str] = Field(default=[])
    broken: list[str] = Field(default=[])
    lands: list[str] = Field(default=[])

    def waiting(self, contract: Contract, told: Set[tuple[str, str]]) -> Waiting:
        if contract.name in self.broken:
            raise OSError("a file is gone")
        assert all(contract.name in key for key, _ in told)
        found = {(key, etag) for key, etag in told if key in self.waits and contract.name not in self.lands}
        return Waiting(found, late=bool({key for key, _ in found} & set(self.late)))


def look_at_arrivals(
    instance: dg.DagsterInstance, keys: list[str], contracts: Sequence[Contract] = (), **lander: list[str]
) -> tuple[Any, list[str]]:
    """What the sensor returns, and the messages that it removed."""
    Queue.removed.clear()
    resources = {"lander": LookingAtObjects.model_validate(lander), "arrivals": Queue(arrived=keys)}
    context = dg.build_sensor_context(instance=instance, resources=resources)
    found = arrivals_sensor(contracts or load_contracts(CONTRACTS_DIR).values())(context)
    return found, list(Queue.removed)


AIRLINES, PLANES = "files/airlines/a.csv", "files/planes/p.csv"
WEATHER = "firehose/weather/2026/01/01/00/w"


def test_what_arrived_is_landed_by_contract_and_its_message_stays_until_it_has() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        requests, removed = look_at_arrivals(instance, [AIRLINES, PLANES, WEATHER], waits=[PLANES, WEATHER])
        assert [request.tags[CONTRACT_TAG] for request in requests] == ["planes", "weather"]
        assert [request.run_config for request in requests] == [{}, {}]
        assert removed == [AIRLINES]
        skipped, removed = look_at_arrivals(instance, [PLANES])
        assert isinstance(skipped, dg.SkipReason)
        assert removed == [PLANES]


def test_an_object_that_is_late_is_landed_by_a_whole_listing_also_beside_a_follower() -> None:
    weather = load_contracts(CONTRACTS_DIR)["weather"]
    with dg.DagsterInstance.ephemeral() as instance:
        until = lease(timedelta(seconds=60))
        instance.report_runless_asset_event(observation(weather, Landed(weather.name), until))
        skipped, removed = look_at_arrivals(instance, [WEATHER], waits=[WEATHER])
        assert "followed by process" in skipped.skip_message
        requests, removed = look_at_arrivals(instance, [WEATHER], waits=[WEATHER], late=[WEATHER])
        assert removed == []
        (request,) = requests
        job = defs().resolve_job_def("land")
        assert dg.validate_run_config(job, request.run_config)["resources"]["lander"]["config"]["whole_listing"] is True


def test_an_object_that_is_late_waits_for_a_landing_that_is_under_way() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        job = defs().resolve_job_def("land")
        instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags={CONTRACT_TAG: "weather"})
        skipped, removed = look_at_arrivals(instance, [WEATHER], waits=[WEATHER], late=[WEATHER])
    assert "is landing it" in skipped.skip_message
    assert removed == []


def test_a_message_stays_while_one_of_two_contracts_has_yet_to_land_its_object() -> None:
    airlines = load_contracts(CONTRACTS_DIR)["airlines"]
    assert isinstance(airlines.source, ObjectSource)
    wider = replace(airlines, name="a", source=replace(airlines.source, prefix="files/"))
    for contracts in ([airlines, wider], [wider, airlines]):
        with dg.DagsterInstance.ephemeral() as instance:
            found, removed = look_at_arrivals(instance, [AIRLINES], contracts, lands=["airlines"], waits=[AIRLINES])
            assert [request.tags[CONTRACT_TAG] for request in found] == ["a"]
            assert removed == []


def test_what_no_contract_takes_stays_in_the_queue_and_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        skipped, removed = look_at_arrivals(instance, ["files/trains/t.csv", AIRLINES])
    assert isinstance(skipped, dg.SkipReason)
    assert removed == [AIRLINES]
    assert "No contract takes files/trains/t.csv" in capsys.readouterr().err


def test_a_source_that_cannot_be_looked_at_does_not_keep_others_from_being_landed() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        requests, removed = look_at_arrivals(instance, [AIRLINES, PLANES], waits=[PLANES], broken=["airlines"])
    assert [request.tags[CONTRACT_TAG] for request in requests] == ["airlines", "planes"]
    assert removed == []


def test_a_source_that_has_gone_quiet_is_checked_for_freshness_all_the_same() -> None:
    """Its sensor requests nothing; the schedule lands nothing, and evaluates the checks."""
    hourly = defs().resolve_schedule_def("land_hourly")
    assert (hourly.job_name, hourly.cron_schedule) == ("land", "0 * * * *")
    assert hourly.default_status is dg.DefaultScheduleStatus.RUNNING


def test_every_sensor_runs_without_being_switched_on() -> None:
    sensors = defs().sensors or []
    contracts = load_contracts(CONTRACTS_DIR).values()
    streams = {f"look_at_{each.name}" for each in contracts if isinstance(each.source, KinesisSource)}
    assert {sensor.name for sensor in sensors} == {"conditions", "look_at_arrivals", *streams}
    assert {sensor.default_status for sensor in sensors} == {dg.DefaultSensorStatus.RUNNING}
