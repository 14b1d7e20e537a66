"""docs/deploy.md followed on the local AWS, a second plan, a destroy: what a plan cannot show, without an account."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
import pytest

from ingestion.readers.arrivals import receive
from orchestration.settings import Settings
from tests.pages import blocks
from tests.terraform.conftest import ACCOUNT_ID, Terraform
from tests.terraform.following import NOT_FOLLOWED, PAGE, STATE_BUCKET, Reader, commands, reader

pytestmark = pytest.mark.terraform

# What the local AWS cannot hold: type of the resource => the call that fails, and why it is left so.
NOT_APPLIED = {
    "aws_opensearch_domain": "CreateDomain is answered at once, and the provider looks for the first time ten minutes "
    "later, whatever the answer was; a destroy waits as long",
}

# What the page leaves off and can be switched on.
VARIABLES = {
    "alarm_emails": ["on-call@example.com"],
    "dashboards": {"authors": ["ana"]},
    "lake_formation": {},
    "searchers": [f"arn:aws:iam::{ACCOUNT_ID}:role/website"],
    "stream_producers": {"flight-events": ["arn:aws:iam::210987654321:role/operations-centre"]},
    "trusted": {"landing": [f"arn:aws:iam::{ACCOUNT_ID}:role/data-platform"]},
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


# It stops by itself five minutes after its last job, and cannot be destroyed before.
_STOP_SPARK = """
started=$(aws emr-serverless list-applications --states STARTED --query "applications[].id" --output text)
for application in $started; do
  aws emr-serverless stop-application --application-id "$application"
done
"""


@dataclass(frozen=True)
class Applied:
    """An environment that was applied: Terraform, the environment's folder, what was planned, what was asked for."""

    terraform: Terraform
    folder: Path
    planned: Mapping[str, str]
    options: tuple[str, ...]

    def changes(self, *arguments: str) -> list[Mapping[str, Any]]:
        """What a plan would change, create or delete."""
        planned = planned_resources(self.terraform, self.folder, *self.options, *arguments)
        return [change for change in planned if change["change"]["actions"] != ["no-op"]]


@dataclass(frozen=True)
class Followed:
    """docs/deploy.md was followed, up to what it says of destroying: what each heading's commands printed."""

    reader: Reader
    printed: Mapping[str, str]


@pytest.fixture(scope="module")
def followed(local_aws: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Followed]:
    """dev, as the page has it but for the search domain. It is destroyed at the end, and nothing is left of it."""
    if missing := [command for command in ("terraform", "aws", "jq") if not shutil.which(command)]:
        pytest.skip(f"docs/deploy.md needs {', '.join(missing)}, which is not on the PATH")
    before = standing(local_aws)
    following = reader(tmp_path_factory.mktemp("deployed"), str(local_aws.aws_endpoint_url))
    *up, destroy = commands()
    printed: dict[str, str] = {}
    for block in up:
        printed[block.heading] = printed.get(block.heading, "") + following.follow(block)
    yield Followed(following, printed)
    following.run(f"cd {following.repository}; {_STOP_SPARK}")
    following.follow(destroy)
    assert not following.run("terraform state list").strip()
    # The page leaves the state's bucket to whoever deploys.
    bucket = boto3.resource("s3", **local_aws.client_args()).Bucket(STATE_BUCKET)
    bucket.object_versions.delete()
    bucket.delete()
    assert standing(local_aws) == before


@pytest.fixture(scope="module")
def applied(followed: Followed, terraform: Terraform, local_aws: Settings) -> Applied:
    """The same with everything switched on, also what there is beside the search domain."""
    folder = followed.reader.environment
    followed.reader.without_search.unlink()
    (folder / "all.auto.tfvars.json").write_text(json.dumps(VARIABLES))
    keys = {"AWS_ACCESS_KEY_ID": "administrator", "AWS_SECRET_ACCESS_KEY": "none"}
    calling = {"AWS_ENDPOINT_URL": str(local_aws.aws_endpoint_url), **keys}
    applying = replace(terraform, data=followed.reader.home / "data", environment=calling)
    applying.init(folder, "-backend-config=backend.hcl", "-backend-config=use_path_style=true")
    planned = planned_resources(applying, folder, "-no-color", "-input=false")
    targets = {f"{it['module_address']}.{it['type']}.{it['name']}" for it in planned if it["type"] not in NOT_APPLIED}
    # Most of an apply is waiting: the provider looks at a queue until it has said the same for 25 s.
    options = ("-no-color", "-input=false", "-parallelism=40", *(f"-target={target}" for target in sorted(targets)))
    applying.run(folder, "apply", *options, "-auto-approve")
    return Applied(applying, folder, {it["address"]: it["type"] for it in planned}, options)


def planned_resources(terraform: Terraform, folder: Path, *arguments: str) -> list[Mapping[str, Any]]:
    """The resources of a plan and what it would do with each, as Terraform's JSON has it."""
    terraform.run(folder, "plan", *arguments, "-out=changes.bin")
    plan = json.loads(terraform.run(folder, "show", "-json", "changes.bin"))
    return [change for change in plan["resource_changes"] if change["mode"] == "managed"]


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


def test_every_command_of_the_page_is_followed_or_listed_with_its_reason() -> None:
    shell = [block for block in blocks(PAGE) if block.language == "sh"]
    left_out = [block for block in shell if block not in commands()]
    assert len(left_out) == len(NOT_FOLLOWED)
    assert all(any(block.text.startswith(text) for block in left_out) for text in NOT_FOLLOWED)
    assert commands()[-1].heading == "Destroy"


def test_the_page_leads_to_the_first_landed_record(followed: Followed, local_aws: Settings) -> None:
    assert "airlines: 16 rows" in followed.printed["7. The first record"]
    glue = boto3.client("glue", **local_aws.client_args())
    table = glue.get_table(DatabaseName="landing", Name="airlines")["Table"]
    assert table["StorageDescriptor"]["Location"] == "s3://acme-rain-dev-lake/landing/airlines"
    assert "JobRunId" in followed.printed["Tables grow: maintenance"]


def test_who_applies_meanwhile_is_kept_out_by_the_lock_file(followed: Followed, local_aws: Settings) -> None:
    s3 = boto3.client("s3", **local_aws.client_args())
    key = "watershed/terraform.tfstate.tflock"
    s3.put_object(Bucket=STATE_BUCKET, Key=key, Body=json.dumps({"ID": "1", "Who": "ana"}).encode())
    with pytest.raises(AssertionError, match=r"Error acquiring the state lock(.|\n)*ana"):
        followed.reader.run(f"terraform -chdir={followed.reader.environment} plan")
    s3.delete_object(Bucket=STATE_BUCKET, Key=key)


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
    assert not {change["address"]: change["change"] for change in applied.changes()}


def test_the_queue_is_told_of_the_file_of_the_page(followed: Followed, local_aws: Settings) -> None:
    sqs = boto3.client("sqs", **local_aws.client_args())
    told = {version for arrival in receive(sqs, "acme-rain-dev-arrivals") for version in arrival.objects}
    assert {key for key, _ in told} == {"files/airlines/airlines.csv"}


def test_as_production_is_destroyed_buckets_and_tables_stay_as_they_are_and_can_be_taken_back(
    applied: Applied, followed: Followed, local_aws: Settings
) -> None:
    """The last one: hardly anything stands after it, and the destroy of dev takes the rest."""
    kept = ("module.platform.module.lake.", "module.platform.module.catalog.")
    before = {zone: settings_of_bucket(local_aws, f"acme-rain-dev-{zone}") for zone in ("landing", "lake", "results")}
    destroying, taking_back = [
        it.text.replace("production", "dev") for it in blocks(PAGE) if "production.tf" in it.text
    ]
    followed.reader.run(f"cd {followed.reader.repository}\n{_STOP_SPARK}\n{destroying}")
    assert {zone: settings_of_bucket(local_aws, f"acme-rain-dev-{zone}") for zone in before} == before
    assert not boto3.client("kinesis", **local_aws.client_args()).list_streams()["StreamNames"]
    boto3.client("glue", **local_aws.client_args()).get_table(DatabaseName="landing", Name="airlines")
    followed.reader.run(taking_back)
    actions = {it["address"]: it["change"]["actions"] for it in planned_resources(applied.terraform, applied.folder)}
    assert actions == {address: ["no-op"] if address.startswith(kept) else ["create"] for address in actions}


def settings_of_bucket(settings: Settings, bucket: str) -> dict[str, Any]:
    """What is set on a bucket, the state of its key, and the names of its objects but for Spark's scripts."""
    s3, kms = boto3.client("s3", **settings.client_args()), boto3.client("kms", **settings.client_args())
    (rule,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    key = kms.describe_key(KeyId=rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"])["KeyMetadata"]
    objects = [it["Key"] for it in s3.list_objects_v2(Bucket=bucket).get("Contents", ())]
    return {
        "key": (key["Arn"], key["KeyState"]),
        "encryption": rule,
        "versioning": s3.get_bucket_versioning(Bucket=bucket).get("Status"),
        "policy": s3.get_bucket_policy(Bucket=bucket)["Policy"],
        "public": s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"],
        "lifecycle": s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"],
        "objects": [name for name in objects if not name.startswith("scripts/")],
    }
