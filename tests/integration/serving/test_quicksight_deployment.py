"""Planning, deploying and filling against the local QuickSight."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from orchestration.settings import Settings
from serving.quicksight import (
    Column,
    Deployment,
    DeploymentError,
    Redshift,
    RefreshError,
    Relation,
    apply,
    declare,
    plan,
    refresh,
)

Client = Any
Declare = Callable[..., Deployment]

DEFINITION = """
DataSetIdentifierDeclarations: [{Identifier: daily}]
CalculatedFields:
  - {DataSetIdentifier: daily, Name: On time, Expression: 'sum({on_time}) / sum({flights})'}
FilterGroups:
  - FilterGroupId: dates
    Status: ENABLED
    CrossDataset: ALL_DATASETS
    ScopeConfiguration: {AllSheets: {}}
    Filters:
      - TimeRangeFilter:
          FilterId: day
          Column: {DataSetIdentifier: daily, ColumnName: flight_date}
          RangeMinimumValue: {StaticValue: 2013-01-01T00:00:00Z}
          NullOption: NON_NULLS_ONLY
Sheets:
  - SheetId: main
    Visuals:
      - KPIVisual:
          VisualId: rate
          ChartConfiguration:
            FieldWells:
              Values:
                - NumericalMeasureField: {FieldId: v, Column: {DataSetIdentifier: daily, ColumnName: On time}}
"""
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:redshift"
COLUMNS = {
    "flight_date": Column("date", "Day of the flights."),
    "flights": Column("bigint"),
    "on_time": Column("bigint"),
}


PROJECT = Path(__file__).parents[3] / "dbt_project" / "models"


@pytest.fixture
def client(fresh_settings: Settings) -> Client:
    return boto3.client("quicksight", **fresh_settings.client_args())  # pyright: ignore


@pytest.fixture
def declared(fresh_settings: Settings, tmp_path: Path) -> Declare:
    """Declares a small dashboard; arguments change it."""

    def declare_it(
        edit: Callable[[dict[str, Any]], Any] | None = None,
        columns: dict[str, Column] | None = None,
        **more: Any,
    ) -> Deployment:
        definition = yaml.safe_load(DEFINITION)
        if edit:
            edit(definition)
        path = tmp_path / "small.dashboard.yml"
        path.write_text(yaml.safe_dump(definition))
        arguments = {
            "account_id": fresh_settings.account_id,
            "prefix": fresh_settings.prefix,
            "warehouse": Redshift("example.com", 5439, "watershed"),
            "title": "Small",
        }
        relations = {"daily": Relation("marts", "daily", columns or COLUMNS)}
        return declare(relations=relations, definition_path=path, dashboard="small", **{**arguments, **more})

    return declare_it


def _published(client: Client, deployment: Deployment) -> dict[str, Any]:
    return client.describe_dashboard(AwsAccountId=deployment.account_id, DashboardId=deployment.dashboard_id)[
        "Dashboard"
    ]


def _actions(planned: Any) -> list[str]:
    return [change.action for change in planned.changes]


def test_a_plan_changes_nothing(client: Client, declared: Declare) -> None:
    deployment = declared()
    assert _actions(plan(client, deployment)) == ["create"] * 3
    assert _actions(plan(client, deployment)) == ["create"] * 3


def test_what_is_deployed_is_what_is_declared(client: Client, declared: Declare) -> None:
    deployment = declared()
    applied = apply(client, plan(client, deployment))
    assert applied.is_changed
    assert applied.dashboard_version == 1
    assert _published(client, deployment)["Version"]["Status"] == "CREATION_SUCCESSFUL"
    found = client.describe_dashboard_definition(
        AwsAccountId=deployment.account_id, DashboardId=deployment.dashboard_id
    )["Definition"]
    (declaration,) = found["DataSetIdentifierDeclarations"]
    assert declaration["DataSetArn"] == applied.arns[deployment.data_set_ids["daily"]]
    data_set = client.describe_data_set(AwsAccountId=deployment.account_id, DataSetId=deployment.data_set_ids["daily"])[
        "DataSet"
    ]
    assert [column["Name"] for column in data_set["OutputColumns"]] == list(COLUMNS)
    assert data_set["OutputColumns"][0]["Description"] == "Day of the flights."


def test_a_second_plan_is_empty_and_a_second_apply_does_nothing(client: Client, declared: Declare) -> None:
    first = plan(client, declared())
    apply(client, first)
    again = plan(client, declared())
    assert again.is_empty, str(again)
    for planned in (again, first):
        applied = apply(client, planned)
        assert not applied.is_changed
        assert not applied.ingestions
        assert str(applied) == "nothing to do: 3 resources are as declared"
    assert _published(client, first.deployment)["Version"]["VersionNumber"] == 1


def test_a_changed_definition_is_published_as_a_new_version(client: Client, declared: Declare) -> None:
    apply(client, plan(client, declared()))
    deployment = declared(lambda d: d["Sheets"][0].update(Name="Overview"))
    planned = plan(client, deployment)
    assert _actions(planned) == ["unchanged", "unchanged", "update"]
    assert '$.Definition.Sheets[0].Name: (none) -> "Overview"' in str(planned)
    assert apply(client, planned).dashboard_version == 2
    assert _published(client, deployment)["Version"]["Sheets"] == [{"SheetId": "main", "Name": "Overview"}]
    assert plan(client, deployment).is_empty, str(plan(client, deployment))


def test_a_member_that_was_removed_is_a_difference(client: Client, declared: Declare) -> None:
    apply(client, plan(client, declared()))
    planned = plan(client, declared(lambda d: d.pop("FilterGroups")))
    assert [difference.path for difference in planned.changes[-1].differences] == ["$.Definition.FilterGroups"]


def test_a_changed_title_is_deployed(client: Client, declared: Declare) -> None:
    apply(client, plan(client, declared()))
    deployment = declared(title="Smaller")
    apply(client, plan(client, deployment))
    assert _published(client, deployment)["Name"] == "Smaller"
    assert plan(client, deployment).is_empty, str(plan(client, deployment))


def test_a_new_column_reaches_the_data_set_and_fills_it_anew(client: Client, declared: Declare) -> None:
    apply(client, plan(client, declared()))
    deployment = declared(columns={**COLUMNS, "cancelled": Column("bigint")})
    planned = plan(client, deployment)
    assert _actions(planned) == ["unchanged", "update", "unchanged"]
    applied = apply(client, planned)
    assert applied.ingestions.keys() == {deployment.data_set_ids["daily"]}
    assert plan(client, deployment).is_empty, str(plan(client, deployment))


def test_what_is_no_longer_declared_is_taken_back(client: Client, declared: Declare) -> None:
    described = {name: replace(column, description=f"The {name}.") for name, column in COLUMNS.items()}
    apply(client, plan(client, declared(columns=described)))
    planned = plan(client, declared())
    (difference,) = (each for change in planned.changes for each in change.differences)
    assert difference.path == "$.LogicalTableMap.daily.DataTransforms"
    apply(client, planned)
    assert plan(client, declared()).is_empty


def test_a_moved_warehouse_is_deployed(client: Client, declared: Declare) -> None:
    apply(client, plan(client, declared()))
    deployment = declared(warehouse=Redshift("example.org", 5439, "watershed", secret_arn=SECRET))
    planned = plan(client, deployment)
    assert _actions(planned) == ["update", "unchanged", "unchanged"]
    assert {difference.path for difference in planned.changes[0].differences} == {
        "$.DataSourceParameters.RedshiftParameters.Host",
        "$.SecretArn",
    }
    apply(client, planned)
    assert plan(client, deployment).is_empty, str(plan(client, deployment))


def test_a_version_made_by_hand_is_replaced(client: Client, declared: Declare) -> None:
    deployment = declared()
    apply(client, plan(client, deployment))
    names = {"AwsAccountId": deployment.account_id, "DashboardId": deployment.dashboard_id}
    by_hand = client.describe_dashboard_definition(**names)["Definition"]
    by_hand["Sheets"][0]["Name"] = "Mine"
    client.update_dashboard(**names, Name="Small", Definition=by_hand)
    _wait_for_version(client, names, 2)
    client.update_dashboard_published_version(**names, VersionNumber=2)
    planned = plan(client, deployment)
    assert '$.Definition.Sheets[0].Name: "Mine" -> (none)' in str(planned)
    assert apply(client, planned).dashboard_version == 3
    assert plan(client, deployment).is_empty, str(plan(client, deployment))


def _wait_for_version(client: Client, names: dict[str, str], number: int) -> None:
    while True:
        found = client.describe_dashboard(**names, VersionNumber=number)["Dashboard"]
        if found["Version"]["Status"] != "CREATION_IN_PROGRESS":
            return


def _broken(deployment: Deployment) -> Deployment:
    """The deployment with a column that its data set lacks: what `declare` would not let through."""
    *others, dashboard = deployment.resources
    text = yaml.safe_dump(dict(dashboard.request)).replace("ColumnName: flight_date", "ColumnName: flight_day")
    return replace(deployment, resources=(*others, replace(dashboard, request=yaml.safe_load(text))))


def test_viewers_keep_the_version_they_have_if_the_new_one_fails(client: Client, declared: Declare) -> None:
    deployment = declared()
    apply(client, plan(client, deployment))
    with pytest.raises(DeploymentError, match="COLUMN_REPLACEMENT_MISSING: Required column 'flight_day' is missing"):
        apply(client, plan(client, _broken(deployment)))
    assert _published(client, deployment)["Version"]["VersionNumber"] == 1
    assert plan(client, deployment).is_empty, str(plan(client, deployment))


def test_a_dashboard_that_failed_at_first_is_mended_by_the_next_apply(client: Client, declared: Declare) -> None:
    deployment = declared()
    with pytest.raises(DeploymentError, match="CREATION_FAILED"):
        apply(client, plan(client, _broken(deployment)))
    assert apply(client, plan(client, deployment)).dashboard_version == 2
    assert plan(client, deployment).is_empty, str(plan(client, deployment))


def test_a_version_that_failed_for_its_data_set_is_tried_again_once_that_is_mended(
    client: Client, declared: Declare
) -> None:
    deployment = declared()
    source, data_set, dashboard = deployment.resources
    text = yaml.safe_dump(dict(data_set.request)).replace("Name: flight_date", "Name: other")
    starved = replace(deployment, resources=(source, replace(data_set, request=yaml.safe_load(text)), dashboard))
    with pytest.raises(DeploymentError, match="flight_date"):
        apply(client, plan(client, starved))
    planned = plan(client, deployment)
    assert [difference.path for difference in planned.changes[-1].differences] == ["$.Version.Status"]
    assert apply(client, planned).dashboard_version == 2
    assert plan(client, deployment).is_empty, str(plan(client, deployment))


def test_a_version_that_takes_too_long_is_an_error(client: Client, declared: Declare) -> None:
    deployment = declared()
    with pytest.raises(DeploymentError, match=r"was not ready within 0\.05 s"):
        apply(client, plan(client, deployment), timeout_seconds=0.05)


def test_the_principal_owns_what_is_deployed_also_later(client: Client, declared: Declare) -> None:
    deployment = declared()
    apply(client, plan(client, deployment))
    shared = replace(deployment, principal_arn="arn:aws:quicksight:us-east-1:123456789012:group/default/analysts")
    planned = plan(client, shared)
    assert _actions(planned) == ["update"] * 3
    assert apply(client, planned).dashboard_version == 1
    assert plan(client, shared).is_empty
    (permission,) = client.describe_dashboard_permissions(
        AwsAccountId=shared.account_id, DashboardId=shared.dashboard_id
    )["Permissions"]
    assert "quicksight:UpdateDashboardPublishedVersion" in permission["Actions"]


def test_a_refresh_waits_for_new_ingestions_and_tells_no_row_counts_it_does_not_know(
    client: Client, declared: Declare
) -> None:
    deployment = declared()
    applied = apply(client, plan(client, deployment))
    data_set_id = deployment.data_set_ids["daily"]
    (filled,) = refresh(client, deployment.account_id, [data_set_id], under_way=applied.ingestions)
    assert filled.ingestion_id == applied.ingestions[data_set_id]
    (refreshed,) = refresh(client, deployment.account_id, [data_set_id])
    assert refreshed.ingestion_id != filled.ingestion_id
    assert (refreshed.rows_ingested, refreshed.rows_dropped) == (None, None)
    listed = client.list_ingestions(AwsAccountId=deployment.account_id, DataSetId=data_set_id)["Ingestions"]
    assert {each["IngestionStatus"] for each in listed} == {"COMPLETED"}


def test_a_refresh_that_is_cancelled_is_an_error(client: Client, declared: Declare) -> None:
    deployment = declared()
    apply(client, plan(client, deployment))
    data_set_id = deployment.data_set_ids["daily"]
    names = {"AwsAccountId": deployment.account_id, "DataSetId": data_set_id, "IngestionId": "mine"}
    client.create_ingestion(**names)
    client.cancel_ingestion(**names)
    with pytest.raises(RefreshError, match="ingestion mine CANCELLED"):
        refresh(client, deployment.account_id, [data_set_id], under_way={data_set_id: "mine"})


def test_the_dashboard_that_ships_is_deployed_from_the_marts(client: Client, fresh_settings: Settings) -> None:
    relations: dict[str, Relation] = {}
    for path in (PROJECT / "warehouse" / "marts").glob("*.yml"):
        for model in yaml.safe_load(path.read_text())["models"]:
            columns = {each["name"]: Column(each["data_type"], each["description"]) for each in model["columns"]}
            relations[model["name"]] = Relation("marts", model["name"], columns)
    deployment = declare(
        account_id=fresh_settings.account_id,
        prefix=fresh_settings.prefix,
        warehouse=Redshift("example.com", 5439, "watershed"),
        relations=relations,
        definition_path=PROJECT / "exposures" / "on_time_performance.dashboard.yml",
        dashboard="on_time_performance",
        title="On-time performance",
    )
    apply(client, plan(client, deployment))
    assert plan(client, deployment).is_empty, str(plan(client, deployment))
    sheets = [sheet["Name"] for sheet in _published(client, deployment)["Version"]["Sheets"]]
    assert sheets == ["On-time performance", "Routes and hours"]
