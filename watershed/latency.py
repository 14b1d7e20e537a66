"""`watershed latency`: how long an event takes, from its put into the stream until a search finds it, stage by stage.

On a state of its own, which is cleared at the end: January as the demo leaves it, then flights of February at a known
rate. Once with a follower, once with nothing but sensors and automation, as `watershed dev` has them.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import dagster as dg
import numpy as np
import pyarrow as pa
from opensearchpy import OpenSearch
from opensearchpy.exceptions import OpenSearchException
from pyiceberg.expressions import GreaterThanOrEqual
from rich.console import Console
from rich.status import Status
from rich.table import Table

from infra.local import state
from infra.local.errors import LocalServicesError
from infra.local.flights import events
from infra.local.traffic import send
from ingestion.contract import KinesisSource, load_contracts
from orchestration.platform import open_catalog
from orchestration.settings import CONTRACTS_DIR, PROJECT_ROOT, Settings
from serving.opensearch.client import connect

CONTRACT, INDEX = "flight_events", "flights"
MODEL = dg.AssetKey(["lake", "int_flights"])
STAGES = ("put to landed", "landed to int_flights", "int_flights to searchable", "put to searchable")

_FIRST, _LAST = date(2013, 2, 1), date(2013, 2, 4)
_SEND_SECONDS = 0.5
_LOOK_SECONDS = 0.25
_LOOKED_FOR = 2_000
_WARM_SECONDS = 300.0
_PATIENCE_SECONDS = 900.0


class LatencyError(LocalServicesError):
    """The latency cannot be measured."""


@dataclass
class Event:
    """An event that was played, and when it was where (seconds since 1970)."""

    event_id: str
    flight_id: str
    ordinal: int
    """Of the flight's events: with it the flight has so many."""
    put: float
    landed: float | None = None
    modelled: float | None = None
    searchable: float | None = None


@dataclass(frozen=True)
class Load:
    """What is played: events a second, for some seconds."""

    rate: float
    seconds: float


@dataclass(frozen=True)
class Result:
    """The seconds of each stage, of the events that got through all of them."""

    way: str
    events: int
    lost: int
    """Events that were not searchable in time."""
    load_average: float
    """Of the last five minutes, at the end: other work on the machine is in the figures."""
    seconds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass
class _Watch:
    """Looks in the index, again and again, which of the events are there."""

    client: OpenSearch
    pending: dict[str, list[Event]] = field(default_factory=lambda: defaultdict(list))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, played: Sequence[Event]) -> None:
        """Look for these too."""
        with self.lock:
            for event in played:
                self.pending[event.flight_id].append(event)

    def look(self) -> int:
        """Look once. Returns how many events are not there yet."""
        with self.lock:
            wanted = list(self.pending)[:_LOOKED_FOR]
        if not wanted:
            return 0
        query = {"size": len(wanted), "_source": ["event_count"], "query": {"terms": {"flight_id": wanted}}}
        try:
            hits = self.client.search(index=INDEX, body=query)["hits"]["hits"]
        except OpenSearchException:
            hits = []  # the alias is just being moved, or the node is busy: looked for again
        now = time.time()
        with self.lock:
            for hit in hits:
                waiting = self.pending[hit["_id"]]
                for event in waiting:
                    if event.ordinal <= hit["_source"]["event_count"]:
                        event.searchable = now
                self.pending[hit["_id"]] = [event for event in waiting if event.searchable is None]
                if not self.pending[hit["_id"]]:
                    del self.pending[hit["_id"]]
            return sum(len(waiting) for waiting in self.pending.values())


class _Played:
    """The flights of February, told on from where the last call ended."""

    def __init__(self, settings: Settings) -> None:
        source = load_contracts(CONTRACTS_DIR)[CONTRACT].source
        assert isinstance(source, KinesisSource)
        self._kinesis = boto3.client("kinesis", **settings.client_args())
        self._stream = settings.stream_name(source.stream)
        self._table = pa.Table.from_batches(events(_FIRST, _LAST)).combine_chunks()
        self._next = 0
        self._ordinals: dict[str, int] = defaultdict(int)

    def play(self, load: Load, watch: _Watch) -> list[Event]:
        """Send the load. An event is put when its call begins."""
        played: list[Event] = []
        started = time.monotonic()
        while (elapsed := time.monotonic() - started) < load.seconds:
            due = self._table.slice(self._next, max(0, int(load.rate * (elapsed + _SEND_SECONDS)) - len(played)))
            put = time.time()
            for batch in due.to_batches():
                told = [self._told(row, put) for row in batch.select(["flight_id", "event_type"]).to_pylist()]
                send(self._kinesis, self._stream, batch)
                watch.add(told)
                played += told
            self._next += len(due)
            time.sleep(max(0.0, _SEND_SECONDS - (time.time() - put)))
        return played

    def _told(self, row: Mapping[str, str], put: float) -> Event:
        self._ordinals[row["flight_id"]] += 1
        event_id = f"{row['flight_id']}-{row['event_type']}"
        return Event(event_id, row["flight_id"], self._ordinals[row["flight_id"]], put)


def measure(console: Console, load: Load, *, every: str, out: Path, sensors: bool) -> None:
    """Measure, print the table and write it as JSON.

    Args:
        console: Where to print.
        load: What is played, each way.
        every: The follower's cadence, as `watershed land --every` takes it.
        out: The JSON file.
        sensors: Measure the way without a follower too, which takes some minutes.

    Raises:
        LatencyError: If a program that is measured does not do its part.
    """
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    with _own_state() as settings:
        with console.status("`watershed demo` into a state of its own ..."):
            _run("demo", settings)
        played = _Played(settings)
        results = []
        with console.status("with a follower ...") as status:
            results.append(_with_follower(settings, played, load, every, status))
        if sensors:
            with console.status("with sensors and automation, which takes some minutes ...") as status:
                results.append(_with_sensors(settings, played, load, status))
    _print(console, results)
    document = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "events_per_second": load.rate,
        "seconds": load.seconds,
        "every": every,
        "ways": [asdict(result) for result in results],
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    console.print(f"wrote {out}", highlight=False, soft_wrap=True)


def _with_follower(settings: Settings, played: _Played, load: Load, every: str, status: Status) -> Result:
    command = ["land", CONTRACT, "--follow", "--through", f"opensearch/{INDEX}", "--every", every, "--json"]
    cycles: list[dict[str, Any]] = []
    with _program(command, settings) as follower:
        reading = threading.Thread(target=_collect, args=(follower, cycles), daemon=True)
        reading.start()
        _wait(lambda: any(cycle["indexed_at"] for cycle in cycles), follower, _WARM_SECONDS, "its first cycle")
        found = _play_and_watch(settings, played, load, follower, status)
        follower.send_signal(signal.SIGTERM)
        follower.wait(60)
        reading.join(5)
    _note_landed(settings, found)
    modelled = sorted(cycle["modelled_at"] for cycle in cycles if cycle["modelled_at"])
    for event in found:
        event.modelled = next((moment for moment in modelled if event.landed and moment >= event.landed), None)
    return _result(f"followed, every {every}", found)


def _with_sensors(settings: Settings, played: _Played, load: Load, status: Status) -> Result:
    command = ["dev", "--no-traffic", "--port", str(_free_port())]
    with _program(command, settings) as dev, _dagster(settings) as instance:
        _wait(lambda: _daemon_lives(instance), dev, _WARM_SECONDS, "its sensors")
        found = _play_and_watch(settings, played, load, dev, status)
        _note_landed(settings, found)
        built = [
            (started, record.timestamp)
            for record in instance.fetch_materializations(MODEL, limit=100).records
            if (run := instance.get_run_record_by_id(record.run_id)) and (started := run.start_time)
        ]
        for event in found:
            # Built by a run that began once the event had landed.
            after = [done for started, done in built if event.landed and started >= event.landed]
            event.modelled = min(after, default=None)
        dev.send_signal(signal.SIGINT)
        dev.wait(60)
    return _result("sensors and automation", found)


def _play_and_watch(
    settings: Settings, played: _Played, load: Load, program: subprocess.Popen[str], status: Status
) -> list[Event]:
    watch, stop = _Watch(connect(settings.opensearch_url)), threading.Event()

    def look() -> None:
        while not stop.wait(_LOOK_SECONDS):
            watch.look()

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        found = played.play(load, watch)
        status.update(f"{len(found)} events were put; waiting until each is found ...")
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while any(event.searchable is None for event in found) and time.monotonic() < deadline:
            if program.poll() is not None:
                raise LatencyError(f"the program that is measured ended with code {program.returncode}")
            time.sleep(1)
    finally:
        stop.set()
        looking.join(10)
    return found


def _note_landed(settings: Settings, found: Sequence[Event]) -> None:
    """When the commit was made that holds an event: the time of the snapshot that its landing made."""
    table = open_catalog(settings).load_table((settings.landing_database, CONTRACT))
    commits = {
        snapshot.summary["watershed.landing"]: snapshot.timestamp_ms / 1000
        for snapshot in table.snapshots()
        if snapshot.summary and "watershed.landing" in snapshot.summary
    }
    since = datetime.fromtimestamp(min((event.put for event in found), default=0), UTC) - timedelta(minutes=1)
    newer = GreaterThanOrEqual("_landed_at", since.replace(tzinfo=None).isoformat())  # pyright: ignore[reportCallIssue]
    rows = table.scan(newer, selected_fields=("event_id", "_landing_id")).to_arrow()
    landed = dict(zip(rows["event_id"].to_pylist(), rows["_landing_id"].to_pylist(), strict=True))
    for event in found:
        event.landed = commits.get(landed.get(event.event_id, ""))


def _result(way: str, found: Sequence[Event]) -> Result:
    through = [e for e in found if e.landed is not None and e.modelled is not None and e.searchable is not None]
    marks = np.array([[e.put, e.landed, e.modelled, e.searchable] for e in through], dtype=float).reshape(-1, 4)
    spans = np.column_stack([np.diff(marks, axis=1), marks[:, 3] - marks[:, 0]])
    seconds = {
        stage: {
            "p50": round(float(np.percentile(span, 50)), 2),
            "p95": round(float(np.percentile(span, 95)), 2),
            "most": round(float(span.max()), 2),
        }
        for stage, span in zip(STAGES, spans.T, strict=True)
        if len(span)
    }
    return Result(way, len(through), len(found) - len(through), round(os.getloadavg()[1], 1), seconds)


def _print(console: Console, results: Sequence[Result]) -> None:
    table = Table("stage", box=None, pad_edge=False, header_style="bold")
    for result in results:
        table.add_column(f"{result.way}: p50", justify="right")
        table.add_column("p95", justify="right")
    for stage in STAGES:
        spans = [result.seconds.get(stage, {}) for result in results]
        table.add_row(stage, *(f"{span[name]:.1f} s" if span else "" for span in spans for name in ("p50", "p95")))
    console.print(table)
    for result in results:
        lost = f"; {result.lost} were not found in time" if result.lost else ""
        console.print(
            f"{result.way}: {result.events} events{lost}; load average {result.load_average} on {os.cpu_count()} cores",
            highlight=False,
        )


@contextmanager
def _own_state() -> Iterator[Settings]:
    """A state in a temporary folder, with ports of its own; ended and cleared at the end."""
    folder = Path(tempfile.mkdtemp(prefix="watershed-latency-"))
    urls = {name: f"http://127.0.0.1:{_free_port()}" for name in ("aws_endpoint_url", "opensearch_url")}
    settings = Settings(state_dir=folder, **urls)  # pyright: ignore[reportCallIssue, reportArgumentType]
    try:
        yield settings
    finally:
        state.reset(settings)
        shutil.rmtree(folder, ignore_errors=True)


def _run(command: str, settings: Settings) -> None:
    with _program([command], settings) as program:
        if program.wait() != 0:
            raise LatencyError(f"`watershed {command}` failed:\n{_log(settings).read_text()[-2000:]}")


@contextmanager
def _program(arguments: Sequence[str], settings: Settings) -> Iterator[subprocess.Popen[str]]:
    """A `watershed` program, ended at the end: asked first. What it says goes to the log; its JSON lines are read."""
    command = [Path(sys.executable).with_name("watershed"), *arguments]
    _log(settings).parent.mkdir(parents=True, exist_ok=True)
    piped = subprocess.PIPE if "--json" in arguments else None
    with _log(settings).open("a") as log:
        program = subprocess.Popen(
            command,
            cwd=PROJECT_ROOT,
            env={**os.environ, **state.local_environment(settings)},
            stdout=piped or log,
            stderr=log,
            text=True,
            start_new_session=True,
        )
        try:
            yield program
        finally:
            if program.poll() is None:
                program.send_signal(signal.SIGINT)
            try:
                program.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(program.pid, signal.SIGKILL)
                program.wait()


def _collect(follower: subprocess.Popen[str], cycles: list[dict[str, Any]]) -> None:
    assert follower.stdout is not None
    for line in follower.stdout:
        if line.startswith("{"):
            cycles.append(json.loads(line))


def _wait(ready: Callable[[], bool], program: subprocess.Popen[str], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if program.poll() is not None or time.monotonic() > deadline:
            raise LatencyError(f"{what} did not come: the program ended with {program.poll()}")
        time.sleep(0.5)


def _daemon_lives(instance: dg.DagsterInstance) -> bool:
    """Whether the daemon of the sensors has begun its rounds."""
    return "SENSOR" in instance.get_daemon_heartbeats()


@contextmanager
def _dagster(settings: Settings) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(settings.state_dir / "dagster")) as instance:
        yield instance


def _log(settings: Settings) -> Path:
    return settings.state_dir / "logs" / "latency.log"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
