"""Finds the Java and the Maven of this machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

MINIMUM_JAVA = 17
"""OpenSearch 2.19's artifacts need 11, the launch of a program from its source with Lucene's access flags 17."""

_ANSWER_SECONDS = 10


@dataclass(frozen=True)
class Java:
    """A Java runtime that answered."""

    executable: Path
    version: int
    """The feature release: 17, 25."""
    has_compiler: bool
    """Whether it can run a program from its source."""

    @property
    def home(self) -> Path:
        """The folder that tools expect in JAVA_HOME."""
        return self.executable.resolve().parent.parent


def find_java() -> Java | None:
    """The best Java among JAVA_HOME's and PATH's, in that order; None if neither runs.

    One that is too old or lacks the compiler is returned only if there is no better, for the message.
    """
    found = [java for executable in _candidates() if (java := _ask(executable)) is not None]
    return next((java for java in found if why_unfit(java) is None), found[0] if found else None)


def why_unfit(java: Java) -> str | None:
    """None if OpenSearch can be started with it, else the reason."""
    if java.version < MINIMUM_JAVA:
        return f"{java.executable} is Java {java.version}, older than {MINIMUM_JAVA}"
    if not java.has_compiler:
        return f"{java.executable} is a runtime without the compiler (module jdk.compiler)"
    return None


def find_maven() -> Path | None:
    """The `mvn` of MAVEN_HOME or of PATH."""
    home = os.environ.get("MAVEN_HOME")
    found = shutil.which("mvn", path=str(Path(home) / "bin")) if home else None
    found = found or shutil.which("mvn")
    return Path(found) if found else None


def parse_modules(listing: str) -> tuple[int, bool] | None:
    """Read what `java --list-modules` prints.

    Args:
        listing: Lines like `java.base@17.0.15`.

    Returns:
        The feature release and whether the compiler is there; None if it is not such a listing.
    """
    base = re.search(r"^java\.base@(\d+)", listing, re.MULTILINE)
    if base is None:
        return None
    return int(base[1]), re.search(r"^jdk\.compiler@", listing, re.MULTILINE) is not None


def parse_version(banner: str) -> int | None:
    """Read what `java -version` prints: `version "17.0.15"`, `version "25"`, and of old `version "1.8.0_392"`.

    Returns:
        The feature release; None if no version is told.
    """
    told = re.search(r'version "(?:1\.)?(\d+)', banner)
    return int(told[1]) if told else None


def _candidates() -> list[Path]:
    home = os.environ.get("JAVA_HOME")
    from_home = shutil.which("java", path=str(Path(home) / "bin")) if home else None
    return [Path(found) for found in (from_home, shutil.which("java")) if found]


def _ask(executable: Path) -> Java | None:
    """Asked by running it: a `java` in PATH may be a stub that only says where to download one (macOS)."""
    modules = parse_modules(_output(executable, "--list-modules"))
    if modules is not None:
        return Java(executable, *modules)
    version = parse_version(_output(executable, "-version"))  # Java 8 has no modules
    return Java(executable, version, has_compiler=False) if version is not None else None


def _output(executable: Path, option: str) -> str:
    try:
        answer = subprocess.run(
            [executable, option], capture_output=True, text=True, timeout=_ANSWER_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""  # as good as no Java: the next candidate is asked
    return answer.stdout + answer.stderr
