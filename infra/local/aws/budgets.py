"""Budgets as moto has them, and who is told by a notification.

moto keeps the subscribers of a notification and does not tell them, and passes over a budget's tags. Terraform asks for
both when it compares what is with what should be.
https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_DescribeSubscribersForNotification.html
"""

from __future__ import annotations

import json
from typing import Any

from moto.budgets.exceptions import NotFoundException
from moto.budgets.responses import BudgetsResponse

from infra.local.aws.extensions import route


class SubscribedBudgetsResponse(BudgetsResponse):
    """Answers for subscribers and tags as well."""

    def create_budget(self) -> str:
        """CreateBudget, with its tags."""
        answer = super().create_budget()
        name = self._get_param("Budget")["BudgetName"]
        self._budget(name).tags = self._get_param("ResourceTags", [])
        return answer

    def describe_subscribers_for_notification(self) -> str:
        """DescribeSubscribersForNotification, in one page."""
        details = self._get_param("Notification")
        notifications = self._budget(self._get_param("BudgetName")).notifications
        found = next((notification for notification in notifications if notification.details == details), None)
        if found is None:
            raise NotFoundException("Unable to get subscribers - the notification doesn't exist.")
        return json.dumps({"Subscribers": found.subscribers})

    def list_tags_for_resource(self) -> str:
        """ListTagsForResource, of a budget by its ARN."""
        budget = self._budget(self._get_param("ResourceARN").rpartition("/")[2])
        return json.dumps({"ResourceTags": budget.tags})

    def _budget(self, name: str) -> Any:
        budget = self.backend.budgets[self.current_account].get(name)
        if budget is None:
            raise NotFoundException(f"Unable to get budget: {name} - the budget doesn't exist.")
        return budget


def install() -> None:
    """Route Budgets here."""
    route("budgets", SubscribedBudgetsResponse)
