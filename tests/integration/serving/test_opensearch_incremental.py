"""An index that follows its model row by row, also beside full builds by others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Sequence

import pyarrow as pa
import pytest
from opensearchpy import OpenSearch

from serving.opensearch.build import build
from serving.opensearch.errors import DocumentsRefusedError
from serving.opensearch.incremental import IndexUpdater
from serving.opensearch.spec import Column, IndexSpec
from serving.opensearch.versions import holders

pytestmark = pytest.mark.opensearch

SPEC = IndexSpec(
    name="flights",
    relation="lake.int_flights",
    columns=(Column("flight_id", "varchar(48)"), Column("delay", "integer"), Column("gate", "varchar(3)")),
    id_column="flight_id",
)


class Model:
    """A `RowSource` whose rows a test changes: delay by flight."""

    def __init__(self, **delays: int | None) -> None:
        self.delays = dict(delays)
        self.gate = "B7"

    def batches(
        self, relation: str, columns: Sequence[str], batch_rows: int = 2
    ) -> Generator[pa.RecordBatch, None, None]:
        ids, delays = list(self.delays), pa.array(self.delays.values(), pa.int32())
        table = pa.table({"flight_id": ids, "delay": delays, "gate": [self.gate] * len(ids)})
        yield from table.select(list(columns)).to_batches(2)

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


def test_an_alias_that_is_gone_is_made_again_and_no_index_of_its_name(opensearch: OpenSearch) -> None:
    model = Model(a=1)
    updater = IndexUpdater(opensearch, SPEC, model)
    updater.update()
    opensearch.indices.delete(index="flights-v000001")
    assert updater.update().index == "flights-v000001"
    assert shown(opensearch) == {"a": 1}
