"""Settings have one source: Terraform's output, the settings' own names, and the local AWS say the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import pytest

from infra.local.provision import Provisioned, provision
from ingestion.contract import load_contracts
from orchestration.settings import CONTRACTS_DIR, Settings
from tests.terraform.conftest import ACCOUNT_ID, Plan, settings_of

pytestmark = pytest.mark.terraform

# Settings that no resource of Terraform decides, and why.
NOT_FROM_TERRAFORM = {
    "aws_endpoint_url": "this machine only",
    "aws_access_key_id": "this machine only",
    "aws_secret_access_key": "this machine only",
    "state_dir": "this machine only",
    "lake_target": "follows from the environment",
    "warehouse_target": "follows from the environment",
    "warehouse_schema": "a schema in the warehouse is SQL",
    "landing_batch_mib": "how much one process takes at once",
    "lineage_url": "a page that is published by other means",
}


def test_terraform_and_the_settings_know_the_same_names(dev: Plan) -> None:
    told = set(dev.outputs["settings"])
    known = set(Settings.model_fields)
    assert told - known == set()
    assert known - told == set(NOT_FROM_TERRAFORM)
    assert told & set(NOT_FROM_TERRAFORM) == set()


@pytest.mark.parametrize("environment", ["dev", "production"])
def test_what_terraform_names_is_what_the_settings_would_name(environment: str, request: pytest.FixtureRequest) -> None:
    """Names that the settings derive by themselves: with and without Terraform's output they are equal."""
    plan: Plan = request.getfixturevalue(environment)
    told = settings_of(plan)
    own: dict[str, Any] = {"environment": environment, "account_id": ACCOUNT_ID}
    derived = Settings(**own)
    names = [
        name
        for name in Settings.model_fields
        if name.endswith(("_bucket", "_database", "_queue", "_workgroup", "prefix"))
    ]
    assert {name: getattr(told, name) for name in names} == {name: getattr(derived, name) for name in names}


def test_the_local_aws_names_each_resource_as_terraform_does(dev: Plan, local_aws: Settings, tmp_path: Path) -> None:
    """The local AWS is made from the settings that Terraform tells, and then holds the same names."""
    local = local_aws.model_dump(include={"aws_endpoint_url", "aws_access_key_id", "aws_secret_access_key"})
    config = Settings(**{**dev.outputs["settings"], **local, "state_dir": tmp_path})
    made = provision(config, load_contracts(CONTRACTS_DIR).values())
    # Nobody reads access logs on this machine.
    buckets = {values["bucket"] for values in dev.of("aws_s3_bucket").values()} - {"watershed-dev-logs"}
    assert set(made.buckets) == buckets
    _same_arrivals(dev, config, made)
    assert set(made.streams) == {values["name"] for values in dev.of("aws_kinesis_stream").values()}
    deliveries = dev.of("aws_kinesis_firehose_delivery_stream").values()
    assert set(made.delivery_streams) == {values["name"] for values in deliveries}
    assert set(made.databases) == {values["name"] for values in dev.of("aws_glue_catalog_database").values()}
    firehose = boto3.client("firehose", **config.client_args())
    for values in deliveries:
        description = firehose.describe_delivery_stream(DeliveryStreamName=values["name"])
        (destination,) = description["DeliveryStreamDescription"]["Destinations"]
        there, (told,) = destination["ExtendedS3DestinationDescription"], values["extended_s3_configuration"]
        assert there["Prefix"] == told["prefix"]
        assert there["ErrorOutputPrefix"] == told["error_output_prefix"]
        assert there["CompressionFormat"] == told["compression_format"]
        assert there["BucketARN"] == told["bucket_arn"]
        assert there["BufferingHints"]["SizeInMBs"] == told["buffering_size"]


def _same_arrivals(dev: Plan, config: Settings, made: Provisioned) -> None:
    """The queue that S3 tells of arrivals, for how long a look hides a message, and of which folders it is told."""
    queue = dev.values["module.platform.module.stream.aws_sqs_queue.arrivals"]
    assert made.queues == (queue["name"],)
    sqs, s3 = boto3.client("sqs", **config.client_args()), boto3.client("s3", **config.client_args())
    url = sqs.get_queue_url(QueueName=queue["name"])["QueueUrl"]
    hidden = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
    assert hidden == {"VisibilityTimeout": str(queue["visibility_timeout_seconds"])}
    told = s3.get_bucket_notification_configuration(Bucket=config.landing_bucket)["QueueConfigurations"]
    folders = {each["Filter"]["Key"]["FilterRules"][0]["Value"] for each in told}
    (planned,) = dev.of("aws_s3_bucket_notification").values()
    assert folders == {each["filter_prefix"] for each in planned["queue"]}
    assert {each["QueueArn"].split(":")[-1] for each in told} == {queue["name"]}
