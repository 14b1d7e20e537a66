"""Statements for Redshift Serverless through its Data API: no way into the VPC is needed, and no password.

Source: the Amazon Redshift Data API Reference and the Amazon Redshift Serverless API Reference.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra.bootstrap.errors import BootstrapError, StatementError

_FINAL = {"FINISHED", "FAILED", "ABORTED"}
# The warehouse is busy, wakes up, or answers later. Throttling is the client's own to repeat.
_BUSY = {
    "ActiveSessionsExceededException",
    "ActiveStatementsExceededException",
    "DatabaseConnectionException",
    "InternalServerException",
}
_FIRST_SECONDS = 0.1
_MOST_SECONDS = 5.0


@dataclass(frozen=True)
class Patience:
    """How long to wait for the warehouse, in seconds."""

    most: float = 600.0
    first_pause: float = _FIRST_SECONDS
    tell_after: float = 10.0
    retry_pause: float = 1.0
    """Before a step is tried again whose failure may pass; longer each time."""


@dataclass(frozen=True)
class Workgroup:
    """A Redshift Serverless workgroup that answers."""

    name: str
    admin_secret_arn: str
    default_role_arn: str


@dataclass(frozen=True)
class DataApi:
    """Runs statements one by one, as the user whose password a secret holds."""

    client: Any
    """A boto3 client of redshift-data."""
    workgroup: str
    database: str
    secret_arn: str
    patience: Patience = Patience()
    on_wait: Callable[[str], object] = lambda _: None
    """Told in a sentence what is waited for, when it takes long."""

    def run(self, sql: str) -> list[tuple[str | None, ...]]:
        """Run a statement to its end, and return its rows.

        Raises:
            StatementError: If Redshift refused it: with its own words.
            BootstrapError: If the Data API did not take it, or there is no answer in time.
        """
        deadline = time.monotonic() + self.patience.most
        try:
            statement = self._begin(sql, deadline)
            told = self._end(statement, deadline)
            if told["Status"] != "FINISHED":
                raise StatementError(told.get("Error") or f"{told['Status']}, no reason given")
            return self._rows(statement) if told.get("HasResultSet") else []
        except (ClientError, BotoCoreError) as error:
            raise not_taken(f"Redshift's Data API, workgroup {self.workgroup}", error) from error

    def _begin(self, sql: str, deadline: float) -> str:
        pause = self.patience.first_pause
        while True:
            try:
                # The client adds a token of its own, so that a request that it repeats runs once.
                return self.client.execute_statement(
                    WorkgroupName=self.workgroup, Database=self.database, SecretArn=self.secret_arn, Sql=sql
                )["Id"]
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code not in _BUSY or time.monotonic() > deadline:
                    raise
                self.on_wait(f"Redshift is not ready ({code}); asking again")
            time.sleep(pause)
            pause = min(pause * 2, _MOST_SECONDS)

    def _end(self, statement: str, deadline: float) -> dict[str, Any]:
        """Wait for a statement. One that is given up is cancelled: it would go on, and keep the warehouse awake."""
        try:
            return self._wait(statement, deadline)
        except BaseException as error:
            try:
                self.client.cancel_statement(Id=statement)
            except (ClientError, BotoCoreError) as failed:
                error.add_note(f"Statement {statement} could not be cancelled: {failed}")
            raise

    def _wait(self, statement: str, deadline: float) -> dict[str, Any]:
        pause, began, quiet = self.patience.first_pause, time.monotonic(), True
        while (told := self.client.describe_statement(Id=statement))["Status"] not in _FINAL:
            now = time.monotonic()
            if now > deadline:
                raise BootstrapError(
                    f"Redshift, workgroup {self.workgroup}: statement {statement} is {told['Status']} after "
                    f"{self.patience.most:.0f} s and was cancelled. Look whether another statement holds a lock, "
                    f"then run the command again."
                )
            if quiet and now - began > self.patience.tell_after:
                self.on_wait(f"Redshift takes its time ({told['Status']}); it may be waking up")
                quiet = False
            time.sleep(pause)
            pause = min(pause * 2, _MOST_SECONDS)
        return told

    def _rows(self, statement: str) -> list[tuple[str | None, ...]]:
        rows: list[tuple[str | None, ...]] = []
        page: dict[str, str] = {}
        while True:
            answer = self.client.get_statement_result(Id=statement, **page)
            rows += [tuple(_value(field) for field in record) for record in answer["Records"]]
            if not answer.get("NextToken"):
                return rows
            page = {"NextToken": answer["NextToken"]}


def find_workgroup(
    client: Any, name: str, patience: Patience = Patience(), on_wait: Callable[[str], object] = lambda _: None
) -> Workgroup:
    """Find a workgroup and wait until it is available.

    Args:
        client: A boto3 client of redshift-serverless.
        name: The workgroup's.
        patience: How long to wait while it is made or changed.
        on_wait: Told in a sentence what is waited for.

    Raises:
        BootstrapError: If it is not there or goes away, or its namespace lacks what the steps need.
    """
    try:
        workgroup = _available(client, name, patience, on_wait)
        namespace = client.get_namespace(namespaceName=workgroup["namespaceName"])["namespace"]
    except (ClientError, BotoCoreError) as error:
        raise not_taken(f"Redshift Serverless, workgroup {name}", error) from error
    lacks = {
        "a secret with its administrator's password": namespace.get("adminPasswordSecretArn"),
        "a default IAM role": namespace.get("defaultIamRoleArn"),
    }
    if missing := [what for what, found in lacks.items() if not found]:
        raise BootstrapError(
            f"Redshift's namespace {workgroup['namespaceName']} lacks {' and '.join(missing)}. "
            f"modules/warehouse of infra/terraform sets both: apply it."
        )
    return Workgroup(name, namespace["adminPasswordSecretArn"], namespace["defaultIamRoleArn"])


def _available(client: Any, name: str, patience: Patience, on_wait: Callable[[str], object]) -> dict[str, Any]:
    deadline, pause, told = time.monotonic() + patience.most, patience.first_pause, ""
    while (found := client.get_workgroup(workgroupName=name)["workgroup"])["status"] != "AVAILABLE":
        status = found["status"]
        if status == "DELETING":
            raise BootstrapError(f"Redshift's workgroup {name} is being deleted. Apply infra/terraform again.")
        if time.monotonic() > deadline:
            raise BootstrapError(
                f"Redshift's workgroup {name} is still {status} after {patience.most:.0f} s. Try again later."
            )
        if status != told:
            on_wait(f"Redshift's workgroup {name} is {status}; waiting")
            told = status
        time.sleep(pause)
        pause = min(pause * 2, _MOST_SECONDS)
    return found


# What to do, by the code of AWS's answer.
_CURES = {
    "AccessDeniedException": "Take the role bootstrap: AWS_PROFILE names a profile with its role_arn.",
    "ExpiredTokenException": "Log in again.",
    "ResourceNotFoundException": "Apply infra/terraform, and source the settings of this environment again.",
    "UnrecognizedClientException": "AWS does not know these credentials: look at AWS_PROFILE.",
    "ValidationException": "Compare the settings with Terraform's output, and run the command again.",
}


def not_taken(where: str, error: ClientError | BotoCoreError) -> BootstrapError:
    """The error of a request that AWS did not take: where, AWS's words, and what to do."""
    if isinstance(error, ClientError):
        code, said = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        return BootstrapError(f"{where}: {code}: {said} {_CURES.get(code, 'Run the command again.')}")
    return BootstrapError(f"{where}: {error} Look at the network, at AWS_PROFILE and at WATERSHED_REGION.")


def _value(field: dict[str, Any]) -> str | None:
    """One of `stringValue`, `longValue`, ...; `isNull` for null."""
    kind, value = next(iter(field.items()))
    return None if kind == "isNull" else str(value)
