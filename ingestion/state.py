"""What the two tables of a contract remember of their landings, as one JSON property each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field, replace

from pyiceberg.table import Table

from ingestion.commit import POSITION_PROPERTY
from ingestion.records import Position


@dataclass(frozen=True)
class MainState:
    """The landing table's property.

    `commit` counts the landings that won; `landing` is the last of them; `rejecting` are those with rejects that the
    quarantine may still hold as pending; `position` is the reader's. `replaced` has the versions of objects that took
    the place of older ones, of which the quarantine may still hold rejects: key -> (ETag, arrival in ISO 8601).
    `stored` is the property as it was read.
    """

    commit: int = 0
    landing: str | None = None
    rejecting: tuple[str, ...] = ()
    position: Position | None = None
    replaced: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    stored: str | None = field(default=None, compare=False)

    @classmethod
    def of(cls, table: Table) -> MainState:
        """The state in a table's metadata."""
        stored = table.metadata.properties.get(POSITION_PROPERTY)
        if stored is None:
            return cls()
        document = json.loads(stored)
        return cls(
            document["commit"],
            document["landing"],
            tuple(document["rejecting"]),
            document["position"],
            {key: (etag, arrived) for key, (etag, arrived) in document.get("replaced", {}).items()},
            stored=stored,
        )

    def to_json(self) -> str:
        """The property's text."""
        return json.dumps(
            {
                "commit": self.commit,
                "landing": self.landing,
                "rejecting": list(self.rejecting),
                "position": self.position,
                **(
                    {"replaced": {key: list(version) for key, version in self.replaced.items()}}
                    if self.replaced
                    else {}
                ),
            },
            separators=(",", ":"),
        )


@dataclass(frozen=True)
class QuarantineState:
    """The quarantine's property: `pending` landings, each with the landing table's commit count that it started from.

    A pending landing is undecided while the landing table is still at that count. Once the table has moved on, the
    landing has won if the table names it in `rejecting`, else it has lost, for ever.

    To decide, the landing table is read before the quarantine: whatever it names in `rejecting` was pending before, so
    a landing that is missing from `pending` was settled, and may be forgotten in `rejecting` too.
    """

    pending: Mapping[str, int] = field(default_factory=dict)
    stored: str | None = field(default=None, compare=False)

    @classmethod
    def of(cls, table: Table) -> QuarantineState:
        """The state in a table's metadata."""
        stored = table.metadata.properties.get(POSITION_PROPERTY)
        return cls(json.loads(stored)["pending"], stored=stored) if stored else cls()

    def to_json(self) -> str:
        """The property's text."""
        return json.dumps({"pending": dict(self.pending)}, separators=(",", ":"))

    def won(self, main: MainState) -> Set[str]:
        """The pending landings that the landing table holds."""
        return self.pending.keys() & set(main.rejecting)

    def lost(self, main: MainState) -> Set[str]:
        """The pending landings that the landing table has passed by."""
        return {landing for landing, start in self.pending.items() if start < main.commit} - self.won(main)

    def without(self, landings: Iterable[str]) -> QuarantineState:
        """The state once some landings are settled."""
        settled = set(landings)
        return replace(self, pending={k: v for k, v in self.pending.items() if k not in settled})

    def with_pending(self, landing: str, start: int) -> QuarantineState:
        """The state with one more pending landing, which starts from a commit count."""
        return replace(self, pending={**self.pending, landing: start})
