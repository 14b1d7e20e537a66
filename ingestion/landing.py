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
from pyiceberg.expressions import In
from pyiceberg.manifest import DataFile

from ingestion.commit import commit, write_files
from ingestion.contract import Contract, Field, ObjectSource
from ingestion.decode import Decoded, decode
from ingestion.errors import PositionMoved, ReconciliationError
from ingestion.ledger import landed_objects
from ingestion.records import Batch, Position
from ingestion.schemas import ARRIVED_AT, LANDED_AT, LANDING_ID, arrow_schema, landing_fields, quarantine_fields
from ingestion.state import MainState, QuarantineState
from ingestion.tables import Tables

logger = logging.getLogger(__name__)

# How often a lander reads again after another one was faster. Each time, the other one has made progress.
_MOST_RACES = 20


class Reader(Protocol):
    """Where batches come from: `readers.kinesis` or `readers.objects`."""

    def batches(
        self, position: Position | None, landed: Callable[[], set[tuple[str, str]]]
    ) -> Generator[Batch, None, None]:
        """Batches after a position, in order, up to the source's end as it is now."""
        ...


@dataclass(frozen=True)
class Landed:
    """What a run landed. Counts are of records; `seconds` is wall-clock time, `nbytes` memory of the raw records.

    `lag_seconds` is the longest that a record waited, from its arrival at the source to its commit.
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
            for batch in reader.batches(lander.start(), lander.ledger):
                landed = _add(landed, lander.land(batch), batch, clock())
                progress(replace(landed, seconds=time.monotonic() - started, position=lander.position))
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


def _next_batch(contract: Contract, reader: Reader, tables: Tables | None) -> Batch | None:
    if tables is None:
        found = reader.batches(None, set)
    else:
        lander = _Lander(contract, tables, lambda: datetime.now(UTC))
        found = reader.batches(lander.load(), lander.ledger)
    with contextlib.closing(found) as batches:
        return next(batches, None)


class _Lander:
    """One run's view of a contract's two tables: what their properties said when they were last loaded."""

    def __init__(self, contract: Contract, tables: Tables, clock: Callable[[], datetime]) -> None:
        self._contract = contract
        self._tables = tables
        self._clock = clock
        self._main = MainState()
        self._quarantine = QuarantineState()

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
        position = self.load()
        self.settle()
        return position

    def ledger(self) -> set[tuple[str, str]]:
        """The objects of which a row or a reject has landed, as pairs of key and ETag."""
        if not isinstance(self._contract.source, ObjectSource):
            return set()
        undecided = self._quarantine.pending.keys() - self._quarantine.won(self._main)
        return landed_objects(self._tables.landing) | landed_objects(self._tables.quarantine, without=undecided)

    def land(self, batch: Batch) -> Decoded:
        """Land one batch. Raises PositionMoved if another lander was faster: nothing of the batch is left then."""
        decoded = decode(self._contract, batch)
        landing_id = uuid.uuid4().hex
        landed_at = self._clock().astimezone(UTC).replace(tzinfo=None)
        rows = _stamped(decoded.rows, landing_fields(self._contract), landed_at, landing_id)
        rejects = _stamped(decoded.rejects, quarantine_fields(self._contract), landed_at, landing_id)
        files = write_files(self._tables.landing, rows)
        if len(rejects):
            self._commit_rejects(write_files(self._tables.quarantine, rejects), landing_id)
        try:
            self._commit_rows(files, landing_id, batch.position, rejecting=bool(len(rejects)), expected=len(rows))
        except PositionMoved:
            self._main = MainState.of(self._tables.landing.refresh())
            self.settle()
            raise
        return decoded

    def _commit_rows(
        self, files: list[DataFile], landing_id: str, position: Position, *, rejecting: bool, expected: int
    ) -> None:
        kept = [winner for winner in self._main.rejecting if winner in self._quarantine.pending]
        state = MainState(
            commit=self._main.commit + 1,
            landing=landing_id,
            rejecting=(*kept, landing_id) if rejecting else tuple(kept),
            position=position,
        )
        summary = {"watershed.landing": landing_id, "watershed.rows": str(expected)}
        commit(self._tables.landing, files, state.to_json(), self._main.stored, summary=summary)
        self._main = MainState.of(self._tables.landing)
        self._check_snapshot(landing_id, expected)

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

        def add_pending(state: QuarantineState) -> tuple[QuarantineState, Set[str]]:
            return state.without(state.won(self._main)).with_pending(landing_id, self._main.commit), frozenset()

        self._update_quarantine(add_pending, files)

    def settle(self) -> None:
        """Remove the rejects of landings that have lost: the landing table has moved on without them."""

        def remove_lost(state: QuarantineState) -> tuple[QuarantineState, Set[str]]:
            lost = state.lost(self._main)
            return state.without(lost), lost

        if lost := self._quarantine.lost(self._main):
            logger.info("%s: removing the rejects of %s landings that did not finish", self._contract.name, len(lost))
            self._update_quarantine(remove_lost, [])

    def _update_quarantine(
        self, change: Callable[[QuarantineState], tuple[QuarantineState, Set[str]]], files: list[DataFile]
    ) -> None:
        """Commit files and a change of the state, and remove the rows of the landings that the change names.

        Where another lander changes the state at the same moment, the change is made again on what it left.
        """
        for _ in range(_MOST_RACES):
            wanted, removed = change(self._quarantine)
            rows = In(LANDING_ID.name, removed) if removed else None  # pyright: ignore[reportCallIssue]
            try:
                commit(self._tables.quarantine, files, wanted.to_json(), self._quarantine.stored, without=rows)
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
        commits=landed.commits + 1,
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
