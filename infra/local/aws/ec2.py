"""EC2 as moto has it, where what is described would differ from what was asked for, or EC2 refuses what is asked for.

What moto does otherwise, each of which Terraform sees as a change that was never made:

- the description of a rule that names a security group is not told, only that of one which names addresses:
  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SecurityGroupRule.html
- a launch template's own tags become tags of what is launched with it:
  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateLaunchTemplate.html
- an instance whose groups are given with its network interface is in none, where AWS tells those of the primary one:
  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Instance.html

What moto takes and EC2 refuses: a description of a security group or a rule with other than a few characters.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any, cast

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ec2.responses import EC2Response

from infra.local.aws.extensions import route

_DESCRIPTION = re.compile(r"[a-zA-Z0-9 ._:/()#,@\[\]+=&;{}!$*-]{0,255}")


class FaithfulEC2Response(EC2Response):
    """Describes rules, launch templates and instances as they were asked for."""

    def create_security_group(self) -> ActionResult:
        """CreateSecurityGroup."""
        _refuse("security group", self._get_param("Description"))
        return super().create_security_group()

    def authorize_security_group_egress(self) -> ActionResult:
        """AuthorizeSecurityGroupEgress."""
        self._refuse_rules()
        return _with_descriptions(super().authorize_security_group_egress())

    def authorize_security_group_ingress(self) -> ActionResult:
        """AuthorizeSecurityGroupIngress."""
        self._refuse_rules()
        return _with_descriptions(super().authorize_security_group_ingress())

    def describe_security_group_rules(self) -> ActionResult:
        """DescribeSecurityGroupRules."""
        return _with_descriptions(super().describe_security_group_rules())

    def create_launch_template(self) -> ActionResult:
        """CreateLaunchTemplate."""
        answer = super().create_launch_template()
        made = cast(Mapping[str, Any], answer.result)["LaunchTemplate"]
        data = self.ec2_backend.launch_templates[made["LaunchTemplateId"]].default_version().data
        specifications = data.pop("TagSpecifications", [])
        launched = [given for given in specifications if given["ResourceType"] != "launch-template"]
        if launched:
            data["TagSpecifications"] = launched
        return answer

    def run_instances(self) -> ActionResult:
        """RunInstances."""
        answer = super().run_instances()
        reservation = self.ec2_backend.reservations[cast(Any, answer.result).id]
        for instance in reservation.instances:
            if not instance.security_groups:
                instance.security_groups = list(instance.nics[0].group_set)
        return answer

    def _refuse_rules(self) -> None:
        for permission in self._get_param("IpPermissions", []):
            for kind in ("IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs"):
                for one in permission.get(kind, []):
                    _refuse("rule", one.get("Description"))


def _refuse(kind: str, description: str | None) -> None:
    if description and not _DESCRIPTION.fullmatch(description):
        raise EC2ClientError(
            "InvalidParameterValue",
            f"Invalid {kind} description. Valid descriptions are strings less than 256 characters from the following "
            "set: a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*",
        )


def _with_descriptions(answer: ActionResult) -> ActionResult:
    """The same rules, each with the description that it was given beside a security group."""
    result = cast(Mapping[str, Any], answer.result)
    return ActionResult({**result, "SecurityGroupRules": [_described(rule) for rule in result["SecurityGroupRules"]]})


def _described(rule: SecurityGroupRule) -> SecurityGroupRule:
    if "Description" not in rule.source_group:
        return rule
    told = copy.copy(rule)
    told.ip_range = {**rule.ip_range, "Description": rule.source_group["Description"]}
    return told


def install() -> None:
    """Route EC2 here."""
    route("ec2", FaithfulEC2Response)
