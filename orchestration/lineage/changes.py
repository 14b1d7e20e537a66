"""What a change reaches: from the files that differ to the visuals, filters and index fields that stand on them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestration.lineage.errors import ChangesUnknownError
from orchestration.lineage.graph import FieldId, Graph
from orchestration.settings import PROJECT_ROOT


@dataclass(frozen=True)
class Reach:
    """The assets that changed files declare, and the ends of the lineage that their fields reach.

    Each field of a changed asset counts as changed.
    """

    assets: Mapping[str, tuple[str, ...]]
    """By file. Files that declare no field are left out."""
    ends: frozenset[FieldId]


def changed_files(base: str, root: Path = PROJECT_ROOT) -> frozenset[str]:
    """Files that differ from where this branch left `base`, by their paths from `root`. Uncommitted ones count.

    Raises:
        ChangesUnknownError: With git's words, if it knows no such commit or this is no clone.
    """
    differ = _git(root, "diff", "--name-only", "--relative", "--merge-base", base, "--")
    untracked = _git(root, "ls-files", "--others", "--exclude-standard")
    return frozenset([*differ, *untracked])


def _git(root: Path, *arguments: str) -> list[str]:
    command = ["git", "-c", "core.quotepath=off", *arguments]
    try:
        run = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise ChangesUnknownError("git is not installed; it is what says which files changed") from error
    if run.returncode:
        raise ChangesUnknownError(f"git cannot say what changed: {run.stderr.strip()}")
    return run.stdout.splitlines()


def reach(graph: Graph, files: Iterable[str]) -> Reach:
    """What changed files reach. Of a file that was deleted, and that no asset is made of any more, nothing is known."""
    declared = {
        file: tuple(key for key, asset in graph.assets.items() if file in asset.files) for file in sorted(set(files))
    }
    declared = {file: assets for file, assets in declared.items() if assets}
    changed = {key for assets in declared.values() for key in assets}
    return Reach(declared, graph.ends(field for field in graph.fields if field.asset in changed))
