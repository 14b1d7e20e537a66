"""The three kinds of QuickSight resource that are deployed: how each is described, created, updated and shared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["data source", "data set", "dashboard"]
Client = Any  # boto3's clients are built at run time and have no static type.


@dataclass(frozen=True)
class Calls:
    """The operations on one kind of resource, and what its id is called in them.

    `owner_actions` is what a principal is granted: the set that QuickSight's API reference lists for an owner. A grant
    of part of it is refused.
    """

    operation: str
    id_parameter: str
    owner_actions: tuple[str, ...]

    @property
    def create_operation(self) -> str:
        """What the API calls the operation that creates it."""
        return "Create" + "".join(part.title() for part in self.operation.split("_"))

    def create(self, client: Client, account_id: str, resource_id: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Create it."""
        return self._call(client, "create_{}", account_id, resource_id)(**request)

    def update(self, client: Client, account_id: str, resource_id: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Replace it."""
        return self._call(client, "update_{}", account_id, resource_id)(**request)

    def describe(self, client: Client, account_id: str, resource_id: str, **more: Any) -> dict[str, Any] | None:
        """The resource as deployed; None if there is none."""
        try:
            answer = self._call(client, "describe_{}", account_id, resource_id)(**more)
        except client.exceptions.ResourceNotFoundException:
            return None
        return answer["".join(part.title() for part in self.operation.split("_"))]

    def granted(self, client: Client, account_id: str, resource_id: str, principal: str) -> set[str]:
        """The actions that a principal may do on it."""
        answer = self._call(client, "describe_{}_permissions", account_id, resource_id)()
        return {
            action
            for permission in answer.get("Permissions", ())
            if permission["Principal"] == principal
            for action in permission["Actions"]
        }

    def grant(self, client: Client, account_id: str, resource_id: str, principal: str) -> None:
        """Make a principal its owner."""
        permission = {"Principal": principal, "Actions": list(self.owner_actions)}
        self._call(client, "update_{}_permissions", account_id, resource_id)(GrantPermissions=[permission])

    def _call(self, client: Client, name: str, account_id: str, resource_id: str) -> Callable[..., dict[str, Any]]:
        method = getattr(client, name.format(self.operation))
        return lambda **request: method(AwsAccountId=account_id, **{self.id_parameter: resource_id}, **request)


def _actions(*names: str) -> tuple[str, ...]:
    return tuple(f"quicksight:{name}" for name in names)


CALLS: dict[Kind, Calls] = {
    "data source": Calls(
        "data_source",
        "DataSourceId",
        _actions(
            "DescribeDataSource",
            "DescribeDataSourcePermissions",
            "PassDataSource",
            "UpdateDataSource",
            "DeleteDataSource",
            "UpdateDataSourcePermissions",
        ),
    ),
    "data set": Calls(
        "data_set",
        "DataSetId",
        _actions(
            "DescribeDataSet",
            "DescribeDataSetPermissions",
            "PassDataSet",
            "DescribeIngestion",
            "ListIngestions",
            "UpdateDataSet",
            "DeleteDataSet",
            "CreateIngestion",
            "CancelIngestion",
            "UpdateDataSetPermissions",
        ),
    ),
    "dashboard": Calls(
        "dashboard",
        "DashboardId",
        _actions(
            "DescribeDashboard",
            "ListDashboardVersions",
            "UpdateDashboardPermissions",
            "QueryDashboard",
            "UpdateDashboard",
            "DeleteDashboard",
            "DescribeDashboardPermissions",
            "UpdateDashboardPublishedVersion",
        ),
    ),
}
