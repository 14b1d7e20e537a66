"""Alarms: that each is heard, and that what they watch is what the plan makes."""

from __future__ import annotations

import json

import pytest

from tests.terraform.conftest import ACCOUNT_ID, Plan
from tests.terraform.test_plan import several

pytestmark = pytest.mark.terraform

# Dimension => the resource type and attribute whose values it names.
WATCHED = {
    "StreamName": ("aws_kinesis_stream", "name"),
    "DeliveryStreamName": ("aws_kinesis_firehose_delivery_stream", "name"),
    "QueueName": ("aws_sqs_queue", "name"),
    "WorkGroup": ("aws_athena_workgroup", "name"),
    "Workgroup": ("aws_redshiftserverless_workgroup", "workgroup_name"),
    "DomainName": ("aws_opensearch_domain", "domain_name"),
}


def dimensions(plan: Plan) -> list[dict[str, str]]:
    """The dimensions of each metric that an alarm is about, of all alarms."""
    found: list[dict[str, str]] = []
    for alarm in plan.of("aws_cloudwatch_metric_alarm").values():
        metrics = [metric for query in alarm.get("metric_query", []) for metric in query["metric"]]
        found += [one["dimensions"] for one in [alarm, *metrics] if one.get("dimensions")]
    return found


@pytest.mark.parametrize("name", ["dev", "production"])
def test_each_stream_and_delivery_is_watched_and_nothing_that_is_not_there(
    name: str, request: pytest.FixtureRequest
) -> None:
    plan: Plan = request.getfixturevalue(name)
    watched = dimensions(plan)
    for dimension, (kind, attribute) in WATCHED.items():
        named = {dimensions[dimension] for dimensions in watched if dimension in dimensions}
        made = {values[attribute] for values in plan.of(kind).values()}
        assert named <= made, dimension
        assert named == made or dimension not in ("StreamName", "DeliveryStreamName")


def test_alarms_and_the_budget_may_send_to_the_topic_and_encrypt_for_it(dev: Plan) -> None:
    """A topic that takes a message whose key the sender may not use loses it, and nobody is told."""
    topic = dev.values["module.platform.module.alarms.aws_sns_topic_policy.alarms"]["policy"]
    sent = {
        statement["Principal"]["Service"]: statement["Condition"]
        for statement in json.loads(topic)["Statement"]
        if statement["Effect"] == "Allow" and several(statement["Action"]) == ["sns:Publish"]
    }
    sources = {
        "cloudwatch.amazonaws.com": f"arn:aws:cloudwatch:us-east-1:{ACCOUNT_ID}:alarm:watershed-dev-*",
        "budgets.amazonaws.com": f"arn:aws:budgets::{ACCOUNT_ID}:*",
    }
    account = {"aws:SourceAccount": ACCOUNT_ID}
    assert sent == {
        service: {"ArnLike": {"aws:SourceArn": source}, "StringEquals": account} for service, source in sources.items()
    }
    key = dev.values["module.platform.module.alarms.module.key.aws_kms_key.this"]["policy"]
    (encrypting,) = [s for s in json.loads(key)["Statement"] if "Service" in s.get("Principal", {})]
    assert set(encrypting["Principal"]["Service"]) == set(sources)
    assert set(encrypting["Action"]) == {"kms:Decrypt", "kms:GenerateDataKey"}
    assert encrypting["Condition"] == {"StringEquals": account}


@pytest.mark.parametrize("name", ["dev", "production"])
def test_each_alarm_is_named_as_the_topic_takes_it(name: str, request: pytest.FixtureRequest) -> None:
    """The topic's policy knows alarms by their prefix; CloudWatch takes names of 255 characters."""
    plan: Plan = request.getfixturevalue(name)
    names = [alarm["alarm_name"] for alarm in plan.of("aws_cloudwatch_metric_alarm").values()]
    assert names
    assert all(alarm.startswith(f"watershed-{name}-") and len(alarm) <= 255 for alarm in names)
