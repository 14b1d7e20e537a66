"""Glue as moto has it, with the optimistic lock that Iceberg's commits stand on.

moto's UpdateTable takes any `VersionId`: of two writers that commit at once the later one wins and both are told that
they did. In AWS a stale `VersionId` is a ConcurrentModificationException.
"""

from __future__ import annotations

from threading import RLock

from moto.core.common_types import TYPE_RESPONSE
from moto.core.responses import ActionResult
from moto.glue.exceptions import GlueClientError
from moto.glue.responses import GlueResponse

from infra.local.aws.extensions import route

# moto's tables are plain dictionaries, read and written by one thread for each request.
_catalog = RLock()


class ConcurrentModificationError(GlueClientError):
    """The table changed since the version that the caller read."""

    def __init__(self, name: str, given: str, current: str) -> None:
        super().__init__(
            "ConcurrentModificationException",
            f"Update of table {name} failed: it is at version {current}, the update was made for version {given}.",
        )


class OptimisticGlueResponse(GlueResponse):
    """Serialises calls, and refuses an update of a version that is not the current one."""

    def call_action(self) -> TYPE_RESPONSE:
        """Answer a request."""
        with _catalog:
            return super().call_action()

    def update_table(self) -> ActionResult:
        """UpdateTable, with `VersionId` (refused when stale) and `SkipArchive` (the old version is not kept)."""
        name = self.parameters["TableInput"]["Name"]
        table = self.glue_backend.get_table(self.parameters["DatabaseName"], name)
        current = str(table.as_dict()["VersionId"])
        given = self.parameters.get("VersionId")
        if given is not None and given != current:
            raise ConcurrentModificationError(name, given, current)
        result = super().update_table()
        if self.parameters.get("SkipArchive"):
            table.delete_version(current)
        return result


def install() -> None:
    """Route Glue here."""
    route("glue", OptimisticGlueResponse)
