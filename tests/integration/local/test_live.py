"""Live traffic into a stream, read back as a consumer reads it."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from infra.local import live
from infra.local.flights import LAST_DAY, events
from infra.local.live import Pace, Player, Position, Told, position, run, start_position
from infra.local.provision import provision
from infra.local.traffic import play
from infra.local.weather import observations
from ingestion.contract import KinesisSource, load_contracts
from ingestion.readers.kinesis import KinesisReader
from orchestration.settings import CONTRACTS_DIR, Settings

DAY = date(2013, 2, 1)
FIRST = Position(DAY, DAY)
CONTRACT = load_contracts(CONTRACTS_DIR)["flight_events"]
ONE_DAY = 86_400.0


@pytest.fixture
def kinesis(fresh_settings: Settings, client: Any) -> Any:
    """With the streams."""
    provision(fresh_settings, [CONTRACT])
    return client(fresh_settings, "kinesis")


@pytest.fixture
def stream(fresh_settings: Settings) -> str:
    assert isinstance(CONTRACT.source, KinesisSource)
    return fresh_settings.stream_name(CONTRACT.source.stream)


@pytest.fixture
def sent(kinesis: Any, stream: str) -> Callable[[], list[dict[str, Any]]]:
    """The events that are in the stream, shard by shard."""
    reader = KinesisReader(kinesis, CONTRACT, stream, max_bytes=64 * 1024 * 1024)

    def read() -> list[dict[str, Any]]:
        records = [records for batch in reader.batches(None) for records in batch.records]
        return [json.loads(payload) for each in records for payload in each.payload.to_pylist()]

    return read


def expected(first: date, last: date, until: datetime) -> Counter[str]:
    """The identifiers of the events of some days that are told before a time."""
    table = pa.Table.from_batches(events(first, last))
    rows = zip(table["payload"].to_pylist(), table["told_at"].to_pylist(), strict=True)
    return Counter(json.loads(payload)["event_id"] for payload, told in rows if told.replace(tzinfo=UTC) < until)


def identifiers(found: list[dict[str, Any]]) -> Counter[str]:
    return Counter(event["event_id"] for event in found)


class Recording:
    """Stands where Firehose's client would: keeps what is put."""

    def __init__(self) -> None:
        self.put: list[dict[str, Any]] = []

    def put_record_batch(self, DeliveryStreamName: str, Records: list[dict[str, bytes]]) -> Any:
        self.put += [json.loads(record["Data"]) for record in Records]
        return {"RequestResponses": [{} for _ in Records]}


def test_every_event_is_told_once_in_order_over_midnight_and_the_weather_of_its_hours(
    kinesis: Any, stream: str, sent: Callable[[], list[dict[str, Any]]]
) -> None:
    """From the first event of 1 February on, 40 hours: into the night of the 2nd. Flights of January are not told."""
    firehose = Recording()
    player = Player(kinesis, stream, FIRST, firehose=firehose, delivery_stream="weather")
    begun = player.told.clock
    for _ in range(20):
        player.tell_for(2 * 3_600)
    until = begun + timedelta(hours=40, microseconds=1)
    assert identifiers(sent()) == expected(DAY, DAY + timedelta(days=1), until)
    assert player.told.sent == sum(identifiers(sent()).values())
    table = pa.Table.from_batches(observations(DAY, DAY + timedelta(days=2)))
    assert [(each["origin"], each["time_hour"]) for each in firehose.put] == [
        (origin, at.strftime("%Y-%m-%dT%H:%M:%SZ"))
        for origin, at in zip(table["origin"].to_pylist(), table["observed_at"].to_pylist(), strict=True)
        if at.replace(tzinfo=UTC) < until
    ]
    by_flight: dict[str, list[str]] = {}
    for event in sent():
        by_flight.setdefault(event["flight_id"], []).append(event["event_type"])
    assert all(types[0] == "scheduled" for types in by_flight.values())


def test_another_player_goes_on_where_one_ended(
    kinesis: Any, stream: str, sent: Callable[[], list[dict[str, Any]]]
) -> None:
    Player(kinesis, stream, FIRST).tell_next(1_000)
    reached = start_position(kinesis, stream)
    assert reached is not None
    assert (reached.day, reached.events) == (DAY, 1_000)
    Player(kinesis, stream, reached).tell_next(3_000)
    assert len(identifiers(sent())) == sum(identifiers(sent()).values()) == 4_000
    reached = position(kinesis, stream)
    assert reached is not None
    assert reached.day == DAY + timedelta(days=1)


def test_one_that_is_killed_while_it_sends_loses_nothing(
    kinesis: Any, stream: str, sent: Callable[[], list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    Player(kinesis, stream, FIRST).tell_next(100)
    player = Player(kinesis, stream, Position(DAY, DAY, events=100))
    with monkeypatch.context() as patched:
        patched.setattr(player, "_note", lambda reached: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            player.tell_next(50)
    reached = start_position(kinesis, stream)
    assert reached is not None
    Player(kinesis, stream, reached).tell_next(150)
    found = identifiers(sent())
    assert len(found) == 250
    assert sorted(found.values()) == [1] * 200 + [2] * 50


def test_it_begins_after_the_days_that_were_played_and_not_before_they_are(kinesis: Any, stream: str) -> None:
    assert start_position(kinesis, stream) is None
    day = date(2013, 1, 1)

    def interrupt(events_sent: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        play(kinesis, stream, day, day, progress=interrupt)
    assert start_position(kinesis, stream) is None
    play(kinesis, stream, day, day)
    assert start_position(kinesis, stream) == Position(date(2013, 1, 2), date(2013, 1, 2))


def test_the_year_has_an_end(kinesis: Any, stream: str, sent: Callable[[], list[dict[str, Any]]]) -> None:
    player = Player(kinesis, stream, Position(LAST_DAY, LAST_DAY))
    assert not player.told.over
    player.tell_for(10 * ONE_DAY)
    assert player.told.over
    found = identifiers(sent())
    assert found == expected(LAST_DAY, LAST_DAY, datetime(2014, 2, 1, tzinfo=UTC))
    player.tell_for(ONE_DAY)
    player.tell_next(10)
    assert run(player, Pace, threading.Event(), lambda told: None).over
    assert identifiers(sent()) == found


def test_the_pace_may_change_on_the_way(kinesis: Any, stream: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "TICK_SECONDS", 0.05)
    player, stop, told = Player(kinesis, stream, FIRST), threading.Event(), list[Told]()
    paces = iter([Pace(paused=True)] * 3 + [Pace(rate=200.0)] * 6 + [Pace(speed=36_000.0)] * 4)

    def pace() -> Pace:
        found = next(paces, None)
        if found is None:
            stop.set()
        return found or Pace(paused=True)

    run(player, pace, stop, told.append)
    sent_by = [each.sent for each in told]
    assert sent_by[2] == 0
    assert 6 * 200 * 0.05 * 0.8 <= sent_by[8] < 600  # a busy machine may make steps longer, and each tells more
    assert told[12].clock - told[8].clock >= timedelta(seconds=4 * 0.05 * 36_000)
