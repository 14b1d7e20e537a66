"""Redshift Serverless's namespaces, workgroups and usage limits, which moto has not.

As on AWS: a namespace with a workgroup is not deleted; a workgroup is CREATING first; Redshift makes the
administrator's secret, and deletes it with the namespace.
https://docs.aws.amazon.com/redshift-serverless/latest/APIReference/Welcome.html

**No database is behind this.** A workgroup's address answers nobody, and a usage limit limits nothing.
"""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from threading import RLock
from typing import Any

import botocore.session
from botocore.validate import ParamValidator
from moto.core.base_backend import BackendDict, BaseBackend
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse
from moto.secretsmanager.models import SecretsManagerBackend, secretsmanager_backends
from moto.utilities.utils import get_partition

from infra.local.aws.extensions import add

SIGNED_AS = "redshift-serverless"
SERVICE = botocore.session.get_session().get_service_model(SIGNED_AS)
SETTLE = timedelta(seconds=0.4)  # How long a workgroup is being made: longer than a call takes.

_DEFAULT_PORT = 5439
# Base capacity in RPUs, unless it is said: https://docs.aws.amazon.com/redshift/latest/mgmt/serverless-capacity.html
_DEFAULT_CAPACITY = 128

Values = dict[str, Any]

# The records are plain dictionaries, read and written by one thread for each request.
_records = RLock()


class RefusedError(ServiceException):
    """An error of the service, by its code. moto takes status and shape from AWS's service model."""


def refuse(code: str, message: str) -> RefusedError:
    """An error to raise."""
    return RefusedError(code, message)


class RedshiftServerlessBackend(BaseBackend):
    """The records of one account and region. Each is a dictionary of the members that AWS describes it with."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.namespaces: dict[str, Values] = {}
        self.workgroups: dict[str, Values] = {}
        self.usage_limits: dict[str, Values] = {}
        self.tags: dict[str, dict[str, str]] = {}

    def create_namespace(self, request: Values) -> Values:
        """CreateNamespace."""
        name = request["namespaceName"]
        self._must_be_new(self.namespaces, name)
        shown = ("adminUsername", "dbName", "defaultIamRoleArn", "iamRoles", "kmsKeyId", "logExports", "namespaceName")
        namespace = {
            **{member: request[member] for member in shown if member in request},
            **self._identity("namespace"),
            "status": "AVAILABLE",
            "creationDate": datetime.now(UTC),
        }
        if request.get("manageAdminPassword"):
            namespace |= self._make_secret(name, request)
        self.namespaces[name] = namespace
        self._tag(namespace["namespaceArn"], request)
        return {"namespace": namespace}

    def get_namespace(self, request: Values) -> Values:
        """GetNamespace."""
        return {"namespace": _existing(self.namespaces, request["namespaceName"])}

    def list_namespaces(self, _request: Values) -> Values:
        """ListNamespaces, in one page."""
        return {"namespaces": list(self.namespaces.values())}

    def list_workgroups(self, _request: Values) -> Values:
        """ListWorkgroups, in one page."""
        return {"workgroups": [_with_status(workgroup) for workgroup in self.workgroups.values()]}

    def update_namespace(self, request: Values) -> Values:
        """UpdateNamespace, of what has no secret."""
        namespace = _existing(self.namespaces, request["namespaceName"])
        changeable = ("defaultIamRoleArn", "iamRoles", "kmsKeyId", "logExports")
        namespace |= {member: request[member] for member in changeable if member in request}
        return {"namespace": namespace}

    def delete_namespace(self, request: Values) -> Values:
        """DeleteNamespace."""
        name = request["namespaceName"]
        namespace = _existing(self.namespaces, name)
        if any(workgroup["namespaceName"] == name for workgroup in self.workgroups.values()):
            raise refuse("ConflictException", f"Namespace {name} has a workgroup. Delete the workgroup first.")
        if secret := namespace.get("adminPasswordSecretArn"):
            self._secrets().delete_secret(secret, None, force_delete_without_recovery=True)
        return {"namespace": {**self.namespaces.pop(name), "status": "DELETING"}}

    def create_workgroup(self, request: Values) -> Values:
        """CreateWorkgroup."""
        name = request["workgroupName"]
        self._must_be_new(self.workgroups, name)
        _existing(self.namespaces, request["namespaceName"])
        port = request.get("port", _DEFAULT_PORT)
        address = f"{name}.{self.account_id}.{self.region_name}.{SIGNED_AS}.amazonaws.com"
        workgroup = {
            "baseCapacity": _DEFAULT_CAPACITY,
            "configParameters": [],
            "enhancedVpcRouting": False,
            "publiclyAccessible": False,
            **{member: value for member, value in request.items() if member != "tags"},
            **self._identity("workgroup"),
            "port": port,
            "endpoint": {"address": address, "port": port, "vpcEndpoints": []},
            "trackName": request.get("trackName", "current"),
            "creationDate": datetime.now(UTC),
        }
        self.workgroups[name] = workgroup
        self._tag(workgroup["workgroupArn"], request)
        return {"workgroup": _with_status(workgroup)}

    def get_workgroup(self, request: Values) -> Values:
        """GetWorkgroup."""
        return {"workgroup": _with_status(_existing(self.workgroups, request["workgroupName"]))}

    def update_workgroup(self, request: Values) -> Values:
        """UpdateWorkgroup."""
        workgroup = _existing(self.workgroups, request["workgroupName"])
        workgroup |= request
        return {"workgroup": _with_status(workgroup)}

    def delete_workgroup(self, request: Values) -> Values:
        """DeleteWorkgroup."""
        workgroup = _existing(self.workgroups, request["workgroupName"])
        del self.workgroups[workgroup["workgroupName"]]
        return {"workgroup": {**workgroup, "status": "DELETING"}}

    def create_usage_limit(self, request: Values) -> Values:
        """CreateUsageLimit. AWS has no second one of a kind and period for a workgroup."""
        if all(workgroup["workgroupArn"] != request["resourceArn"] for workgroup in self.workgroups.values()):
            raise refuse("ResourceNotFoundException", f"{request['resourceArn']} is no workgroup.")
        limit = {"period": "monthly", "breachAction": "log", **request}
        one_of = ("resourceArn", "usageType", "period")
        if any(all(other[member] == limit[member] for member in one_of) for other in self.usage_limits.values()):
            raise refuse("ConflictException", f"There is a {limit['period']} limit of {limit['usageType']} already.")
        limit |= self._identity("usageLimit")
        self.usage_limits[limit["usageLimitId"]] = limit
        return {"usageLimit": limit}

    def get_usage_limit(self, request: Values) -> Values:
        """GetUsageLimit."""
        return {"usageLimit": _existing(self.usage_limits, request["usageLimitId"])}

    def update_usage_limit(self, request: Values) -> Values:
        """UpdateUsageLimit."""
        limit = _existing(self.usage_limits, request["usageLimitId"])
        limit |= request
        return {"usageLimit": limit}

    def delete_usage_limit(self, request: Values) -> Values:
        """DeleteUsageLimit."""
        limit = _existing(self.usage_limits, request["usageLimitId"])
        return {"usageLimit": self.usage_limits.pop(limit["usageLimitId"])}

    def list_tags_for_resource(self, request: Values) -> Values:
        """ListTagsForResource."""
        tags = self.tags.get(request["resourceArn"], {})
        return {"tags": [{"key": key, "value": value} for key, value in tags.items()]}

    def tag_resource(self, request: Values) -> Values:
        """TagResource."""
        self._tag(request["resourceArn"], request)
        return {}

    def untag_resource(self, request: Values) -> Values:
        """UntagResource."""
        for key in request["tagKeys"]:
            self.tags.get(request["resourceArn"], {}).pop(key, None)
        return {}

    def _identity(self, kind: str) -> Values:
        identity = str(uuid.uuid4())
        arn = f"arn:{get_partition(self.region_name)}:{SIGNED_AS}:{self.region_name}:{self.account_id}"
        return {f"{kind}Id": identity, f"{kind}Arn": f"{arn}:{kind.lower()}/{identity}"}

    def _must_be_new(self, records: Mapping[str, Values], name: str) -> None:
        if name in records:
            raise refuse("ConflictException", f"{name} exists already.")

    def _tag(self, arn: str, request: Values) -> None:
        self.tags.setdefault(arn, {}).update({tag["key"]: tag["value"] for tag in request.get("tags", ())})

    def _make_secret(self, namespace: str, request: Values) -> Values:
        user = request.get("adminUsername", "admin")
        answer = self._secrets().create_secret(
            name=f"redshift!{namespace}-{user}",
            secret_string=json.dumps({"username": user, "password": secrets.token_urlsafe(24)}),
            secret_binary=None,
            description=None,
            tags=None,
            kms_key_id=request.get("adminPasswordSecretKmsKeyId"),
            client_request_token=None,
            replica_regions=[],
            force_overwrite=False,
        )
        key = request.get("adminPasswordSecretKmsKeyId")
        secret = {"adminPasswordSecretArn": json.loads(answer)["ARN"]}
        return secret | ({"adminPasswordSecretKmsKeyId": key} if key else {})

    def _secrets(self) -> SecretsManagerBackend:
        return secretsmanager_backends[self.account_id][self.region_name]


def _existing(records: Mapping[str, Values], name: str) -> Values:
    if name not in records:
        raise refuse("ResourceNotFoundException", f"{name} does not exist.")
    return records[name]


def _with_status(workgroup: Values) -> Values:
    settling = datetime.now(UTC) < workgroup["creationDate"] + SETTLE
    return {**workgroup, "status": "CREATING" if settling else "AVAILABLE"}


backends = BackendDict(RedshiftServerlessBackend, SIGNED_AS)


def _operation(
    answer: Callable[[RedshiftServerlessBackend, Values], Values],
) -> Callable[[RedshiftServerlessResponse], ActionResult]:
    """A response method: check the request against AWS's service model, and answer it."""

    def respond(self: RedshiftServerlessResponse) -> ActionResult:
        request = json.loads(self.body)
        shape = SERVICE.operation_model(self._get_action()).input_shape
        assert shape is not None, "every operation takes parameters"
        report = ParamValidator().validate(request, shape)
        if report.has_errors():
            raise refuse("ValidationException", report.generate_report())
        with _records:
            return ActionResult(answer(backends[self.current_account][self.region], request))

    return respond


class RedshiftServerlessResponse(BaseResponse):
    """HTTP to operation and back."""

    def __init__(self) -> None:
        super().__init__(service_name=SIGNED_AS)

    create_namespace = _operation(RedshiftServerlessBackend.create_namespace)
    get_namespace = _operation(RedshiftServerlessBackend.get_namespace)
    list_namespaces = _operation(RedshiftServerlessBackend.list_namespaces)
    list_workgroups = _operation(RedshiftServerlessBackend.list_workgroups)
    update_namespace = _operation(RedshiftServerlessBackend.update_namespace)
    delete_namespace = _operation(RedshiftServerlessBackend.delete_namespace)
    create_workgroup = _operation(RedshiftServerlessBackend.create_workgroup)
    get_workgroup = _operation(RedshiftServerlessBackend.get_workgroup)
    update_workgroup = _operation(RedshiftServerlessBackend.update_workgroup)
    delete_workgroup = _operation(RedshiftServerlessBackend.delete_workgroup)
    create_usage_limit = _operation(RedshiftServerlessBackend.create_usage_limit)
    get_usage_limit = _operation(RedshiftServerlessBackend.get_usage_limit)
    update_usage_limit = _operation(RedshiftServerlessBackend.update_usage_limit)
    delete_usage_limit = _operation(RedshiftServerlessBackend.delete_usage_limit)
    list_tags_for_resource = _operation(RedshiftServerlessBackend.list_tags_for_resource)
    tag_resource = _operation(RedshiftServerlessBackend.tag_resource)
    untag_resource = _operation(RedshiftServerlessBackend.untag_resource)


def install() -> None:
    """Add the service."""
    add(SIGNED_AS, RedshiftServerlessResponse)
