"""HTTP to operation and back."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from threading import RLock

from moto.core.responses import ActionResult, BaseResponse
from moto.core.utils import camelcase_to_underscores
from moto.quicksight.models import quicksight_backends

from infra.local.aws.quicksight.models import CompletedQuickSightBackend, QuickSight
from infra.local.aws.quicksight.refusals import Answer, Request, refuse
from infra.local.aws.quicksight.requests import SERVICE, check_request

# The records are plain objects, read and written by one thread for each request.
_records = RLock()


def _operation(answer: Callable[[QuickSight, Request], Answer]) -> Callable[[QuickSightResponse], ActionResult]:
    """A response method: read and check the request, answer it, add what every answer has."""

    def respond(self: QuickSightResponse) -> ActionResult:
        request = self.checked_request()
        backend = quicksight_backends[self.current_account][self.region]
        assert isinstance(backend, CompletedQuickSightBackend), "install() was not called before the first request"
        with _records:
            result = answer(backend.resources, request)
        return ActionResult({**result, "RequestId": str(uuid.uuid4()), "Status": 200})

    return respond


class QuickSightResponse(BaseResponse):
    """Answers the operations on data sources, data sets, ingestions, dashboards and VPC connections."""

    def __init__(self) -> None:
        super().__init__(service_name="quicksight")

    def checked_request(self) -> Request:
        """The request's parameters, as AWS would have taken them."""
        self.parse_parameters(self.normalized_request)
        request = {name: value for name, value in self.params.items() if value is not None}
        check_request(SERVICE.operation_model(self._get_action()), request)
        if request["AwsAccountId"] != self.current_account:
            raise refuse("AccessDeniedException", f"These credentials are not of account {request['AwsAccountId']}.")
        return request

    create_data_source = _operation(QuickSight.create_data_source)
    describe_data_source = _operation(QuickSight.describe_data_source)
    list_data_sources = _operation(QuickSight.list_data_sources)
    update_data_source = _operation(QuickSight.update_data_source)
    delete_data_source = _operation(QuickSight.delete_data_source)
    describe_data_source_permissions = _operation(QuickSight.describe_data_source_permissions)
    update_data_source_permissions = _operation(QuickSight.update_data_source_permissions)
    create_data_set = _operation(QuickSight.create_data_set)
    describe_data_set = _operation(QuickSight.describe_data_set)
    list_data_sets = _operation(QuickSight.list_data_sets)
    update_data_set = _operation(QuickSight.update_data_set)
    delete_data_set = _operation(QuickSight.delete_data_set)
    describe_data_set_permissions = _operation(QuickSight.describe_data_set_permissions)
    update_data_set_permissions = _operation(QuickSight.update_data_set_permissions)
    create_ingestion = _operation(QuickSight.create_ingestion)
    describe_ingestion = _operation(QuickSight.describe_ingestion)
    list_ingestions = _operation(QuickSight.list_ingestions)
    cancel_ingestion = _operation(QuickSight.cancel_ingestion)
    create_dashboard = _operation(QuickSight.create_dashboard)
    update_dashboard = _operation(QuickSight.update_dashboard)
    update_dashboard_published_version = _operation(QuickSight.update_dashboard_published_version)
    describe_dashboard = _operation(QuickSight.describe_dashboard)
    describe_dashboard_definition = _operation(QuickSight.describe_dashboard_definition)
    list_dashboards = _operation(QuickSight.list_dashboards)
    list_dashboard_versions = _operation(QuickSight.list_dashboard_versions)
    delete_dashboard = _operation(QuickSight.delete_dashboard)
    describe_dashboard_permissions = _operation(QuickSight.describe_dashboard_permissions)
    update_dashboard_permissions = _operation(QuickSight.update_dashboard_permissions)
    create_vpc_connection = _operation(QuickSight.create_vpc_connection)
    describe_vpc_connection = _operation(QuickSight.describe_vpc_connection)
    list_vpc_connections = _operation(QuickSight.list_vpc_connections)
    update_vpc_connection = _operation(QuickSight.update_vpc_connection)
    delete_vpc_connection = _operation(QuickSight.delete_vpc_connection)


OPERATIONS = tuple(
    name for name in SERVICE.operation_names if hasattr(QuickSightResponse, camelcase_to_underscores(name))
)
