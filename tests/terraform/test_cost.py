"""`watershed cost` counts what the plans make: a row of infra/cost/environments.yaml is equal to its plan."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from ingestion.contract import load_contracts
from orchestration.settings import CONTRACTS_DIR
from tests.terraform.conftest import Plan
from watershed.cost import Dashboards, Environment, Sources, load_environments

pytestmark = pytest.mark.terraform

# What makes a planned field real.
MADE_BY = {
    "search": "aws_opensearch_domain",
    "warehouse": "aws_redshiftserverless_workgroup",
    "dashboards": "aws_quicksight_group",
}
# Costs by what is done with it, or nothing: what the arithmetic need not count. Everything else is counted, below.
UNCOUNTED = (
    "aws_athena_",
    "aws_budgets_",
    "aws_cloudwatch_log_",
    "aws_default_",
    "aws_emrserverless_",
    "aws_glue_",
    "aws_iam_",
    "aws_internet_gateway",
    "aws_kinesis_firehose_",
    "aws_kinesis_resource_policy",
    "aws_kms_alias",
    "aws_lakeformation_",
    "aws_opensearch_domain_",
    "aws_quicksight_",
    "aws_redshiftserverless_",
    "aws_route",
    "aws_s3_",
    "aws_security_group",
    "aws_service_discovery_",
    "aws_sns_",
    "aws_sqs_",
    "aws_subnet",
    "aws_vpc",
    "aws_vpc_security_group_",
    "aws_autoscaling_group",
    "aws_launch_template",
    "aws_network_interface",
)
COUNTED = {
    "aws_cloudwatch_metric_alarm",
    "aws_eip",
    "aws_instance",
    "aws_kinesis_stream",
    "aws_kms_key",
    "aws_nat_gateway",
    "aws_opensearch_domain",
    "aws_redshiftserverless_workgroup",
    "aws_secretsmanager_secret",
    "aws_vpc_endpoint",
}


@pytest.fixture(params=["dev", "production"])
def told(request: pytest.FixtureRequest) -> tuple[Environment, Plan]:
    """What the table says of an environment, and its plan."""
    return load_environments()[request.param], request.getfixturevalue(request.param)


def kind_of(address: str) -> str:
    """The resource type in an address."""
    (kind,) = re.findall(r"(?:^|\.)(aws_\w+)\.", address)
    return kind


def test_what_stands_costs_as_the_table_counts_it(told: tuple[Environment, Plan]) -> None:
    environment, plan = told
    streams = list(plan.of("aws_kinesis_stream").values())
    assert {stream.get("shard_count") for stream in streams} == {environment.shards}
    assert {stream["retention_period"] for stream in streams} == {environment.retention_hours}
    assert len(plan.of("aws_kms_key")) == environment.keys
    # Redshift keeps its administrator's password in a secret that it makes itself.
    namespaces = plan.of("aws_redshiftserverless_namespace").values()
    own = sum(1 for namespace in namespaces if namespace.get("manage_admin_password"))
    assert len(plan.of("aws_secretsmanager_secret")) + own == environment.secrets
    assert len(plan.of("aws_nat_gateway")) == environment.nat_gateways
    endpoints = [one for one in plan.of("aws_vpc_endpoint").values() if one["vpc_endpoint_type"] == "Interface"]
    assert len(endpoints) == environment.endpoints
    instances = list(plan.of("aws_launch_template").values())
    assert bool(instances) == (environment.egress == "nat-instance")
    for instance in instances:
        assert instance["instance_type"] == "t4g.micro"
        assert instance["block_device_mappings"][0]["ebs"][0]["volume_size"] == environment.nat_instance_gib


def test_streams_and_alarms_are_those_of_the_contracts_and_of_the_table(told: tuple[Environment, Plan]) -> None:
    environment, plan = told
    sources = Sources.of(load_contracts(CONTRACTS_DIR))
    assert len(plan.of("aws_kinesis_stream")) == sources.streams
    assert len(plan.of("aws_kinesis_firehose_delivery_stream")) == sources.deliveries
    metrics = sum(metrics_of(alarm) for alarm in plan.of("aws_cloudwatch_metric_alarm").values())
    assert metrics == sources.alarm_metrics + environment.alarm_metrics


def metrics_of(alarm: Mapping[str, Any]) -> int:
    """AWS bills an alarm by the metrics that it watches."""
    return sum(1 for query in alarm.get("metric_query") or [] if query["metric"]) or 1


def test_planned_is_what_terraform_does_not_make(told: tuple[Environment, Plan]) -> None:
    environment, plan = told
    counted = {"search": environment.search, "warehouse": environment.warehouse, "dashboards": environment.dashboards}
    costing = {field for field, value in counted.items() if value and value != Dashboards(authors=0, readers=0)}
    missing = {field for field, kind in MADE_BY.items() if not plan.of(kind)}
    assert set(environment.planned) == missing & costing, "mend `planned` in infra/cost/environments.yaml"


def test_the_domain_and_the_warehouse_are_as_the_table_says(told: tuple[Environment, Plan]) -> None:
    environment, plan = told
    for domain in plan.of("aws_opensearch_domain").values():
        cluster, ebs = domain["cluster_config"][0], domain["ebs_options"][0]
        assert environment.search is not None
        found = (cluster["instance_type"], cluster["instance_count"], ebs["volume_size"])
        assert found == (environment.search.instance, environment.search.nodes, environment.search.volume_gib)
    # A worker G.1X is a DPU.
    workers = {(job["worker_type"], job["number_of_workers"]) for job in plan.of("aws_glue_job").values()}
    assert workers == {("G.1X", environment.spark_workers)}
    for workgroup in plan.of("aws_redshiftserverless_workgroup").values():
        assert environment.warehouse is not None
        assert workgroup["base_capacity"] == environment.warehouse.base_rpu
    for limit in plan.of("aws_redshiftserverless_usage_limit").values():
        assert environment.warehouse is not None
        assert limit["usage_type"] == "serverless-compute"
        found = limit["amount"], limit["period"]
        assert found == (environment.warehouse.limit_rpu_hours, environment.warehouse.limit_period)


def test_nothing_is_made_whose_cost_nobody_has_thought_of(told: tuple[Environment, Plan]) -> None:
    _, plan = told
    kinds = {kind_of(address) for address in plan.values}
    unknown = {kind for kind in kinds - COUNTED if not kind.startswith(UNCOUNTED)}
    assert not unknown, "count it in watershed/cost.py, or say in UNCOUNTED that it costs nothing while nothing is done"
