"""What should be deployed: a dashboard's definition, read and checked, and all that it stands on, derived from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving.quicksight.data_sets import Relation, data_set_request
from serving.quicksight.data_sources import Warehouse
from serving.quicksight.definition import Definition, declared_data_sets, load_definition
from serving.quicksight.errors import DefinitionError, Problem
from serving.quicksight.resources import CALLS, Kind
from serving.quicksight.validation import definition_problems, request_problems

_PUBLISH_OPTIONS = {
    "AdHocFilteringOption": {"AvailabilityStatus": "ENABLED"},
    "ExportToCSVOption": {"AvailabilityStatus": "ENABLED"},
    "SheetControlsOption": {"VisibilityState": "EXPANDED"},
}


@dataclass(frozen=True)
class Resource:
    """One resource as it should be.

    `request` is what its create operation takes besides account, id and permissions. Where it refers to another
    resource it holds that one's id; the ARN takes its place when it is sent.
    """

    kind: Kind
    id: str
    request: Mapping[str, Any]


@dataclass(frozen=True)
class Deployment:
    """A dashboard and all that it stands on, as they should be: checked, and in the order of their creation."""

    account_id: str
    resources: tuple[Resource, ...]
    principal_arn: str | None = None

    @property
    def dashboard_id(self) -> str:
        """Id of the dashboard."""
        return self.resources[-1].id

    @property
    def data_set_ids(self) -> dict[str, str]:
        """Ids of the data sets, by the name of their model: what is refreshed after the models are built."""
        return {each.request["Name"]: each.id for each in self.resources if each.kind == "data set"}


def declare(
    *,
    account_id: str,
    prefix: str,
    warehouse: Warehouse,
    relations: Mapping[str, Relation],
    definition_path: Path,
    dashboard: str,
    title: str,
    principal_arn: str | None = None,
) -> Deployment:
    """Read a dashboard's definition and derive all that it stands on. No call is made.

    Args:
        account_id: AWS account.
        prefix: Starts each id, so that environments can share an account.
        warehouse: Where the models are.
        relations: Models that the definition may read, by name, with their columns.
        definition_path: The definition, in YAML.
        dashboard: The dashboard's name in code: part of its id.
        title: What people see.
        principal_arn: User or group that becomes owner of what is deployed.

    Raises:
        DefinitionError: With every problem found: names of columns, data sets, parameters, filters and visuals that do
            not exist, types that do not fit, and what the API would refuse.
    """
    definition = load_definition(definition_path)
    source = Resource("data source", f"{prefix}-{warehouse.engine}", {"Name": prefix, **warehouse.request()})
    data_set_ids = {name: f"{prefix}-{name}" for name in declared_data_sets(definition)}
    request = _dashboard_request(definition, data_set_ids, title)
    # The shape first: the other checks walk the definition by it.
    problems = _request_problems(account_id, Resource("dashboard", f"{prefix}-{dashboard}", request), root="Definition")
    problems = problems or definition_problems(definition, relations)
    problems = problems or _column_type_problems([relations[name] for name in data_set_ids])
    if problems:
        raise DefinitionError(str(definition_path), problems)
    sets = [
        Resource(
            "data set",
            data_set_id,
            data_set_request(relations[name], data_source_id=source.id, catalog=warehouse.catalog),
        )
        for name, data_set_id in data_set_ids.items()
    ]
    for resource in (source, *sets):
        if problems := _request_problems(account_id, resource):
            raise DefinitionError(f"{resource.kind} {resource.id}", problems)
    return Deployment(
        account_id, (source, *sets, Resource("dashboard", f"{prefix}-{dashboard}", request)), principal_arn
    )


def _dashboard_request(definition: Definition, data_set_ids: Mapping[str, str], title: str) -> dict[str, Any]:
    declarations = [
        {**item, "DataSetArn": item.get("DataSetArn") or data_set_ids[item["Identifier"]]}
        for item in definition["DataSetIdentifierDeclarations"]
    ]
    return {
        "Name": title,
        "Definition": {**definition, "DataSetIdentifierDeclarations": declarations},
        "DashboardPublishOptions": _PUBLISH_OPTIONS,
    }


def _request_problems(account_id: str, resource: Resource, root: str | None = None) -> list[Problem]:
    calls = CALLS[resource.kind]
    operation = calls.create_operation
    request = {"AwsAccountId": account_id, calls.id_parameter: resource.id, **resource.request}
    start = f"$.{root}"
    return [
        Problem(
            "$" + found.path.removeprefix(start) if root and found.path.startswith(start) else found.path, found.message
        )
        for found in request_problems(operation, request)
    ]


def _column_type_problems(relations: Sequence[Relation]) -> list[Problem]:
    return [
        Problem(f"{relation.schema}.{relation.name}.{name}", f"QuickSight has no type for {column.type!r}")
        for relation in relations
        for name, column in relation.columns.items()
        if not column.is_known
    ]
