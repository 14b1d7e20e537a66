"""A Glue job is run to its end, whatever that is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import dagster as dg
import pytest
from botocore.stub import Stubber

from orchestration.errors import GlueJobError
from orchestration.glue_jobs import run_job

JOB, RUN = "rain-spark-maintain", "jr_1"


class Interrupted:
    """Looks that are broken off, as Dagster does when a run is terminated."""

    def __init__(self, client: Any, error: BaseException) -> None:
        self._client, self._error = client, error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def get_job_run(self, **_: Any) -> Any:
        raise self._error


@pytest.fixture
def client() -> Any:
    return boto3.client("glue", region_name="us-east-1", aws_access_key_id="none", aws_secret_access_key="none")


@pytest.fixture
def glue(client: Any) -> Iterator[Stubber]:
    """Answers in the order in which they are added; at the end all must have been asked for."""
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def started(glue: Stubber) -> None:
    glue.add_response("start_job_run", {"JobRunId": RUN}, {"JobName": JOB})


def looked_at(glue: Stubber, **run: Any) -> None:
    glue.add_response("get_job_run", {"JobRun": run}, {"JobName": JOB, "RunId": RUN})


def test_a_job_is_followed_to_its_end_and_told_of_once_a_state(client: Any, glue: Stubber) -> None:
    started(glue)
    looked_at(glue, JobRunState="RUNNING")
    looked_at(glue, JobRunState="RUNNING", ExecutionTime=15)
    looked_at(glue, JobRunState="SUCCEEDED", ExecutionTime=30)
    told: list[str] = []
    assert run_job(client, JOB, told.append, poll_seconds=0) == RUN
    assert told == [f"{JOB}: run {RUN} is RUNNING after 0 s.", f"{JOB}: run {RUN} is SUCCEEDED after 30 s."]


@pytest.mark.parametrize("state", ["FAILED", "STOPPED", "TIMEOUT", "ERROR", "EXPIRED"])
def test_a_job_that_does_not_succeed_is_a_failure_that_says_why_and_where_to_look(
    client: Any, glue: Stubber, state: str
) -> None:
    started(glue)
    looked_at(glue, JobRunState=state, ErrorMessage="lake.x: a file is missing", LogGroupName="/aws-glue/jobs")
    with pytest.raises(GlueJobError, match=f"ended as {state}: lake.x: a file is missing.*glue/jobs/output.*{RUN}"):
        run_job(client, JOB, lambda _: None, poll_seconds=0)


@pytest.mark.parametrize(
    ("code", "told"),
    [("ConcurrentRunsExceededException", "runs already"), ("EntityNotFoundException", f"no Glue job {JOB}")],
)
def test_a_job_that_cannot_be_started_is_told_with_a_cure(client: Any, glue: Stubber, code: str, told: str) -> None:
    glue.add_client_error("start_job_run", code)
    with pytest.raises(GlueJobError, match=told):
        run_job(client, JOB, lambda _: None)


@pytest.mark.parametrize("how", [KeyboardInterrupt, dg.DagsterExecutionInterruptedError])
def test_a_run_that_is_interrupted_stops_its_job(client: Any, glue: Stubber, how: type[BaseException]) -> None:
    started(glue)
    glue.add_response("batch_stop_job_run", {}, {"JobName": JOB, "JobRunIds": [RUN]})
    with pytest.raises(how):
        run_job(Interrupted(client, how()), JOB, lambda _: None)  # pyright: ignore[reportArgumentType]


def test_a_look_that_fails_stops_no_job(client: Any, glue: Stubber) -> None:
    started(glue)
    with pytest.raises(OSError, match="no route"):
        run_job(Interrupted(client, OSError("no route")), JOB, lambda _: None)  # pyright: ignore[reportArgumentType]
