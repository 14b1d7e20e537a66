"""The policies of a plan, held against what is needed: what is denied, what is granted and not used."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.terraform.conftest import Plan
from tests.terraform.privileges.evaluation import Decision, Request, Statement, decide, matches, several
from tests.terraform.privileges.requirements import Names, Need

# In what a KMS key, and a role that is to be taken, differ from all else: their own policy has to allow it.
BOTH = ("kms:", "sts:AssumeRole")


@dataclass(frozen=True)
class Policies:
    """The planned policies: each role's by actor, and those of resources by the ARN that they are about."""

    names: Names
    roles: Mapping[str, Mapping[str, Any]]
    resources: Mapping[str, Mapping[str, Any]]

    def decide(self, need: Need) -> Decision:
        """IAM's decision on a need."""
        call = need.call
        is_service = call.actor not in self.roles
        principal = call.actor if is_service else self.role_arn(call.actor)
        context: dict[str, Any] = {"aws:SecureTransport": "true", **call.context}
        if not is_service:
            own = {
                "aws:PrincipalArn": principal,
                "aws:userid": f"AROA:{call.actor}",
            }
            # A statement's owner is who asked for it: each asks for its own.
            context |= {**own, "redshift-data:statement-owner-iam-userid": own["aws:userid"]}
        if need.key:
            context |= {
                "kms:ResourceAliases": [need.key],
                "kms:ViaService": f"{need.via}.{self.names.region}.amazonaws.com",
            }
        request = Request(principal, need.action, need.resource, context)
        of_resource = next((p for arn, p in self.resources.items() if matches(arn, need.key or need.resource)), None)
        both = need.action.startswith(BOTH)
        return decide(request, self.roles.get(call.actor, {}), of_resource, both=both)

    def role_arn(self, actor: str) -> str:
        return f"arn:{self.names.partition}:iam::{self.names.account}:role/{self.names.prefix}-{actor}"

    def denied(self, needs: Sequence[Need]) -> list[str]:
        """A sentence for each need that is denied: who, which call, action, resource, and what to grant."""
        return [
            f"{need.call.actor}: {need.call.name} needs {need.action} on {need.resource}"
            f"{f' (the key {need.key})' if need.key else ''}: {decision.reason}. {_cure(need, decision)}"
            f" Known from: {need.call.why}."
            for need in needs
            if not (decision := self.decide(need)).allowed
        ]

    def unused(self, needs: Sequence[Need]) -> Iterator[tuple[str, list[str]]]:
        """For each actor its grants that no need uses."""
        for actor, policy in self.roles.items():
            used = [(need, s) for need in needs if need.call.actor == actor for s in self.decide(need).used]
            lines = [line for s in policy["Statement"] if s["Effect"] == "Allow" for line in _unused(s, used)]
            if lines:
                yield actor, lines


def _cure(need: Need, decision: Decision) -> str:
    if "denies" in decision.reason:
        return "Change the denial, or what is called."
    if "resource's policy" in decision.reason:
        return f"Grant {need.action} to {need.call.actor} in the policy of the resource or the key."
    return f"Grant {need.action} on it to {need.call.actor} in infra/terraform/modules/access."


def _unused(statement: Statement, used: Sequence[tuple[Need, Statement]]) -> Iterator[str]:
    needs = [need for need, by in used if by is statement]
    sid = statement.get("Sid", "a statement")
    for action in several(statement["Action"]):
        if not any(matches(action, need.action, case=False) for need in needs):
            yield f"{sid}: {action}"
    for resource in several(statement["Resource"]) if needs else ():
        if not any(matches(resource, need.resource) for need in needs):
            yield f"{sid}: on {resource}"
    aliases = statement.get("Condition", {}).get("ForAnyValue:StringEquals", {}).get("kms:ResourceAliases", [])
    for alias in several(aliases) if needs else ():
        if alias not in {need.key for need in needs}:
            yield f"{sid}: the key {alias}"


def policies_of(plan: Plan, names: Names) -> Policies:
    """The policies of a plan. A resource's policy is found by the ARN or, of a key, the alias that it is about."""
    roles = {a.split('"')[1]: json.loads(v["policy"]) for a, v in plan.of("aws_iam_role_policy").items()}
    zones = {a.split('"')[1]: v["bucket"] for a, v in plan.of("aws_s3_bucket").items()}
    resources: dict[str, Any] = {}
    for address, values in plan.of("aws_s3_bucket_policy").items():
        bucket = f"arn:{names.partition}:s3:::{zones[address.split(chr(34))[1]]}"
        resources |= {bucket: json.loads(values["policy"]), f"{bucket}/*": json.loads(values["policy"])}
    for address, values in plan.of("aws_kms_key").items():
        alias = plan.values[address.replace("aws_kms_key", "aws_kms_alias")]["name"]
        resources[alias] = json.loads(values["policy"])
    for values in plan.of("aws_iam_role").values():
        role = f"arn:{names.partition}:iam::{names.account}:role/{values['name']}"
        resources[role] = json.loads(values["assume_role_policy"])
    for kind, attribute in (
        ("aws_cloudwatch_log_resource_policy", "policy_document"),
        ("aws_kinesis_resource_policy", "policy"),
        ("aws_sqs_queue_policy", "policy"),
        ("aws_sns_topic_policy", "policy"),
        ("aws_opensearch_domain", "access_policies"),
    ):
        for values in plan.of(kind).values():
            policy = json.loads(values[attribute])
            resources |= {arn: policy for s in policy["Statement"] for arn in several(s["Resource"])}
    return Policies(names, roles, resources)
