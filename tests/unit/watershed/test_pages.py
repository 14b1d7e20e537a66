"""The lineage page over HTTP."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest

import watershed.pages
from orchestration.lineage.errors import CompileError
from orchestration.lineage.graph import Asset, AssetKind, Draft
from watershed.pages import lineage_page


def _get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What models there are at the time of a request; with none, the project does not compile."""
    found = ["lake/flights"]

    def manifest() -> list[str]:
        if not found:
            raise CompileError("dbt cannot compile the project")
        return found

    def graph(_: object, keys: list[str]) -> object:
        draft = Draft()
        for key in keys:
            draft.add_asset(Asset(key, AssetKind.MODEL))
        return draft.graph()

    monkeypatch.setattr(watershed.pages, "compiled_manifest", manifest)
    monkeypatch.setattr(watershed.pages, "field_graph", graph)
    return found


def test_the_page_is_of_the_project_as_it_is_when_it_is_asked_for(models: list[str]) -> None:
    with lineage_page() as url:
        status, text = _get(url)
        assert status == 200
        assert text.startswith("<!doctype html>")
        assert "lake/weather" not in text
        models.append("lake/weather")
        assert "lake/weather" in _get(f"{url}?now")[1]


def test_what_is_wrong_stands_in_place_of_the_page(models: list[str]) -> None:
    models.clear()
    with lineage_page() as url:
        assert _get(url) == (500, "CompileError: dbt cannot compile the project")


def test_it_ends_with_the_block_and_has_no_other_page(models: list[str]) -> None:
    with lineage_page() as url:
        assert url.startswith("http://127.0.0.1:")
        assert _get(url.replace("lineage.html", "etc/passwd"))[0] == 404
    with pytest.raises(urllib.error.URLError):
        _get(url)
