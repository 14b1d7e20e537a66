"""`watershed traffic`: live flights into the local streams, and the pace at which they come, set while they come."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from infra.local import state
from infra.local.errors import LocalServicesError, StateInUseError
from infra.local.live import Pace, Player, Position, Told, run, start_position
from ingestion.contract import Contract, KinesisSource, ObjectSource, load_contracts
from orchestration.settings import CONTRACTS_DIR, Settings

FLIGHTS, WEATHER = "flight_events", "weather"
JOB = "traffic"

_WAIT_SECONDS = 2.0
_TELL_SECONDS = 10.0
_NOT_PLAYED = "Live traffic goes on from days that were played as a whole. Run `watershed demo` first."


class NoTrafficError(LocalServicesError):
    """There is no live traffic, or it cannot begin."""


def play(settings: Settings, console: Console, pace: Pace) -> None:
    """Play into the running local AWS until SIGINT or SIGTERM, or until the year is over. Prints how far it is.

    Raises:
        StateInUseError: If another program plays already.
        NoTrafficError: If the local AWS is down, or no days were played as a whole before.
    """
    stop = threading.Event()
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda *_: stop.set())
    told_at = 0.0

    def tell(told: Told) -> None:
        nonlocal told_at
        if time.monotonic() - told_at >= _TELL_SECONDS:
            told_at = time.monotonic()
            console.print(_far(told), highlight=False)

    with state.job_lock(settings, JOB):
        player = _player(settings)
        if player is None:
            raise NoTrafficError(_NOT_PLAYED)
        console.print(f"{_described(pace)}; Ctrl-C ends it", highlight=False)
        console.print(_far(_play(settings, player, pace, stop, tell)), highlight=False)


@contextmanager
def playing(settings: Settings, console: Console, pace: Pace) -> Iterator[None]:
    """Play meanwhile, in a thread, which ends with this process whatever ends that.

    Begins once days were played as a whole. Where another program plays already, nothing is played here.
    """
    stop = threading.Event()
    thread = threading.Thread(target=_play_meanwhile, args=(settings, console, pace, stop), name=JOB, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(_WAIT_SECONDS * 2)


def change(settings: Settings, console: Console, changes: Mapping[str, float | bool | None]) -> bool:
    """Change the pace of the traffic that another program plays; without changes, tell it.

    Args:
        settings: The local state.
        console: Where to print the pace, and how far it is.
        changes: Fields of `Pace`.

    Returns:
        False if no other program plays.
    """
    pid = state.other_jobs(settings).get(JOB)
    if pid is None:
        return False
    pace = replace(_read(settings), **changes)
    if changes:
        _write(settings, pace)
    player = _start(settings)
    where = f"; {player.day} (UTC), {player.events:,} events of that day told" if player else ""
    console.print(f"process {pid} plays {_described(pace)}{where}", highlight=False)
    return True


def _play_meanwhile(settings: Settings, console: Console, pace: Pace, stop: threading.Event) -> None:
    try:
        with state.job_lock(settings, JOB):
            player, told = _player(settings), False
            while player is None:
                if not told:
                    console.print(f"traffic: waits. {_NOT_PLAYED}", highlight=False)
                    told = True
                if stop.wait(_WAIT_SECONDS):
                    return
                player = _player(settings)
            console.print(f"traffic: {_described(pace)}; `watershed traffic` changes it", highlight=False)
            ended = _play(settings, player, pace, stop, lambda told: None)
            if ended.over:
                console.print(f"traffic: {_far(ended)}", highlight=False)
    except StateInUseError:
        console.print("traffic: another `watershed traffic` plays already", highlight=False)
    except (LocalServicesError, BotoCoreError, ClientError) as error:
        console.print(f"[red]traffic ended[/]: {error} `watershed traffic` plays on.", highlight=False, soft_wrap=True)


def _play(
    settings: Settings, player: Player, pace: Pace, stop: threading.Event, progress: Callable[[Told], None]
) -> Told:
    _write(settings, pace)
    try:
        return run(player, lambda: _read(settings), stop, progress)
    finally:
        _pace_path(settings).unlink(missing_ok=True)


def _player(settings: Settings) -> Player | None:
    """What goes on from the streams' position; None while no days were played as a whole."""
    start = _start(settings)
    if start is None:
        return None
    contracts = load_contracts(CONTRACTS_DIR)
    delivery = _delivery_stream(settings, contracts)
    return Player(
        _client(settings, "kinesis"),
        _stream(settings, contracts),
        start,
        firehose=_client(settings, "firehose") if delivery else None,
        delivery_stream=delivery or "",
    )


def _start(settings: Settings) -> Position | None:
    """Where the traffic goes on. Raises NoTrafficError if the local AWS does not answer, or has no such stream."""
    kinesis = _client(settings, "kinesis")
    try:
        return start_position(kinesis, _stream(settings, load_contracts(CONTRACTS_DIR)))
    except (BotoCoreError, kinesis.exceptions.ResourceNotFoundException) as error:
        raise NoTrafficError(
            f"The local AWS at {settings.aws_endpoint_url} is not running, or is empty ({type(error).__name__}). Run"
            " `watershed demo` first."
        ) from error


def _client(settings: Settings, service: str) -> Any:
    once = Config(connect_timeout=2, retries={"total_max_attempts": 2})
    return boto3.client(service, config=once, **settings.client_args())  # pyright: ignore[reportCallIssue, reportArgumentType]


def _stream(settings: Settings, contracts: Mapping[str, Contract]) -> str:
    source = contracts[FLIGHTS].source
    assert isinstance(source, KinesisSource)
    return settings.stream_name(source.stream)


def _delivery_stream(settings: Settings, contracts: Mapping[str, Contract]) -> str | None:
    source = contracts[WEATHER].source
    delivery = source.delivery if isinstance(source, ObjectSource) else None
    return settings.stream_name(delivery.stream) if delivery else None


def _pace_path(settings: Settings) -> Path:
    return settings.state_dir / "traffic.json"


def _read(settings: Settings) -> Pace:
    """The pace as it was last set."""
    try:
        return Pace(**json.loads(_pace_path(settings).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Pace()


def _write(settings: Settings, pace: Pace) -> None:
    """Set the pace: whole, at one moment, since a player reads it at any."""
    path = _pace_path(settings)
    written = path.with_suffix(".new")
    written.write_text(json.dumps(asdict(pace)), encoding="utf-8")
    written.replace(path)


def _described(pace: Pace) -> str:
    quick = f"{pace.rate:g} events a second" if pace.rate is not None else f"live flights, {pace.speed:g} times as fast"
    return f"{quick}, paused (--resume)" if pace.paused else quick


def _far(told: Told) -> str:
    if told.over:
        return f"{told.sent:,} events told; the year is over. `watershed reset` and `watershed demo` begin anew."
    return f"{told.sent:,} events told; it is {told.clock:%Y-%m-%d %H:%M} (UTC) in them"
