"""Compiling the project without a server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestration import dbt
from orchestration.lineage import compiled
from orchestration.lineage.errors import CompileError
from orchestration.manifests import fingerprint, mark_current


def test_every_model_has_sql_that_is_its_first_build(manifest: dict[str, Any]) -> None:
    models = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
    assert models
    assert all(node["compiled_code"] for node in models)
    (incremental,) = (node for node in models if node["name"] == "int_flights")
    assert "look_back" not in incremental["compiled_code"]


def test_an_unchanged_project_is_not_compiled_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = tmp_path / "manifest.json"
    manifest.write_text('{"nodes": {}}')
    mark_current(manifest, fingerprint())
    monkeypatch.setattr(compiled, "_compile", lambda target_path: pytest.fail(f"compiled into {target_path}"))
    assert compiled.compiled_manifest(tmp_path) == {"nodes": {}}


def test_a_changed_project_is_compiled_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = tmp_path / "manifest.json"
    manifest.write_text('{"nodes": {}}')
    mark_current(manifest, "another project")
    monkeypatch.setattr(compiled, "_compile", lambda _: manifest.write_text('{"nodes": {"new": {}}}'))
    assert compiled.compiled_manifest(tmp_path) == {"nodes": {"new": {}}}


def test_what_dbt_says_is_in_the_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "dbt_project.yml").write_text("name: small\nprofile: nobody\n")
    monkeypatch.setattr(dbt, "DBT_PROJECT_DIR", folder)
    with pytest.raises(CompileError, match="nobody"):
        compiled.compiled_manifest(tmp_path / "target")
