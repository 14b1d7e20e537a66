"""The engine that stands in for OpenSearch Service: OpenSearch itself, one node, on 127.0.0.1."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

from infra.local.errors import EngineStartError
from infra.local.opensearch.artifacts import fetch, jars_dir
from infra.local.opensearch.java import MINIMUM_JAVA, Java, find_java, find_maven, why_unfit
from infra.local.processes import Launch, Process, port_of
from orchestration.settings import Settings

PROGRAM = Path(__file__).with_name("OpenSearchNode.java")
_HEAP = "512m"
_INSTALL = (
    f"Install a JDK of Java {MINIMUM_JAVA} or later and Maven, both in PATH (or named by JAVA_HOME and MAVEN_HOME)."
)

# Loopback only, hence no security plugin. Disk thresholds are off: on a full disk of a developer's machine
# they would turn every index read-only.
_CONFIGURATION = """\
cluster.name: watershed
node.name: local
discovery.type: single-node
network.host: 127.0.0.1
http.port: {port}
transport.port: 0
path.data: {data}
path.logs: {logs}
action.auto_create_index: false
cluster.routing.allocation.disk.threshold_enabled: false
"""

_LOGGING = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %p %c{1.} %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
"""


class OpenSearchEngine:
    """OpenSearch from Maven Central on the installed Java. Without a security plugin, TLS and replicas."""

    @property
    def name(self) -> str:
        """Its name."""
        return "opensearch"

    def available(self) -> str | None:
        """None if it can be started on this machine, else why not and what to install."""
        java = find_java()
        if java is None:
            return f"OpenSearch needs Java, and there is none. {_INSTALL}"
        if (unfit := why_unfit(java)) is not None:
            return f"OpenSearch cannot run: {unfit}. {_INSTALL}"
        if not jars_dir().is_dir() and find_maven() is None:
            return f"OpenSearch has to be fetched, and there is no Maven. {_INSTALL}"
        return None

    def launch(self, settings: Settings, *, exit_with_stdin: bool = False) -> Launch:
        """How to start it; its data and configuration live in `<state_dir>/opensearch`.

        Args:
            settings: Names the URL and the folder of the state.
            exit_with_stdin: Let it end when its standard input closes, so that it never outlives its starter.

        Raises:
            EngineStartError: If Java or Maven is missing, or the jars cannot be fetched.
        """
        java = self._java()
        home = settings.state_dir.resolve() / "opensearch"
        _configure(home, port_of(settings.opensearch_url))
        return Launch(
            name=self.name,
            command=_command(java, fetch(java), home, exit_with_stdin),
            url=settings.opensearch_url,
            port_setting="WATERSHED_OPENSEARCH_URL",
            healthy_within=90.0,
        )

    def healthy(self, process: Process) -> bool:
        """Whether this very process answers: another program may have the port."""
        return process.pid in answering_pids(process.url)

    def _java(self) -> Java:
        java = find_java()
        reason = self.available()
        if reason is not None or java is None:
            raise EngineStartError(reason or f"OpenSearch needs Java. {_INSTALL}")
        return java


def answering_pids(url: str) -> list[int]:
    """The process of the OpenSearch node behind a URL; empty if none answers there."""
    try:
        with urllib.request.urlopen(f"{url}/_nodes/_local/process", timeout=2) as answer:
            nodes = json.load(answer)["nodes"].values()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
    return [node["process"]["id"] for node in nodes]


def _command(java: Java, jars: Path, home: Path, exit_with_stdin: bool) -> tuple[str, ...]:
    return (
        str(java.executable),
        f"-Xms{_HEAP}",
        f"-Xmx{_HEAP}",
        "--enable-native-access=ALL-UNNAMED",
        "--class-path",
        str(jars / "*"),
        str(PROGRAM),
        str(home),
        *(["--exit-with-stdin"] if exit_with_stdin else []),
    )


def _configure(home: Path, port: int) -> None:
    config = home / "config"
    config.mkdir(parents=True, exist_ok=True)
    data, logs = (json.dumps(str(home / folder)) for folder in ("data", "logs"))  # a JSON string is a YAML string
    (config / "opensearch.yml").write_text(_CONFIGURATION.format(port=port, data=data, logs=logs))
    (config / "log4j2.properties").write_text(_LOGGING)
