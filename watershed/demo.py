"""The main job, headless: from flight events in Kinesis to a dashboard and a search index, on this machine."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import boto3
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from infra.local import state
from infra.local.aws.engine import AwsEngine
from infra.local.errors import StateInUseError
from infra.local.processes import Process
from infra.local.provision import provision
from infra.local.traffic import already_played, await_delivery, drop_files, play, put_weather
from ingestion.contract import Contract, KinesisSource, ObjectSource, load_contracts
from orchestration.settings import CONTRACTS_DIR, Settings
from watershed.memory import peak_memory
from watershed.watchdog import watched

if TYPE_CHECKING:
    from watershed.materialize import JobOutcome, Materializer

FIRST = date(2013, 1, 1)
END_OF_JANUARY, END_OF_YEAR = date(2013, 1, 31), date(2013, 12, 31)
STREAM_CONTRACT = "flight_events"
WEATHER_CONTRACT = "weather"


@dataclass(frozen=True)
class Steps:
    """Prints a line for each step of the job, with its seconds."""

    console: Console
    started: float

    @contextmanager
    def step(self, name: str) -> Iterator[Callable[[str], None]]:
        """A step. What is passed to the yielded function stands beside its name."""
        said = ""
        started = time.monotonic()

        def say(text: str) -> None:
            nonlocal said
            said = text
            status.update(Text(f"{name}: {text}"[: self.console.width - 4]))

        with self.console.status(f"{name} ...") as status:
            yield say
        seconds = f"{time.monotonic() - started:5.1f} s"
        self.console.print(f"[bold]{name:<10}[/] {seconds}  {said}", highlight=False, soft_wrap=True)


def run(settings: Settings, console: Console, last: date = END_OF_JANUARY) -> bool:
    """Do the whole job, with the flights up to a day. Returns whether every asset and every check went well.

    The services stay up for the next run and for the UI. If the job breaks off, what it started is ended.

    Raises:
        LocalServicesError: If the local services cannot be started, or are in use by another program.
    """
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    steps = Steps(console, time.monotonic())
    started: list[Process] = []
    with state.job_lock(settings, "demo"):
        try:
            with steps.step("local AWS") as say:
                up = state.up(settings, [AwsEngine()])
                started += up.started
                say(_told(up))
            used = [*up.started, *up.already_running]
            with watched(used), ThreadPoolExecutor(1, thread_name_prefix="engines") as pool:
                # OpenSearch takes its time to start: it does so while events are played and landed.
                engines = pool.submit(state.up, settings)
                engines.add_done_callback(lambda done: _note(done, started, used))
                return _run(settings, steps, engines, last, used)
        except BaseException:
            _end(settings, started, console)
            raise


def _note(engines: Future[state.Up], started: list[Process], used: list[Process]) -> None:
    """Note what the other engines' start has started, to be ended with the job, and what the job works with."""
    if engines.exception() is None:
        up = engines.result()
        started += up.started
        used += [process for process in (*up.started, *up.already_running) if process not in used]


def _run(settings: Settings, steps: Steps, engines: Future[state.Up], last: date, used: Sequence[Process]) -> bool:
    contracts = load_contracts(CONTRACTS_DIR)
    with steps.step("provision") as say:
        made = provision(settings, contracts.values())
        names = [
            *made.streams,
            *made.delivery_streams,
            *made.buckets,
            *(f"Glue database {name}" for name in made.databases),
        ]
        say(", ".join(names) or "all was there")
    _require_started(engines)
    with steps.step("play") as say:
        _play(settings, contracts, last, say)
    _require_started(engines)
    with steps.step("load") as say:
        from watershed.instance import open_instance
        from watershed.materialize import Materializer

        dagster = Materializer(open_instance(settings), settings.state_dir / "logs" / "demo.log")
        say("Dagster's definitions")
    outcomes = []
    with steps.step("land") as say:
        outcomes.append(dagster.run("land", say))
        say(str(outcomes[-1]))
    with steps.step("search") as say:
        up = engines.result()
        say(_told(up))
    missing = {skipped.name for skipped in up.skipped}
    for job in ("transform", "serve"):
        with steps.step(job) as say:
            outcomes.append(_run_if_needed(dagster, job, outcomes[-1], missing, say))
    from watershed.report import print_report

    seconds = time.monotonic() - steps.started
    print_report(settings, steps.console, outcomes, seconds, peak_memory(used))
    return all(outcome.good for outcome in outcomes)


def _require_started(engines: Future[state.Up]) -> None:
    """Raise what kept an engine from starting, such as a port that is taken. One that is starting is not waited for."""
    if engines.done():
        engines.result()


def _run_if_needed(
    dagster: Materializer, job: str, before: JobOutcome, missing: set[str], say: Callable[[str], None]
) -> JobOutcome:
    """Run a job unless nothing waits for it, or what it reads has just failed. A failed landing stops nothing else.

    What waits for a missing engine is not waited for: an index of `opensearch` has the engine's name in its key.
    """
    if before.name != "land" and before.errors:
        say("not run: what it reads has failed")
        return dagster.unchanged(job)
    if all(key.path[0] in missing for key in dagster.waiting_of(job)):
        say("what it reads is as it was: nothing is rebuilt")
        return dagster.unchanged(job)
    outcome = dagster.run(job, say)
    say(str(outcome))
    return outcome


def _play(settings: Settings, contracts: dict[str, Contract], last: date, say: Callable[[str], None]) -> None:
    """Play the flights up to a day, and their weather, unless that was done before, and drop the reference files."""
    dropped = drop_files(boto3.client("s3", **settings.client_args()), settings.landing_bucket, contracts.values())
    files = f"{len(dropped)} reference files dropped into S3" if dropped else "the reference files were in S3"
    weather = contracts[WEATHER_CONTRACT].source
    assert isinstance(weather, ObjectSource)
    assert weather.delivery
    firehose = boto3.client("firehose", **settings.client_args())
    delivery_stream = settings.stream_name(weather.delivery.stream)
    observations = put_weather(firehose, delivery_stream, FIRST, last)
    put_at = time.monotonic()
    # Firehose delivers the weather while the flights are played.
    flights = _play_flights(settings, contracts, last, say)
    if observations:
        files = f"{observations:,} observations of the weather into Firehose; {files}"
        await_delivery(firehose, delivery_stream, put_at)
    say(f"{flights}; {files}")


def _play_flights(settings: Settings, contracts: dict[str, Contract], last: date, say: Callable[[str], None]) -> str:
    """Play what of the days has not been played into the stream. Returns what to say of it."""
    source = contracts[STREAM_CONTRACT].source
    assert isinstance(source, KinesisSource)
    kinesis = boto3.client("kinesis", **settings.client_args())
    stream = settings.stream_name(source.stream)
    mark = already_played(kinesis, stream)
    if mark and mark.complete and not mark.is_continued_by(FIRST, last):
        return f"{mark.events:,} events of {mark.dates} are in {stream} already"
    played = play(kinesis, stream, FIRST, last, progress=lambda count: say(f"{count:,} events into {stream}"))
    before = f" after the {played.resumed_after:,} before" if played.resumed_after else ""
    return f"{played.events:,} events into {stream}{before}, {played.events / played.seconds:,.0f} a second"


def _told(up: state.Up) -> str:
    parts = [
        (up.cleared or "").rstrip("."),
        ", ".join(f"started {process.name} at {process.url}" for process in up.started),
        ", ".join(f"{process.name} was running" for process in up.already_running),
        *(f"[yellow]{skipped.name} is skipped: {escape(skipped.reason)}[/]" for skipped in up.skipped),
    ]
    return "; ".join(part for part in parts if part)


def _end(settings: Settings, processes: list[Process], console: Console) -> None:
    """End what this job started, unless another program works with it by now."""
    if not processes:
        return
    names = " and ".join(process.name for process in processes)
    try:
        state.end(settings, processes)
    except StateInUseError as error:
        console.print(f"Left running: {names}. {error}", highlight=False)
    else:
        console.print(f"Broken off: ended {names}, which this job had started.", highlight=False)
