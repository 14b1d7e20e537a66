"""Live traffic: the flights after those that were played, told at the pace at which they happened, or quicker.

Goes on from where the play of whole days ended, with the weather of the same hours. What was sent stands in the
stream's tags: after a player that ended, or was killed, another goes on. Of what was being sent when it was killed,
some may be sent again, under the same `event_id`, as by any producer that does not know what arrived.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from infra.local.flights import LAST_DAY, events
from infra.local.traffic import MAX_CALL_RECORDS, already_played, put_observations, send, tags_of
from infra.local.weather import observations

TICK_SECONDS = 0.5
DEFAULT_SPEED = 60.0

_ONE_DAY = timedelta(days=1)
# The last thing that is told of a flight comes within so many days: the longest delay is 22 hours.
_LONGEST_DAYS = 3

_FIRST_TAG, _DAY_TAG, _EVENTS_TAG, _WEATHER_TAG = "live-first", "live-day", "live-events", "live-weather"


@dataclass(frozen=True)
class Pace:
    """How quickly events are told: `rate` of them a second if it is set, else the time of the events `speed` times."""

    speed: float = DEFAULT_SPEED
    rate: float | None = None
    paused: bool = False


@dataclass(frozen=True)
class Position:
    """What was sent: all that was told before a day (UTC), and so many events and observations of that day."""

    first: date
    """The first local date of departure: flights before it were played by others."""
    day: date
    events: int = 0
    observations: int = 0


@dataclass(frozen=True)
class Told:
    """How far the traffic is."""

    clock: datetime
    """The time of the events, UTC."""
    sent: int
    """Events, by this player."""
    over: bool
    """The last event of the year was told."""


def position(kinesis: Any, stream: str) -> Position | None:
    """Where live traffic is in a stream; None if there was none.

    Args:
        kinesis: A boto3 client.
        stream: The stream's deployed name.
    """
    tags = tags_of(kinesis, stream)
    if _FIRST_TAG not in tags:
        return None
    return Position(
        date.fromisoformat(tags[_FIRST_TAG]),
        date.fromisoformat(tags[_DAY_TAG]),
        int(tags[_EVENTS_TAG]),
        int(tags[_WEATHER_TAG]),
    )


def start_position(kinesis: Any, stream: str) -> Position | None:
    """Where live traffic goes on, or begins: after the days that were played. None while none were played whole."""
    if known := position(kinesis, stream):
        return known
    mark = already_played(kinesis, stream)
    if mark is None or not mark.complete:
        return None
    first = date.fromisoformat(mark.dates.partition("/")[2]) + _ONE_DAY
    return Position(first, first)


class Player:
    """Tells the events after a position, in order. One of them at a time for a stream.

    Args:
        kinesis: A boto3 client.
        stream: The stream's deployed name.
        start: From `start_position`.
        firehose: A boto3 client; None leaves the weather out.
        delivery_stream: The deployed name of the weather's delivery stream.
    """

    def __init__(
        self, kinesis: Any, stream: str, start: Position, *, firehose: Any = None, delivery_stream: str = ""
    ) -> None:
        self._kinesis = kinesis
        self._stream = stream
        self._firehose = firehose
        self._delivery_stream = delivery_stream
        self._position = start
        self._sent = 0
        self._load()
        self._clock = self._next_told() or _midnight(start.day)

    @property
    def told(self) -> Told:
        """How far it is."""
        return Told(self._clock.replace(tzinfo=UTC), self._sent, self._is_over())

    def tell_for(self, seconds: float) -> None:
        """Tell what happens in the next so many seconds of the events' clock.

        Raises:
            LocalServicesError: If a stream refuses records for too long. What was sent is noted.
        """
        clock = self._clock + timedelta(seconds=seconds)
        while not self._is_over():
            self._send(_count_until(self._events, clock), _count_until(self._weather, clock))
            if clock < _midnight(self._position.day + _ONE_DAY):
                break
            self._next_day()
        self._clock = clock

    def tell_next(self, count: int) -> None:
        """Tell the next so many events, and the weather until then.

        Raises:
            LocalServicesError: If a stream refuses records for too long. What was sent is noted.
        """
        while count and not self._is_over():
            end = min(self._position.events + count, len(self._events))
            count -= end - self._position.events
            if end > self._position.events:
                self._clock = self._events["told_at"][end - 1].as_py()
            self._send(end, _count_until(self._weather, self._clock))
            if end == len(self._events):
                self._send(end, len(self._weather))
                self._next_day()

    def _send(self, events_end: int, weather_end: int) -> None:
        """Send the day's events and observations up to these counts, and note it."""
        at = self._position
        news = self._events.slice(at.events, max(0, events_end - at.events))
        weather = self._weather.slice(at.observations, max(0, weather_end - at.observations))
        for batch in news.combine_chunks().to_batches():
            send(self._kinesis, self._stream, batch)
        for batch in weather.combine_chunks().to_batches(MAX_CALL_RECORDS):
            put_observations(self._firehose, self._delivery_stream, batch)
        if len(news) or len(weather):
            self._sent += len(news)
            self._note(replace(at, events=at.events + len(news), observations=at.observations + len(weather)))

    def _next_day(self) -> None:
        self._note(Position(self._position.first, self._position.day + _ONE_DAY))
        self._load()

    def _note(self, reached: Position) -> None:
        tags = {
            _FIRST_TAG: str(reached.first),
            _DAY_TAG: str(reached.day),
            _EVENTS_TAG: str(reached.events),
            _WEATHER_TAG: str(reached.observations),
        }
        self._kinesis.add_tags_to_stream(StreamName=self._stream, Tags=tags)
        self._position = reached

    def _load(self) -> None:
        """What is told on the position's day (UTC): of flights and weather from the first local date on."""
        day, first = self._position.day, self._position.first
        self._events = _on(day, "told_at", events, max(first, day - _LONGEST_DAYS * _ONE_DAY), day + _ONE_DAY)
        self._weather = _on(day, "observed_at", observations, max(first, day - _ONE_DAY), day + _ONE_DAY)
        if self._firehose is None:
            self._weather = self._weather.slice(0, 0)

    def _next_told(self) -> datetime | None:
        if self._position.events < len(self._events):
            return self._events["told_at"][self._position.events].as_py()
        return None

    def _is_over(self) -> bool:
        return self._position.day > LAST_DAY + _LONGEST_DAYS * _ONE_DAY


def run(player: Player, pace: Callable[[], Pace], stop: threading.Event, progress: Callable[[Told], None]) -> Told:
    """Tell events until told to stop, or until the year is over.

    Args:
        player: The player.
        pace: Asked before each step: it may change.
        stop: Ends it after the step under way.
        progress: Told after each step how far it is.

    Raises:
        LocalServicesError: If a stream refuses records for too long.
    """
    before = time.monotonic()
    owed = 0.0  # seconds; at a low rate a step's are less than an event
    while not (player.told.over or stop.wait(TICK_SECONDS)):
        now = time.monotonic()
        current = pace()
        owed += now - before
        before = now
        if current.paused:
            owed = 0.0
        elif current.rate is None:
            player.tell_for(owed * current.speed)
            owed = 0.0
        elif count := int(owed * current.rate):
            player.tell_next(count)
            owed -= count / current.rate
        progress(player.told)
    return player.told


def _on(day: date, column: str, source: Callable[[date, date], Any], first: date, last: date) -> pa.Table:
    """Of the source's rows of some local dates those whose column lies on a day (UTC)."""
    batches = list(source(first, min(last, LAST_DAY))) if first <= LAST_DAY else []
    if not batches:
        return pa.table({column: pa.array([], pa.timestamp("us"))})
    table = pa.Table.from_batches(batches)
    start, end = (pa.scalar(_midnight(each), pa.timestamp("us")) for each in (day, day + _ONE_DAY))
    moments = table[column].cast(pa.timestamp("us"))
    table = table.set_column(table.column_names.index(column), column, moments)
    return table.filter((pc.field(column) >= start) & (pc.field(column) < end))


def _count_until(table: pa.Table, clock: datetime) -> int:
    """How many rows, which are in order, lie before or at a time."""
    column = table.column("told_at" if "told_at" in table.column_names else "observed_at")
    return pc.sum(pc.less_equal(column, pa.scalar(clock, pa.timestamp("us")))).as_py() or 0  # pyright: ignore


def _midnight(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time())
