"""The local QuickSight answers in AWS's shapes, and refuses and fails what AWS does."""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape
from botocore.validate import ParamValidator

from orchestration.settings import Settings

Client = Any


def _unknown_members(shape: Shape, value: Any, path: str) -> list[str]:
    """Members of a raw answer that AWS's service model does not have."""
    if isinstance(shape, StructureShape):
        found = [f"{path}.{name}" for name in value if name not in shape.members]
        known = [(shape.members[name], member, f"{path}.{name}") for name, member in value.items() if not found]
    elif isinstance(shape, ListShape):
        found, known = [], [(shape.member, member, f"{path}[{index}]") for index, member in enumerate(value)]
    elif isinstance(shape, MapShape):
        found, known = [], [(shape.value, member, f"{path}.{name}") for name, member in value.items()]
    else:
        return [] if shape.type_name != "timestamp" or isinstance(value, int | float) else [f"{path}: {value!r}"]
    return found + [each for triple in known for each in _unknown_members(*triple)]


def _check_raw(operation_model: OperationModel, response_dict: dict[str, Any], **_: Any) -> None:
    if response_dict["status_code"] < 300:
        assert operation_model.output_shape is not None
        assert _unknown_members(operation_model.output_shape, json.loads(response_dict["body"]), "$") == []


def _check_parsed(model: OperationModel, parsed: dict[str, Any], **_: Any) -> None:
    if "Error" not in parsed:
        answer = {name: value for name, value in parsed.items() if name != "ResponseMetadata"}
        report = ParamValidator().validate(answer, model.output_shape)  # pyright: ignore[reportArgumentType]
        assert not report.has_errors(), report.generate_report()


@pytest.fixture
def make_client(local_aws: Settings) -> Callable[..., Client]:
    """Makes clients that check each answer against AWS's service model."""

    def make(**more: Any) -> Client:
        client: Client = boto3.client("quicksight", **{**local_aws.client_args(), **more})
        client.meta.events.register("before-parse.quicksight.*", _check_raw)
        client.meta.events.register("after-call.quicksight.*", _check_parsed)
        return client

    return make


@pytest.fixture
def client(make_client: Callable[..., Client]) -> Client:
    return make_client()


@pytest.fixture
def account(local_aws: Settings) -> dict[str, str]:
    return {"AwsAccountId": local_aws.account_id}


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"n{uuid.uuid4().hex[:10]}"


@pytest.fixture
def source(client: Client, account: dict[str, str], name: str) -> dict[str, Any]:
    """A data source."""
    parameters = {"RedshiftParameters": {"Host": "example.com", "Port": 5439, "Database": "watershed"}}
    return client.create_data_source(
        **account, DataSourceId=name, Name=name, Type="REDSHIFT", DataSourceParameters=parameters
    )


def _tables(source_arn: str) -> dict[str, Any]:
    columns = [
        {"Name": "flight_date", "Type": "DATETIME"},
        {"Name": "carrier", "Type": "STRING"},
        {"Name": "flights", "Type": "INTEGER"},
        {"Name": "rate", "Type": "DECIMAL", "SubType": "FLOAT"},
        {"Name": "is_late", "Type": "BOOLEAN"},
    ]
    table = {"DataSourceArn": source_arn, "Schema": "marts", "Name": "daily", "InputColumns": columns}
    return {"daily": {"RelationalTable": table}}


@pytest.fixture
def data_set(client: Client, account: dict[str, str], name: str, source: dict[str, Any]) -> dict[str, Any]:
    """A data set in SPICE."""
    return client.create_data_set(
        **account, DataSetId=name, Name=name, PhysicalTableMap=_tables(source["Arn"]), ImportMode="SPICE"
    )


def _definition(data_set_arn: str, column: str = "flight_date", measure: str = "flights") -> dict[str, Any]:
    day = {"FieldId": "d", "Column": {"DataSetIdentifier": "daily", "ColumnName": column}}
    value = {"FieldId": "v", "Column": {"DataSetIdentifier": "daily", "ColumnName": measure}}
    wells = {"Category": [{"DateDimensionField": day}], "Values": [{"NumericalMeasureField": value}]}
    chart = {"FieldWells": {"LineChartAggregatedFieldWells": wells}}
    return {
        "DataSetIdentifierDeclarations": [{"Identifier": "daily", "DataSetArn": data_set_arn}],
        "Sheets": [
            {
                "SheetId": "main",
                "Name": "Main",
                "Visuals": [{"LineChartVisual": {"VisualId": "trend", "ChartConfiguration": chart}}],
            }
        ],
    }


@pytest.fixture
def dashboard(client: Client, account: dict[str, str], name: str, data_set: dict[str, Any]) -> dict[str, Any]:
    """A dashboard, being created."""
    return client.create_dashboard(**account, DashboardId=name, Name=name, Definition=_definition(data_set["Arn"]))


def _settled(client: Client, account: dict[str, str], dashboard_id: str, **version: Any) -> dict[str, Any]:
    deadline = time.monotonic() + 5
    while True:
        found = client.describe_dashboard(**account, DashboardId=dashboard_id, **version)["Dashboard"]
        if found["Version"]["Status"] != "CREATION_IN_PROGRESS":
            return found
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _code(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    return error.value.response["Error"]["Code"], error.value.response["ResponseMetadata"]["HTTPStatusCode"]


def test_an_unknown_id_is_not_found_by_any_operation(client: Client, account: dict[str, str]) -> None:
    for kind in ("data_source", "data_set", "dashboard"):
        parameter = {kind.title().replace("_", "") + "Id": "nobody"}
        for operation in ("describe_{}", "delete_{}", "describe_{}_permissions", "update_{}_permissions"):
            with pytest.raises(ClientError) as error:
                getattr(client, operation.format(kind))(**account, **parameter)
            assert _code(error) == ("ResourceNotFoundException", 404), operation.format(kind)
    for operation in (client.describe_dashboard_definition, client.list_dashboard_versions):
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            operation(**account, DashboardId="nobody")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.create_ingestion(**account, DataSetId="nobody", IngestionId="i")


def test_an_id_is_taken_once(client: Client, account: dict[str, str], name: str, data_set: dict[str, Any]) -> None:
    with pytest.raises(ClientError) as error:
        client.create_data_set(
            **account, DataSetId=name, Name="again", PhysicalTableMap=_tables("arn"), ImportMode="SPICE"
        )
    assert _code(error) == ("ResourceExistsException", 409)


def test_a_data_source_is_in_progress_first_and_hides_its_credentials(
    client: Client, account: dict[str, str], name: str
) -> None:
    secret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:redshift"
    created = client.create_data_source(
        **account,
        DataSourceId=name,
        Name=name,
        Type="ATHENA",
        DataSourceParameters={"AthenaParameters": {"WorkGroup": "w"}},
        Credentials={"SecretArn": secret},
    )
    assert created["CreationStatus"] == "CREATION_IN_PROGRESS"
    with pytest.raises(client.exceptions.ConflictException):
        client.update_data_source(**account, DataSourceId=name, Name="too early")
    time.sleep(0.6)
    described = client.describe_data_source(**account, DataSourceId=name)["DataSource"]
    assert described["Status"] == "CREATION_SUCCESSFUL"
    assert described["SecretArn"] == secret
    assert "Credentials" not in described
    client.update_data_source(**account, DataSourceId=name, Name="renamed")
    assert client.describe_data_source(**account, DataSourceId=name)["DataSource"]["Status"] == "UPDATE_IN_PROGRESS"
    names = [each["Name"] for each in client.list_data_sources(**account)["DataSources"]]
    assert "renamed" in names
    client.delete_data_source(**account, DataSourceId=name)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.describe_data_source(**account, DataSourceId=name)


@pytest.mark.parametrize(
    "parameters",
    [
        {"RedshiftParameters": {"Database": "no endpoint"}},
        {"AthenaParameters": {"WorkGroup": "of another type"}},
        {},
    ],
)
def test_a_data_source_that_leads_nowhere_is_refused(
    client: Client, account: dict[str, str], name: str, parameters: dict[str, Any]
) -> None:
    with pytest.raises(client.exceptions.InvalidParameterValueException):
        client.create_data_source(
            **account, DataSourceId=name, Name=name, Type="REDSHIFT", DataSourceParameters=parameters
        )


def test_a_data_set_needs_its_data_source(client: Client, account: dict[str, str], name: str) -> None:
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.create_data_set(
            **account, DataSetId=name, Name=name, PhysicalTableMap=_tables("arn:nowhere"), ImportMode="SPICE"
        )


def test_output_columns_follow_from_tables_and_transforms(
    client: Client, account: dict[str, str], name: str, source: dict[str, Any]
) -> None:
    text = {"ColumnDescription": {"Text": "How many."}}
    transforms = [
        {"TagColumnOperation": {"ColumnName": "flights", "Tags": [text]}},
        {"RenameColumnOperation": {"ColumnName": "rate", "NewColumnName": "share"}},
        {"CastColumnTypeOperation": {"ColumnName": "carrier", "NewColumnType": "INTEGER"}},
        {"ProjectOperation": {"ProjectedColumns": ["flights", "share", "carrier", "is_late"]}},
    ]
    logical = {"l": {"Alias": "l", "Source": {"PhysicalTableId": "daily"}, "DataTransforms": transforms}}
    arguments = {**account, "Name": name, "PhysicalTableMap": _tables(source["Arn"]), "ImportMode": "SPICE"}
    client.create_data_set(**arguments, DataSetId=name, LogicalTableMap=logical)
    described = client.describe_data_set(**account, DataSetId=name)["DataSet"]
    assert described["LogicalTableMap"] == logical
    assert described["OutputColumns"] == [
        {"Name": "flights", "Type": "INTEGER", "Description": "How many."},
        {"Name": "share", "Type": "DECIMAL", "SubType": "FLOAT"},
        {"Name": "carrier", "Type": "INTEGER"},
        {"Name": "is_late", "Type": "INTEGER"},
    ]
    transforms.append({"ProjectOperation": {"ProjectedColumns": ["rate"]}})
    with pytest.raises(client.exceptions.InvalidParameterValueException):
        client.update_data_set(**arguments, DataSetId=name, LogicalTableMap=logical)


def test_an_ingestion_runs_then_completes_and_counts_no_rows(
    client: Client, account: dict[str, str], name: str, data_set: dict[str, Any]
) -> None:
    started = client.create_ingestion(**account, DataSetId=name, IngestionId="mine")
    assert started["IngestionStatus"] == "INITIALIZED"
    with pytest.raises(client.exceptions.ResourceExistsException):
        client.create_ingestion(**account, DataSetId=name, IngestionId="mine")
    time.sleep(0.6)
    ingestion = client.describe_ingestion(**account, DataSetId=name, IngestionId="mine")["Ingestion"]
    assert (ingestion["IngestionStatus"], ingestion["RequestType"]) == ("COMPLETED", "FULL_REFRESH")
    assert "RowInfo" not in ingestion
    listed = client.list_ingestions(**account, DataSetId=name)["Ingestions"]
    assert [each["IngestionId"] for each in listed] == ["mine", data_set["IngestionId"]]
    with pytest.raises(client.exceptions.InvalidParameterValueException):
        client.cancel_ingestion(**account, DataSetId=name, IngestionId="mine")


def test_an_ingestion_that_runs_can_be_cancelled(
    client: Client, account: dict[str, str], name: str, data_set: dict[str, Any]
) -> None:
    ingestion_id = "none"
    for attempt in range(5):  # On a busy machine one may end before it is cancelled.
        ingestion_id = f"mine-{attempt}"
        client.create_ingestion(**account, DataSetId=name, IngestionId=ingestion_id)
        with contextlib.suppress(client.exceptions.InvalidParameterValueException):
            client.cancel_ingestion(**account, DataSetId=name, IngestionId=ingestion_id)
            break
    ingestion = client.describe_ingestion(**account, DataSetId=name, IngestionId=ingestion_id)["Ingestion"]
    assert ingestion["IngestionStatus"] == "CANCELLED"


def test_a_data_set_that_is_queried_directly_has_nothing_to_ingest(
    client: Client, account: dict[str, str], name: str, source: dict[str, Any]
) -> None:
    created = client.create_data_set(
        **account, DataSetId=name, Name=name, PhysicalTableMap=_tables(source["Arn"]), ImportMode="DIRECT_QUERY"
    )
    assert "IngestionId" not in created
    with pytest.raises(client.exceptions.InvalidParameterValueException):
        client.create_ingestion(**account, DataSetId=name, IngestionId="mine")


def test_the_first_version_of_a_dashboard_publishes_itself(
    client: Client, account: dict[str, str], name: str, data_set: dict[str, Any], dashboard: dict[str, Any]
) -> None:
    assert dashboard["CreationStatus"] == "CREATION_IN_PROGRESS"
    with pytest.raises(ClientError) as error:
        client.update_dashboard(**account, DashboardId=name, Name=name, Definition=_definition(data_set["Arn"]))
    assert _code(error) == ("ConflictException", 409)
    described = _settled(client, account, name)
    assert described["Version"]["Status"] == "CREATION_SUCCESSFUL"
    assert described["Version"]["DataSetArns"] == [data_set["Arn"]]
    assert described["Version"]["Sheets"] == [{"SheetId": "main", "Name": "Main"}]
    (summary,) = [
        each for each in client.list_dashboards(**account)["DashboardSummaryList"] if each["DashboardId"] == name
    ]
    assert summary["PublishedVersionNumber"] == 1


def test_a_new_version_is_seen_once_it_is_published(
    client: Client, account: dict[str, str], name: str, data_set: dict[str, Any], dashboard: dict[str, Any]
) -> None:
    _settled(client, account, name)
    second = _definition(data_set["Arn"], measure="rate")
    client.update_dashboard(**account, DashboardId=name, Name=name, Definition=second, VersionDescription="two")
    with pytest.raises(client.exceptions.ConflictException):
        client.update_dashboard_published_version(**account, DashboardId=name, VersionNumber=2)
    _settled(client, account, name, VersionNumber=2)
    assert _settled(client, account, name)["Version"]["VersionNumber"] == 1
    client.update_dashboard_published_version(**account, DashboardId=name, VersionNumber=2)
    assert _settled(client, account, name)["Version"]["Description"] == "two"
    assert client.describe_dashboard_definition(**account, DashboardId=name)["Definition"] == second
    versions = client.list_dashboard_versions(**account, DashboardId=name)["DashboardVersionSummaryList"]
    assert [version["VersionNumber"] for version in versions] == [1, 2]
    with pytest.raises(client.exceptions.ConflictException):
        client.delete_dashboard(**account, DashboardId=name, VersionNumber=2)
    client.delete_dashboard(**account, DashboardId=name, VersionNumber=1)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.describe_dashboard(**account, DashboardId=name, VersionNumber=1)
    client.delete_dashboard(**account, DashboardId=name)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.describe_dashboard(**account, DashboardId=name)


def _with_parameter(definition: dict[str, Any]) -> dict[str, Any]:
    control = {"TextField": {"ParameterControlId": "c", "SourceParameterName": "Nobody"}}
    definition["Sheets"][0]["ParameterControls"] = [control]
    return definition


@pytest.mark.parametrize(
    ("definition", "reason"),
    [
        (lambda arn: _definition(arn + "x"), "DATA_SET_NOT_FOUND: Data set"),
        (
            lambda arn: _definition(arn, measure="flight"),
            "COLUMN_REPLACEMENT_MISSING: Required column 'flight' is missing",
        ),
        (lambda arn: _definition(arn, column="carrier"), "COLUMN_TYPE_MISMATCH: Column 'carrier' is STRING"),
        (lambda arn: _with_parameter(_definition(arn)), "PARAMETER_NOT_FOUND: Parameter 'Nobody'"),
        (
            lambda arn: {
                **_definition(arn),
                "CalculatedFields": [{"DataSetIdentifier": "daily", "Name": "c", "Expression": "sum({flight})"}],
            },
            "COLUMN_REPLACEMENT_MISSING: Required column 'flight' is missing",
        ),
    ],
)
def test_a_definition_that_its_data_sets_do_not_bear_out_fails_afterwards(
    client: Client,
    account: dict[str, str],
    data_set: dict[str, Any],
    definition: Callable[[str], dict[str, Any]],
    reason: str,
) -> None:
    name = data_set["DataSetId"]
    created = client.create_dashboard(**account, DashboardId=name, Name=name, Definition=definition(data_set["Arn"]))
    assert created["CreationStatus"] == "CREATION_IN_PROGRESS"
    version = _settled(client, account, name)["Version"]
    assert version["Status"] == "CREATION_FAILED"
    (error,) = version["Errors"]
    assert f"{error['Type']}: {error['Message']}".startswith(reason)
    with pytest.raises(client.exceptions.InvalidParameterValueException):
        client.update_dashboard_published_version(**account, DashboardId=name, VersionNumber=1)


def test_a_definition_that_names_an_undeclared_data_set_is_refused_at_once(
    client: Client, account: dict[str, str], name: str, data_set: dict[str, Any]
) -> None:
    definition = _definition(data_set["Arn"])
    definition["DataSetIdentifierDeclarations"][0]["Identifier"] = "weekly"
    with pytest.raises(client.exceptions.InvalidParameterValueException, match="daily is not declared"):
        client.create_dashboard(**account, DashboardId=name, Name=name, Definition=definition)


def test_a_request_that_breaks_the_service_model_is_refused(
    make_client: Callable[..., Client], account: dict[str, str], name: str, data_set: dict[str, Any]
) -> None:
    unchecked = make_client(config=Config(parameter_validation=False))
    definition = _definition(data_set["Arn"])
    definition["Sheets"][0]["ContentType"] = "LIVELY"
    del definition["Sheets"][0]["Visuals"][0]["LineChartVisual"]["VisualId"]
    with pytest.raises(ClientError, match="VisualId") as error:
        unchecked.create_dashboard(**account, DashboardId=name, Name=name, Definition=definition)
    assert error.value.response["Error"]["Code"] == "ValidationException"
    definition["Sheets"][0]["Visuals"] = []
    with pytest.raises(ClientError, match="PAGINATED"):
        unchecked.create_dashboard(**account, DashboardId=name, Name=name, Definition=definition)


def test_permissions_are_granted_and_revoked(
    client: Client, account: dict[str, str], name: str, data_set: dict[str, Any]
) -> None:
    who, actions = "arn:aws:quicksight:us-east-1:123456789012:user/default/ann", ["quicksight:DescribeDataSet"]
    permission = {"Principal": who, "Actions": [*actions, "quicksight:PassDataSet"]}
    client.update_data_set_permissions(**account, DataSetId=name, GrantPermissions=[permission])
    granted = client.describe_data_set_permissions(**account, DataSetId=name)["Permissions"]
    assert granted == [permission]
    client.update_data_set_permissions(
        **account, DataSetId=name, RevokePermissions=[{"Principal": who, "Actions": actions}]
    )
    (left,) = client.describe_data_set_permissions(**account, DataSetId=name)["Permissions"]
    assert left["Actions"] == ["quicksight:PassDataSet"]


def test_lists_come_in_pages(client: Client, account: dict[str, str], name: str, source: dict[str, Any]) -> None:
    made = [f"{name}-{number}" for number in range(3)]
    for data_set_id in made:
        client.create_data_set(
            **account, DataSetId=data_set_id, Name="n", PhysicalTableMap=_tables(source["Arn"]), ImportMode="SPICE"
        )
    pages = list(client.get_paginator("list_data_sets").paginate(**account, PaginationConfig={"PageSize": 2}))
    assert len(pages) > 1
    assert set(made) <= {each["DataSetId"] for page in pages for each in page["DataSetSummaries"]}
    with pytest.raises(client.exceptions.InvalidNextTokenException):
        client.list_data_sets(**account, NextToken="none of ours")


def test_another_account_is_denied(client: Client) -> None:
    with pytest.raises(client.exceptions.AccessDeniedException):
        client.list_data_sets(AwsAccountId="999999999999")


def test_users_and_tags_are_still_answered(
    local_aws: Settings, account: dict[str, str], name: str, source: dict[str, Any]
) -> None:
    # moto's own answers, so their shapes are not ours to check.
    client: Client = boto3.client("quicksight", **local_aws.client_args())  # pyright: ignore
    client.register_user(
        **account,
        Namespace="default",
        IdentityType="QUICKSIGHT",
        Email="ann@example.com",
        UserRole="READER",
        UserName=name,
    )
    found = client.describe_user(**account, Namespace="default", UserName=name)
    assert found["User"]["Email"] == "ann@example.com"
    data_set = client.create_data_set(
        **account,
        DataSetId=name,
        Name=name,
        PhysicalTableMap=_tables(source["Arn"]),
        ImportMode="SPICE",
        Tags=[{"Key": "team", "Value": "flights"}],
    )
    tags = client.list_tags_for_resource(ResourceArn=data_set["Arn"])["Tags"]
    assert tags == [{"Key": "team", "Value": "flights"}]
