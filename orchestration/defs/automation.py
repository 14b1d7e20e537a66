"""What runs by itself: sensors look at streams and at what S3 tells of arrivals, another evaluates all conditions."""

from collections.abc import Iterable
from typing import Any

import dagster as dg

from ingestion.contract import Contract, KinesisSource, ObjectSource, load_contracts
from ingestion.readers.arrivals import Version
from ingestion.readers.objects import Waiting
from orchestration.defs.landing import landing_asset
from orchestration.followers import follower_of
from orchestration.keys import landing_key
from orchestration.platform import Arrivals, Lander
from orchestration.settings import CONTRACTS_DIR

LAND = "land"
CONTRACT_TAG = "contract"
# A look at a stream reads from each shard; one at the queue is a request or two.
_LOOK_SECONDS = 60
_LOOK_AT_ARRIVALS_SECONDS = 30
_EVALUATE_SECONDS = 30
_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


@dg.definitions
def defs() -> dg.Definitions:
    """The sensors. They run as soon as there is a daemon: a sensor of one's own is stopped unless told otherwise."""
    conditions = dg.AutomationConditionSensorDefinition(
        "conditions",
        target=dg.AssetSelection.all() | dg.AssetSelection.all_asset_checks(),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=_EVALUATE_SECONDS,
        description="Requests what its condition says is due. The cadence of each layer stands in dbt's meta.",
    )
    contracts = load_contracts(CONTRACTS_DIR).values()
    looks = [stream_sensor(contract) for contract in contracts if isinstance(contract.source, KinesisSource)]
    hourly = dg.ScheduleDefinition(
        name="land_hourly",
        job_name=LAND,
        cron_schedule="0 * * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Lands whatever the sensors left, and checks how fresh the sources are that have gone quiet.",
    )
    return dg.Definitions(sensors=[conditions, *looks, arrivals_sensor(contracts)], schedules=[hourly])


def stream_sensor(contract: Contract) -> dg.SensorDefinition:
    """Requests a landing once the stream has something new, unless one is under way or the contract is followed."""

    @dg.sensor(
        name=f"look_at_{contract.name}",
        job_name=LAND,
        minimum_interval_seconds=_LOOK_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Looks whether the stream of {contract.name} has anything after the landing table's position.",
    )
    def look(context: dg.SensorEvaluationContext, lander: Lander) -> dg.RunRequest | dg.SkipReason:
        if landed_by := _landed_by(context.instance, contract):
            return dg.SkipReason(landed_by)
        if not lander.has_news(contract):
            return dg.SkipReason("The stream has nothing after the position.")
        return _landing(contract)

    return look


def arrivals_sensor(contracts: Iterable[Contract]) -> dg.SensorDefinition:
    """Requests a landing of each contract of which S3 told that an object arrived, until that has landed.

    One that is late for the contract's next listing is landed by a listing of all of its prefix.
    """
    taken = [(contract.source.prefix, contract) for contract in contracts if isinstance(contract.source, ObjectSource)]

    @dg.sensor(
        name="look_at_arrivals",
        job_name=LAND,
        minimum_interval_seconds=_LOOK_AT_ARRIVALS_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Looks at what S3 tells of objects that arrived. A message is removed once its object has landed.",
    )
    def look(
        context: dg.SensorEvaluationContext, lander: Lander, arrivals: Arrivals
    ) -> list[dg.RunRequest] | dg.SkipReason:
        received = arrivals.receive()
        told = {version for arrival in received for version in arrival.objects}
        kept = {version for version in told if not version[0].startswith(tuple(prefix for prefix, _ in taken))}
        for key in sorted(key for key, _ in kept):
            context.log.warning(f"No contract takes {key}, which arrived in the landing bucket.")
        requests: list[dg.RunRequest] = []
        said: list[str] = []
        for prefix, contract in taken:
            waiting = _waiting(context, lander, contract, {v for v in told if v[0].startswith(prefix)})
            if not waiting.versions:
                continue
            kept |= waiting.versions
            if landed_by := _landed_by(context.instance, contract, late=waiting.late):
                said.append(f"{contract.name}: {landed_by}")
            else:
                requests.append(_landing(contract, whole_listing=waiting.late))
        arrivals.remove([arrival for arrival in received if not arrival.objects & kept])
        return requests or dg.SkipReason(" ".join(said) or "Nothing that arrived has yet to land.")

    return look


def _waiting(context: dg.SensorEvaluationContext, lander: Lander, contract: Contract, told: set[Version]) -> Waiting:
    """What of it has not landed. A source that cannot be looked at must not keep the others from being landed."""
    if not told:
        return Waiting(frozenset(), late=False)
    try:
        return lander.waiting(contract, told)
    except Exception as error:  # noqa: BLE001  a landing ends with the same error, where it is seen
        context.log.warning(f"{contract.name}: {error!r}")
        return Waiting(told, late=False)


def _landed_by(instance: dg.DagsterInstance, contract: Contract, *, late: bool = False) -> str | None:
    """Who lands a contract at the moment, as a sentence; None if nobody does. A follower leaves what is late."""
    filters = dg.RunsFilter(job_name=LAND, tags={CONTRACT_TAG: contract.name}, statuses=_UNDER_WAY)
    if runs := instance.get_runs(filters, limit=1):
        return f"Run {runs[0].run_id} is landing it."
    if not late and (follower := follower_of(instance, contract)):
        return f"It is followed by {follower}."
    return None


def _landing(contract: Contract, *, whole_listing: bool = False) -> dg.RunRequest:
    """A run with the landing's own checks: dbt's tests of the source follow with the models, by their condition."""
    listing: dict[str, Any] = {"resources": {"lander": {"config": {"whole_listing": True}}}}
    return dg.RunRequest(
        asset_selection=[landing_key(contract)],
        asset_check_keys=list(landing_asset(contract).check_keys),
        run_config=listing if whole_listing else {},
        tags={CONTRACT_TAG: contract.name},
    )
