"""An index that follows its model row by row, also beside full builds by others."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence

import pyarrow as pa
import pytest
from opensearchpy import OpenSearch

from serving.opensearch.build import build
from serving.opensearch.errors import DocumentsRefusedError
from serving.opensearch.incremental import IndexUpdater
from serving.opensearch.spec import Column, IndexSpec
from serving.opensearch.versions import holders
from serving.rows.source import RowsError

pytestmark = pytest.mark.opensearch

SPEC = IndexSpec(
    name="flights",
    relation="lake.int_flights",
    columns=(Column("flight_id", "varchar(48)"), Column("delay", "integer"), Column("gate", "varchar(3)")),
    id_column="flight_id",
)


class Model:
    """A `RowSource` whose rows a test changes: delay by flight. `breaks_once` ends the reading after two rows."""

    def __init__(self, **delays: int | None) -> None:
        self.delays = dict(delays)
        self.gate = "B7"
        self.breaks_once: Callable[[], bool] | None = None

    def batches(
        self, relation: str, columns: Sequence[str], batch_rows: int = 2
    ) -> Generator[pa.RecordBatch, None, None]:
        ids, delays = list(self.delays), pa.array(self.delays.values(), pa.int32())
        table = pa.table({"flight_id": ids, "delay": delays, "gate": [self.gate] * len(ids)})
        for batch in table.select(list(columns)).to_batches(2):
            yield batch
            if self.breaks_once is not None:
                self._break(self.breaks_once)

    def _break(self, once: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 10
        while not once():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        raise RowsError("the engine went away")

    def count(self, relation: str) -> int:
        return len(self.delays)


def shown(client: OpenSearch) -> dict[str, int | None]:
    """Delay by flight, as a reader of the alias finds it."""
    client.indices.refresh(index="flights")
    hits = client.search(index="flights", body={"size": 100})["hits"]["hits"]
    return {hit["_id"]: hit["_source"]["delay"] for hit in hits}


def test_only_rows_that_changed_are_sent(opensearch: OpenSearch) -> None:
    model = Model(a=1, b=None, c=3)
    updater = IndexUpdater(opensearch, SPEC, model)
    first = updater.update()
    assert (first.full, first.sent, first.index) == (True, 3, "flights-v000001")
    assert updater.update().sent == 0
    model.delays |= {"b": 2, "d": 4}
    second = updater.update()
    assert (second.full, second.sent, second.rows, second.index) == (False, 2, 4, "flights-v000001")
    assert shown(opensearch) == {"a": 1, "b": 2, "c": 3, "d": 4}
    model.delays["a"] = None
    assert updater.update().sent == 1
    assert shown(opensearch)["a"] is None


def test_a_row_that_is_gone_is_gone_from_the_index(opensearch: OpenSearch) -> None:
    model = Model(a=1, b=2)
    updater = IndexUpdater(opensearch, SPEC, model)
    updater.update()
    del model.delays["a"]
    assert updater.update().full
    assert shown(opensearch) == {"b": 2}


def test_a_full_build_by_another_that_read_older_rows_is_caught_up_with(opensearch: OpenSearch) -> None:
    """It read the model before an update and moved the alias after it: the update is not behind the alias any more."""
    model, older = Model(a=1), Model(a=1)
    updater = IndexUpdater(opensearch, SPEC, model)
    updater.update()
    model.delays["a"] = 2
    updater.update()
    build(opensearch, SPEC, older)
    assert shown(opensearch) == {"a": 1}
    assert not updater.knows_the_index
    assert updater.update().full
    assert updater.knows_the_index
    assert shown(opensearch) == {"a": 2}
    assert holders(opensearch, "flights") == {"flights-v000003"}


def test_what_opensearch_refused_is_sent_again(opensearch: OpenSearch) -> None:
    model = Model(a=1, b=2)
    updater = IndexUpdater(opensearch, SPEC, model)
    updater.update()
    model.delays["b"] = 3
    opensearch.indices.put_settings(index="flights", body={"index.blocks.write": True})
    with pytest.raises(DocumentsRefusedError):
        updater.update()
    opensearch.indices.put_settings(index="flights", body={"index.blocks.write": None})
    again = updater.update()
    assert (again.full, again.sent) == (False, 1)
    assert Counter(shown(opensearch).values()) == {1: 1, 3: 1}


def test_what_an_update_sent_before_it_broke_off_is_put_right_by_the_next(opensearch: OpenSearch) -> None:
    model = Model(a=1, b=2)
    updater = IndexUpdater(opensearch, SPEC, model)
    updater.update()

    def breaks_off(sent: str, **delays: int | None) -> None:
        model.delays = dict(delays)
        model.breaks_once = lambda: shown(opensearch).get(sent) == delays[sent]
        with pytest.raises(RowsError):
            updater.update()
        model.breaks_once = None

    breaks_off("a", new=5, a=9, b=2)
    model.delays["a"] = 1  # as it was before the update that broke off
    again = updater.update()
    assert (again.full, again.sent) == (False, 2)
    assert shown(opensearch) == {"new": 5, "a": 1, "b": 2}
    breaks_off("newer", newer=7, a=1, new=5, b=2)
    del model.delays["newer"]
    assert updater.update().full
    assert shown(opensearch) == {"new": 5, "a": 1, "b": 2}


def test_an_alias_that_is_gone_is_made_again_and_no_index_of_its_name(opensearch: OpenSearch) -> None:
    model = Model(a=1)
    updater = IndexUpdater(opensearch, SPEC, model)
    updater.update()
    opensearch.indices.delete(index="flights-v000001")
    assert updater.update().index == "flights-v000001"
    assert shown(opensearch) == {"a": 1}
