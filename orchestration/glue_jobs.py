"""Runs a Glue job to its end. Dagster's own client for Glue is for scripts that speak its protocol over S3 and logs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import dagster as dg

from orchestration.errors import GlueJobError

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_glue.type_defs import JobRunTypeDef

# https://docs.aws.amazon.com/glue/latest/dg/job-run-statuses.html
_SUCCEEDED = "SUCCEEDED"
_ENDED = {_SUCCEEDED, "FAILED", "STOPPED", "TIMEOUT", "ERROR", "EXPIRED"}


def run_job(client: GlueClient, name: str, progress: Callable[[str], None], *, poll_seconds: float = 15.0) -> str:
    """Start a job, and wait for its end. If this is interrupted, the job is stopped. Returns the run's id.

    If this process fails to see the job's end, the job goes on: it ends by itself, at its time-out at the latest.

    Args:
        client: boto3's client of Glue.
        name: Of the job.
        progress: Told of the run's states, as sentences.
        poll_seconds: How often the job is looked at.

    Raises:
        GlueJobError: If there is no such job, it runs already, or it does not succeed.
    """
    try:
        run_id = client.start_job_run(JobName=name)["JobRunId"]
    except client.exceptions.ConcurrentRunsExceededException as error:
        raise GlueJobError(f"{name} runs already, and one at a time does. Try again once that has ended.") from error
    except client.exceptions.EntityNotFoundException as error:
        raise GlueJobError(f"There is no Glue job {name}. `terraform apply` makes it; a setting names it.") from error
    try:
        run = _ended(client, name, run_id, progress, poll_seconds)
    except (KeyboardInterrupt, dg.DagsterExecutionInterruptedError):
        client.batch_stop_job_run(JobName=name, JobRunIds=[run_id])
        progress(f"{name}: run {run_id} is stopped.")
        raise
    if run.get("JobRunState") != _SUCCEEDED:
        why = run.get("ErrorMessage") or "it says no more"
        raise GlueJobError(
            f"{name}: run {run_id} ended as {run.get('JobRunState')}: {why}. What it printed is in CloudWatch, log"
            f" group {run.get('LogGroupName', '/aws-glue/jobs')}/output, log stream {run_id}."
        )
    return run_id


def _ended(
    client: GlueClient, name: str, run_id: str, progress: Callable[[str], None], poll_seconds: float
) -> JobRunTypeDef:
    told = ""
    while True:
        run = client.get_job_run(JobName=name, RunId=run_id)["JobRun"]
        state = run.get("JobRunState", "")
        if state != told:
            progress(f"{name}: run {run_id} is {state} after {run.get('ExecutionTime', 0)} s.")
            told = state
        if state in _ENDED:
            return run
        time.sleep(poll_seconds)
