"""What can go wrong with an index. After each of these the alias is where it was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


class IndexBuildError(Exception):
    """An index was not built. The message says why and how to mend it."""


@dataclass(frozen=True)
class Failure:
    """A document that OpenSearch refused."""

    id: str
    type: str
    """OpenSearch's name of the error, for example `strict_dynamic_mapping_exception`."""
    reason: str


class DocumentsRefusedError(IndexBuildError):
    """OpenSearch refused documents."""

    def __init__(self, index: str, failures: Sequence[Failure], counts: Counter[str], *, complete: bool) -> None:
        """Args say which index, the first failures, how many of each type, and whether all rows were tried."""
        self.failures = tuple(failures)
        self.counts = counts
        kinds = ", ".join(f"{count} {kind}" for kind, count in counts.most_common())
        told = "\n".join(f"  {failure.id}: {failure.type}: {failure.reason}" for failure in failures)
        stopped = "" if complete else ", then the build stopped"
        super().__init__(
            f"{index}: {counts.total()} documents were refused ({kinds}){stopped}. The first {len(failures)}:\n{told}\n"
            f"Mend the rows in the model, or the mapping in the exposure."
        )


class SupersededError(IndexBuildError):
    """A build that began later went live first; this one was discarded, its rows are the older ones."""

    def __init__(self, index: str, live: str) -> None:
        self.live = live
        super().__init__(f"{index} was discarded: {live}, which was begun later, is live already. Nothing to mend.")
