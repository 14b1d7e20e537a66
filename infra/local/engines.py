"""The engines of the local environment. A further one plugs in here: implement `Engine`, enter it in `all_engines`."""

from __future__ import annotations

from typing import Protocol

from infra.local.aws.engine import AwsEngine
from infra.local.opensearch.engine import OpenSearchEngine
from infra.local.processes import Launch, Process
from orchestration.settings import Settings


class Engine(Protocol):
    """A server that stands in for an AWS service."""

    @property
    def name(self) -> str:
        """Names its process, its log and its folder in the state."""
        ...

    def available(self) -> str | None:
        """None if it can be started on this machine, else why not and what to install. Quick, and no network."""
        ...

    def launch(self, settings: Settings) -> Launch:
        """How to start it. May take its time the first time, to fetch the server."""
        ...

    def healthy(self, process: Process) -> bool:
        """Whether it answers. Never raises, and takes a few seconds at most."""
        ...


def all_engines() -> tuple[Engine, ...]:
    """The engines, the local AWS first: the state lives as long as it does."""
    return (AwsEngine(), OpenSearchEngine())
