"""What runs by itself: a sensor for each contract looks at its source, another evaluates the conditions of the rest."""

import dagster as dg

from ingestion.contract import Contract, load_contracts
from orchestration.defs.landing import landing_asset
from orchestration.followers import follower_of
from orchestration.keys import landing_key
from orchestration.platform import Lander
from orchestration.settings import CONTRACTS_DIR

LAND = "land"
CONTRACT_TAG = "contract"
_LOOK_SECONDS = 60
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
    looks = [source_sensor(contract) for contract in load_contracts(CONTRACTS_DIR).values()]
    hourly = dg.ScheduleDefinition(
        name="land_hourly",
        job_name=LAND,
        cron_schedule="0 * * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Lands whatever the sensors left, and checks how fresh the sources are that have gone quiet.",
    )
    return dg.Definitions(sensors=[conditions, *looks], schedules=[hourly])


def source_sensor(contract: Contract) -> dg.SensorDefinition:
    """Requests a landing once the source has something new, unless one is under way or the contract is followed."""
    key = landing_key(contract)
    own_checks = list(landing_asset(contract).check_keys)

    @dg.sensor(
        name=f"look_at_{contract.name}",
        job_name=LAND,
        minimum_interval_seconds=_LOOK_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Looks whether the source of {contract.name} has anything after the landing table's position.",
    )
    def look(context: dg.SensorEvaluationContext, lander: Lander) -> dg.RunRequest | dg.SkipReason:
        filters = dg.RunsFilter(job_name=LAND, tags={CONTRACT_TAG: contract.name}, statuses=_UNDER_WAY)
        if runs := context.instance.get_runs(filters, limit=1):
            return dg.SkipReason(f"Run {runs[0].run_id} is landing it.")
        if follower := follower_of(context.instance, contract):
            return dg.SkipReason(f"It is followed by {follower}.")
        if not lander.has_news(contract):
            return dg.SkipReason("The source has nothing after the position.")
        # The landing's own checks: dbt's tests of the source follow with the models, by their condition.
        return dg.RunRequest(asset_selection=[key], asset_check_keys=own_checks, tags={CONTRACT_TAG: contract.name})

    return look
