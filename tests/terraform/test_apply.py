"""An apply to the local AWS, a second plan, and a destroy: what a plan cannot show, without an account."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
import pytest

from orchestration.settings import CONTRACTS_DIR, Settings
from tests.terraform.conftest import ACCOUNT_ID, Terraform, copy_of_environment

pytestmark = pytest.mark.terraform

# What the local AWS cannot hold: type of the resource => the call that fails, and why it is left so.
NOT_APPLIED = {
    "aws_opensearch_domain": "CreateDomain is answered at once, and the provider looks for the first time ten minutes "
    "later, whatever the answer was; a destroy waits as long",
}

SPARK_JOBS = Path("ingestion", "spark", "jobs")
# Everything that can be switched on.
VARIABLES = {
    "account_id": ACCOUNT_ID,
    "alarm_emails": ["on-call@example.com"],
    "dashboards": {"authors": ["ana"]},
    "lake_formation": {},
    "stream_producers": {"flight-events": ["arn:aws:iam::210987654321:role/operations-centre"]},
}

# What lists the resources that stand, by service: operation, and the member of the answer that holds them. KMS keys are
# not here: a destroy leaves them to be deleted thirty days later.
LISTINGS = {
    "athena": ("list_work_groups", "WorkGroups"),
    "budgets": ("describe_budgets", "Budgets"),
    "cloudwatch": ("describe_alarms", "MetricAlarms"),
    "ec2": ("describe_vpcs", "Vpcs"),
    "emr-serverless": ("list_applications", "applications"),
    "firehose": ("list_delivery_streams", "DeliveryStreamNames"),
    "glue": ("get_databases", "DatabaseList"),
    "iam": ("list_roles", "Roles"),
    "kinesis": ("list_streams", "StreamNames"),
    "lakeformation": ("list_resources", "ResourceInfoList"),
    "logs": ("describe_log_groups", "logGroups"),
    "quicksight": ("list_vpc_connections", "VPCConnectionSummaries"),
    "redshift-serverless": ("list_namespaces", "namespaces"),
    "s3": ("list_buckets", "Buckets"),
    "secretsmanager": ("list_secrets", "SecretList"),
    "sns": ("list_topics", "Topics"),
    "sqs": ("list_queues", "QueueUrls"),
}


@dataclass(frozen=True)
class Applied:
    """An environment that was applied: Terraform, the environment's folder, what was planned, what was asked for."""

    terraform: Terraform
    folder: Path
    planned: Mapping[str, str]
    options: tuple[str, ...]

    def changes(self, *arguments: str) -> list[Mapping[str, Any]]:
        """What a plan would change, create or delete."""
        return planned_changes(self.terraform, self.folder, *self.options, *arguments)


@pytest.fixture(scope="module")
def applied(terraform: Terraform, local_aws: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Applied]:
    """dev, with everything switched on. It is destroyed at the end, and nothing is left of it."""
    repository = tmp_path_factory.mktemp("applied")
    shutil.copytree(CONTRACTS_DIR, repository / "ingestion" / "contracts")
    (repository / SPARK_JOBS).mkdir(parents=True)
    (repository / SPARK_JOBS / "example.py").write_text("print('a Glue job is made of each script')\n")
    folder = copy_of_environment(repository, "dev", calls=True)
    (folder / "all.auto.tfvars.json").write_text(json.dumps(VARIABLES))
    applying = replace(terraform, data=repository / "data", endpoint_url=local_aws.aws_endpoint_url)
    applying.init(folder)
    before = standing(local_aws)

    made = planned_changes(applying, folder, "-no-color", "-input=false")
    targets = {f"{it['module_address']}.{it['type']}.{it['name']}" for it in made if it["type"] not in NOT_APPLIED}
    # Most of an apply is waiting: the provider looks at a queue until it has said the same for 25 s.
    options = ("-no-color", "-input=false", "-parallelism=40", *(f"-target={target}" for target in sorted(targets)))
    applying.run(folder, "apply", *options, "-auto-approve")
    yield Applied(applying, folder, {it["address"]: it["type"] for it in made}, options)
    applying.run(folder, "destroy", *options, "-auto-approve")
    left = applying.run(folder, "state", "list").splitlines()
    assert not [address for address in left if ".data." not in address]
    assert standing(local_aws) == before


def planned_changes(terraform: Terraform, folder: Path, *arguments: str) -> list[Mapping[str, Any]]:
    """What a plan would change, create or delete, as Terraform's JSON has it."""
    terraform.run(folder, "plan", *arguments, "-out=changes.bin")
    plan = json.loads(terraform.run(folder, "show", "-json", "changes.bin"))
    changes = [change for change in plan["resource_changes"] if change["mode"] == "managed"]
    return [change for change in changes if change["change"]["actions"] != ["no-op"]]


def standing(settings: Settings) -> dict[str, list[str]]:
    """What is there in the local AWS, by service, each as what identifies it."""
    found = {}
    for service, (operation, member) in LISTINGS.items():
        account = {"budgets": {"AccountId": ACCOUNT_ID}, "quicksight": {"AwsAccountId": ACCOUNT_ID}}.get(service, {})
        answer = getattr(boto3.client(service, **settings.client_args()), operation)(**account)  # type: ignore[call-overload]
        found[service] = sorted(identity(entry) for entry in answer.get(member, ()) if not is_gone(entry))
    return found


def identity(entry: Mapping[str, Any] | str) -> str:
    """An entry without what changes by itself."""
    if isinstance(entry, str):
        return entry
    return next(str(value) for name, value in sorted(entry.items()) if name.lower().endswith(("arn", "name", "id")))


def is_gone(entry: Mapping[str, Any] | str) -> bool:
    """Whether an entry is told though its resource is deleted."""
    return not isinstance(entry, str) and entry.get("state") == "TERMINATED"


def test_all_is_applied_but_what_is_listed_with_its_reason(applied: Applied) -> None:
    state = json.loads(applied.terraform.run(applied.folder, "show", "-json"))
    made = {address: kind for address, kind in resources(state["values"]["root_module"]) if ".data." not in address}
    left_out = {address: kind for address, kind in applied.planned.items() if address not in made}
    assert set(left_out.values()) == set(NOT_APPLIED)
    assert made.keys() | left_out.keys() == applied.planned.keys()
    assert {"aws_glue_job", "aws_redshiftserverless_workgroup", "aws_quicksight_vpc_connection"} <= set(made.values())


def resources(module: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Address and type of each resource of a module and of those inside it."""
    own = [(it["address"], it["type"]) for it in module.get("resources", ()) if it["mode"] == "managed"]
    return own + [pair for child in module.get("child_modules", ()) for pair in resources(child)]


def test_a_second_plan_changes_nothing(applied: Applied) -> None:
    changes = {change["address"]: change["change"] for change in applied.changes()}
    # moto writes a queue's redrive policy with other spaces than it was sent.
    assert not [address for address, it in changes.items() if parsed(it["before"]) != parsed(it["after"])]


def parsed(values: Mapping[str, Any] | None) -> dict[str, Any]:
    """A resource's attributes, those that hold JSON as what it says."""
    return {name: from_json(value) for name, value in (values or {}).items()}


def from_json(value: object) -> object:
    return json.loads(value) if isinstance(value, str) and value.startswith("{") else value


def test_an_object_that_arrives_is_told_to_the_queue(applied: Applied, local_aws: Settings) -> None:
    s3, sqs = boto3.client("s3", **local_aws.client_args()), boto3.client("sqs", **local_aws.client_args())
    s3.put_object(Bucket="watershed-dev-landing", Key="files/planes/planes.csv", Body=b"tailnum\n")
    queue = sqs.get_queue_url(QueueName="watershed-dev-arrivals")["QueueUrl"]
    told = [json.loads(m["Body"]) for m in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]]
    assert [record["eventName"] for body in told for record in body.get("Records", ())] == ["ObjectCreated:Put"]
