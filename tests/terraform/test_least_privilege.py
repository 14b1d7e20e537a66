"""Nothing that the platform does is denied by the planned policies, and what they grant beyond it is told.

What it does is recorded at the local AWS's HTTP edge, joined with a table of what no run here shows
(tests/terraform/privileges/calls.yaml). What a pass does not prove: docs/decisions/infrastructure.md.
"""

from __future__ import annotations

import copy
import json
import warnings
from dataclasses import replace

import pytest

from ingestion.contract import load_contracts
from orchestration.settings import CONTRACTS_DIR
from tests.terraform.conftest import Plan, settings_of
from tests.terraform.privileges.evaluation import several
from tests.terraform.privileges.policies import Policies, policies_of
from tests.terraform.privileges.recording import record
from tests.terraform.privileges.requirements import Call, Names, Need, Requirements

pytestmark = pytest.mark.terraform


class UnusedGrantsWarning(UserWarning):
    """An actor may do what it is not seen to do."""


@pytest.fixture(scope="module")
def names(dev: Plan) -> Names:
    config = settings_of(dev)
    buckets = {a.split('"')[1]: values["bucket"] for a, values in dev.of("aws_s3_bucket").items()}
    return Names(config.account_id, config.region, config.prefix, buckets)


@pytest.fixture(scope="module")
def policies(dev: Plan, names: Names) -> Policies:
    return policies_of(dev, names)


@pytest.fixture(scope="module")
def recorded(dev: Plan, tmp_path_factory: pytest.TempPathFactory) -> list[Call]:
    """What the platform's actors were seen to call, without what happens on this machine only."""
    return list(record(tmp_path_factory.mktemp("recorded"), settings_of(dev)))


@pytest.fixture(scope="module")
def needs(recorded: list[Call], names: Names) -> list[Need]:
    requirements = Requirements(names)
    deployed = [call for call in recorded if not requirements.is_local(call)]
    return requirements.needs([*deployed, *requirements.kept()])


def test_every_contract_and_every_actor_is_in_the_recording(recorded: list[Call], names: Names) -> None:
    assert {call.actor for call in recorded} == {"producer", "landing", "dbt", "serving"}
    made = {call.parameters.get("TableInput.Name") for call in recorded if call.name == "glue:CreateTable"}
    assert made == load_contracts(CONTRACTS_DIR).keys()
    seen = {(call.actor, call.name) for call in recorded}
    # Of each client: Arrow and botocore, DuckDB, dbt-athena, awswrangler; of what goes wrong: quarantine, replacement.
    assert seen >= {
        ("landing", "s3:UploadPart"),
        ("landing", "kinesis:GetRecords"),
        ("landing", "sqs:ReceiveMessage"),
        ("dbt", "s3:GetObject"),
        ("dbt", "glue:DeleteTableVersion"),
        ("serving", "athena:StartQueryExecution"),
        ("serving", "redshift-data:ExecuteStatement"),
        ("serving", "quicksight:UpdateDataSet"),
        ("serving", "quicksight:CreateIngestion"),
    }
    keys = [str(call.parameters.get("Key")) for call in recorded if call.actor == "landing"]
    assert any(key.startswith("quarantine/") for key in keys)


def test_what_is_left_out_as_local_is_seen_here(recorded: list[Call], names: Names) -> None:
    """Else the table lets through what nobody needs to be let through."""
    assert not Requirements(names).not_seen(recorded)


def test_nothing_that_is_used_is_denied(needs: list[Need], policies: Policies) -> None:
    denied = policies.denied(needs)
    assert not denied, "\n".join(denied)


def test_what_is_granted_and_not_used_is_told(needs: list[Need], policies: Policies) -> None:
    """A warning for each actor, no failure: what is not seen here may be used there."""
    for actor, lines in policies.unused(needs):
        told = "\n  ".join(lines)
        warnings.warn(f"{actor} may, and is not seen to:\n  {told}", UnusedGrantsWarning, stacklevel=1)


def added(before: list[str], after: list[str]) -> list[str]:
    """What a change brings, beside what was told without it."""
    return [line for line in after if line not in before]


@pytest.mark.parametrize(
    ("actor", "action"),
    [
        ("landing", "kinesis:GetRecords"),
        ("landing", "s3:ListBucket"),
        ("landing", "glue:UpdateTable"),
        ("dbt", "kms:Decrypt"),
        ("serving", "quicksight:UpdateDashboard"),
        ("firehose", "s3:PutObject"),
    ],
)
def test_an_action_that_is_taken_from_a_role_is_missed(
    needs: list[Need], policies: Policies, actor: str, action: str
) -> None:
    less = copy.deepcopy(dict(policies.roles))
    for statement in less[actor]["Statement"]:
        statement["Action"] = [each for each in several(statement["Action"]) if each != action]
    denied = added(policies.denied(needs), replace(policies, roles=less).denied(needs))
    assert denied
    assert all(f" needs {action} on arn:" in line for line in denied)
    assert denied[0].startswith(f"{actor}: ")
    assert f"Grant {action} on it to {actor} in infra/terraform/modules/access." in denied[0]


def test_an_action_and_a_resource_that_nobody_uses_are_told(needs: list[Need], policies: Policies) -> None:
    more = copy.deepcopy(dict(policies.roles))
    streams = next(s for s in more["landing"]["Statement"] if s["Sid"] == "Streams")
    streams["Action"] = [*several(streams["Action"]), "kinesis:DeleteStream"]
    streams["Resource"] = [*several(streams["Resource"]), "arn:aws:kinesis:us-east-1:123456789012:stream/another"]
    keys = next(s for s in more["landing"]["Statement"] if s["Sid"] == "Keys")
    keys["Condition"]["ForAnyValue:StringEquals"]["kms:ResourceAliases"].append("alias/another")
    told = dict(replace(policies, roles=more).unused(needs))
    assert sorted(added(dict(policies.unused(needs)).get("landing", []), told["landing"])) == [
        "Keys: the key alias/another",
        "Streams: kinesis:DeleteStream",
        "Streams: on arn:aws:kinesis:us-east-1:123456789012:stream/another",
    ]


def test_a_key_that_leaves_an_actor_out_is_missed(needs: list[Need], policies: Policies) -> None:
    alias = f"alias/{policies.names.prefix}-stream"
    narrower = json.loads(json.dumps(policies.resources[alias]).replace(policies.role_arn("producer"), "arn:other"))
    changed = replace(policies, resources={**policies.resources, alias: narrower})
    denied = added(policies.denied(needs), changed.denied(needs))
    assert denied
    assert all(line.startswith("producer: kinesis:PutRecord") for line in denied)
    assert "Grant kms:GenerateDataKey to producer in the policy of the resource or the key." in denied[0]
