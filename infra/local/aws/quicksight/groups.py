"""Users, groups, settings and tags as moto has them, and DeleteGroupMembership, which it has not."""

from __future__ import annotations

import json

from moto.quicksight.responses import QuickSightResponse

from infra.local.aws.quicksight.refusals import refuse


class GroupsResponse(QuickSightResponse):
    """Answers for what moto keeps."""

    def delete_group_membership(self) -> str:
        """DeleteGroupMembership."""
        account, namespace = self._get_param("AwsAccountId"), self._get_param("Namespace")
        member = self._get_param("MemberName")
        group = self.quicksight_backend.describe_group(account, namespace, self._get_param("GroupName"))
        if group.get_member(member) is None:
            raise refuse("ResourceNotFoundException", f"Member {member} is not in group {group.group_name}.")
        group.delete_member(member)
        return json.dumps({"Status": 200})
