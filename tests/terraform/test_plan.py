"""What holds over the whole plan of an environment: policies, names, encryption, lifecycle."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestration.platform import layout
from orchestration.settings import CONTRACTS_DIR
from tests.pages import blocks
from tests.terraform.conftest import ACCOUNT_ID, SPARK_JOBS, Plan, Planner, settings_of

pytestmark = pytest.mark.terraform

# Attributes that hold a policy, by resource type. A role has two: who may take it, and what it may do.
POLICIES = {
    "aws_cloudwatch_log_resource_policy": "policy_document",
    "aws_iam_role": "assume_role_policy",
    "aws_iam_role_policy": "policy",
    "aws_kinesis_resource_policy": "policy",
    "aws_kms_key": "policy",
    "aws_opensearch_domain": "access_policies",
    "aws_s3_bucket_policy": "policy",
    "aws_sqs_queue_policy": "policy",
    "aws_sns_topic_policy": "policy",
}
# Of a role's inline policies together, of a trust policy by default, of a bucket's, a key's, a queue's.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
LONGEST = {
    "aws_cloudwatch_log_resource_policy": 5_120,
    "aws_iam_role": 2_048,
    "aws_iam_role_policy": 10_240,
    "aws_kinesis_resource_policy": 20_480,
    "aws_kms_key": 32_768,
    "aws_opensearch_domain": 102_400,
    "aws_s3_bucket_policy": 20_480,
    "aws_sqs_queue_policy": 8_192,
    "aws_sns_topic_policy": 30_720,
}
# Which names and descriptions AWS takes, by resource type and attribute: the patterns and lengths of the service models
# that botocore ships, and of their documentation where a model has none.
_IAM_TEXT = r"[\t\n\r -~\u00a1-\u00ff]{0,1000}"
_EC2_TEXT = r"[\w ._:/()#,@\[\]+=&;{}!$*-]{0,255}"
TEXTS = {
    ("aws_iam_role", "name"): r"[\w+=,.@-]{1,64}",
    ("aws_iam_role", "description"): _IAM_TEXT,
    ("aws_iam_role_policy", "name"): r"[\w+=,.@-]{1,128}",
    ("aws_iam_service_linked_role", "description"): _IAM_TEXT,
    ("aws_s3_bucket", "bucket"): r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
    ("aws_kinesis_stream", "name"): r"[a-zA-Z0-9_.-]{1,128}",
    ("aws_kinesis_firehose_delivery_stream", "name"): r"[a-zA-Z0-9_.-]{1,64}",
    ("aws_sqs_queue", "name"): r"[a-zA-Z0-9_-]{1,80}",
    ("aws_sns_topic", "name"): r"[a-zA-Z0-9_-]{1,256}",
    ("aws_sns_topic", "display_name"): r"[ -~]{0,100}",
    ("aws_kms_alias", "name"): r"alias/[a-zA-Z0-9/_-]{1,250}",
    ("aws_kms_key", "description"): r".{0,8192}",
    ("aws_glue_catalog_database", "name"): r"[a-z0-9_]{1,255}",
    ("aws_glue_catalog_database", "description"): r"[^\x00-\x1f]{0,2048}",
    ("aws_glue_job", "name"): r"[^\x00-\x1f]{1,255}",
    ("aws_glue_job", "description"): r"[^\x00-\x1f]{0,2048}",
    ("aws_glue_security_configuration", "name"): r"[^\x00-\x1f]{1,255}",
    ("aws_cloudwatch_log_group", "name"): r"[\w/.#-]{1,512}",
    ("aws_cloudwatch_log_resource_policy", "policy_name"): r"[\w.-]{1,255}",
    ("aws_cloudwatch_metric_alarm", "alarm_name"): r"[ -~]{1,255}",
    ("aws_cloudwatch_metric_alarm", "alarm_description"): r"(?s).{0,1024}",
    ("aws_budgets_budget", "name"): r"(?!.*/action/)[^:\\]{1,100}",
    ("aws_athena_workgroup", "name"): r"[a-zA-Z0-9._-]{1,128}",
    ("aws_athena_workgroup", "description"): r".{0,1024}",
    ("aws_emrserverless_application", "name"): r"[A-Za-z0-9._/#-]{1,64}",
    ("aws_redshiftserverless_namespace", "namespace_name"): r"[a-z0-9-]{3,64}",
    ("aws_redshiftserverless_namespace", "db_name"): r"[a-z][a-z0-9_+.@-]{0,63}",
    ("aws_redshiftserverless_workgroup", "workgroup_name"): r"[a-z0-9-]{3,64}",
    ("aws_quicksight_group", "group_name"): r"[\u0020-\u00ff]+",
    ("aws_quicksight_group", "description"): r".{1,512}",
    ("aws_quicksight_group_membership", "member_name"): r"[\u0020-\u00ff]{1,256}",
    ("aws_quicksight_vpc_connection", "vpc_connection_id"): r"[\w-]{1,1000}",
    ("aws_quicksight_vpc_connection", "name"): r".{1,128}",
    ("aws_secretsmanager_secret", "name"): r"[\w/+=.@-]{1,512}",
    ("aws_secretsmanager_secret", "description"): r".{0,2048}",
    ("aws_security_group", "name"): r"(?!sg-)[\w .:/()#,@\[\]+=&;{}!$*-]{1,255}",
    ("aws_security_group", "description"): _EC2_TEXT,
    ("aws_vpc_security_group_ingress_rule", "description"): _EC2_TEXT,
    ("aws_vpc_security_group_egress_rule", "description"): _EC2_TEXT,
    ("aws_launch_template", "name"): r"[a-zA-Z0-9().\-/_]{3,128}",
    ("aws_opensearch_domain", "domain_name"): r"[a-z][a-z0-9-]{2,27}",
}
# Actions for which AWS has no resource type. Key policies are apart: `*` is the key itself there.
# https://docs.aws.amazon.com/service-authorization/latest/reference/
WITHOUT_RESOURCE_TYPE = {
    "athena:ListDataCatalogs",
    "athena:ListWorkGroups",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "lakeformation:GetDataAccess",
    "quicksight:CreateDataSource",
    "quicksight:ListIngestions",
    "redshift-data:CancelStatement",
    "redshift-data:DescribeStatement",
    "redshift-data:GetStatementResult",
}


def policies(plan: Plan) -> Iterator[tuple[str, str, str]]:
    """Address, resource type and JSON of each policy."""
    for kind, attribute in POLICIES.items():
        for address, values in plan.of(kind).items():
            yield address, kind, values[attribute]


def statements(plan: Plan) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Address, resource type and each statement that allows something."""
    for address, kind, policy in policies(plan):
        for statement in json.loads(policy)["Statement"]:
            if statement["Effect"] == "Allow":
                yield address, kind, statement


def several(value: str | list[str]) -> list[str]:
    """The elements of what a policy writes as one string if there is but one."""
    return [value] if isinstance(value, str) else value


# As long as it may be: policies and names are at their longest with it.
LONGEST_PREFIX = "acme-weather-production"
# What is off or empty by default, on.
EVERYTHING = {
    "prefix": LONGEST_PREFIX,
    "stream_producers": {"flight-events": ["arn:aws:iam::210987654321:role/gates"]},
    "trusted": {
        actor: [f"arn:aws:iam::{ACCOUNT_ID}:role/data-platform"]
        for actor in ("producer", "landing", "dbt", "serving", "reader", "bootstrap")
    },
    "alarm_emails": ["data@example.com"],
    "zones": ["b", "d", "f"],
    "searchers": [f"arn:aws:iam::{ACCOUNT_ID}:role/website"],
    "dashboards": {"authors": ["ada"], "identity_region": "eu-west-1"},
    "lake_formation": {"tables": ["agg_daily_flights"]},
}
# The way out of the network that neither environment takes. QuickSight has no endpoint.
ENDPOINTS = """
module "platform" {
  network    = { egress = "endpoints" }
  dashboards = null
}
"""


@pytest.fixture(scope="session")
def everything(plan: Planner, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """The plan of production with all that can be switched on."""
    variables = tmp_path_factory.mktemp("everything") / "everything.tfvars.json"
    variables.write_text(json.dumps(EVERYTHING))
    return plan("production", CONTRACTS_DIR, variables)


@pytest.fixture(scope="session")
def endpoints(plan: Planner) -> Plan:
    """The plan of dev without a way to the internet."""
    return plan("dev", CONTRACTS_DIR, None, ENDPOINTS)


@pytest.fixture(params=["dev", "production", "everything", "endpoints"])
def environment(request: pytest.FixtureRequest) -> Plan:
    """The plan of each environment, and of each way to have one."""
    return request.getfixturevalue(request.param)


def test_each_policy_is_known_at_plan(environment: Plan) -> None:
    """What is known after apply only is missing from a plan's values, and with it from every test here."""
    unknown = [
        address
        for kind, attribute in POLICIES.items()
        for address, values in environment.of(kind).items()
        if not values.get(attribute)
    ]
    assert not unknown


def test_no_action_is_a_pattern(environment: Plan) -> None:
    assert not [
        (address, action)
        for address, _, statement in statements(environment)
        for action in several(statement["Action"])
        if "*" in action
    ]


def test_every_resource_is_meant_only_where_aws_has_no_resource_type(environment: Plan) -> None:
    assert not [
        (address, statement)
        for address, kind, statement in statements(environment)
        if kind not in ("aws_iam_role", "aws_kms_key") and "*" in several(statement["Resource"])
        if not set(several(statement["Action"])) <= WITHOUT_RESOURCE_TYPE
    ]


def test_a_role_uses_keys_by_their_alias_only(environment: Plan) -> None:
    """The pattern of all keys of the account is in no statement without a condition on the alias."""
    aliases = {alias["name"] for alias in environment.of("aws_kms_alias").values()}
    using = [
        statement.get("Condition", {}).get("ForAnyValue:StringEquals", {}).get("kms:ResourceAliases", [])
        for _, kind, statement in statements(environment)
        if kind == "aws_iam_role_policy" and any(action.startswith("kms:") for action in several(statement["Action"]))
    ]
    assert using
    assert all(named and set(several(named)) <= aliases for named in using)


# Services of which AWS documents nothing that they tell when they take a role, which is passed within the account only.
TELL_NOTHING = {
    "emr-serverless.amazonaws.com",
    "glue.amazonaws.com",
    "lakeformation.amazonaws.com",
    "quicksight.amazonaws.com",
}


def test_nobody_is_trusted_without_a_condition_but_principals_of_the_account(environment: Plan) -> None:
    """A service that acts for anybody must tell for whom; `*` is nobody's principal."""
    for address, kind, statement in statements(environment):
        principal = statement.get("Principal", {})
        assert principal != "*", address
        assert "*" not in several(principal.get("AWS", [])), address
        tell_nothing = kind == "aws_iam_role" and set(several(principal.get("Service", []))) <= TELL_NOTHING
        assert "Service" not in principal or "Condition" in statement or tell_nothing, address


def test_policies_are_no_longer_than_aws_takes(environment: Plan) -> None:
    too_long = {a: len(policy) for a, kind, policy in policies(environment) if len(policy) > LONGEST[kind]}
    assert not too_long


def test_names_and_descriptions_are_such_as_aws_takes(environment: Plan) -> None:
    wrong = [
        (address, attribute, values[attribute])
        for (kind, attribute), pattern in TEXTS.items()
        for address, values in environment.of(kind).items()
        if values.get(attribute) is not None and not re.fullmatch(pattern, values[attribute], re.ASCII)
    ]
    assert not wrong


def test_each_description_is_held_against_what_aws_takes(environment: Plan) -> None:
    """Those of a resource type that is new, too."""
    described = {
        (resource["type"], attribute)
        for resource in environment.document["resource_changes"]
        if resource["mode"] == "managed"
        for attribute, value in resource["change"]["after"].items()
        if attribute.endswith("description") and value
    }
    assert described <= TEXTS.keys()


def test_each_bucket_is_private_and_takes_tls_only(environment: Plan) -> None:
    buckets = {values["bucket"] for values in environment.of("aws_s3_bucket").values()}
    assert len(buckets) == 4
    closed = ["block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"]
    blocks = environment.of("aws_s3_bucket_public_access_block").values()
    assert len(blocks) == len(buckets)
    assert all(block[way] for block in blocks for way in closed)
    refused = {
        resource
        for values in environment.of("aws_s3_bucket_policy").values()
        for statement in json.loads(values["policy"])["Statement"]
        if statement["Effect"] == "Deny" and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        for resource in statement["Resource"]
    }
    assert refused == {f"arn:aws:s3:::{bucket}{below}" for bucket in buckets for below in ("", "/*")}


def test_no_lifecycle_rule_expires_objects_where_tables_are(environment: Plan) -> None:
    """A table whose files are deleted under it is broken. What is no current version, and uploads, may go anywhere."""
    config = settings_of(environment)
    where = layout(config)
    tables = [where.landing_location, where.quarantine_location, f"s3://{config.lake_bucket}/lake"]
    rules = [
        (f"s3://{bucket}/{(rule['filter'] or [{}])[0].get('prefix') or ''}", rule)
        for zone, bucket in zones(environment).items()
        for rule in environment.values[f"module.platform.module.lake.{LIFECYCLE}[{json.dumps(zone)}]"]["rule"]
        if rule["status"] == "Enabled"
    ]
    expiring = [place for place, rule in rules if touches_what_is_current(rule)]
    assert f"s3://{config.landing_bucket}/firehose/weather/" in expiring
    overlaps = [(place, table) for place in expiring for table in tables if overlap(place, f"{table}/")]
    assert not overlaps


LIFECYCLE = "aws_s3_bucket_lifecycle_configuration.this"


def zones(plan: Plan) -> dict[str, str]:
    """Bucket names by zone."""
    return {address.split('"')[1]: values["bucket"] for address, values in plan.of("aws_s3_bucket").items()}


def touches_what_is_current(rule: Mapping[str, Any]) -> bool:
    """Whether a lifecycle rule deletes or moves objects that can be read. A mark of one that was deleted is none."""
    expired = [each for each in rule.get("expiration", ()) if each.get("days") or each.get("date")]
    return bool(expired or rule.get("transition"))


def overlap(place: str, table: str) -> bool:
    """Whether an object could be under both prefixes. A lifecycle prefix need not end with a slash."""
    return place.startswith(table) or table.startswith(place)


def test_what_came_in_is_read_by_no_person_and_not_by_athena(environment: Plan) -> None:
    """Neither by a role's own policy, nor by the key's."""
    landing_bucket = f"arn:aws:s3:::{zones(environment)['landing']}"
    readers = {
        address.split('"')[1]
        for address, kind, statement in statements(environment)
        if kind == "aws_iam_role_policy" and "s3:GetObject" in several(statement["Action"])
        if any(resource.startswith(landing_bucket) for resource in several(statement["Resource"]))
    }
    assert readers == {"firehose", "landing", "glue", "emr"}
    key = environment.values["module.platform.module.lake.module.landing_key.aws_kms_key.this"]["policy"]
    (use,) = [
        statement
        for statement in json.loads(key)["Statement"]
        if statement["Effect"] == "Allow" and "kms:Decrypt" in statement["Action"]
    ]
    roles = {arn.rpartition("-")[2] for arn in use["Condition"]["ArnEquals"]["aws:PrincipalArn"]}
    assert roles == {"firehose", "producer", "landing", "glue", "emr"}


# Key by alias, queue by name: who, for what, under which condition. `account` is whoever in the account is allowed by a
# policy of their own.
THROUGH = {
    "stream": ["firehose.us-east-1.amazonaws.com", "kinesis.us-east-1.amazonaws.com"],
    "landing": ["s3.us-east-1.amazonaws.com"],
    "lake": ["s3.us-east-1.amazonaws.com"],
    "warehouse": [
        "redshift-serverless.us-east-1.amazonaws.com",
        "redshift.us-east-1.amazonaws.com",
        "secretsmanager.us-east-1.amazonaws.com",
    ],
    "search": ["es.us-east-1.amazonaws.com"],
}


@pytest.mark.parametrize("key", THROUGH)
def test_a_key_names_the_services_that_use_it(dev: Plan, key: str) -> None:
    policy = next(
        values["policy"]
        for address, values in dev.of("aws_kms_key").items()
        if dev.values[address.replace("aws_kms_key", "aws_kms_alias")]["name"] == f"alias/watershed-dev-{key}"
    )
    using = [s for s in json.loads(policy)["Statement"] if "kms:GenerateDataKey" in several(s["Action"])]
    assert [sorted(several(s["Condition"]["StringEquals"]["kms:ViaService"])) for s in using] == [THROUGH[key]]
    grants = [s["Condition"] for s in json.loads(policy)["Statement"] if "kms:CreateGrant" in several(s["Action"])]
    assert grants == [{"Bool": {"kms:GrantIsForAWSResource": "true"}}]


def test_each_key_is_in_the_table_or_that_of_the_topic(dev: Plan) -> None:
    made = {values["name"].removeprefix("alias/watershed-dev-") for values in dev.of("aws_kms_alias").values()}
    assert made == {*THROUGH, "alarms"}


def test_s3_alone_may_send_to_the_queue_of_arrivals(dev: Plan) -> None:
    sent = {
        (statement["Resource"], json.dumps(statement["Principal"]), json.dumps(statement["Condition"], sort_keys=True))
        for _, kind, statement in statements(dev)
        if kind == "aws_sqs_queue_policy"
    }
    assert sent == {
        (
            f"arn:aws:sqs:us-east-1:{ACCOUNT_ID}:watershed-dev-arrivals",
            '{"Service": "s3.amazonaws.com"}',
            json.dumps(
                {
                    "ArnEquals": {"aws:SourceArn": "arn:aws:s3:::watershed-dev-landing"},
                    "StringEquals": {"aws:SourceAccount": ACCOUNT_ID},
                }
            ),
        )
    }


def test_the_logs_bucket_takes_access_logs_of_the_other_three(dev: Plan) -> None:
    policy = dev.values['module.platform.module.lake.aws_s3_bucket_policy.this["logs"]']["policy"]
    (allowed,) = [s for s in json.loads(policy)["Statement"] if s["Effect"] == "Allow"]
    assert allowed["Principal"] == {"Service": "logging.s3.amazonaws.com"}
    others = {f"arn:aws:s3:::watershed-dev-{zone}" for zone in ("landing", "lake", "results")}
    assert set(allowed["Condition"]["ArnEquals"]["aws:SourceArn"]) == others


def test_each_script_of_spark_is_a_job_that_one_at_a_time_runs(environment: Plan) -> None:
    """Two maintenances at once would rewrite the same files, and one of them for nothing."""
    scripts = {path.stem for path in SPARK_JOBS.glob("*.py")}
    jobs = {values["name"]: values for values in environment.of("aws_glue_job").values()}
    config = settings_of(environment)
    assert jobs.keys() == {f"{config.prefix}-spark-{script}" for script in scripts}
    assert config.maintenance_job == f"{config.prefix}-spark-maintain"
    assert all(job["execution_property"][0]["max_concurrent_runs"] == 1 for job in jobs.values())
    uploaded = {values["key"] for values in environment.of("aws_s3_object").values()}
    assert {f"scripts/{script}.py" for script in scripts} <= uploaded


def test_who_edits_dashboards_is_of_the_region_that_quicksight_keeps_its_users_in(
    production: Plan, everything: Plan
) -> None:
    arns = [str(settings_of(it).quicksight_principal_arn).split(":")[3] for it in (production, everything)]
    assert arns == ["us-east-1", "eu-west-1"]
    platform = everything.document["configuration"]["root_module"]["module_calls"]["platform"]["module"]
    made = platform["module_calls"]["dashboards"]["module"]["resources"]
    called = {it["type"]: it["provider_config_key"] for it in made}
    assert called == {
        "aws_quicksight_group": "aws.identity",
        "aws_quicksight_group_membership": "aws.identity",
        "aws_quicksight_vpc_connection": "aws",
        "aws_secretsmanager_secret": "aws",
    }


def test_private_subnets_are_in_the_zones_that_the_account_has(production: Plan, everything: Plan) -> None:
    """And so is the way out."""
    for plan, letters in ((production, "abc"), (everything, "bdf")):
        subnets = plan.of("aws_subnet").values()
        assert sorted({it["availability_zone"] for it in subnets}) == [f"us-east-1{letter}" for letter in letters]


def test_the_variables_of_the_deploy_page_plan(plan: Planner, tmp_path: Path) -> None:
    hcl = [block for block in blocks("docs/deploy.md") if block.language == "hcl"]
    shown = [block.text for block in hcl if block.heading.startswith("3.")]
    (tmp_path / "page.tfvars").write_text("".join(shown))
    planned = plan("dev", CONTRACTS_DIR, tmp_path / "page.tfvars")
    assert settings_of(planned).landing_bucket == "acme-rain-dev-landing"
    trust = planned.values['module.platform.module.access.aws_iam_role.this["landing"]']["assume_role_policy"]
    assert "role/data-platform" in trust
    (domain,) = planned.of("aws_opensearch_domain").values()
    assert "role/website" in domain["access_policies"]
    assert list(planned.of("aws_kinesis_resource_policy"))
