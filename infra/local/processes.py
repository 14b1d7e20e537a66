"""Servers as child processes: started detached, recorded, waited for, ended by their own pid."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from infra.local.errors import EngineStartError
from infra.local.launch import identity

_POLL_SECONDS = 0.05
_STOP_SECONDS = 10.0
_QUOTED_LINES = 15


@dataclass(frozen=True)
class Launch:
    """How a server is started."""

    name: str
    command: tuple[str, ...]
    url: str
    """Where it listens: `http://127.0.0.1:<port>`."""
    port_setting: str
    """The environment variable that moves it to another port."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to this process' environment."""
    healthy_within: float = 30.0
    """Seconds."""


@dataclass(frozen=True)
class Process:
    """A running server, as it is recorded."""

    name: str
    pid: int
    identity: str
    url: str
    log: Path
    record: Path


def port_of(url: str) -> int:
    """The port of a URL; the server behind it is bound to 127.0.0.1.

    Raises:
        EngineStartError: If the URL is not of this machine or names no port.
    """
    parts = urlsplit(url)
    if parts.hostname not in ("127.0.0.1", "localhost") or parts.port is None:
        raise EngineStartError(f"A local server listens on http://127.0.0.1:<port>, not on {url!r}. Set such a URL.")
    return parts.port


def running(state_dir: Path, name: str) -> Process | None:
    """The recorded server of this name, if it runs.

    A record whose process has ended is as good as none, also when another process has its pid now.
    """
    record = _record_path(state_dir, name)
    try:
        content = json.loads(record.read_text())
    except FileNotFoundError:
        return None
    if content["identity"] is None or identity(content["pid"]) != content["identity"]:
        return None
    return Process(
        name, content["pid"], content["identity"], content.get("url", ""), _log_path(state_dir, name), record
    )


def recorded_names(state_dir: Path) -> list[str]:
    """The names of all servers that have a record."""
    return sorted(record.stem for record in (state_dir / "processes").glob("*.json"))


def start(state_dir: Path, launch: Launch) -> Process:
    """Start a server in a session of its own, so that a Ctrl-C in the terminal does not reach it. Does not wait for it.

    Args:
        state_dir: Folder of the local state; the record and the log go there.
        launch: What to start.

    Raises:
        EngineStartError: If the port is taken or the command does not start.
    """
    require_free_port(launch.name, port_of(launch.url), f"set {launch.port_setting} to a free URL")
    record, log = _record_path(state_dir, launch.name), _log_path(state_dir, launch.name)
    record.parent.mkdir(parents=True, exist_ok=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    record.unlink(missing_ok=True)
    with log.open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "infra.local.launch", str(record), launch.url, *launch.command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, **launch.environment},
        )
    # Until the line is written the child waits, and ends by itself if this process does.
    assert child.stdin is not None
    with child.stdin as go:
        while not record.exists():
            if child.poll() is not None:
                raise EngineStartError(_failure(launch, log, f"ended with code {child.returncode}"))
            time.sleep(_POLL_SECONDS)
        process = _read(record, log)
        go.write(b"go\n")
    return process


def wait_until_healthy(process: Process, launch: Launch, healthy: Callable[[Process], bool]) -> None:
    """Wait for a server to answer. One that does not is ended.

    Args:
        process: The server.
        launch: How it was started, for its time limit and the message.
        healthy: Whether this very process answers.

    Raises:
        EngineStartError: If it ended or did not answer in time; quotes the end of its log.
    """
    deadline = time.monotonic() + launch.healthy_within
    while not (healthy(process) and is_alive(process)):
        if not is_alive(process):
            stop(process)
            raise EngineStartError(_failure(launch, process.log, "ended"))
        if time.monotonic() > deadline:
            stop(process)
            raise EngineStartError(
                _failure(launch, process.log, f"did not answer within {launch.healthy_within:.0f} s")
            )
        time.sleep(_POLL_SECONDS)


def stop(process: Process) -> None:
    """End a server: asked first, then by force. Returns when it is gone. One that has ended already is no error."""
    for signal_number, seconds in ((signal.SIGTERM, _STOP_SECONDS), (signal.SIGKILL, _STOP_SECONDS)):
        if not is_alive(process):
            break
        try:
            os.kill(process.pid, signal_number)
        except ProcessLookupError:
            break
        deadline = time.monotonic() + seconds
        while is_alive(process) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
    _reap(process.pid)
    process.record.unlink(missing_ok=True)


def is_alive(process: Process) -> bool:
    """Whether this very process runs."""
    return identity(process.pid) == process.identity


def _reap(pid: int) -> None:
    """Take the exit status of a child of ours, so that no zombie stays in the process table."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return  # another process started it


def require_free_port(name: str, port: int, instead: str) -> None:
    """Refuse to start a server on a port of 127.0.0.1 that is taken.

    Args:
        name: The server.
        port: Where it is to listen.
        instead: How to have it listen elsewhere: "set X".

    Raises:
        EngineStartError: If something listens there.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise EngineStartError(
                f"{name} cannot start: port {port} of 127.0.0.1 is taken by another program ({error.strerror}). "
                f"End that program (`lsof -i :{port}` names it), or {instead}."
            ) from error


def _failure(launch: Launch, log: Path, what: str) -> str:
    lines = log.read_text(errors="replace").splitlines()[-_QUOTED_LINES:] or ["(it is empty)"]
    quoted = "\n".join(f"  {line}" for line in lines)
    return f"{launch.name} {what} while it started. It was ended; nothing is left running. The end of {log}:\n{quoted}"


def _record_path(state_dir: Path, name: str) -> Path:
    return state_dir / "processes" / f"{name}.json"


def _log_path(state_dir: Path, name: str) -> Path:
    return state_dir / "logs" / f"{name}.log"


def _read(record: Path, log: Path) -> Process:
    content = json.loads(record.read_text())
    return Process(record.stem, content["pid"], content["identity"], content["url"], log, record)
