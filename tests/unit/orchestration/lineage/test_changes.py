"""What a change of files reaches."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from orchestration.lineage.changes import changed_files, reach
from orchestration.lineage.errors import ChangesUnknownError
from orchestration.lineage.graph import Graph


def _git(folder: Path, *arguments: str) -> None:
    names = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *names, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A branch `main`, and one that left it with a commit. Both have gone on since."""
    _git(tmp_path, "init", "--initial-branch", "main")
    for name in ("kept", "changed", "deleted", "edited"):
        (tmp_path / name).write_text("1")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "--message", "first")
    _git(tmp_path, "switch", "--create", "branch")
    (tmp_path / "changed").write_text("2")
    (tmp_path / "deleted").unlink()
    _git(tmp_path, "commit", "--all", "--message", "second")
    _git(tmp_path, "switch", "main")
    (tmp_path / "kept").write_text("2")
    _git(tmp_path, "commit", "--all", "--message", "third")
    _git(tmp_path, "switch", "branch")
    return tmp_path


def test_what_differs_since_the_branch_left_its_base(clone: Path) -> None:
    assert changed_files("main", clone) == {"changed", "deleted"}


def test_uncommitted_and_new_files_count(clone: Path) -> None:
    (clone / "edited").write_text("2")
    (clone / "new").mkdir()
    (clone / "new" / "möwe.sql").write_text("1")
    assert changed_files("main", clone) == {"changed", "deleted", "edited", "new/möwe.sql"}


def test_paths_start_at_the_project_even_if_the_clone_does_not(clone: Path) -> None:
    project = clone / "project"
    project.mkdir()
    (project / "new.sql").write_text("1")
    _git(clone, "add", ".")
    _git(clone, "commit", "--message", "fourth")
    assert changed_files("main", project) == {"new.sql"}


def test_an_unknown_base_is_said_with_gits_words(clone: Path) -> None:
    with pytest.raises(ChangesUnknownError, match="nowhere"):
        changed_files("nowhere", clone)


@pytest.mark.parametrize(
    ("file", "assets"),
    [
        ("ingestion/contracts/airlines.yaml", {"s3/airlines", "landing/airlines"}),
        ("dbt_project/models/warehouse/marts/dim_carrier.sql", {"marts/dim_carrier"}),
        ("dbt_project/models/warehouse/marts/dim_carrier.yml", {"marts/dim_carrier"}),
        ("dbt_project/macros/arrays.sql", {"lake/stg_flight_events"}),
        ("dbt_project/models/exposures/flights.yml", {"opensearch/flights"}),
        (
            "dbt_project/models/exposures/on_time_performance.dashboard.yml",
            {
                "quicksight/on_time_performance",
                "quicksight/on_time_performance/agg_on_time_daily",
                "quicksight/on_time_performance/fct_flights",
            },
        ),
        ("README.md", set()),
    ],
)
def test_a_file_declares_assets(graph: Graph, file: str, assets: set[str]) -> None:
    assert set(reach(graph, [file]).assets.get(file, ())) == assets


def test_a_change_reaches_visuals_filters_and_index_fields(graph: Graph) -> None:
    found = reach(graph, ["dbt_project/models/warehouse/marts/dim_carrier.sql", "README.md"])
    assert {str(field) for field in found.ends} == {
        "quicksight/on_time_performance.by-carrier",
        "quicksight/on_time_performance.carrier-by-origin",
    }
    assert not reach(graph, ["README.md"]).ends
