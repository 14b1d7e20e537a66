"""Glue as moto has it, with the optimistic lock that Iceberg's commits stand on.

moto's UpdateTable takes any `VersionId`: of two writers that commit at once the later one wins and both are told that
they did. In AWS a stale `VersionId` is a ConcurrentModificationException.

moto takes values of any length, too. AWS refuses a column's comment of more than 255 characters or with a line break,
and a parameter of more than 512,000: a table that can be made here could not be made there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from threading import RLock
from typing import Any

from moto.core.common_types import TYPE_RESPONSE
from moto.core.responses import ActionResult
from moto.glue.exceptions import GlueClientError
from moto.glue.responses import GlueResponse

from infra.local.aws.extensions import route

# https://docs.aws.amazon.com/glue/latest/webapi/API_Column.html and API_TableInput.html
_COMMENT = re.compile(r"[\u0020-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF\t]{0,255}")
_LONGEST_PARAMETER = 512_000

# moto's tables are plain dictionaries, read and written by one thread for each request.
_catalog = RLock()


class ConcurrentModificationError(GlueClientError):
    """The table changed since the version that the caller read."""

    def __init__(self, name: str, given: str, current: str) -> None:
        super().__init__(
            "ConcurrentModificationException",
            f"Update of table {name} failed: it is at version {current}, the update was made for version {given}.",
        )


class TableRefusedError(GlueClientError):
    """A table has values that AWS does not take."""

    def __init__(self, problems: list[str]) -> None:
        detected = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected: "
        super().__init__("ValidationException", detected + "; ".join(problems))


def _problems(table: Mapping[str, Any]) -> Iterator[str]:
    for at, column in enumerate(table.get("StorageDescriptor", {}).get("Columns", ()), 1):
        if not _COMMENT.fullmatch(column.get("Comment", "")):
            yield (
                f"Value at 'tableInput.storageDescriptor.columns.{at}.member.comment' failed to satisfy constraint:"
                " Member must have length less than or equal to 255, and no line break"
            )
    for name, value in table.get("Parameters", {}).items():
        if len(value) > _LONGEST_PARAMETER:
            yield (
                f"Map value at 'tableInput.parameters.{name}' failed to satisfy constraint: Member must have length"
                f" less than or equal to {_LONGEST_PARAMETER}"
            )


class OptimisticGlueResponse(GlueResponse):
    """Serialises calls, and refuses what AWS does: an update of a version that is not the current one, long values."""

    def call_action(self) -> TYPE_RESPONSE:
        """Answer a request."""
        with _catalog:
            return super().call_action()

    def create_table(self) -> ActionResult:
        """CreateTable, with AWS's limits."""
        self._require_limits()
        return super().create_table()

    def _require_limits(self) -> None:
        if problems := list(_problems(self.parameters["TableInput"])):
            raise TableRefusedError(problems)

    def update_table(self) -> ActionResult:
        """UpdateTable, with `VersionId` (refused when stale) and `SkipArchive` (the old version is not kept)."""
        self._require_limits()
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
