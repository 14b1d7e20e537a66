"""The local AWS as an engine that can be started."""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from importlib.util import find_spec

from infra.local.processes import Launch, Process, port_of
from orchestration.settings import Settings


class AwsEngine:
    """The local AWS: one process, all its data in memory."""

    name = "aws"

    def available(self) -> str | None:
        """None if it can be started, else why not and what to install."""
        if find_spec("moto") is None:
            return "moto is not installed. Install the project with its extra `local`: uv pip install -e '.[local]'"
        return None

    def launch(self, settings: Settings) -> Launch:
        """How it is started."""
        url = settings.aws_endpoint_url or ""
        command = (sys.executable, "-m", "infra.local.aws", "--port", str(port_of(url)))
        return Launch(self.name, command, url, port_setting="WATERSHED_AWS_ENDPOINT_URL")

    def healthy(self, process: Process) -> bool:
        """Whether this very process answers."""
        return answering_pid(process.url) == process.pid


def answering_pid(url: str) -> int | None:
    """The pid of the local AWS that answers at a URL; None if none does."""
    try:
        with urllib.request.urlopen(f"{url}/_health", timeout=2) as response:
            return int(json.load(response)["pid"])
    except (urllib.error.URLError, ConnectionError, TimeoutError, ValueError, KeyError):
        return None
