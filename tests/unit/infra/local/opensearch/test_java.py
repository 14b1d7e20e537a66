from __future__ import annotations

from pathlib import Path

import pytest

from infra.local.opensearch.engine import OpenSearchEngine
from infra.local.opensearch.java import Java, find_java, find_maven, parse_modules, parse_version, why_unfit


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without Java, Maven and fetched jars; returns the only folder of its PATH."""
    for name in ("JAVA_HOME", "MAVEN_HOME"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "bin"
    path.mkdir()
    monkeypatch.setenv("PATH", str(path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return path


def _program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def _java(path: Path, version: str, *, compiler: bool = True) -> Path:
    modules = f"java.base@{version}" + (f"\\njdk.compiler@{version}" if compiler else "")
    return _program(path, f"printf '{modules}\\n'")


@pytest.mark.parametrize(
    ("banner", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "25" 2025-09-16', 25),
        ('java version "1.8.0_392"', 8),
        ('openjdk version "24-ea" 2025-03-18', 24),
        ("Unable to locate a Java Runtime.", None),
    ],
)
def test_the_release_is_read_from_the_banner(banner: str, version: int | None):
    assert parse_version(banner) == version


def test_release_and_compiler_are_read_from_the_list_of_modules():
    assert parse_modules("java.base@25.0.3\njdk.compiler@25.0.3\n") == (25, True)
    assert parse_modules("java.base@17\njava.logging@17\n") == (17, False)
    assert parse_modules("Unrecognized option: --list-modules") is None


def test_the_java_of_java_home_comes_first(bare_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    _java(bare_machine / "java", "17.0.1")
    chosen = _java(tmp_path / "jdk" / "bin" / "java", "25.0.3")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    assert find_java() == Java(chosen, 25, has_compiler=True)


def test_a_fit_java_in_path_is_taken_before_an_old_one_in_java_home(
    bare_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    chosen = _java(bare_machine / "java", "17.0.1")
    _java(tmp_path / "jdk" / "bin" / "java", "11.0.2")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    assert find_java() == Java(chosen, 17, has_compiler=True)


def test_the_home_of_a_java_behind_a_link_is_that_of_its_target(tmp_path: Path):
    _java(tmp_path / "jdk" / "bin" / "java", "17.0.1")
    (tmp_path / "java").symlink_to(tmp_path / "jdk" / "bin" / "java")
    assert Java(tmp_path / "java", 17, has_compiler=True).home == (tmp_path / "jdk").resolve()


def test_an_old_java_or_one_without_its_compiler_is_unfit(tmp_path: Path):
    assert why_unfit(Java(tmp_path, 17, has_compiler=True)) is None
    assert "older than 17" in str(why_unfit(Java(tmp_path, 11, has_compiler=True)))
    assert "without the compiler" in str(why_unfit(Java(tmp_path, 21, has_compiler=False)))


def test_what_is_missing_is_told_with_what_to_install(bare_machine: Path, tmp_path: Path):
    engine = OpenSearchEngine()
    assert "needs Java, and there is none. Install a JDK" in str(engine.available())
    _program(bare_machine / "java", "echo 'The operation could not be completed.' >&2; exit 1")
    assert "needs Java, and there is none" in str(engine.available())
    _program(bare_machine / "java", """[ "$1" = -version ] && echo 'java version "1.8.0_392"' >&2 || exit 1""")
    assert "is Java 8, older than 17. Install" in str(engine.available())
    _java(bare_machine / "java", "17.0.1")
    assert "there is no Maven. Install" in str(engine.available())
    _program(bare_machine / "mvn", "exit 0")
    assert find_maven() == bare_machine / "mvn"
    assert engine.available() is None


def test_maven_is_not_needed_once_the_jars_are_there(
    bare_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    _java(bare_machine / "java", "17.0.1")
    (tmp_path / "cache" / "watershed" / "opensearch" / "2.19.1.0").mkdir(parents=True)
    assert OpenSearchEngine().available() is None
