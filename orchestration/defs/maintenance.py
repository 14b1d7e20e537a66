"""What keeps tables quick: old snapshots go each hour where somebody follows, a Spark job does the rest each night."""

import dagster as dg

from ingestion.contract import load_contracts
from ingestion.maintenance import LEAST_KEPT
from orchestration.followers import follower_of
from orchestration.platform import Maintenance
from orchestration.settings import CONTRACTS_DIR, settings

EXPIRE, MAINTAIN = "expire_snapshots", "maintain"


@dg.definitions
def defs() -> dg.Definitions:
    """The jobs and their schedules. Where there is no Spark, there is no job for it."""
    hourly = dg.Definitions(jobs=[expire_job], schedules=[expire_hourly])
    nightly = dg.Definitions(jobs=[maintain_job], schedules=[maintain_nightly])
    return dg.Definitions.merge(hourly, nightly) if settings().maintenance_job else hourly


@dg.op
def expire(context: dg.OpExecutionContext, maintenance: Maintenance) -> None:
    """Take snapshots that nobody reads any more off the list that each commit writes anew. Deletes no file."""
    for done in maintenance.expire(keep=LEAST_KEPT):
        context.log.info(f"{done.table}: {done.expired:,} of {done.snapshots:,} snapshots expired.")


@dg.job(name=EXPIRE)
def expire_job() -> None:
    """Expire old snapshots of the landed tables, so that commits stay quick."""
    expire()


@dg.schedule(job_name=EXPIRE, cron_schedule="30 * * * *", default_status=dg.DefaultScheduleStatus.RUNNING)
def expire_hourly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """While somebody follows a contract: a commit every few seconds makes 1,000 snapshots an hour."""
    contracts = load_contracts(CONTRACTS_DIR).values()
    if any(follower_of(context.instance, contract) for contract in contracts):
        return dg.RunRequest()
    return dg.SkipReason("No contract is followed.")


@dg.op
def rewrite(context: dg.OpExecutionContext, maintenance: Maintenance) -> None:
    """Run the Spark job, which goes on beside landings and builds, and wait for its end."""
    maintenance.rewrite(context.log.info)


@dg.job(name=MAINTAIN)
def maintain_job() -> None:
    """Join small files, expire snapshots, delete files of no table, on Glue: tables of landing, quarantine and lake."""
    rewrite()


maintain_nightly = dg.ScheduleDefinition(
    name="maintain_nightly",
    job_name=MAINTAIN,
    cron_schedule="0 2 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Once a day, in UTC. A run that fails says which tables were left, and the next night goes on.",
)
