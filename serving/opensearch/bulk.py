"""Sends documents: in parallel, with back-off while the cluster is busy, and with every refusal told."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from opensearchpy import OpenSearch
from opensearchpy.exceptions import ConnectionError as NoAnswerError
from opensearchpy.exceptions import TransportError

from serving.opensearch.documents import Documents
from serving.opensearch.errors import DocumentsRefusedError, Failure, IndexBuildError

BUSY = {429, 502, 503, 504}
"""Statuses after which a request is repeated. 429: a breaker, a full write queue, a disk about to be full. 5xx: a node
on its way down or up, or the proxy before it."""
_TOLD_FAILURES = 10
_MOST_FAILURES = 1_000


@dataclass(frozen=True)
class Backoff:
    """How long to wait before a request is repeated: doubled each time, up to a half less at random."""

    first_seconds: float = 0.5
    most_seconds: float = 30.0
    tries: int = 10
    give_up_seconds: float = 240.0
    """After which no further try begins: a request that is not answered takes the client's whole time limit."""

    def seconds(self, attempt: int) -> float:
        """The wait after an attempt, counted from 0."""
        return min(self.first_seconds * 2**attempt, self.most_seconds) * random.uniform(0.5, 1.0)


@dataclass(frozen=True)
class BulkOptions:
    """How documents are sent."""

    threads: int = 2
    chunk_bytes: int = 1024 * 1024
    """Of one request, before compression. OpenSearch Service takes 10 MiB on its smallest instances."""
    backoff: Backoff = field(default_factory=Backoff)


@dataclass
class _Outcome:
    """What came of some documents."""

    failures: list[Failure] = field(default_factory=list)
    overwritten: list[str] = field(default_factory=list)


@dataclass
class Loaded:
    """What came of all documents: how many were sent, and some ids that were there before."""

    documents: int = 0
    overwritten: list[str] = field(default_factory=list)


def load(
    client: OpenSearch,
    index: str,
    documents: Iterable[Documents],
    options: BulkOptions,
    on_progress: Callable[[int], None] | None = None,
    *,
    require_alias: bool = False,
) -> Loaded:
    """Send documents into an index. Memory holds two requests a thread.

    Args:
        client: The cluster.
        index: Where to; nothing else writes to it.
        documents: The documents, in parts of any size.
        options: Threads, size of a request, back-off.
        on_progress: Told the number of documents indexed so far.
        require_alias: `index` is an alias; refuse to make an index of that name if it is gone.

    Raises:
        DocumentsRefusedError: If OpenSearch refused some; after the rest was tried, or after 1,000 of them.
        IndexBuildError: If the cluster stayed busy or gave no answer.
    """
    loaded, failures, counts = Loaded(), [], Counter[str]()
    waiting: deque[tuple[int, Future[_Outcome]]] = deque()
    stop = threading.Event()

    def settle() -> None:
        count, future = waiting.popleft()
        outcome = future.result()
        loaded.documents += count
        loaded.overwritten.extend(outcome.overwritten[: max(0, _TOLD_FAILURES - len(loaded.overwritten))])
        failures.extend(outcome.failures[: max(0, _TOLD_FAILURES - len(failures))])
        counts.update(failure.type for failure in outcome.failures)
        if counts.total() >= _MOST_FAILURES:
            raise DocumentsRefusedError(index, failures, counts, complete=False)
        if on_progress is not None:
            on_progress(loaded.documents - counts.total())

    def send(chunk: Documents) -> _Outcome:
        return _send(client, index, chunk, options.backoff, stop, require_alias=require_alias)

    with ThreadPoolExecutor(options.threads, thread_name_prefix="bulk") as pool:
        try:
            for chunk in (chunk for part in documents for chunk in part.chunks(options.chunk_bytes)):
                waiting.append((len(chunk), pool.submit(send, chunk)))
                if len(waiting) > 2 * options.threads:
                    settle()
            while waiting:
                settle()
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    if counts:
        raise DocumentsRefusedError(index, failures, counts, complete=True)
    return loaded


def _send(
    client: OpenSearch,
    index: str,
    documents: Documents,
    backoff: Backoff,
    stop: threading.Event,
    *,
    require_alias: bool,
) -> _Outcome:
    outcome, reason, tries = _Outcome(), "", 0
    deadline = time.monotonic() + backoff.give_up_seconds
    while tries < backoff.tries and (tries == 0 or time.monotonic() < deadline):
        if tries and stop.wait(backoff.seconds(tries - 1)):
            return outcome  # the build has failed already; nobody looks at this
        tries += 1
        try:
            answer = _bulk(client, index, documents, require_alias=require_alias)
        except NoAnswerError as error:
            reason = f"no answer: {error}"
            continue
        except TransportError as error:
            if error.status_code not in BUSY:
                raise IndexBuildError(f"{index}: OpenSearch refused a bulk request: {error}") from error
            reason = str(error)
            continue
        refused = _sort(answer["items"], documents, outcome, first=tries == 1)
        if not refused:
            return outcome
        reason = f"it put off {len(refused)} of them: {answer['items'][refused[0]]['index']['error']['reason']}"
        documents = documents.take(refused)
    raise IndexBuildError(
        f"{index}: OpenSearch did not take {len(documents)} documents in {tries} tries. "
        f"The last time: {reason}. Give the cluster more room, or build when it has less to do."
    )


def _bulk(
    client: OpenSearch, index: str, documents: Documents, *, require_alias: bool
) -> dict[str, list[dict[str, dict]]]:
    # Of each item its status, which keeps the positions, and its error; not the rest, which is most of the answer.
    params = {"filter_path": "items.index.status,items.index.error"}
    if require_alias:
        params["require_alias"] = "true"
    return client.bulk(index=index, body=documents.body(), params=params)


def _sort(items: list[dict[str, dict]], documents: Documents, outcome: _Outcome, *, first: bool) -> list[int]:
    """Enter what failed for good, and return the positions of what may be sent again."""
    refused: list[int] = []
    for position, item in enumerate(items):
        result = item["index"]
        status = result["status"]
        if status == 200 and first:  # 201 is a new document. On a repeat it may be our own, its answer lost
            outcome.overwritten.append(documents.document_id(position))
        elif status in BUSY:
            refused.append(position)
        elif status >= 300:
            error = result["error"]
            reason = error.get("caused_by", {}).get("reason")
            told = f"{error['reason']} ({reason})" if reason else error["reason"]
            outcome.failures.append(Failure(documents.document_id(position), error["type"], told))
    return refused
