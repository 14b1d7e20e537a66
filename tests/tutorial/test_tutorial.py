"""docs/tutorial.md, followed to the letter in a scratch copy of the project, with a local state and ports of its own.

The page's `sh` blocks are run in their order, blocks with a title are saved under it, and each line of a `text` block
must be in what the commands before it printed.
"""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestration.settings import PROJECT_ROOT
from tests.conftest import free_port
from tests.pages import blocks

logger = logging.getLogger(__name__)

PAGE = "docs/tutorial.md"
# Nothing of the developer's own environment reaches the copy.
_KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "JAVA_HOME", "MAVEN_HOME")
_COMMAND_SECONDS = 300


def words(line: str) -> str:
    """A line without the signs that a table has on a terminal, and a file of CSV has in a pipe."""
    return " ".join(re.sub(r'[",]', " ", line).split())


@dataclass(frozen=True)
class Copy:
    """A copy of the project, and environment variables that lead its services to ports of their own."""

    folder: Path
    ports: dict[str, str]

    def run(self, commands: str) -> str:
        """What some lines of shell print, in the copy. They must all succeed."""
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        done = subprocess.run(
            ["bash", "-euc", commands],
            cwd=self.folder,
            # The copy's own code, not that which is installed.
            env={**kept, **self.ports, "PYTHONPATH": str(self.folder), "COLUMNS": "160"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout}"
        return done.stdout


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Copy]:
    """The project's files as they are now, with the environment of the original. Its services end with the test."""
    listed = subprocess.check_output(["git", "ls-files", "-coz", "--exclude-standard"], cwd=PROJECT_ROOT, text=True)
    for name in filter(None, listed.split("\0")):
        source = PROJECT_ROOT / name
        if source.is_file():
            target = tmp_path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    ports = {
        "WATERSHED_AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}",
        "WATERSHED_OPENSEARCH_URL": f"http://127.0.0.1:{free_port()}",
    }
    made = Copy(tmp_path, ports)
    yield made
    made.run(".venv/bin/watershed reset --yes")


@pytest.mark.tutorial
def test_the_tutorial_leads_from_a_sample_to_a_mart_and_the_page_of_the_lineage(copy: Copy) -> None:
    printed = ""
    for block in blocks(PAGE, copy.folder):
        if block.title:
            (copy.folder / block.title).write_text(block.text, encoding="utf-8")
        elif block.language == "sh":
            started = time.monotonic()
            printed = copy.run(block.text)
            logger.info("%5.1f s  %s", time.monotonic() - started, block.text.splitlines()[0])
        elif block.language == "text":
            told = {words(line) for line in printed.splitlines()}
            for line in block.text.splitlines():
                assert words(line) in told, f"the page shows {line!r}, and this was printed:\n{printed}"
    assert "marts/agg_gate_changes" in (copy.folder / ".watershed/lineage.html").read_text(encoding="utf-8")
