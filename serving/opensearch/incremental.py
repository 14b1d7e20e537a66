"""Keeps an index up to date between full builds: of a model that was built again, only the rows that changed are sent.

What is behind the alias is known by a digest of each row that was sent. So nothing needs to be declared of how a model
shows its changes, and a change in any column counts. The price: each update reads the model as a whole, and holds the
id and 8 bytes of each row.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import duckdb
import pyarrow as pa
from opensearchpy import OpenSearch

from serving.opensearch import versions
from serving.opensearch.build import build
from serving.opensearch.bulk import BulkOptions, load
from serving.opensearch.documents import Documents, DocumentWriter
from serving.opensearch.spec import IndexSpec
from serving.rows.source import BATCH_ROWS, RowSource, quoted_name


@dataclass(frozen=True)
class Updated:
    """What an update did."""

    index: str
    """The version that the alias points at."""
    sent: int
    """Documents."""
    rows: int
    """Of the model."""
    full: bool
    """Whether it was a full build, which sends every row."""
    seconds: float


class IndexUpdater:
    """Updates one index, again and again. One of them at a time for an index.

    It begins with a full build, so that it knows what the index holds. If something else moves the alias, an asset's
    full build for example, that version may hold rows from before the last update: the next update is a full build
    again. A row that is gone from the model leads to a full build too.

    Args:
        client: The cluster, from `connect`.
        spec: The index.
        rows: The engine that holds the model.
        options: How documents are sent.
    """

    def __init__(
        self, client: OpenSearch, spec: IndexSpec, rows: RowSource, options: BulkOptions | None = None
    ) -> None:
        self._client = client
        self._spec = spec
        self._rows = rows
        self._options = options or BulkOptions()
        self._digests = _Digests(spec)
        self._index: str | None = None

    @property
    def knows_the_index(self) -> bool:
        """Whether the alias points at the version that the last update left, so that nothing needs to be done."""
        return self._index is not None and versions.holders(self._client, self._spec.name) == {self._index}

    def update(self) -> Updated:
        """Bring the index to what the model holds now.

        Raises:
            SupersededError: If a build that began later went live. The next update is a full build.
            IndexBuildError: If OpenSearch refused documents or gave no answer. The next update sends them again.
            serving.rows.source.RowsError: If the rows cannot be read.
        """
        started = time.monotonic()
        if self.knows_the_index and (sent := self._send_changes()) is not None:
            assert self._index is not None
            return Updated(self._index, sent, self._digests.count, full=False, seconds=time.monotonic() - started)
        self._index = None
        self._digests.begin()
        self._index = build(self._client, self._spec, _Noting(self._rows, self._digests), options=self._options).index
        self._digests.keep()
        count = self._digests.count
        return Updated(self._index, count, count, full=True, seconds=time.monotonic() - started)

    def _send_changes(self) -> int | None:
        """Send the rows that changed. None if some are gone: that takes a full build."""
        self._digests.begin()
        try:
            # To the alias: a version that was pruned meanwhile would be made anew under its name.
            loaded = load(self._client, self._spec.name, self._changed(), self._options, require_alias=True)
        except BaseException:
            self._digests.doubt()
            raise
        if self._digests.gone:
            return None
        self._digests.keep()
        return loaded.documents

    def _changed(self) -> Iterator[Documents]:
        writer: DocumentWriter | None = None
        with closing(self._rows.batches(self._spec.relation, self._spec.column_names)) as batches:
            for batch in batches:
                writer = writer or DocumentWriter(batch.schema, self._spec.id_column, self._spec.geo_points)
                for changed in self._digests.note(batch):
                    yield writer.documents(changed)


@dataclass(frozen=True)
class _Noting:
    """A `RowSource` that notes the digests of what is read."""

    rows: RowSource
    digests: _Digests

    def batches(
        self, relation: str, columns: Sequence[str], batch_rows: int = BATCH_ROWS
    ) -> Generator[pa.RecordBatch, None, None]:
        """See `RowSource.batches`."""
        with closing(self.rows.batches(relation, columns, batch_rows)) as batches:
            for batch in batches:
                self.digests.note(batch)
                yield batch

    def count(self, relation: str) -> int:
        """See `RowSource.count`."""
        return self.rows.count(relation)


class _Digests:
    """The digest of each row that the index holds, and of each that is being read. For one thread."""

    def __init__(self, spec: IndexSpec) -> None:
        self._connection = duckdb.connect()
        self._connection.execute("set threads = 1")
        self._connection.execute("create table kept (id varchar, digest ubigint)")
        names = ", ".join(f"batch.{quoted_name(name)}" for name in spec.column_names)
        self._id, self._digest = f"batch.{quoted_name(spec.id_column)}::varchar", f"hash(row({names}))"

    def begin(self) -> None:
        """Begin to read the model."""
        self._connection.execute("create or replace table noted (id varchar, digest ubigint)")

    def note(self, batch: pa.RecordBatch) -> list[pa.RecordBatch]:
        """Note a batch. Returns those of its rows that are new or were changed."""
        self._connection.register("batch", pa.Table.from_batches([batch]))
        self._connection.execute(f"insert into noted select {self._id}, {self._digest} from batch")
        changed = self._connection.execute(
            f"""
            select batch.*
            from batch
            anti join kept on kept.id = {self._id} and kept.digest = {self._digest}
            """
        )
        return changed.to_arrow_table().to_batches()

    def keep(self) -> None:
        """What was noted is what the index holds now."""
        self._connection.execute("drop table kept; alter table noted rename to kept")

    def doubt(self) -> None:
        """Of what was noted, the index may hold the new row or the old: neither counts as held from now on.

        The ids stay, without a digest, so that one that is gone from the model by the next time is missed.
        """
        self._connection.execute(
            """
            update kept set digest = null from noted where kept.id = noted.id and kept.digest <> noted.digest;
            insert into kept select id, null from noted anti join kept using (id)
            """
        )

    @property
    def gone(self) -> bool:
        """Whether a row that the index holds was not noted."""
        found = self._connection.execute("select exists (from kept anti join noted using (id))").fetchone()
        return bool(found and found[0])

    @property
    def count(self) -> int:
        """The rows that the index holds."""
        found = self._connection.execute("select count(*) from kept").fetchone()
        return int(found[0]) if found else 0
