"""A full build of an index: a new version is filled from the model, checked, and put behind the alias."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass

import pyarrow as pa
from opensearchpy import OpenSearch
from opensearchpy.exceptions import ConnectionError as NoAnswerError
from opensearchpy.exceptions import NotFoundError, OpenSearchException

from serving.opensearch import versions
from serving.opensearch.bulk import BulkOptions, Loaded, load
from serving.opensearch.documents import Documents, DocumentWriter
from serving.opensearch.errors import IndexBuildError, SupersededError
from serving.opensearch.mapping import index_settings, mapping
from serving.opensearch.spec import IndexSpec
from serving.rows.source import RowSource


@dataclass(frozen=True)
class BuildResult:
    """A finished build."""

    index: str
    """The version that the alias points at now."""
    documents: int
    bytes: int
    """The size of its primary shards."""
    seconds: float
    replaced: str | None
    """The version that the alias pointed at before; it is kept. None at the first build."""
    deleted: tuple[str, ...]
    """Older versions, deleted."""


def build(
    client: OpenSearch,
    spec: IndexSpec,
    rows: RowSource,
    on_progress: Callable[[int], None] | None = None,
    options: BulkOptions | None = None,
) -> BuildResult:
    """Build an index from a model and move its alias to it. Several builds may run at once; the latest begun wins.

    Until the new version is complete, readers of the alias see the old one. If anything goes wrong before, the new
    version is deleted and the alias stays.

    Args:
        client: The cluster, from `connect`.
        spec: The index.
        rows: The engine that holds the model.
        on_progress: Told the number of documents indexed so far.
        options: How documents are sent.

    Raises:
        DocumentsRefusedError: If OpenSearch refused documents; it names the first and counts all by reason.
        SupersededError: If a build that began later is live already.
        IndexBuildError: If anything else of the build failed.
        serving.rows.source.RowsError: If the rows cannot be read.
    """
    started = time.monotonic()
    _require_answer(client)
    versions.require_usable_alias(client, spec.name)
    settings = {**index_settings(spec), "refresh_interval": "-1"}
    index = versions.create_version(client, spec.name, {"settings": {"index": settings}, "mappings": mapping(spec)})
    try:
        with closing(rows.batches(spec.relation, spec.column_names)) as batches:
            loaded = load(client, index, _documents(batches, spec), options or BulkOptions(), on_progress)
        size = _complete(client, index, spec, loaded)
    except BaseException as error:
        deleted_meanwhile = not _discard(client, index, error)
        live = versions.later(spec.name, index, versions.holders(client, spec.name)) if deleted_meanwhile else None
        if live is not None:  # that build's clean-up pulled the index from under this one
            raise SupersededError(index, live) from error
        raise
    try:
        replaced = versions.point_alias(client, spec.name, index)
    except SupersededError as error:
        _discard(client, index, error)
        raise
    # After any other error the version may be live, so it is not touched. If it is not, the next build deletes it.
    deleted = versions.prune(client, spec.name, index, replaced)
    return BuildResult(index, loaded.documents, size, time.monotonic() - started, replaced, tuple(deleted))


def _require_answer(client: OpenSearch) -> None:
    try:
        client.info()
    except NoAnswerError as error:
        hosts = ", ".join(connection.host for connection in client.transport.connection_pool.connections)
        raise IndexBuildError(
            f"No OpenSearch answers at {hosts} ({error.error}). Start it, or look at the domain."
        ) from error


def _documents(batches: Iterable[pa.RecordBatch], spec: IndexSpec) -> Iterator[Documents]:
    writer: DocumentWriter | None = None
    for batch in batches:
        writer = writer or DocumentWriter(batch.schema, spec.id_column, spec.geo_points)
        yield writer.documents(batch)


def _complete(client: OpenSearch, index: str, spec: IndexSpec, loaded: Loaded) -> int:
    """Make a filled version searchable, check that it holds every row, and return its size in bytes."""
    client.indices.refresh(index=index)
    found = client.count(index=index)["count"]
    if found != loaded.documents:
        twice = ", ".join(loaded.overwritten)
        cause = (
            f"{spec.id_column} is not unique; more than once there is, for example, {twice}. Test it in the model."
            if twice
            else "Build again."
        )
        raise IndexBuildError(f"{index}: {loaded.documents} rows were read, and the index holds {found}. {cause}")
    usual = {"index": {"refresh_interval": spec.settings.get("refresh_interval")}}
    client.indices.put_settings(index=index, body=usual)
    return client.indices.stats(index=index, metric="store")["_all"]["primaries"]["store"]["size_in_bytes"]


def _discard(client: OpenSearch, index: str, error: BaseException) -> bool:
    """Delete a version that will not go live, after an error. False if it was not there any more."""
    try:
        client.indices.delete(index=index)
    except NotFoundError:
        return False
    except OpenSearchException as second:
        error.add_note(f"{index} could not be deleted ({second}). The next build that succeeds deletes it.")
    return True
