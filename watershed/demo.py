"""The main job, headless: from flight events in Kinesis to a dashboard and a search index, on this machine."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import boto3
from rich.console import Console

from infra.local import provision, state, traffic
from infra.local.aws.engine import AwsEngine
from ingestion.contract import KinesisSource, load_contracts
from orchestration.settings import CONTRACTS_DIR, Settings

YEAR, MONTH = 2013, 1
STREAM_CONTRACT = "flight_events"


@dataclass(frozen=True)
class Printer:
    """Prints a line for each step of the job, with its seconds."""

    console: Console

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[Callable[[str], None]]:
        """A step. What is passed to the yielded function is printed behind its name when it ends."""
        said: list[str] = []
        started = time.monotonic()
        with self.console.status(f"{name} ..."):
            yield said.append
        self.console.print(
            f"[bold]{name:<12}[/] {time.monotonic() - started:5.1f} s  {'; '.join(said)}", highlight=False
        )


def run(settings: Settings, console: Console) -> bool:
    """Do the whole job. Returns whether all of it went well.

    What this started is ended again if it fails; if it goes well it is left running, for the next run and the UI.

    Raises:
        LocalServicesError: If the local services cannot be started or are in use.
    """
    printer = Printer(console)
    with state.job_lock(settings, "demo"):
        with printer.step("local AWS") as say:
            up = state.up(settings, [AwsEngine()])
            say(_told(up))
        try:
            with ThreadPoolExecutor(1, thread_name_prefix="engines") as pool:
                engines = pool.submit(state.up, settings)
                good = _run(settings, printer, engines)
        except BaseException:
            state.end(settings, up.started)
            raise
    return good


def _told(up: state.Up) -> str:
    started = ", ".join(f"{process.name} at {process.url}" for process in up.started)
    running = ", ".join(process.name for process in up.already_running)
    parts = [up.cleared, f"started {started}" if started else None, f"{running} was running" if running else None]
    skipped = [f"[yellow]{skipped.name} skipped: {skipped.reason}[/]" for skipped in up.skipped]
    return "; ".join([part for part in parts if part] + skipped)


def _run(settings: Settings, printer: Printer, engines: Future[state.Up]) -> bool:
    contracts = load_contracts(CONTRACTS_DIR)
    with printer.step("provision") as say:
        say(str(provision.provision(settings, contracts.values())))
    with printer.step("play") as say:
        say(_play(settings, contracts[STREAM_CONTRACT].source))
    with printer.step("import") as say:
        from watershed.materialize import Materializer

        job = Materializer(settings, printer)
        say("Dagster and the definitions")
    job.land()
    with printer.step("search") as say:
        say(_told(engines.result()) or "running")
    job.build_what_waits()
    return job.report()


def _play(settings: Settings, source: object) -> str:
    """Play the month into the stream unless it has been played, and drop the reference files."""
    assert isinstance(source, KinesisSource)
    s3 = boto3.client("s3", **settings.client_args())
    dropped = traffic.drop_files(s3, settings.landing_bucket)
    kinesis = boto3.client("kinesis", **settings.client_args())
    stream = settings.stream_name(source.stream)
    return f"{dropped}; {stream}"


def logs_folder(settings: Settings) -> Path:
    """Where the job's own output goes."""
    return settings.state_dir / "logs"


def use_instance(settings: Settings) -> None:
    """Let Dagster in this process, and its children, use the local state."""
    os.environ.update(state.local_environment(settings))
