"""A real browser, and the platform that it looks at: the demo's state, and `watershed dev` over it, for the session.

Pictures are kept in `test-artefacts/`, named for what they show; pictures.py makes the documentation's from them.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, Response, expect, sync_playwright

from orchestration.settings import PROJECT_ROOT
from tests.conftest import free_port

_ARTEFACTS = PROJECT_ROOT / "test-artefacts"
_CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_APPLICATIONS = (
    Path("/Applications/Chromium.app/Contents/MacOS/Chromium"),
    Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
)
_MISSING = (
    "no Chromium was found: install it (Debian: apt install chromium; macOS: brew install --cask chromium),"
    " or name one in the environment variable CHROMIUM"
)
_COMMAND_SECONDS = 420
_START_SECONDS = 180
_WAIT_MILLISECONDS = 60_000
"""How long the browser waits for what a test asks for. A machine that is busy takes its time."""


@dataclass(frozen=True)
class Platform:
    """The platform on ports and a state of its own, after `watershed demo`."""

    environment: dict[str, str]
    state_dir: Path

    def run(self, *arguments: str) -> str:
        """What a `watershed` command prints. It must succeed."""
        done = subprocess.run(
            [Path(sys.executable).with_name("watershed"), *arguments],
            cwd=PROJECT_ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"watershed {' '.join(arguments)}\n{done.stdout}"
        return done.stdout


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The machine's Chromium. Without one the tests are skipped, with the cure."""
    named = os.environ.get("CHROMIUM")
    if named is not None:
        assert Path(named).is_file(), f"the environment variable CHROMIUM names {named!r}, and there is no such file"
        return Path(named)
    on_path = (shutil.which(name) for name in _CHROMIUMS)
    found = next(filter(None, on_path), None) or next((path for path in _APPLICATIONS if path.is_file()), None)
    if found is None:
        pytest.skip(_MISSING)
    return Path(found)


@pytest.fixture(scope="session")
def browser(chromium: Path) -> Iterator[Browser]:
    expect.set_options(timeout=_WAIT_MILLISECONDS)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def artefacts() -> Path:
    """The folder where pictures and logs are kept."""
    _ARTEFACTS.mkdir(exist_ok=True)
    return _ARTEFACTS


@pytest.fixture(scope="session")
def platform(chromium: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The state that `watershed demo` leaves: January, from the stream to its ends. All of it ends with the session."""
    state_dir, ports = tmp_path_factory.mktemp("browser") / "state", (free_port(), free_port())
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WATERSHED_", "AWS_"))}
    own = {
        "WATERSHED_STATE_DIR": str(state_dir),
        "WATERSHED_AWS_ENDPOINT_URL": f"http://127.0.0.1:{ports[0]}",
        "WATERSHED_OPENSEARCH_URL": f"http://127.0.0.1:{ports[1]}",
        "COLUMNS": "160",
    }
    made = Platform({**kept, **own}, state_dir)
    try:
        made.run("demo")
        yield made
    finally:
        made.run("reset", "--yes")
    for port in ports:
        assert not _answers(port), f"something still listens on 127.0.0.1:{port}"


@pytest.fixture(scope="session")
def dagster_url(platform: Platform, artefacts: Path) -> Iterator[str]:
    """Dagster's UI, as `watershed dev` serves it."""
    port = free_port()
    log = artefacts / "watershed-dev.log"
    command = [Path(sys.executable).with_name("watershed"), "dev", "--port", str(port), "--no-traffic"]
    with log.open("wb") as output:
        dev = subprocess.Popen(
            command, cwd=PROJECT_ROOT, env=platform.environment, stdout=output, stderr=subprocess.STDOUT
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _await_answer(f"{url}/server_info", dev, log)
        yield url
    finally:
        dev.send_signal(signal.SIGINT)
        ended = dev.wait(60)
    assert ended == 0, f"watershed dev ended with {ended}:\n{log.read_text(errors='replace')[-3000:]}"
    assert not _answers(port), f"Dagster's UI still listens on 127.0.0.1:{port}"


def _await_answer(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            with urlopen(url, timeout=5):
                return
        except (URLError, TimeoutError):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"watershed dev did not start:\n{log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.2)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Seen:
    """What a page asked for, and what went wrong on it."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.faults: list[str] = []

    def watch(self, page: Page) -> None:
        page.on("request", self._request)
        page.on("response", self._response)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.faults.append(f"uncaught: {error}"))

    def _request(self, request: Request) -> None:
        # What a page carries in itself needs no network.
        if not request.url.startswith(("data:", "blob:")):
            self.requests.append(request.url)

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self.faults.append(f"{response.status} of {response.url}")

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.faults.append(f"console: {message.text}")


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def open_page(browser: Browser, seen: Seen) -> Iterator[Callable[..., Page]]:
    """Opens a page in a context of its own, whose faults fail the test: errors of scripts, answers that are none."""
    contexts = []

    def open_(width: int = 1600, height: int = 1000, *, offline: bool = False, scale: float = 1) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height}, offline=offline, device_scale_factor=scale
        )
        contexts.append(context)
        context.set_default_timeout(_WAIT_MILLISECONDS)
        context.on("page", seen.watch)
        return context.new_page()

    yield open_
    for context in contexts:
        context.close()
    assert not seen.faults


@pytest.fixture
def picture(artefacts: Path) -> Callable[..., Path]:
    """Keeps a picture of a page, or of a part of it, under the name of what it shows."""

    def keep(part: Page | Locator, name: str, **options: Any) -> Path:
        path = artefacts / f"{name}.png"
        part.screenshot(path=path, animations="disabled", **options)
        return path

    return keep
