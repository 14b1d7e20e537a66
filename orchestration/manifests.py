"""Whether an artifact that dbt wrote is of the project as it is now: by what the files hold, not by their times."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from orchestration.settings import DBT_PROJECT_DIR

_PATTERNS = ("*.yml", "models/**/*", "macros/**/*", "tests/**/*")


def target_path(layer: str) -> Path:
    """Where dbt puts the artifacts of a layer, from the project's folder: no run reads those of another layer."""
    return Path("target") / layer


def fingerprint() -> str:
    """A digest of dbt's version and the project's files: another for each file added, edited, renamed or deleted."""
    digest = hashlib.sha256(version("dbt-core").encode())
    paths = {path for pattern in _PATTERNS for path in DBT_PROJECT_DIR.glob(pattern) if path.is_file()}
    for path in sorted(paths):
        content = path.read_bytes()
        digest.update(f"\n{path.relative_to(DBT_PROJECT_DIR)} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def is_current(artifact: Path) -> bool:
    """Whether an artifact is there, whole, and of the project as it is."""
    mark = _mark(artifact)
    if not (artifact.exists() and mark.exists()):
        return False
    return mark.read_text(encoding="utf-8").split() == [fingerprint(), _content(artifact)]


def mark_current(artifact: Path, project: str) -> None:
    """Note which project an artifact is of.

    Args:
        artifact: What dbt has written.
        project: The fingerprint before dbt read the project, so that a change meanwhile is not missed.
    """
    _mark(artifact).write_text(f"{project} {_content(artifact)}\n", encoding="utf-8")


@contextmanager
def rewritten(artifact: Path) -> Iterator[None]:
    """While dbt writes an artifact. If that goes well, it is noted as of the project as it was before."""
    project = fingerprint()
    discard_damaged(artifact)
    yield
    mark_current(artifact, project)


def discard_damaged(artifact: Path) -> None:
    """Delete an artifact that is no JSON: dbt leaves it alone when nothing in it would change, damaged or not."""
    try:
        json.loads(artifact.read_bytes())
    except FileNotFoundError:
        return
    except ValueError:
        artifact.unlink()


def _mark(artifact: Path) -> Path:
    return artifact.with_name(f"{artifact.name}.project")


def _content(artifact: Path) -> str:
    return hashlib.sha256(artifact.read_bytes()).hexdigest()
