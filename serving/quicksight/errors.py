"""What can go wrong while QuickSight is served. Each message says what, where and how to mend it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a definition or request, and where: a JSON path from its root `$`."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class QuickSightError(Exception):
    """Any error of this package."""


class DefinitionError(QuickSightError):
    """A dashboard or data set that QuickSight or its models cannot fulfil. Nothing was sent."""

    def __init__(self, subject: str, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        lines = "".join(f"\n  {problem}" for problem in self.problems)
        super().__init__(f"{subject}: {count}, nothing was sent to QuickSight{lines}")


class DeploymentError(QuickSightError):
    """QuickSight took a request and then failed it, or did not finish it in time."""


class RefreshError(QuickSightError):
    """A SPICE ingestion failed, was cancelled, or did not end in time."""
