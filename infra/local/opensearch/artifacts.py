"""OpenSearch's jars: fetched once by Maven into the user's cache, read from there ever after."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

from infra.local.errors import EngineStartError
from infra.local.opensearch.java import Java, find_maven

POM = Path(__file__).with_name("pom.xml")
_NAMESPACE = {"pom": "http://maven.apache.org/POM/4.0.0"}
_DOWNLOAD_SECONDS = 480

_logger = logging.getLogger(__name__)


def version() -> str:
    """The version that pom.xml names."""
    found = ET.parse(POM).findtext("pom:dependencies/pom:dependency/pom:version", namespaces=_NAMESPACE)
    if not found:
        raise EngineStartError(f"{POM} names no version of OpenSearch. Restore the file.")
    return found


def jars_dir() -> Path:
    """Where the jars of this version lie, or will: `$XDG_CACHE_HOME/watershed/opensearch/<version>` (XDG base dirs)."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "watershed" / "opensearch" / version()


def fetch(java: Java) -> Path:
    """Make sure that the jars are there.

    Maven checks each jar against its checksum. The folder appears by a rename, so that it is complete or not there.

    Args:
        java: What Maven runs on.

    Returns:
        The folder that holds them.

    Raises:
        EngineStartError: If Maven is missing or fails; quotes what it said.
    """
    jars = jars_dir()
    if jars.is_dir():
        return jars
    jars.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=jars.parent, prefix=".fetch-") as folder:
        fetched = Path(folder) / "jars"
        _run_maven(java, fetched)
        try:
            fetched.rename(jars)
        except OSError:
            if not jars.is_dir():  # else another process was quicker, with the same jars
                raise
    return jars


def _run_maven(java: Java, target: Path) -> None:
    maven = find_maven()
    if maven is None:
        raise EngineStartError("OpenSearch cannot be fetched: there is no Maven. Install it so that `mvn` is in PATH.")
    _logger.info("Fetching OpenSearch %s with Maven, about 55 MB, once; it may take a minute.", version())
    command = [str(maven), "--batch-mode", "--strict-checksums", "--quiet", "--file", str(POM)]
    command += ["dependency:copy-dependencies", f"-DoutputDirectory={target}", "-DincludeScope=runtime"]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=_DOWNLOAD_SECONDS,
            check=False,
            env={**os.environ, "JAVA_HOME": str(java.home)},
        )
    except subprocess.TimeoutExpired as error:
        raise EngineStartError(
            f"Maven did not fetch OpenSearch within {_DOWNLOAD_SECONDS} s. Look at the network, then try again: "
            f"what it has fetched is kept."
        ) from error
    if done.returncode != 0:
        shutil.rmtree(target, ignore_errors=True)
        said = "\n".join(f"  {line}" for line in (done.stdout + done.stderr).strip().splitlines()[:15])
        raise EngineStartError(f"Maven could not fetch OpenSearch (code {done.returncode}):\n{said}")
