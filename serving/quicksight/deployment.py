"""Deploying what is declared: plan and apply. Nothing is ever deleted here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from serving.quicksight.comparison import Difference, differences, fingerprint
from serving.quicksight.declaration import Deployment, Resource
from serving.quicksight.errors import DeploymentError
from serving.quicksight.resources import CALLS, Client, Kind
from serving.quicksight.validation import creatable
from serving.quicksight.waiting import wait_until

# What QuickSight adds to a data set that is declared without: ids of columns, and the newer form of its preparation.
_ADDED = frozenset({"Id", "DataPrepConfiguration", "SemanticModelConfiguration"})

Action = Literal["create", "update", "unchanged"]


@dataclass(frozen=True)
class Change:
    """What would be done to a resource, and why."""

    kind: Kind
    id: str
    action: Action
    differences: tuple[Difference, ...] = ()
    missing_actions: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"{self.action} {self.kind} {self.id}"]
        lines += [f"    {difference}" for difference in self.differences]
        if self.missing_actions and self.action != "create":
            lines.append(f"    grant {', '.join(self.missing_actions)}")
        return "\n".join(lines)


@dataclass(frozen=True)
class Plan:
    """What `apply` would do. Making one changes nothing: it is the dry run."""

    deployment: Deployment
    changes: tuple[Change, ...]

    @property
    def is_empty(self) -> bool:
        """Whether everything is deployed as declared."""
        return all(change.action == "unchanged" for change in self.changes)

    def __str__(self) -> str:
        return "\n".join(map(str, self.changes))


@dataclass(frozen=True)
class Applied:
    """What was done.

    Args:
        actions: By kind and id, in order.
        arns: By id.
        ingestions: SPICE ingestions that QuickSight started by itself, by data set id: a data set is filled when it is
            created or changed.
        dashboard_version: The version that is published now.
    """

    actions: Mapping[tuple[Kind, str], Action]
    arns: Mapping[str, str]
    ingestions: Mapping[str, str] = field(default_factory=dict)
    dashboard_version: int = 0

    @property
    def is_changed(self) -> bool:
        """Whether anything was created or updated."""
        return any(action != "unchanged" for action in self.actions.values())

    def __str__(self) -> str:
        if not self.is_changed:
            return f"nothing to do: {len(self.actions)} resources are as declared"
        return "\n".join(f"{action} {kind} {name}" for (kind, name), action in self.actions.items())


def plan(client: Client, deployment: Deployment) -> Plan:
    """Compare what is declared with what is deployed. Only reads.

    Args:
        client: boto3's client for QuickSight.
    """
    return Plan(deployment, tuple(_change(client, deployment, resource) for resource in deployment.resources))


def apply(client: Client, planned: Plan, *, timeout_seconds: float = 300) -> Applied:
    """Deploy what a plan is for.

    Each resource is looked at again just before it is touched, so a plan that was applied, or overtaken by another
    run, changes nothing twice. A dashboard's new version is published once QuickSight has accepted it; until then, and
    if it does not, viewers keep the version that they had.

    Args:
        client: boto3's client for QuickSight.
        timeout_seconds: For the data source, and again for the dashboard, to become ready.

    Raises:
        DeploymentError: If QuickSight fails a resource after it took the request, or does not finish in time. What
            came before it is deployed; apply again after mending.
    """
    deployment = planned.deployment
    actions: dict[tuple[Kind, str], Action] = {}
    arns: dict[str, str] = {}
    ingestions: dict[str, str] = {}
    version = 0
    for resource in deployment.resources:
        change = _change(client, deployment, resource)
        actions[resource.kind, resource.id] = change.action
        answer = _send(client, deployment, resource, change, arns)
        arns[resource.id] = answer["Arn"]
        if resource.kind == "data source":
            _await_data_source(client, deployment.account_id, resource.id, timeout_seconds)
        elif resource.kind == "data set" and "IngestionId" in answer:
            ingestions[resource.id] = answer["IngestionId"]
        elif resource.kind == "dashboard":
            version = _publish(client, deployment.account_id, resource.id, answer, timeout_seconds)
    return Applied(actions, arns, ingestions, version)


def _change(client: Client, deployment: Deployment, resource: Resource) -> Change:
    calls, account_id, principal = CALLS[resource.kind], deployment.account_id, deployment.principal_arn
    deployed = calls.describe(client, account_id, resource.id)
    if deployed is None:
        return Change(resource.kind, resource.id, "create", missing_actions=calls.owner_actions if principal else ())
    missing: tuple[str, ...] = ()
    if principal:
        granted = calls.granted(client, account_id, resource.id, principal)
        missing = tuple(action for action in calls.owner_actions if action not in granted)
    if resource.kind == "dashboard":
        found = _dashboard_differences(client, account_id, resource, deployed)
    else:
        found = _differences(resource, deployed)
    return Change(resource.kind, resource.id, "update" if found or missing else "unchanged", found, missing)


def _differences(resource: Resource, deployed: Mapping[str, Any]) -> tuple[Difference, ...]:
    declared = {key: value for key, value in resource.request.items() if key != "Credentials"}
    if secret := resource.request.get("Credentials", {}).get("SecretArn"):
        declared["SecretArn"] = secret  # So it comes back; the secret's content never does.
    # What can be declared at all: the rest, such as times, is QuickSight's own.
    told = {key: value for key, value in deployed.items() if key in declared or key in creatable(resource.kind)}
    found = tuple(differences(_replace_arns(told, _id_of), declared, added=_ADDED))
    if deployed.get("Status", "").endswith("_FAILED"):  # An update makes QuickSight try the connection again.
        found = (*found, Difference("$.Status", deployed["Status"], "UPDATE_SUCCESSFUL"))
    return found


def _dashboard_differences(
    client: Client, account_id: str, resource: Resource, deployed: Mapping[str, Any]
) -> tuple[Difference, ...]:
    """What differs from the published version.

    A version never changes and carries the fingerprint of the request that made it, so an equal fingerprint proves an
    equal definition, whatever form QuickSight returns it in. Versions made by hand carry none.
    """
    request, version = resource.request, deployed["Version"]
    found = [*differences(deployed["Name"], request["Name"], "$.Name")]
    if version["Status"] == "CREATION_FAILED":
        found.append(Difference("$.Version.Status", version["Status"], "CREATION_SUCCESSFUL"))
    stamp = _version_description(request)
    if version.get("Description") == stamp:
        return tuple(found)
    answer = client.describe_dashboard_definition(
        AwsAccountId=account_id, DashboardId=resource.id, VersionNumber=version["VersionNumber"]
    )
    for member in ("Definition", "DashboardPublishOptions"):
        deployed_member = _replace_arns(answer.get(member), _id_of)
        found += differences(deployed_member, request[member], f"$.{member}")
    return tuple(found) or (Difference("$.Version.Description", version.get("Description"), stamp),)


def _send(
    client: Client, deployment: Deployment, resource: Resource, change: Change, arns: Mapping[str, str]
) -> dict[str, Any]:
    """Carry a change out; the answer of the last operation that changed the resource, or its description."""
    calls, account_id, principal = CALLS[resource.kind], deployment.account_id, deployment.principal_arn
    request: dict[str, Any] = _replace_arns(resource.request, lambda name: arns[name])
    if resource.kind == "dashboard":
        request["VersionDescription"] = _version_description(resource.request)
    if change.action == "create":
        if principal:
            request["Permissions"] = [{"Principal": principal, "Actions": list(calls.owner_actions)}]
        return calls.create(client, account_id, resource.id, request)
    if principal and change.missing_actions:
        calls.grant(client, account_id, resource.id, principal)
    if change.differences:
        if resource.kind == "data source":
            del request["Type"]  # It cannot change: the id names the engine.
        return calls.update(client, account_id, resource.id, request)
    described = calls.describe(client, account_id, resource.id)
    if described is None:
        raise DeploymentError(f"{resource.kind} {resource.id} was deleted while it was deployed; apply again")
    return described


def _version_description(request: Mapping[str, Any]) -> str:
    """What a dashboard's version is marked with. Its name belongs to all versions."""
    return f"watershed {fingerprint({key: value for key, value in request.items() if key != 'Name'})}"


def _await_data_source(client: Client, account_id: str, data_source_id: str, timeout_seconds: float) -> None:
    source = wait_until(
        lambda: CALLS["data source"].describe(client, account_id, data_source_id),
        lambda seen: seen is None or not seen["Status"].endswith("_IN_PROGRESS"),
        timeout_seconds=timeout_seconds,
    )
    if source is None:
        raise DeploymentError(
            f"data source {data_source_id} was not ready within {timeout_seconds:g} s, or was deleted; apply again"
        )
    if not source["Status"].endswith("_SUCCESSFUL"):
        reason = source.get("ErrorInfo", {})
        raise DeploymentError(
            f"data source {data_source_id}: {source['Status']}, {reason.get('Type', 'no type')}: "
            f"{reason.get('Message', 'no message')}. Check its host, its secret and whether QuickSight's network "
            "reaches it, then apply again"
        )


def _publish(
    client: Client, account_id: str, dashboard_id: str, answer: Mapping[str, Any], timeout_seconds: float
) -> int:
    """Wait for the version that was made, publish it, and return its number. A first version publishes itself."""
    if "VersionArn" not in answer:
        return answer["Version"]["VersionNumber"]
    number = int(answer["VersionArn"].rsplit("/", 1)[1])
    dashboard = wait_until(
        lambda: CALLS["dashboard"].describe(client, account_id, dashboard_id, VersionNumber=number),
        lambda seen: seen is None or not seen["Version"]["Status"].endswith("_IN_PROGRESS"),
        timeout_seconds=timeout_seconds,
    )
    if dashboard is None:
        raise DeploymentError(
            f"version {number} of dashboard {dashboard_id} was not ready within {timeout_seconds:g} s, or was deleted; "
            "apply again"
        )
    version = dashboard["Version"]
    if version["Status"] != "CREATION_SUCCESSFUL":
        errors = "".join(f"\n  {_dashboard_error(error)}" for error in version.get("Errors", ()))
        raise DeploymentError(f"version {number} of dashboard {dashboard_id}: {version['Status']}{errors}")
    if number > 1:
        client.update_dashboard_published_version(
            AwsAccountId=account_id, DashboardId=dashboard_id, VersionNumber=number
        )
    return number


def _dashboard_error(error: Mapping[str, Any]) -> str:
    places = ", ".join(entity["Path"] for entity in error.get("ViolatedEntities", ()) if "Path" in entity)
    return f"{error.get('Type')}: {error.get('Message')}" + (f" ({places})" if places else "")


def _id_of(arn: str) -> str:
    return arn.rsplit("/", 1)[-1]


def _replace_arns(value: Any, replace: Callable[[str], str]) -> Any:
    """A copy in which the references to data sources and data sets are replaced."""
    if isinstance(value, Mapping):
        return {
            key: replace(member)
            if key in ("DataSourceArn", "DataSetArn") and isinstance(member, str)
            else _replace_arns(member, replace)
            for key, member in value.items()
        }
    if isinstance(value, list | tuple):
        return [_replace_arns(member, replace) for member in value]
    return value
