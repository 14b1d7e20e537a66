"""`watershed dev`: Dagster's UI and daemon over the local state, in the foreground, and live traffic into it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console

from infra.local import provision, state
from infra.local.live import Pace
from infra.local.processes import require_free_port
from ingestion.contract import load_contracts
from orchestration.settings import CONTRACTS_DIR, PROJECT_ROOT, Settings
from watershed.instance import open_instance
from watershed.pages import lineage_page
from watershed.traffic import playing

_GRACE_SECONDS = 20


def serve(settings: Settings, console: Console, port: int, pace: Pace | None) -> int:
    """Start what does not run, show the UI until Ctrl-C, end what was started. Returns the exit code.

    Meanwhile live traffic comes at `pace`; none if that is None.

    Raises:
        LocalServicesError: If the port is taken, or the local services cannot be started.
    """
    with state.job_lock(settings, "dev"):
        require_free_port("Dagster", port, "choose another port with `watershed dev --port`")
        with console.status("starting the local services ..."):
            up = state.up(settings)
            provision.provision(settings, load_contracts(CONTRACTS_DIR).values())
        for skipped in up.skipped:
            console.print(f"[yellow]{skipped.name} is skipped: {skipped.reason}[/]", highlight=False)
        console.print(f"Dagster: http://127.0.0.1:{port} (Ctrl-C ends it)", highlight=False)
        try:
            with playing(settings, console, pace) if pace else nullcontext(), lineage_page() as lineage_url:
                console.print(f"Lineage of fields: {lineage_url}", highlight=False)
                return _run_dagster(settings, port, lineage_url)
        finally:
            console.print("ending what this command started ...")
            state.end(settings, up.started)


def _run_dagster(settings: Settings, port: int, lineage_url: str) -> int:
    open_instance(settings)
    command = [Path(sys.executable).with_name("dg"), "dev", "--host", "127.0.0.1", "--port", str(port)]
    own = {"VIRTUAL_ENV": sys.prefix, "WATERSHED_LINEAGE_URL": settings.lineage_url or lineage_url}
    environment = {**os.environ, **state.local_environment(settings), **own}
    for ending in (signal.SIGINT, signal.SIGTERM):
        # Explicitly: a shell starts its background jobs with SIGINT ignored, and children would inherit that.
        signal.signal(ending, signal.default_int_handler)
    # A session of its own: Ctrl-C reaches this program alone, which then ends Dagster in order.
    dagster = subprocess.Popen(command, cwd=PROJECT_ROOT, env=environment, start_new_session=True)
    try:
        return dagster.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        _end(dagster)


def _end(dagster: subprocess.Popen[bytes]) -> None:
    """End Dagster and all that it started."""
    if dagster.poll() is None:
        dagster.send_signal(signal.SIGINT)
    try:
        dagster.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(dagster.pid, signal.SIGKILL)
        dagster.wait()
