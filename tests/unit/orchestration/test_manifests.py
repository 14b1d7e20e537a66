"""What makes an artifact of dbt stale."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestration import manifests
from orchestration.manifests import discard_damaged, fingerprint, is_current, mark_current


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    (folder / "models").mkdir(parents=True)
    (folder / "dbt_project.yml").write_text("name: small\n")
    (folder / "models" / "model.sql").write_text("select 1 as one")
    monkeypatch.setattr(manifests, "DBT_PROJECT_DIR", folder)
    return folder


@pytest.fixture
def artifact(project: Path, tmp_path: Path) -> Path:
    found = tmp_path / "manifest.json"
    found.write_text("{}")
    mark_current(found, fingerprint())
    return found


def test_an_artifact_of_the_project_as_it_is_is_current(artifact: Path) -> None:
    assert is_current(artifact)


@pytest.mark.parametrize(
    "change",
    [
        lambda project: (project / "models" / "model.sql").write_text("select 2 as one"),
        lambda project: (project / "models" / "model.sql").unlink(),
        lambda project: (project / "models" / "model.sql").rename(project / "models" / "other.sql"),
        lambda project: (project / "models" / "more.yml").write_text("models: []"),
    ],
    ids=["edited", "deleted", "renamed", "added"],
)
def test_a_changed_project_makes_it_stale(change: Callable[[Path], object], project: Path, artifact: Path) -> None:
    change(project)
    assert not is_current(artifact)


def test_a_damaged_artifact_is_not_current_and_is_discarded(artifact: Path) -> None:
    artifact.write_text('{"nodes": ')
    assert not is_current(artifact)
    discard_damaged(artifact)
    assert not artifact.exists()


def test_a_missing_artifact_is_not_current(artifact: Path) -> None:
    artifact.unlink()
    assert not is_current(artifact)
    discard_damaged(artifact)


def test_a_change_while_dbt_reads_the_project_makes_its_artifact_stale(project: Path, artifact: Path) -> None:
    before = fingerprint()
    (project / "models" / "model.sql").write_text("select 2 as one")
    mark_current(artifact, before)
    assert not is_current(artifact)
