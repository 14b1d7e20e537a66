"""An apply to the local AWS, a second plan, and a destroy: what a plan cannot show, without an account."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from orchestration.settings import CONTRACTS_DIR, Settings
from tests.terraform.conftest import ACCOUNT_ID, Terraform, copy_of_environment

pytestmark = pytest.mark.terraform

# Modules of which the local AWS holds every resource.
APPLIED = ("access", "lake", "stream", "catalog")
OPTIONS = (
    "-no-color",
    "-input=false",
    # Most of an apply is waiting: the provider looks at a queue until it has said the same for 25 s.
    "-parallelism=40",
    f"-var=account_id={ACCOUNT_ID}",
    *(f"-target=module.platform.module.{module}" for module in APPLIED),
)


@pytest.fixture(scope="module")
def applied(
    terraform: Terraform, local_aws: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Terraform, Path]]:
    """An environment that was applied: Terraform, and the environment's folder. It is destroyed at the end."""
    repository = tmp_path_factory.mktemp("applied")
    shutil.copytree(CONTRACTS_DIR, repository / "ingestion" / "contracts")
    folder = copy_of_environment(repository, "dev", calls=True)
    applying = replace(terraform, data=repository / "data", endpoint_url=local_aws.aws_endpoint_url)
    applying.init(folder)
    applying.run(folder, "apply", *OPTIONS, "-auto-approve")
    yield applying, folder
    applying.run(folder, "destroy", *OPTIONS, "-auto-approve")
    left = applying.run(folder, "state", "list").splitlines()
    assert not [address for address in left if ".data." not in address]


def test_a_second_plan_changes_nothing(applied: tuple[Terraform, Path]) -> None:
    terraform, folder = applied
    terraform.run(folder, "plan", *OPTIONS, "-out=second.bin")
    plan = json.loads(terraform.run(folder, "show", "-json", "second.bin"))
    changes = {change["address"]: change["change"] for change in plan["resource_changes"]}
    changed = {address: change for address, change in changes.items() if change["actions"] != ["no-op"]}
    # moto writes a queue's redrive policy with other spaces than it was sent.
    assert not [address for address, change in changed.items() if parsed(change["before"]) != parsed(change["after"])]


def parsed(values: Mapping[str, Any] | None) -> dict[str, Any]:
    """A resource's attributes, those that hold JSON as what it says."""
    return {name: from_json(value) for name, value in (values or {}).items()}


def from_json(value: object) -> object:
    return json.loads(value) if isinstance(value, str) and value.startswith("{") else value


def test_an_object_that_arrives_is_told_to_the_queue_and_one_without_tls_is_refused(
    applied: tuple[Terraform, Path], local_aws: Settings
) -> None:
    bucket, key = "watershed-dev-landing", "files/planes/planes.csv"
    s3, sqs = boto3.client("s3", **local_aws.client_args()), boto3.client("sqs", **local_aws.client_args())
    with pytest.raises(ClientError, match="403"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"tailnum\n")
    # The local AWS knows no TLS.
    s3.delete_bucket_policy(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key=key, Body=b"tailnum\n")
    queue = sqs.get_queue_url(QueueName="watershed-dev-arrivals")["QueueUrl"]
    told = [json.loads(m["Body"]) for m in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]]
    assert [record["eventName"] for body in told for record in body.get("Records", ())] == ["ObjectCreated:Put"]
