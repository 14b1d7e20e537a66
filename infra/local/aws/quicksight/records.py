"""What is kept of each resource, and how it is described."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from infra.local.aws.quicksight.refusals import Answer, Request, invalid, refuse

SETTLE = timedelta(
    seconds=0.4
)  # How long something stays in progress: longer than a call takes, on a busy machine too.


@dataclass
class Resource:
    """What data sources, data sets and dashboards have in common."""

    id: str
    arn: str
    name: str
    created: datetime
    updated: datetime
    permissions: dict[str, list[str]] = field(default_factory=dict)

    @property
    def is_settling(self) -> bool:
        """Whether the last change is still in progress."""
        return datetime.now(UTC) < self.updated + SETTLE

    def times(self) -> Answer:
        """Members that every description has."""
        return {"Arn": self.arn, "Name": self.name, "CreatedTime": self.created, "LastUpdatedTime": self.updated}

    def permission_list(self) -> list[Answer]:
        """Permissions as they are described."""
        return [{"Principal": principal, "Actions": actions} for principal, actions in self.permissions.items()]

    def change_permissions(self, grants: Sequence[Request], revocations: Sequence[Request]) -> None:
        """Grant and revoke actions."""
        for grant in grants:
            held = self.permissions.setdefault(grant["Principal"], [])
            held += [action for action in grant["Actions"] if action not in held]
        for revocation in revocations:
            left = [a for a in self.permissions.get(revocation["Principal"], []) if a not in revocation["Actions"]]
            if left:
                self.permissions[revocation["Principal"]] = left
            else:
                self.permissions.pop(revocation["Principal"], None)


@dataclass
class DataSource(Resource):
    """A connection to a database."""

    request: Answer = field(default_factory=dict)

    def status(self, doing: str) -> str:
        """`CREATION` or `UPDATE`, in progress or done."""
        return f"{doing}_IN_PROGRESS" if self.is_settling else f"{doing}_SUCCESSFUL"

    def described(self) -> Answer:
        """As DescribeDataSource has it."""
        shown = ("Type", "DataSourceParameters", "VpcConnectionProperties", "SslProperties")
        members = {name: self.request[name] for name in shown if name in self.request}
        if secret := self.request.get("Credentials", {}).get("SecretArn"):
            members["SecretArn"] = secret
        doing = "CREATION" if self.updated == self.created else "UPDATE"
        return {"DataSourceId": self.id, **self.times(), "Status": self.status(doing), **members}


@dataclass
class VPCConnection(Resource):
    """Network interfaces in a VPC's subnets. None is made."""

    request: Answer = field(default_factory=dict)

    @property
    def status(self) -> str:
        """In progress or done."""
        doing = "CREATION" if self.updated == self.created else "UPDATE"
        return f"{doing}_IN_PROGRESS" if self.is_settling else f"{doing}_SUCCESSFUL"

    @property
    def availability(self) -> str:
        """Whether it can be used."""
        return "UNAVAILABLE" if self.is_settling else "AVAILABLE"

    def described(self) -> Answer:
        """As DescribeVPCConnection has it."""
        shown = ("RoleArn", "SecurityGroupIds", "DnsResolvers")
        return {
            "VPCConnectionId": self.id,
            **self.times(),
            "Status": self.status,
            "AvailabilityStatus": self.availability,
            "NetworkInterfaces": [{"SubnetId": subnet, "Status": "AVAILABLE"} for subnet in self.request["SubnetIds"]],
            **{name: self.request[name] for name in shown if name in self.request},
        }


@dataclass
class Ingestion:
    """A filling of SPICE, of which only the course is told."""

    id: str
    arn: str
    kind: str
    source: str
    created: datetime
    cancelled: bool = False

    @property
    def status(self) -> str:
        """Its state now."""
        if self.cancelled:
            return "CANCELLED"
        age = datetime.now(UTC) - self.created
        return "INITIALIZED" if age < SETTLE / 2 else "RUNNING" if age < SETTLE else "COMPLETED"

    def described(self) -> Answer:
        """As DescribeIngestion has it."""
        return {
            "Arn": self.arn,
            "IngestionId": self.id,
            "IngestionStatus": self.status,
            "CreatedTime": self.created,
            "RequestSource": self.source,
            "RequestType": self.kind,
        }


@dataclass
class DataSet(Resource):
    """Tables of a data source, and what becomes of their columns."""

    request: Answer = field(default_factory=dict)
    columns: dict[str, Answer] = field(default_factory=dict)
    ingestions: dict[str, Ingestion] = field(default_factory=dict)

    def described(self) -> Answer:
        """As DescribeDataSet has it."""
        hidden = ("AwsAccountId", "DataSetId", "Name", "Permissions", "Tags", "FolderArns")
        members = {name: value for name, value in self.request.items() if name not in hidden}
        columns = list(self.columns.values())
        return {"DataSetId": self.id, **self.times(), **members, "OutputColumns": columns}

    def summary(self) -> Answer:
        """As ListDataSets has it."""
        return {
            "DataSetId": self.id,
            **self.times(),
            "ImportMode": self.request["ImportMode"],
            "RowLevelPermissionTagConfigurationApplied": False,
            "ColumnLevelPermissionRulesApplied": False,
        }


@dataclass
class DashboardVersion:
    """A version of a dashboard. It never changes."""

    number: int
    arn: str
    request: Answer
    errors: list[Answer]
    created: datetime

    @property
    def status(self) -> str:
        """Its state now."""
        if datetime.now(UTC) < self.created + SETTLE:
            return "CREATION_IN_PROGRESS"
        return "CREATION_FAILED" if self.errors else "CREATION_SUCCESSFUL"

    def failure(self) -> Answer:
        """The errors, once there are any: AWS's model has no empty list of them."""
        return {"Errors": self.errors} if self.status == "CREATION_FAILED" else {}

    def summary(self) -> Answer:
        """As ListDashboardVersions has it."""
        summary = {
            "Arn": self.arn,
            "CreatedTime": self.created,
            "VersionNumber": self.number,
            "Status": self.status,
        }
        if "VersionDescription" in self.request:
            summary["Description"] = self.request["VersionDescription"]
        return summary

    def described(self) -> Answer:
        """As DescribeDashboard has it."""
        definition = self.request["Definition"]
        sheets = [{k: s[k] for k in ("SheetId", "Name") if k in s} for s in definition.get("Sheets", ())]
        more = {"ThemeArn": self.request["ThemeArn"]} if "ThemeArn" in self.request else {}
        return {
            **self.summary(),
            **self.failure(),
            "DataSetArns": [item["DataSetArn"] for item in definition["DataSetIdentifierDeclarations"]],
            "Sheets": sheets,
            **more,
        }


@dataclass
class Dashboard(Resource):
    """A dashboard: its versions, and the one that viewers see."""

    versions: dict[int, DashboardVersion] = field(default_factory=dict)
    published: int = 1
    published_at: datetime | None = None

    @property
    def latest(self) -> DashboardVersion:
        """The newest version."""
        return self.versions[max(self.versions)]

    def times(self) -> Answer:
        """Members that every description has."""
        times = super().times()
        if self.versions[self.published].status == "CREATION_SUCCESSFUL":
            times["LastPublishedTime"] = self.published_at or self.created + SETTLE
        return times

    def summary(self) -> Answer:
        """As ListDashboards has it."""
        summary = {"DashboardId": self.id, **self.times()}
        if "LastPublishedTime" in summary:
            summary["PublishedVersionNumber"] = self.published
        return summary


def version_of(dashboard: Dashboard, request: Request) -> DashboardVersion:
    """The version that a request is for: by number, by alias, else the published one."""
    alias, number = request.get("AliasName"), request.get("VersionNumber")
    if alias is not None and number is not None:
        raise invalid("Give a version number or an alias, not both.")
    if alias == "$LATEST":
        return dashboard.latest
    number = dashboard.published if number is None else number
    if alias not in (None, "$PUBLISHED") or number not in dashboard.versions:
        raise refuse("ResourceNotFoundException", f"Dashboard {dashboard.id} has no version {alias or number}.")
    return dashboard.versions[number]
