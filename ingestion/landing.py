"""Lands a contract: reads batches from the last position, decodes them, commits rows and position. Exactly once.

A landing is one batch: rejects are committed to the quarantine first, if there are any, then rows and position to the
landing table. **The landing table's commit decides.** Until then the landing is *pending* in the quarantine; a landing
that another one overtook has lost, and its rejects are removed. `docs/landing-protocol.md` says why this holds under
crashes, lost answers and concurrent landers.
"""

from __future__ import annotations

import contextlib
import logging
import time
import uuid
from collections.abc import Callable, Generator, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.exceptions import CommitFailedException, ValidationException
from pyiceberg.expressions import BooleanExpression, In
from pyiceberg.manifest import DataFile

from ingestion.commit import commit, write_files
from ingestion.contract import Contract, Field, ObjectSource
from ingestion.decode import Decoded, decode
from ingestion.errors import PositionMoved, ReconciliationError
from ingestion.ledger import has_rows, landed_versions, newest, replaced_rows, without_rivals
from ingestion.readers.objects import ObjectReader, Waiting
from ingestion.records import Batch, Position
from ingestion.schemas import ARRIVED_AT, LANDED_AT, LANDING_ID, arrow_schema, landing_fields, quarantine_fields
from ingestion.state import MainState, QuarantineState
from ingestion.tables import Tables

logger = logging.getLogger(__name__)

# How often a lander reads again after another one was faster. Each time, the other one has made progress.
_MOST_RACES = 20


# A state to come, and the rows to remove with it.
_Change = tuple[QuarantineState, BooleanExpression | None]


class Reader(Protocol):
    """Where batches come from: `readers.kinesis` or `readers.objects`."""

    def batches(
        self, position: Position | None, landed: Callable[[str], set[tuple[str, str]]]
    ) -> Generator[Batch, None, None]:
        """Batches after a position, in order, up to the source's end as it is now."""
        ...


@dataclass(frozen=True)
class Landed:
    """What a run landed. Counts are of records; `seconds` is wall-clock time, `nbytes` memory of the raw records.

    `lag_seconds` is the longest that a record waited, from its arrival at the source to its commit. `losses` are
    sentences on what of the source cannot land: `readers.kinesis.losses`, `readers.objects.losses`.
    """

    contract: str
    records: int = 0
    rows: int = 0
    rejects: int = 0
    commits: int = 0
    races: int = 0
    nbytes: int = 0
    seconds: float = 0.0
    position: Position | None = None
    newest_arrival: datetime | None = None
    lag_seconds: float = 0.0
    reasons: dict[str, int] = field(default_factory=dict)
    losses: tuple[str, ...] = ()

    @property
    def nothing(self) -> bool:
        """No record was read."""
        return self.records == 0


def land(
    contract: Contract,
    reader: Reader,
    tables: Tables,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    progress: Callable[[Landed], None] = lambda landed: None,
) -> Landed:
    """Land all that the source has after the table's position. Calls `progress` after each commit.

    Raises ReconciliationError if rows and rejects do not add up to the records read, SourceError if the source cannot
    be read, PositionMoved if other landers were faster again and again.
    """
    started = time.monotonic()
    lander = _Lander(contract, tables, clock)
    landed = Landed(contract.name)
    for races in range(_MOST_RACES + 1):
        try:
            read = landed
            for batch in reader.batches(lander.start(), lander.ledger):
                read = _add(read, lander.land(batch), batch, clock())
                if not batch.more:
                    landed = replace(read, seconds=time.monotonic() - started, position=lander.position)
                    progress(landed)
            lander.settle()
            break
        except PositionMoved:
            if races == _MOST_RACES:
                raise
            logger.info("%s: another lander was faster; reading again from its position", contract.name)
            landed = replace(landed, races=races + 1)
    return replace(landed, seconds=time.monotonic() - started, position=lander.position)


def has_news(contract: Contract, reader: Reader, tables: Tables) -> bool:
    """Whether a landing would find anything to commit now. Changes nothing.

    `reader` is read up to its first batch only: give it a small bound.
    """
    return _next_batch(contract, reader, tables) is not None


def waits_since(contract: Contract, reader: Reader, tables: Tables | None) -> datetime | None:
    """When the oldest record arrived that has not landed (UTC, without a zone); None if all has. Changes nothing.

    `reader` is read up to its first batch only: give it a small bound. It is the oldest of that batch. `tables` is None
    while there are none.
    """
    batch = _next_batch(contract, reader, tables)
    arrivals = _arrivals(batch) if batch else None
    return arrivals[0] if arrivals else None


def waiting(contract: Contract, reader: ObjectReader, tables: Tables, told: Set[tuple[str, str]]) -> Waiting:
    """Which of some versions of objects (key, ETag) have not landed. Changes nothing."""
    lander = _Lander(contract, tables, lambda: datetime.now(UTC))
    return reader.waiting(lander.load(), lander.ledger, told)


def _next_batch(contract: Contract, reader: Reader, tables: Tables | None) -> Batch | None:
    if tables is None:
        found = reader.batches(None, lambda _: set())
    else:
        lander = _Lander(contract, tables, lambda: datetime.now(UTC))
        found = reader.batches(lander.load(), lander.ledger)
    with contextlib.closing(found) as batches:
        return next(batches, None)


@dataclass
class _Landing:
    """A landing that is being written: one or several batches, one commit."""

    landing_id: str
    landed_at: datetime
    rows: int = 0
    files: list[DataFile] = field(default_factory=list)
    reject_files: list[DataFile] = field(default_factory=list)


class _Lander:
    """One run's view of a contract's two tables: what their properties said when they were last loaded."""

    def __init__(self, contract: Contract, tables: Tables, clock: Callable[[], datetime]) -> None:
        self._contract = contract
        self._tables = tables
        self._clock = clock
        self._main = MainState()
        self._quarantine = QuarantineState()
        self._landing: _Landing | None = None
        # Of the objects that the landing table has rows of, as the ledger was read last.
        self._keys: set[str] = set()

    @property
    def position(self) -> Position | None:
        """Where the landing table says that the source has been read up to."""
        return self._main.position

    def load(self) -> Position | None:
        """Load both tables' states. Returns the position to read from.

        The order matters: the landing table first. See QuarantineState.
        """
        self._main = MainState.of(self._tables.landing.refresh())
        self._quarantine = QuarantineState.of(self._tables.quarantine.refresh())
        return self._main.position

    def start(self) -> Position | None:
        """Load, and settle what earlier runs left. Returns the position to read from."""
        self._landing = None
        position = self.load()
        self.settle()
        return position

    def ledger(self, after: str) -> set[tuple[str, str]]:
        """The objects with keys above `after` of which a row or a reject has landed, as pairs of key and ETag.

        Of each key only the newest version: an older one that comes back is a new one. Of two that S3 got in the same
        second both have landed; but where one replaces the other, which of them did is found out by landing it again.
        """
        if not isinstance(self._contract.source, ObjectSource):
            return set()
        versions = landed_versions(self._tables.landing, after)
        self._keys = {version.key for version in versions}
        versions |= landed_versions(self._tables.quarantine, after, without=self._undecided())
        found = newest(versions)
        if self._contract.source.replace:
            found = without_rivals(found)
        return {(version.key, version.etag) for version in found}

    def _undecided(self) -> Set[str]:
        """The pending landings that may still win, and those that have lost."""
        return self._quarantine.pending.keys() - self._quarantine.won(self._main)

    def land(self, batch: Batch) -> Decoded:
        """Land one batch. Raises PositionMoved if another lander was faster: nothing of the batch is left then."""
        decoded = decode(self._contract, batch)
        now = self._clock().astimezone(UTC).replace(tzinfo=None)
        landing = self._landing = self._landing or _Landing(uuid.uuid4().hex, now)
        stamps = (landing.landed_at, landing.landing_id)
        landing.rows += len(decoded.rows)
        rows = _stamped(decoded.rows, landing_fields(self._contract), *stamps)
        landing.files += write_files(self._tables.landing, rows)
        if len(decoded.rejects):
            rejects = _stamped(decoded.rejects, quarantine_fields(self._contract), *stamps)
            landing.reject_files += write_files(self._tables.quarantine, rejects)
        if not batch.more:
            self._landing = None
            self._commit(landing, batch)
        return decoded

    def _commit(self, landing: _Landing, batch: Batch) -> None:
        if landing.reject_files:
            self._commit_rejects(landing.reject_files, landing.landing_id)
        try:
            self._commit_rows(landing, batch)
        except PositionMoved:
            self._main = MainState.of(self._tables.landing.refresh())
            self.settle()
            raise
        if batch.replaces:
            self._remove_replaced()

    def _commit_rows(self, landing: _Landing, batch: Batch) -> None:
        kept = [winner for winner in self._main.rejecting if winner in self._quarantine.pending]
        state = MainState(
            commit=self._main.commit + 1,
            landing=landing.landing_id,
            rejecting=(*kept, landing.landing_id) if landing.reject_files else tuple(kept),
            position=batch.position,
            replaced={key: (etag, arrived.isoformat()) for key, (etag, arrived) in batch.replaces.items()},
        )
        summary = {"watershed.landing": landing.landing_id, "watershed.rows": str(landing.rows)}
        keys = self._keys & batch.replaces.keys()
        older = In("_key", keys) if keys else None  # pyright: ignore[reportCallIssue]
        try:
            commit(
                self._tables.landing, landing.files, state.to_json(), self._main.stored, without=older, summary=summary
            )
        except (ValidationException, CommitFailedException) as error:
            if older is None or isinstance(error, PositionMoved):
                raise
            # A compaction has rewritten the files that the older version's rows are to be removed from.
            raise PositionMoved(f"{self._contract.name}: rows to be replaced were moved meanwhile: {error}") from error
        self._main = MainState.of(self._tables.landing)
        self._check_snapshot(landing.landing_id, landing.rows)

    def _check_snapshot(self, landing_id: str, expected: int) -> None:
        """What Iceberg says that the commit added must be what was decoded. A snapshot that expired says nothing."""
        snapshots = [
            s
            for s in self._tables.landing.snapshots()
            if s.summary and s.summary.get("watershed.landing") == landing_id
        ]
        added = [int((s.summary or {}).get("added-records") or 0) for s in snapshots]
        if added not in ([], [expected]):
            raise ReconciliationError(
                f"{self._contract.name}: {expected} rows were decoded, but the landing {landing_id} added {added}. They"
                " are committed. This is a bug: report it, and compare the table with the source."
            )

    def _commit_rejects(self, files: list[DataFile], landing_id: str) -> None:
        """Append rejects as a pending landing. Landings that have won need not be remembered any longer."""

        def add_pending(state: QuarantineState) -> _Change:
            return state.without(state.won(self._main)).with_pending(landing_id, self._main.commit), None

        self._update_quarantine(add_pending, files)

    def settle(self) -> None:
        """Remove the rejects of landings that have lost, and of versions that were replaced."""

        def remove_lost(state: QuarantineState) -> _Change:
            lost = state.lost(self._main)
            return state.without(lost), In(LANDING_ID.name, lost) if lost else None  # pyright: ignore[reportCallIssue]

        if lost := self._quarantine.lost(self._main):
            logger.info("%s: removing the rejects of %s landings that did not finish", self._contract.name, len(lost))
            self._update_quarantine(remove_lost, [])
        self._remove_replaced()

    def _remove_replaced(self) -> None:
        """Remove the rejects of the versions that the last landing replaced. It may be done again at any time."""

        def remove(state: QuarantineState) -> _Change:
            undecided = state.pending.keys() - state.won(self._main)
            return state, replaced_rows(self._main.replaced, undecided)

        _, older = remove(self._quarantine)
        if older is not None and has_rows(self._tables.quarantine, older):
            self._update_quarantine(remove, [])

    def _update_quarantine(self, change: Callable[[QuarantineState], _Change], files: list[DataFile]) -> None:
        """Commit files and a change of the state, and remove the rows that the change names.

        Where another lander changes the state at the same moment, the change is made again on what it left.
        """
        for _ in range(_MOST_RACES):
            wanted, removed = change(self._quarantine)
            try:
                commit(self._tables.quarantine, files, wanted.to_json(), self._quarantine.stored, without=removed)
                return
            except (ValidationException, CommitFailedException) as error:
                logger.info("%s: the quarantine changed while it was written: %s", self._contract.name, error)
            finally:
                self._quarantine = QuarantineState.of(self._tables.quarantine.refresh())
        raise PositionMoved(f"{self._contract.name}: the quarantine changed {_MOST_RACES} times while it was written")


def _stamped(table: pa.Table, fields: Sequence[Field], landed_at: datetime, landing_id: str) -> pa.Table:
    count = len(table)
    stamps = {
        LANDED_AT.name: pa.repeat(pa.scalar(landed_at, pa.timestamp("us")), count),
        LANDING_ID.name: pa.repeat(pa.scalar(landing_id, pa.string()), count),
    }
    columns = [*table.columns, *stamps.values()]
    return pa.table(columns, schema=arrow_schema(fields))


def _add(landed: Landed, decoded: Decoded, batch: Batch, committed_at: datetime) -> Landed:
    reasons = dict(landed.reasons)
    for reason in decoded.rejects.column("_reason").to_pylist():
        kind = reason.split(":")[0]
        reasons[kind] = reasons.get(kind, 0) + 1
    newest, lag = landed.newest_arrival, landed.lag_seconds
    if arrivals := _arrivals(batch):
        newest = max(arrivals[1], newest or arrivals[1])
        # Clocks differ: the source's may be ahead of this one.
        lag = max(lag, (committed_at.astimezone(UTC).replace(tzinfo=None) - arrivals[0]).total_seconds())
    return replace(
        landed,
        records=landed.records + len(batch),
        rows=landed.rows + len(decoded.rows),
        rejects=landed.rejects + len(decoded.rejects),
        commits=landed.commits + (0 if batch.more else 1),
        nbytes=landed.nbytes + batch.nbytes,
        newest_arrival=newest,
        lag_seconds=lag,
        reasons=reasons,
    )


def _arrivals(batch: Batch) -> tuple[datetime, datetime] | None:
    """When the oldest and when the newest record of a batch arrived; None if it has none."""
    columns = [records.provenance.column(ARRIVED_AT.name) for records in batch.records if len(records)]
    if not columns:
        return None
    ends = [pc.min_max(column) for column in columns]  # pyright: ignore[reportAttributeAccessIssue]
    return min(end["min"].as_py() for end in ends), max(end["max"].as_py() for end in ends)
