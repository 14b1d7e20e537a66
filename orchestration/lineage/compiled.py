"""The project's SQL as dbt compiles it, without a server: what the lineage of the models is read from."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path
from typing import Any

from orchestration.dbt import run_offline
from orchestration.lineage.errors import CompileError
from orchestration.manifests import is_current, rewritten
from orchestration.settings import DBT_PROJECT_DIR

# What profiles.yml beside this file compiles for. A model's SQL is written once, so each engine's lineage is this one.
DIALECT = "duckdb"
TARGET_PATH = DBT_PROJECT_DIR / "target" / "lineage"


def is_compiled(target_path: Path = TARGET_PATH) -> bool:
    """Whether the compiled SQL is of the project as it is."""
    return is_current(target_path / "manifest.json")


def compiled_manifest(target_path: Path = TARGET_PATH) -> dict[str, Any]:
    """dbt's manifest with the compiled SQL of every model. Compiles, some 6 s, only if the project has changed.

    Of several processes that ask at once one compiles, and the others wait for it.

    Raises:
        CompileError: With dbt's words.
    """
    manifest = target_path / "manifest.json"
    target_path.mkdir(parents=True, exist_ok=True)
    with (target_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_current(manifest):
            with rewritten(manifest):
                _compile(target_path)
        return json.loads(manifest.read_text(encoding="utf-8"))


def _compile(target_path: Path) -> None:
    target = ["--profiles-dir", str(Path(__file__).parent), "--target", "lineage", "--target-path", str(target_path)]
    if said := run_offline("compile", "--select", "resource_type:model", *target):
        raise CompileError(f"dbt cannot compile the project; mend what it says:\n{said}")
