from __future__ import annotations

from pathlib import Path

import pytest

from infra.local.errors import EngineStartError
from infra.local.opensearch.artifacts import fetch, jars_dir, version
from infra.local.opensearch.java import Java


@pytest.fixture
def maven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a Maven is looked for, and an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("MAVEN_HOME", str(tmp_path))
    (tmp_path / "bin").mkdir()
    return tmp_path / "bin" / "mvn"


def _acts(maven: Path, script: str) -> None:
    maven.write_text(
        f'#!/bin/sh\nfor option; do case $option in -DoutputDirectory=*) out="${{option#*=}}";; esac; done\n{script}\n'
    )
    maven.chmod(0o755)


def _java(tmp_path: Path) -> Java:
    return Java(tmp_path / "jdk" / "bin" / "java", 17, has_compiler=True)


def test_the_folder_is_named_after_the_version_in_the_pom(maven: Path, tmp_path: Path):
    assert version() == "2.19.1.0"
    assert jars_dir() == tmp_path / "cache" / "watershed" / "opensearch" / "2.19.1.0"


def test_jars_are_fetched_once_by_the_java_that_was_found(maven: Path, tmp_path: Path):
    _acts(maven, 'mkdir "$out" && echo "$JAVA_HOME" > "$out/a.jar"')
    assert fetch(_java(tmp_path)) == jars_dir()
    assert (jars_dir() / "a.jar").read_text().strip() == str(tmp_path / "jdk")
    _acts(maven, "exit 1")
    assert fetch(_java(tmp_path)) == jars_dir()


def test_a_failed_fetch_leaves_no_folder_and_quotes_maven(maven: Path, tmp_path: Path):
    _acts(maven, 'mkdir "$out"; touch "$out/half.jar"; echo "[ERROR] Checksum validation failed"; exit 1')
    with pytest.raises(EngineStartError, match=r"(?s)code 1.*Checksum validation failed"):
        fetch(_java(tmp_path))
    assert not jars_dir().exists()
    assert list(jars_dir().parent.iterdir()) == []


def test_jars_that_another_process_fetched_meanwhile_are_used(maven: Path, tmp_path: Path):
    other = jars_dir()
    _acts(maven, f'mkdir "$out" && touch "$out/ours.jar" && mkdir -p "{other}" && touch "{other}/theirs.jar"')
    assert [jar.name for jar in fetch(_java(tmp_path)).iterdir()] == ["theirs.jar"]


def test_a_missing_maven_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("MAVEN_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineStartError, match="there is no Maven"):
        fetch(_java(tmp_path))
