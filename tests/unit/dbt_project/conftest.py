"""What dbt makes of the project for each target, with no server and nothing set in the environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestration.settings import DBT_PROJECT_DIR, PROJECT_ROOT

TARGETS = ("local", "athena", "redshift")

# One process for all targets: importing dbt takes longer than parsing. It prints what each command answered.
_COMMANDS = """
import json, os, sys
from dbt.cli.main import dbtRunner

folder = sys.argv[1]
for target in sys.argv[2:]:
    warnings = []

    def collect(event):
        if event.info.level in ("warn", "error"):
            warnings.append(event.info.msg)

    runner = dbtRunner(callbacks=[collect])
    arguments = ["--quiet", "--target", target, "--target-path", f"{folder}/{target}"]
    parsed = runner.invoke(["parse", "--show-all-deprecations", *arguments])
    listed = runner.invoke(["ls", *arguments])
    compiled = True
    if target == "redshift":
        # Introspection is what would need a connection.
        offline = ["--no-populate-cache", "--no-introspect"]
        compiled = runner.invoke(["compile", *offline, *arguments]).success
    warned = list(warnings)
    # The mask as it is compiled with the salt of a secret, and what is said without one.
    mask = ["compile", "--inline", "select {{ mask('tail_number') }} as aircraft_key", "--no-introspect"]
    os.environ |= {"WATERSHED_ENVIRONMENT": "production", "WATERSHED_MASK_SALT": "0123456789abcdef" * 2}
    masked = runner.invoke([*mask, "--no-populate-cache", *arguments])
    del os.environ["WATERSHED_MASK_SALT"]
    unsalted = runner.invoke([*mask, "--no-populate-cache", *arguments])
    del os.environ["WATERSHED_ENVIRONMENT"]
    print(json.dumps({
        "target": target,
        "success": parsed.success and listed.success and compiled,
        "warnings": warned,
        "masked": masked.result.results[0].node.compiled_code if masked.success else str(masked.exception),
        "unsalted": str(unsalted.exception),
        "selected": listed.result or [],
    }), file=sys.stderr)
"""


@dataclass(frozen=True)
class Parsed:
    """The project as dbt sees it for a target."""

    target: str
    manifest: dict[str, Any]
    warnings: list[str]
    """Warnings and errors that were shown."""
    masked: str
    """A query that masks a column, in production."""
    unsalted: str
    """What is said of it where there is no salt."""
    selected: list[str]
    """What a command takes that selects nothing."""
    compiled: Path
    """Folder of compiled SQL."""

    @property
    def models(self) -> dict[str, dict[str, Any]]:
        """Models by name."""
        return {n["name"]: n for n in self.manifest["nodes"].values() if n["resource_type"] == "model"}

    def lake_models_that_marts_read(self) -> dict[str, dict[str, Any]]:
        """The models that cross from lake to warehouse."""
        crossing = {
            parent
            for node in self.models.values()
            if node["config"]["meta"]["layer"] == "warehouse"
            for parent in node["depends_on"]["nodes"]
            if self.manifest["nodes"][parent]["config"]["meta"]["layer"] == "lake"
        }
        return {self.manifest["nodes"][parent]["name"]: self.manifest["nodes"][parent] for parent in crossing}


@pytest.fixture(scope="session")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Parsed]:
    """The project, parsed for each target."""
    folder = tmp_path_factory.mktemp("dbt")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("WATERSHED_", "AWS_", "DBT_"))}
    run = subprocess.run(
        [sys.executable, "-c", _COMMANDS, str(folder), *TARGETS],
        cwd=DBT_PROJECT_DIR,
        env={**environment, "PYTHONPATH": str(PROJECT_ROOT), "DBT_LOG_PATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    answers = [json.loads(line) for line in run.stderr.splitlines() if line.startswith("{")]
    assert [a["target"] for a in answers if a["success"]] == list(TARGETS), run.stdout + run.stderr
    return {
        answer["target"]: Parsed(
            target=answer["target"],
            manifest=json.loads((folder / answer["target"] / "manifest.json").read_text(encoding="utf-8")),
            warnings=answer["warnings"],
            masked=answer["masked"],
            unsalted=answer["unsalted"],
            selected=answer["selected"],
            compiled=folder / answer["target"] / "compiled" / "watershed",
        )
        for answer in answers
    }


@pytest.fixture(params=TARGETS)
def project(request: pytest.FixtureRequest, parsed: dict[str, Parsed]) -> Parsed:
    """The project, for each target in turn."""
    return parsed[request.param]
