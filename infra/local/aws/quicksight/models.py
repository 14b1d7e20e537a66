"""The operations on data sources, data sets, ingestions, dashboards and VPC connections, as a backend of moto's."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from moto.core.resource_tagging import TaggedResource
from moto.quicksight.models import QuickSightBackend
from moto.utilities.tagging_service import TaggingService
from moto.utilities.utils import get_partition

from infra.local.aws.quicksight.columns import logical_columns, output_column
from infra.local.aws.quicksight.definitions import check_identifiers, column_errors, error_of, parameter_errors
from infra.local.aws.quicksight.records import (
    Dashboard,
    DashboardVersion,
    DataSet,
    DataSource,
    Ingestion,
    Resource,
    VPCConnection,
    version_of,
)
from infra.local.aws.quicksight.refusals import Answer, Request, existing, invalid, one_of, refuse

_PAGE = 100


class QuickSight:
    """The records of one account and region, and the operations on them."""

    def __init__(self, region_name: str, account_id: str, tagger: TaggingService) -> None:
        self.region_name, self.account_id, self.tagger = region_name, account_id, tagger
        self.data_sources: dict[str, DataSource] = {}
        self.data_sets: dict[str, DataSet] = {}
        self.dashboards: dict[str, Dashboard] = {}
        self.vpc_connections: dict[str, VPCConnection] = {}

    # Data sources

    def create_data_source(self, request: Request) -> Answer:
        """CreateDataSource."""
        self._must_be_new(self.data_sources, request["DataSourceId"], "Data source")
        check_data_source(request)
        now = datetime.now(UTC)
        source = DataSource(*self._identity("datasource", request["DataSourceId"], request), now, now)
        source.request = dict(request)
        self._share(source, request)
        self.data_sources[source.id] = source
        return {"Arn": source.arn, "DataSourceId": source.id, "CreationStatus": source.status("CREATION")}

    def describe_data_source(self, request: Request) -> Answer:
        """DescribeDataSource."""
        return {"DataSource": self._data_source(request).described()}

    def list_data_sources(self, request: Request) -> Answer:
        """ListDataSources."""
        return page(request, "DataSources", [source.described() for source in self.data_sources.values()])

    def update_data_source(self, request: Request) -> Answer:
        """UpdateDataSource."""
        source = self._data_source(request)
        if source.is_settling:
            raise refuse("ConflictException", f"Data source {source.id} is being created or updated.")
        changed = {**source.request, **request}
        check_data_source(changed)
        source.request, source.name, source.updated = changed, request["Name"], datetime.now(UTC)
        return {"Arn": source.arn, "DataSourceId": source.id, "UpdateStatus": source.status("UPDATE")}

    def delete_data_source(self, request: Request) -> Answer:
        """DeleteDataSource."""
        source = self.data_sources.pop(self._data_source(request).id)
        return {"Arn": source.arn, "DataSourceId": source.id}

    def describe_data_source_permissions(self, request: Request) -> Answer:
        """DescribeDataSourcePermissions."""
        source = self._data_source(request)
        return {
            "DataSourceArn": source.arn,
            "DataSourceId": source.id,
            "Permissions": source.permission_list(),
        }

    def update_data_source_permissions(self, request: Request) -> Answer:
        """UpdateDataSourcePermissions."""
        source = self._data_source(request)
        source.change_permissions(request.get("GrantPermissions", ()), request.get("RevokePermissions", ()))
        return {"DataSourceArn": source.arn, "DataSourceId": source.id}

    # Data sets and ingestions

    def create_data_set(self, request: Request) -> Answer:
        """CreateDataSet. One in SPICE starts to fill at once."""
        self._must_be_new(self.data_sets, request["DataSetId"], "Data set")
        now = datetime.now(UTC)
        data_set = DataSet(*self._identity("dataset", request["DataSetId"], request), now, now)
        data_set.request, data_set.columns = dict(request), self._output_columns(request)
        self._share(data_set, request)
        self.data_sets[data_set.id] = data_set
        return {"Arn": data_set.arn, "DataSetId": data_set.id, **self._fill(data_set, "INITIAL_INGESTION")}

    def describe_data_set(self, request: Request) -> Answer:
        """DescribeDataSet."""
        return {"DataSet": self._data_set(request).described()}

    def list_data_sets(self, request: Request) -> Answer:
        """ListDataSets."""
        return page(request, "DataSetSummaries", [data_set.summary() for data_set in self.data_sets.values()])

    def update_data_set(self, request: Request) -> Answer:
        """UpdateDataSet. One in SPICE starts to fill anew."""
        data_set = self._data_set(request)
        data_set.columns = self._output_columns(request)
        data_set.request, data_set.name, data_set.updated = dict(request), request["Name"], datetime.now(UTC)
        return {"Arn": data_set.arn, "DataSetId": data_set.id, **self._fill(data_set, "EDIT")}

    def delete_data_set(self, request: Request) -> Answer:
        """DeleteDataSet."""
        data_set = self.data_sets.pop(self._data_set(request).id)
        return {"Arn": data_set.arn, "DataSetId": data_set.id}

    def describe_data_set_permissions(self, request: Request) -> Answer:
        """DescribeDataSetPermissions."""
        data_set = self._data_set(request)
        return {
            "DataSetArn": data_set.arn,
            "DataSetId": data_set.id,
            "Permissions": data_set.permission_list(),
        }

    def update_data_set_permissions(self, request: Request) -> Answer:
        """UpdateDataSetPermissions."""
        data_set = self._data_set(request)
        data_set.change_permissions(request.get("GrantPermissions", ()), request.get("RevokePermissions", ()))
        return {"DataSetArn": data_set.arn, "DataSetId": data_set.id}

    def create_ingestion(self, request: Request) -> Answer:
        """CreateIngestion."""
        data_set = self._data_set(request)
        if data_set.request["ImportMode"] != "SPICE":
            raise invalid(f"Data set {data_set.id} is queried directly: there is nothing to ingest.")
        kind = request.get("IngestionType", "FULL_REFRESH")
        if kind == "INCREMENTAL_REFRESH":
            raise invalid(f"Data set {data_set.id} has no refresh properties for an incremental refresh.")
        if request["IngestionId"] in data_set.ingestions:
            raise refuse("ResourceExistsException", f"Ingestion {request['IngestionId']} exists already.")
        ingestion = self._ingest(data_set, request["IngestionId"], kind)
        return {"Arn": ingestion.arn, "IngestionId": ingestion.id, "IngestionStatus": ingestion.status}

    def describe_ingestion(self, request: Request) -> Answer:
        """DescribeIngestion."""
        return {"Ingestion": self._ingestion(request).described()}

    def list_ingestions(self, request: Request) -> Answer:
        """ListIngestions, the newest first."""
        ingestions = reversed(self._data_set(request).ingestions.values())
        return page(request, "Ingestions", [ingestion.described() for ingestion in ingestions])

    def cancel_ingestion(self, request: Request) -> Answer:
        """CancelIngestion."""
        ingestion = self._ingestion(request)
        if ingestion.status == "COMPLETED":
            raise invalid(f"Ingestion {ingestion.id} has ended: it cannot be cancelled.")
        ingestion.cancelled = True
        return {"Arn": ingestion.arn, "IngestionId": ingestion.id}

    # Dashboards

    def create_dashboard(self, request: Request) -> Answer:
        """CreateDashboard. The first version is published by itself."""
        self._must_be_new(self.dashboards, request["DashboardId"], "Dashboard")
        now = datetime.now(UTC)
        dashboard = Dashboard(*self._identity("dashboard", request["DashboardId"], request), now, now)
        answer = self._add_version(dashboard, request)
        self._share(dashboard, request)
        self.dashboards[dashboard.id] = dashboard
        return answer

    def update_dashboard(self, request: Request) -> Answer:
        """UpdateDashboard: makes a version, and does not publish it."""
        dashboard = self._dashboard(request)
        if dashboard.latest.status == "CREATION_IN_PROGRESS":
            raise refuse("ConflictException", f"Version {dashboard.latest.number} is being created.")
        answer = self._add_version(dashboard, request)
        dashboard.name, dashboard.updated = request["Name"], datetime.now(UTC)
        return answer

    def update_dashboard_published_version(self, request: Request) -> Answer:
        """UpdateDashboardPublishedVersion."""
        dashboard = self._dashboard(request)
        version = version_of(dashboard, request)
        if version.status == "CREATION_IN_PROGRESS":
            raise refuse("ConflictException", f"Version {version.number} is being created.")
        if version.status == "CREATION_FAILED":
            raise invalid(f"Version {version.number} failed: it cannot be published.")
        dashboard.published, dashboard.published_at = version.number, datetime.now(UTC)
        return {"DashboardId": dashboard.id, "DashboardArn": dashboard.arn}

    def describe_dashboard(self, request: Request) -> Answer:
        """DescribeDashboard: a version, by default the published one."""
        dashboard = self._dashboard(request)
        version = version_of(dashboard, request).described()
        return {"Dashboard": {"DashboardId": dashboard.id, **dashboard.times(), "Version": version}}

    def describe_dashboard_definition(self, request: Request) -> Answer:
        """DescribeDashboardDefinition: of a version, by default the published one."""
        dashboard = self._dashboard(request)
        version = version_of(dashboard, request)
        answer = {
            "DashboardId": dashboard.id,
            "Name": dashboard.name,
            "ResourceStatus": version.status,
            "Definition": version.request["Definition"],
            **version.failure(),
        }
        more = ("ThemeArn", "DashboardPublishOptions")
        return answer | {name: version.request[name] for name in more if name in version.request}

    def list_dashboards(self, request: Request) -> Answer:
        """ListDashboards."""
        return page(request, "DashboardSummaryList", [each.summary() for each in self.dashboards.values()])

    def list_dashboard_versions(self, request: Request) -> Answer:
        """ListDashboardVersions."""
        versions = self._dashboard(request).versions.values()
        return page(request, "DashboardVersionSummaryList", [version.summary() for version in versions])

    def delete_dashboard(self, request: Request) -> Answer:
        """DeleteDashboard: all of it, or one version that is not published."""
        dashboard = self._dashboard(request)
        if "VersionNumber" not in request:
            del self.dashboards[dashboard.id]
            return {"Arn": dashboard.arn, "DashboardId": dashboard.id}
        version = version_of(dashboard, request)
        if version.number == dashboard.published:
            raise refuse("ConflictException", f"Version {version.number} is published: it cannot be deleted.")
        del dashboard.versions[version.number]
        return {"Arn": version.arn, "DashboardId": dashboard.id}

    def describe_dashboard_permissions(self, request: Request) -> Answer:
        """DescribeDashboardPermissions."""
        dashboard = self._dashboard(request)
        return {
            "DashboardId": dashboard.id,
            "DashboardArn": dashboard.arn,
            "Permissions": dashboard.permission_list(),
        }

    def update_dashboard_permissions(self, request: Request) -> Answer:
        """UpdateDashboardPermissions."""
        dashboard = self._dashboard(request)
        dashboard.change_permissions(request.get("GrantPermissions", ()), request.get("RevokePermissions", ()))
        return self.describe_dashboard_permissions(request)

    # Connections to a VPC

    def create_vpc_connection(self, request: Request) -> Answer:
        """CreateVPCConnection."""
        self._must_be_new(self.vpc_connections, request["VPCConnectionId"], "VPC connection")
        now = datetime.now(UTC)
        connection = VPCConnection(*self._identity("vpcConnection", request["VPCConnectionId"], request), now, now)
        connection.request = dict(request)
        self._share(connection, request)
        self.vpc_connections[connection.id] = connection
        return self._vpc_connection_answer(connection, "CreationStatus", connection.status)

    def describe_vpc_connection(self, request: Request) -> Answer:
        """DescribeVPCConnection."""
        return {"VPCConnection": self._vpc_connection(request).described()}

    def list_vpc_connections(self, request: Request) -> Answer:
        """ListVPCConnections."""
        described = [connection.described() for connection in self.vpc_connections.values()]
        return page(request, "VPCConnectionSummaries", described)

    def update_vpc_connection(self, request: Request) -> Answer:
        """UpdateVPCConnection."""
        connection = self._vpc_connection(request)
        connection.request = {**connection.request, **request}
        connection.name, connection.updated = request["Name"], datetime.now(UTC)
        return self._vpc_connection_answer(connection, "UpdateStatus", connection.status)

    def delete_vpc_connection(self, request: Request) -> Answer:
        """DeleteVPCConnection. On AWS it is described as DELETED for some time yet; here it is gone."""
        connection = self.vpc_connections.pop(self._vpc_connection(request).id)
        return self._vpc_connection_answer(connection, "DeletionStatus", "DELETED")

    # What the operations share

    def _identity(self, kind: str, resource_id: str, request: Request) -> tuple[str, str, str]:
        partition = get_partition(self.region_name)
        arn = f"arn:{partition}:quicksight:{self.region_name}:{self.account_id}:{kind}/{resource_id}"
        return resource_id, arn, request["Name"]

    def _must_be_new(self, existing: Mapping[str, Resource], resource_id: str, kind: str) -> None:
        if resource_id in existing:
            raise refuse("ResourceExistsException", f"{kind} {resource_id} exists already.")

    def _share(self, resource: Resource, request: Request) -> None:
        resource.change_permissions(request.get("Permissions", ()), ())
        if request.get("Tags"):
            self.tagger.tag_resource(resource.arn, request["Tags"])

    def _data_source(self, request: Request) -> DataSource:
        return existing(self.data_sources, request["DataSourceId"], "Data source")

    def _data_set(self, request: Request) -> DataSet:
        return existing(self.data_sets, request["DataSetId"], "Data set")

    def _dashboard(self, request: Request) -> Dashboard:
        return existing(self.dashboards, request["DashboardId"], "Dashboard")

    def _vpc_connection(self, request: Request) -> VPCConnection:
        return existing(self.vpc_connections, request["VPCConnectionId"], "VPC connection")

    def _vpc_connection_answer(self, connection: VPCConnection, member: str, status: str) -> Answer:
        answer = {"Arn": connection.arn, "VPCConnectionId": connection.id, member: status}
        return {**answer, "AvailabilityStatus": connection.availability}

    def _ingestion(self, request: Request) -> Ingestion:
        return existing(self._data_set(request).ingestions, request["IngestionId"], "Ingestion")

    def _fill(self, data_set: DataSet, kind: str) -> Answer:
        if data_set.request["ImportMode"] != "SPICE":
            return {}
        ingestion = self._ingest(data_set, str(uuid.uuid4()), kind)
        return {"IngestionArn": ingestion.arn, "IngestionId": ingestion.id}

    def _ingest(self, data_set: DataSet, ingestion_id: str, kind: str) -> Ingestion:
        arn = f"{data_set.arn}/ingestion/{ingestion_id}"
        ingestion = Ingestion(ingestion_id, arn, kind, "MANUAL", datetime.now(UTC))
        data_set.ingestions[ingestion_id] = ingestion
        return ingestion

    def _output_columns(self, request: Request) -> dict[str, Answer]:
        physical = {}
        for table_id, variants in request["PhysicalTableMap"].items():
            (variant,) = one_of(variants, f"physicalTableMap.{table_id}").values()
            self._must_have_source(variant["DataSourceArn"])
            columns = variant.get("InputColumns", variant.get("Columns", ()))
            physical[table_id] = {column["Name"]: output_column(column) for column in columns}
        return logical_columns(request.get("LogicalTableMap") or {}, physical, self._columns_of)

    def _must_have_source(self, arn: str) -> None:
        if arn not in {source.arn for source in self.data_sources.values()}:
            raise refuse("ResourceNotFoundException", f"Data source {arn} does not exist.")

    def _columns_of(self, arn: str) -> dict[str, Answer]:
        for data_set in self.data_sets.values():
            if data_set.arn == arn:
                return data_set.columns
        raise refuse("ResourceNotFoundException", f"Data set {arn} does not exist.")

    def _add_version(self, dashboard: Dashboard, request: Request) -> Answer:
        if "Definition" not in request:
            raise invalid("Give a Definition: dashboards from templates are not known here.")
        check_identifiers(request["Definition"])
        number = max(dashboard.versions, default=0) + 1
        lenient = request.get("ValidationStrategy", {}).get("Mode") == "LENIENT"
        errors = list(self._definition_errors(request["Definition"], lenient=lenient))
        arn = f"{dashboard.arn}/version/{number}"
        version = DashboardVersion(number, arn, dict(request), errors, datetime.now(UTC))
        dashboard.versions[number] = version
        return {
            "Arn": dashboard.arn,
            "VersionArn": version.arn,
            "DashboardId": dashboard.id,
            "CreationStatus": version.status,
        }

    def _definition_errors(self, definition: Request, *, lenient: bool) -> Iterator[Answer]:
        """What makes AWS fail a version. `lenient` leaves out all that a viewer would see as a broken visual."""
        by_arn = {data_set.arn: data_set for data_set in self.data_sets.values()}
        used: dict[str, DataSet] = {}
        for item in definition["DataSetIdentifierDeclarations"]:
            if item["DataSetArn"] in by_arn:
                used[item["Identifier"]] = by_arn[item["DataSetArn"]]
            else:
                message = f"Data set '{item['DataSetArn']}' does not exist"
                yield error_of("DATA_SET_NOT_FOUND", message, item["Identifier"])
        if not lenient:
            yield from column_errors(definition, used)
            yield from parameter_errors(definition)


def page(request: Request, member: str, items: list[Answer]) -> Answer:
    """One page of a list. The token is the position that it starts at."""
    token, size = request.get("NextToken", "0"), request.get("MaxResults", _PAGE)
    if not token.isdecimal() or int(token) > len(items):
        raise refuse("InvalidNextTokenException", f"{token!r} is no token of this list.")
    start = int(token)
    more = {"NextToken": str(start + size)} if start + size < len(items) else {}
    return {member: items[start : start + size], **more}


_PARAMETERS_OF = {"REDSHIFT": "RedshiftParameters", "ATHENA": "AthenaParameters", "S3": "S3Parameters"}


def check_data_source(request: Request) -> None:
    """Refuse parameters that do not go with the type, or that name no endpoint."""
    parameters = one_of(request.get("DataSourceParameters", {}), "dataSourceParameters")
    wanted = _PARAMETERS_OF.get(request["Type"])
    if wanted and wanted not in parameters:
        raise invalid(f"dataSourceParameters: a data source of type {request['Type']} takes {wanted}.")
    redshift = parameters.get("RedshiftParameters")
    if redshift is not None and "ClusterId" not in redshift and not {"Host", "Port"} <= redshift.keys():
        raise invalid("dataSourceParameters.redshiftParameters: give Host and Port, or ClusterId.")


class CompletedQuickSightBackend(QuickSightBackend):
    """moto's backend, for users, groups, settings and tags, with `QuickSight` for the rest."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.resources = QuickSight(region_name, account_id, self.tagger)

    def iter_tagged_resources(self) -> Iterator[TaggedResource]:
        """What the Resource Groups Tagging API finds here."""
        yield from super().iter_tagged_resources()
        kinds = {
            "quicksight:data_sources": self.resources.data_sources,
            "quicksight:data_sets": self.resources.data_sets,
            "quicksight:dashboards": self.resources.dashboards,
            "quicksight:vpc_connections": self.resources.vpc_connections,
        }
        for kind, records in kinds.items():
            for record in records.values():
                tags = self.tagger.get_tag_dict_for_resource(record.arn)
                yield TaggedResource(arn=record.arn, tags=tags, resource_type=kind)
