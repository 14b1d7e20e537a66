"""How answers that no cluster gives on demand are dealt with: an HTTP server gives them, one after the other."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pyarrow as pa
import pytest

from serving.opensearch.bulk import Backoff, BulkOptions, load
from serving.opensearch.client import connect
from serving.opensearch.documents import Documents, DocumentWriter
from serving.opensearch.errors import DocumentsRefusedError, IndexBuildError

_OPTIONS = BulkOptions(backoff=Backoff(first_seconds=0.01, tries=3))
_CREATED, _UPDATED = {"status": 201}, {"status": 200}
_QUEUE_FULL = {"status": 429, "error": {"type": "rejected_execution_exception", "reason": "queue capacity 200 reached"}}
_MALFORMED = {"status": 400, "error": {"type": "mapper_parsing_exception", "reason": "failed to parse"}}


class Cluster(ThreadingHTTPServer):
    """Gives prepared answers to bulk requests and remembers the ids in each."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.answers: list[tuple[int, Any]] = []
        self.received: list[list[str]] = []

    def answer(self, *items: dict[str, Any], status: int = 200) -> None:
        self.answers.append((status, {"items": [{"index": item} for item in items]}))


class _Answer(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Cluster)
        lines = self.rfile.read(int(self.headers["Content-Length"])).splitlines()
        self.server.received.append([json.loads(action)["index"]["_id"] for action in lines[::2]])
        status, content = self.server.answers.pop(0)
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a test's output is its own."""


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    server = Cluster()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def _load(cluster: Cluster, *identifiers: str, options: BulkOptions = _OPTIONS) -> Any:
    batch = pa.RecordBatch.from_pydict({"id": list(identifiers)})
    documents: Documents = DocumentWriter(batch.schema, "id").documents(batch)
    return load(connect(f"http://127.0.0.1:{cluster.server_port}"), "flights-v000001", [documents], options)


def test_of_a_request_only_what_a_full_queue_refused_is_repeated(cluster: Cluster):
    cluster.answer(_CREATED, _QUEUE_FULL, _CREATED, _QUEUE_FULL)
    cluster.answer(_QUEUE_FULL, _CREATED)
    cluster.answer(_CREATED)
    assert _load(cluster, "a", "b", "c", "d").documents == 4
    assert cluster.received == [["a", "b", "c", "d"], ["b", "d"], ["b"]]


def test_a_queue_that_stays_full_is_told_with_what_it_says(cluster: Cluster):
    for _ in range(3):
        cluster.answer(_QUEUE_FULL)
    with pytest.raises(IndexBuildError, match=r"1 documents in 3 tries.*queue capacity 200 reached"):
        _load(cluster, "a")


def test_no_try_begins_after_the_time_to_give_up(cluster: Cluster):
    cluster.answer(_QUEUE_FULL)
    with pytest.raises(IndexBuildError, match=r"1 documents in 1 tries"):
        _load(cluster, "1", options=BulkOptions(backoff=Backoff(first_seconds=0.01, give_up_seconds=0)))


def test_what_is_malformed_is_told_and_not_repeated_when_the_rest_is(cluster: Cluster):
    cluster.answer(_MALFORMED, _QUEUE_FULL)
    cluster.answer(_CREATED)
    with pytest.raises(DocumentsRefusedError) as refused:
        _load(cluster, "a", "b")
    assert [failure.id for failure in refused.value.failures] == ["a"]
    assert cluster.received == [["a", "b"], ["b"]]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_whole_request_that_is_refused_for_now_is_repeated(cluster: Cluster, status: int):
    cluster.answer(status=status)
    cluster.answer(_CREATED, _CREATED)
    assert _load(cluster, "a", "b").documents == 2
    assert cluster.received == [["a", "b"], ["a", "b"]]


@pytest.mark.parametrize("status", [400, 403, 413])
def test_a_whole_request_that_is_refused_for_good_is_not_repeated(cluster: Cluster, status: int):
    cluster.answer(status=status)
    with pytest.raises(IndexBuildError, match=f"refused a bulk request.*{status}"):
        _load(cluster, "a")
    assert len(cluster.received) == 1


def test_a_document_that_was_there_before_is_noted(cluster: Cluster):
    cluster.answer(_CREATED, _UPDATED)
    assert _load(cluster, "a", "b").overwritten == ["b"]


def test_a_document_that_was_there_before_a_repeat_is_ours(cluster: Cluster):
    cluster.answer(status=503)
    cluster.answer(_UPDATED)
    assert _load(cluster, "a").overwritten == []
