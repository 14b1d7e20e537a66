"""A Spark that runs the project's jobs as a user would start them, and a local AWS whose clock a test can move."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from moto.s3.models import s3_backends

from infra.local.aws.server import serve
from infra.local.opensearch.java import find_java
from orchestration.settings import PROJECT_ROOT, Settings
from tests.conftest import free_port, local_settings

PYTHON = PROJECT_ROOT / ".venv-spark" / "bin" / "python"
JOBS = PROJECT_ROOT / "ingestion" / "spark" / "jobs"
# Spark 3.5 runs on these, and not on the releases between and after.
# https://spark.apache.org/docs/3.5.4/
JAVAS = (8, 11, 17)
_RELEASES = PROJECT_ROOT / "infra" / "terraform" / "modules" / "compute" / "spark.tf"


@dataclass(frozen=True)
class Run:
    """A job that has ended."""

    code: int
    reports: dict[str, dict[str, Any]]
    errors: str


@dataclass(frozen=True)
class Job:
    """A job that was started."""

    process: subprocess.Popen[bytes]
    output: Path
    errors: Path

    @property
    def running(self) -> bool:
        """Whether it is at work still."""
        return self.process.poll() is None

    def has_reported(self, *databases: str) -> bool:
        """Whether it is done with the readings of some databases."""
        output = self.output.read_text()
        return all(f'"{database}.readings"' in output for database in databases)

    def wait(self) -> Run:
        """Wait for its end."""
        code = self.process.wait(timeout=300)
        reports = [json.loads(line) for line in self.output.read_text().splitlines() if line.startswith("{")]
        return Run(code, {report["table"]: report for report in reports}, self.errors.read_text())

    def kill(self) -> None:
        """End it as a power cut does: Python and the Java that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=30)


@dataclass(frozen=True)
class Spark:
    """Starts scripts on Spark, over a local AWS."""

    java_home: Path
    endpoint_url: str
    folder: Path

    def start(self, script: Path, *arguments: str) -> Job:
        """Start a script in a process group of its own."""
        own = {
            "JAVA_HOME": str(self.java_home),
            "PYSPARK_SUBMIT_ARGS": " ".join(_submit_arguments(self.endpoint_url)),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
        }
        command = [str(PYTHON), str(script), *arguments]
        # Files, for a pipe that nobody reads stops who writes into it.
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        output, errors = folder / "output", folder / "errors"
        with output.open("wb") as out, errors.open("wb") as err:
            process = subprocess.Popen(
                command, env={**os.environ, **own}, start_new_session=True, stdout=out, stderr=err, cwd=folder
            )
        return Job(process, output, errors)


def _submit_arguments(endpoint_url: str) -> Iterator[str]:
    """What Glue and EMR Serverless bring: Iceberg of the release that Terraform names, and a file system for s3://."""
    (iceberg,) = re.findall(r'"3\.5\.4" = \{ iceberg = "([\d.]+)"', _RELEASES.read_text())
    packages = [
        f"org.apache.iceberg:iceberg-spark-runtime-3.5_2.12:{iceberg}",
        f"org.apache.iceberg:iceberg-aws-bundle:{iceberg}",
        # The Hadoop of Spark 3.5.4, and those parts of the AWS SDK that it needs: the whole one has 280 MB.
        "org.apache.hadoop:hadoop-aws:3.3.4",
        *(f"com.amazonaws:aws-java-sdk-{part}:1.12.262" for part in ("s3", "dynamodb", "sts")),
    ]
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    configured = {
        "spark.jars.ivy": Path(cache) / "watershed" / "ivy",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.default.parallelism": 2,
        "spark.sql.shuffle.partitions": 2,
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "spark.hadoop.fs.s3a.endpoint": endpoint_url,
        "spark.hadoop.fs.s3a.endpoint.region": "us-east-1",
        "spark.hadoop.fs.s3a.path.style.access": "true",
    }
    yield from ("--master", "local[2]", "--driver-memory", "1g")
    # Most of a short job is the start of its Java: compile little.
    yield from ("--driver-java-options", '"-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"')
    yield from ("--packages", ",".join(packages), "--exclude-packages", "com.amazonaws:aws-java-sdk-bundle")
    for name, value in configured.items():
        yield from ("--conf", f"{name}={value}")
    yield "pyspark-shell"


@pytest.fixture(scope="session")
def spark(local_aws: Settings, tmp_path_factory: pytest.TempPathFactory) -> Spark:
    if not PYTHON.exists():
        pytest.skip("pyspark is not there: `make test-spark` installs it in .venv-spark")
    java = find_java()
    if java is None or java.version not in JAVAS:
        found = f"the Java that was found is {java.version}" if java else "no Java was found"
        pytest.skip(f"Spark 3.5 runs on Java 17, and {found}. Install one, and let JAVA_HOME name it.")
    assert local_aws.aws_endpoint_url
    return Spark(java.home, local_aws.aws_endpoint_url, tmp_path_factory.mktemp("spark"))


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The local AWS in a thread of this process, so that `age_objects` reaches into it."""
    server = serve(port := free_port())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield local_settings(f"http://127.0.0.1:{port}", tmp_path_factory.mktemp("local-aws"))
    server.shutdown()
    server.server_close()


def age_objects(settings: Settings, bucket: str, prefix: str, age: timedelta) -> None:
    """Have objects been written some time ago."""
    backend = s3_backends[settings.account_id]["aws"]
    for name, key in backend.buckets[bucket].keys.items():
        if name.startswith(prefix):
            key.last_modified = (datetime.now(UTC) - age).replace(tzinfo=None)
