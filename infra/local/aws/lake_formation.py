"""Lake Formation as moto has it, with hybrid access: who is opted in, and how permissions are listed.

What moto does otherwise: opt-ins are missing; whether a location is registered for hybrid access is forgotten; SELECT
on tables is listed with the other permissions on them, where AWS lists it as a permission on their columns; what nobody
holds is revoked without an error.
https://docs.aws.amazon.com/lake-formation/latest/dg/hybrid-access-mode.html

**Nobody is refused anything.** Permissions are kept and listed; no other service of the local AWS looks at them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from threading import RLock
from typing import Any

import moto.lakeformation.urls
from moto.core.common_types import TYPE_RESPONSE
from moto.core.exceptions import ServiceException
from moto.core.utils import unix_time
from moto.lakeformation.exceptions import InvalidInput
from moto.lakeformation.models import LakeFormationBackend, lakeformation_backends
from moto.lakeformation.responses import LakeFormationResponse

from infra.local.aws.extensions import route

_permissions = RLock()


class NoSuchOptInError(ServiceException):
    """Nobody is opted in so."""

    code, message = "EntityNotFoundException", "There is no such opt-in."


class HybridLakeFormationBackend(LakeFormationBackend):
    """Keeps who is opted in, and which locations are registered for hybrid access."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.opt_ins: list[dict[str, Any]] = []
        self.hybrid: dict[str, bool] = {}

    @property
    def _url_module(self) -> Any:
        return moto.lakeformation.urls  # moto would look for it beside this module


class HybridLakeFormationResponse(LakeFormationResponse):
    """Answers for opt-ins as well, and lists permissions as AWS does."""

    @property
    def backend(self) -> HybridLakeFormationBackend:
        """The backend of the request's account and region."""
        backend = self.lakeformation_backend
        assert isinstance(backend, HybridLakeFormationBackend)
        return backend

    def call_action(self) -> TYPE_RESPONSE:
        """Answer a request, one at a time."""
        with _permissions:
            return super().call_action()

    def register_resource(self) -> str:
        """RegisterResource."""
        answer = super().register_resource()
        self.backend.hybrid[self._get_param("ResourceArn")] = bool(self._get_param("HybridAccessEnabled"))
        return answer

    def describe_resource(self) -> str:
        """DescribeResource."""
        info = json.loads(super().describe_resource())["ResourceInfo"]
        return json.dumps({"ResourceInfo": {**info, "HybridAccessEnabled": self.backend.hybrid[info["ResourceArn"]]}})

    def list_permissions(self) -> str:
        """ListPermissions."""
        held = json.loads(super().list_permissions())["PrincipalResourcePermissions"]
        return json.dumps({"PrincipalResourcePermissions": [entry for all_of in held for entry in _as_listed(all_of)]})

    def revoke_permissions(self) -> str:
        """RevokePermissions. What is not held cannot be revoked: Terraform asks again until it is told so."""
        grants = self.backend.grants.get(self._get_param("CatalogId") or self.current_account)
        asked = {name: self._get_param(name) for name in ("Principal", "Resource", "Permissions")}
        held = [
            permission
            for permission in (grants.permissions if grants else ())
            if (permission.principal, permission.resource) == (asked["Principal"], asked["Resource"])
            and set(permission.permissions) & set(asked["Permissions"])
        ]
        if not held:
            raise InvalidInput("No permissions revoked. Grantee has no permissions on the resource.")
        return super().revoke_permissions()

    def create_lake_formation_opt_in(self) -> str:
        """CreateLakeFormationOptIn."""
        opt_in = self._opt_in()
        if opt_in not in [_without_time(held) for held in self.backend.opt_ins]:
            by = f"arn:aws:iam::{self.current_account}:root"
            self.backend.opt_ins.append({**opt_in, "LastModified": unix_time(), "LastUpdatedBy": by})
        return "{}"

    def list_lake_formation_opt_ins(self) -> str:
        """ListLakeFormationOptIns, of a principal or a resource or of all, in one page."""
        asked = {name: self._get_param(name) for name in ("Principal", "Resource") if self._get_param(name)}
        found = [held for held in self.backend.opt_ins if all(held[name] == asked[name] for name in asked)]
        return json.dumps({"LakeFormationOptInsInfoList": found})

    def delete_lake_formation_opt_in(self) -> str:
        """DeleteLakeFormationOptIn."""
        opt_in = self._opt_in()
        left = [held for held in self.backend.opt_ins if _without_time(held) != opt_in]
        if len(left) == len(self.backend.opt_ins):
            raise NoSuchOptInError
        self.backend.opt_ins = left
        return "{}"

    def _opt_in(self) -> dict[str, Any]:
        return {name: self._get_param(name) for name in ("Principal", "Resource")}


def _without_time(opt_in: dict[str, Any]) -> dict[str, Any]:
    return {name: opt_in[name] for name in ("Principal", "Resource")}


def _as_listed(entry: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """As AWS lists a permission: SELECT on a table is one on all of its columns, and all tables have a name."""
    table = entry["Resource"].get("Table")
    if table is None:
        yield entry
        return
    name = {"Name": "ALL_TABLES"} if "TableWildcard" in table else {}
    others = [permission for permission in entry["Permissions"] if permission != "SELECT"]
    if others:
        yield {**entry, "Permissions": others, "Resource": {"Table": {**table, **name}}}
    if "SELECT" in entry["Permissions"]:
        columns = {member: value for member, value in table.items() if member != "TableWildcard"}
        resource = {"TableWithColumns": {**columns, **name, "ColumnWildcard": {}}}
        yield {**entry, "Permissions": ["SELECT"], "Resource": resource}


def install() -> None:
    """Route Lake Formation here, and keep its opt-ins here."""
    lakeformation_backends.backend = HybridLakeFormationBackend
    paths = ("/CreateLakeFormationOptIn", "/ListLakeFormationOptIns", "/DeleteLakeFormationOptIn")
    route("lakeformation", HybridLakeFormationResponse, paths)
