"""The queries of docs/search.md, sent to the indexes that the exposures declare, filled with January 2013."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pytest
from opensearchpy import OpenSearch

from infra.local.state import local_environment
from orchestration.dbt import LAKE, manifest, parse, stale_manifests
from orchestration.defs.serving import index_asset
from orchestration.platform import IndexBuilder
from orchestration.settings import Settings, settings
from serving.opensearch.client import connect
from tests.integration.lake import Lake
from tests.pages import blocks

pytestmark = [pytest.mark.opensearch, pytest.mark.slow]

_PAGE = "docs/search.md"


@dataclass(frozen=True)
class Example:
    """A request of the page, and the answer that stands under it."""

    line: int
    method: str
    path: str
    body: Any
    answer: Any


def examples() -> list[Example]:
    """The page's examples, in order. A request without an answer, or the other way round, is an error."""
    found_blocks = blocks(_PAGE)
    requests, answers = found_blocks[::2], found_blocks[1::2]
    assert [request.language for request in requests] == ["http"] * len(requests)
    assert [answer.language for answer in answers] == ["json"] * len(requests)
    found: list[Example] = []
    for request, answer in zip(requests, answers, strict=True):
        target, _, body = request.text.partition("\n\n")
        method, path = target.split()
        found.append(Example(request.line, method, path, json.loads(body) if body else None, json.loads(answer.text)))
    return found


def differences(shown: Any, answer: Any, path: str = "answer") -> Iterator[str]:
    """Where an answer is not as shown. What is shown may leave out keys, and the end of a list."""
    if isinstance(shown, dict) and isinstance(answer, dict):
        for key, value in shown.items():
            if key in answer:
                yield from differences(value, answer[key], f"{path}.{key}")
            else:
                yield f"{path}.{key} is missing"
    elif isinstance(shown, list) and isinstance(answer, list):
        if len(answer) < len(shown):
            yield f"{path} has {len(answer)} entries, {len(shown)} are shown"
        for position, (value, found) in enumerate(zip(shown, answer, strict=False)):
            yield from differences(value, found, f"{path}[{position}]")
    elif shown != (pytest.approx(answer) if isinstance(answer, float) else answer):
        yield f"{path} is {answer!r}, {shown!r} is shown"


@pytest.fixture(scope="module")
def served(january: Lake, opensearch_url: str) -> Settings:
    """Settings of a lake that holds what the two indexes read, with an OpenSearch beside it."""
    return january.settings.model_copy(update={"opensearch_url": opensearch_url})


@pytest.fixture(scope="module")
def client(served: Settings) -> Iterator[OpenSearch]:
    """A client of an OpenSearch that holds the indexes of all exposures, built as Dagster builds them."""
    client = connect(served.opensearch_url)
    client.indices.delete(index="*")
    with pytest.MonkeyPatch.context() as environment:
        for name, value in local_environment(served).items():
            environment.setenv(name, value)
        settings.cache_clear()
        for layer in stale_manifests():
            parse(layer)
        dbt = manifest(LAKE)
        indexes = [e for e in dbt["exposures"].values() if "opensearch" in e["config"]["meta"]]
        built = dg.materialize(
            [index_asset(dbt, exposure) for exposure in indexes], resources={"indexes": IndexBuilder()}
        )
    settings.cache_clear()
    assert {event.asset_key for event in built.get_asset_materialization_events()} == {
        dg.AssetKey(["opensearch", name]) for name in ("airports", "flights")
    }
    yield client
    client.close()


@pytest.mark.parametrize("example", examples(), ids=lambda example: f"line-{example.line}")
def test_a_query_of_the_page_has_the_answer_under_it(client: OpenSearch, example: Example) -> None:
    answer = client.transport.perform_request(example.method, example.path, body=example.body)
    assert not list(differences(example.answer, answer))


@pytest.mark.parametrize(
    ("shown", "answer", "told"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, []),
        ([1], [1, 2], []),
        (1.000001, 1.0000011, []),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, ["answer.a[0].b is 2, 1 is shown"]),
        ({"a": 1}, {}, ["answer.a is missing"]),
        ([1, 2], [1], ["answer has 1 entries, 2 are shown"]),
        ([], {"a": 1}, ["answer is {'a': 1}, [] is shown"]),
        (8.33, 8.326167209554832, ["answer is 8.326167209554832, 8.33 is shown"]),
    ],
)
def test_an_answer_that_is_not_as_shown_is_told(shown: Any, answer: Any, told: list[str]) -> None:
    assert list(differences(shown, answer)) == told
