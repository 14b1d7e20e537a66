from __future__ import annotations

import datetime as dt
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from opensearchpy import OpenSearch, Urllib3HttpConnection
from opensearchpy.exceptions import ConnectionTimeout

from serving.opensearch.build import BuildResult, build
from serving.opensearch.bulk import Backoff, BulkOptions, load
from serving.opensearch.documents import DocumentWriter
from serving.opensearch.errors import DocumentsRefusedError, IndexBuildError, SupersededError
from serving.opensearch.mapping import mapping
from serving.opensearch.spec import Column, GeoPoint, IndexSpec
from serving.opensearch.versions import create_version, holders, point_alias, versions
from serving.rows.duckdb import DuckDBRows
from serving.rows.source import RowsError

pytestmark = pytest.mark.opensearch

_QUICK = BulkOptions(backoff=Backoff(first_seconds=0.05, most_seconds=0.2, tries=60))
_ONCE = BulkOptions(backoff=Backoff(tries=1))


class TableRows:
    """A `RowSource` over a table in memory. `between` runs before each batch, with its number."""

    def __init__(self, table: pa.Table, between: Callable[[int], object] = lambda _: None) -> None:
        self._table, self._between = table, between

    def batches(
        self, relation: str, columns: Sequence[str], batch_rows: int = 100
    ) -> Generator[pa.RecordBatch, None, None]:
        for number, batch in enumerate(self._table.select(list(columns)).to_batches(batch_rows)):
            self._between(number)
            yield batch

    def count(self, relation: str) -> int:
        return self._table.num_rows


def flights(count: int, delay: int = 0) -> pa.Table:
    """Rows of a small model, each with the same delay."""
    return pa.table(
        {
            "flight_id": [f"f{n:05d}" for n in range(count)],
            "carrier": ["UA"] * count,
            "delay": pa.array([delay] * count, pa.int32()),
        }
    )


SPEC = IndexSpec(
    name="flights",
    relation="lake.int_flights",
    columns=(
        Column("flight_id", "varchar(48)"),
        Column("carrier", "varchar(2)", "Code of the airline"),
        Column("delay", "integer"),
    ),
    id_column="flight_id",
)


def with_fields(**fields: Mapping[str, Any]) -> IndexSpec:
    return IndexSpec(SPEC.name, SPEC.relation, SPEC.columns, SPEC.id_column, fields=fields)


def delays(client: OpenSearch) -> Counter[int]:
    """How many documents the alias shows of each delay."""
    answer = client.search(index="flights", body={"size": 0, "aggs": {"d": {"terms": {"field": "delay", "size": 100}}}})
    return Counter({bucket["key"]: bucket["doc_count"] for bucket in answer["aggregations"]["d"]["buckets"]})


# Values


def test_what_is_indexed_equals_the_source_table(opensearch: OpenSearch, tmp_path: Path):
    database = tmp_path / "watershed.duckdb"
    with duckdb.connect(database) as connection:
        connection.execute("create schema lake")
        connection.execute(
            """
            create table lake.all_types as
            select
                'id-' || i as id,
                case when i % 3 > 0 then 'O"Hare' || chr(10) || 'Zürich ' || chr(8232) || i end as name,
                i::smallint as small,
                (i * 1000)::integer as whole,
                9007199254740993 + i as big,
                i / 7 as ratio,
                (i / 8)::decimal(9, 3) as share,
                123456789012345678.123456789::decimal(38, 9) + i as exact,
                case when i % 2 = 0 then i > 5 end as late,
                date '2013-01-01' + i::integer as day,
                case when i % 4 > 0 then timestamp '2013-01-01 10:15:30.000001' + to_hours(i) end as at
            from range(20) r(i)
            """
        )
        table = connection.execute("from lake.all_types").to_arrow_table()
    types = {
        "id": "varchar(10)",
        "name": "varchar(40)",
        "small": "smallint",
        "whole": "integer",
        "big": "bigint",
        "ratio": "double precision",
        "share": "numeric(9,3)",
        "exact": "numeric(38,9)",
        "late": "boolean",
        "day": "date",
        "at": "timestamp",
    }
    columns = tuple(Column(name, kind) for name, kind in types.items())
    spec = IndexSpec("all_types", "lake.all_types", columns, "id", text=frozenset({"name"}))

    result = build(opensearch, spec, DuckDBRows(database))

    assert result.documents == 20
    hits = opensearch.search(index="all_types", body={"size": 100})["hits"]["hits"]
    assert all(hit["_id"] == hit["_source"]["id"] for hit in hits)
    expected = {row["id"]: row | {"day": row["day"].isoformat(), "at": _iso(row["at"])} for row in table.to_pylist()}
    found = {hit["_id"]: hit["_source"] for hit in hits}
    assert found.keys() == expected.keys()
    for identifier, row in expected.items():
        exact = row.pop("exact"), found[identifier].pop("exact")
        assert found[identifier] == {**row, "share": float(row["share"])}
        assert Decimal(str(exact[1])) == pytest.approx(exact[0])


def _iso(moment: dt.datetime | None) -> str | None:
    return moment.isoformat(timespec="microseconds") + "Z" if moment else None


def test_every_digit_of_a_long_decimal_is_in_the_document(opensearch: OpenSearch):
    digits = "123456789012345678.123456789"
    table = pa.table({"id": ["a"], "exact": pa.array([Decimal(digits)], pa.decimal128(38, 9))})
    spec = IndexSpec("exact", "lake.t", (Column("id", "varchar(1)"), Column("exact", "numeric(38,9)")), "id")
    index = build(opensearch, spec, TableRows(table)).index
    answer = opensearch.transport.get_connection().perform_request("GET", f"/{index}/_source/a")
    assert answer[2] == f'{{"id":"a","exact":{digits}}}'


def test_fields_answer_as_their_types_do(opensearch: OpenSearch):
    day, at = dt.date(2013, 1, 1), dt.datetime(2013, 1, 1, 10, 15)
    table = pa.table(
        {
            "id": ["a", "b"],
            "name": ["George Bush Intercontinental", "Newark Liberty"],
            "day": [day, day + dt.timedelta(days=1)],
            "at": pa.array([at, None], pa.timestamp("us")),
            "share": pa.array([Decimal("0.1"), Decimal("0.2")], pa.decimal128(5, 2)),
        }
    )
    kinds = ["varchar(1)", "varchar(100)", "date", "timestamp", "numeric(5,2)"]
    columns = tuple(Column(name, kind) for name, kind in zip(table.column_names, kinds, strict=True))
    build(opensearch, IndexSpec("airports", "marts.dim", columns, "id", text=frozenset({"name"})), TableRows(table))

    def found(query: dict[str, Any]) -> list[str]:
        hits = opensearch.search(index="airports", body={"query": query, "sort": "id"})["hits"]["hits"]
        return [hit["_id"] for hit in hits]

    assert found({"match": {"name.text": "bush"}}) == ["a"]
    assert found({"term": {"name": "Newark Liberty"}}) == ["b"]
    assert found({"term": {"name": "newark"}}) == []
    assert found({"range": {"day": {"gte": "2013-01-02"}}}) == ["b"]
    assert found({"term": {"at": "2013-01-01T10:15:00Z"}}) == ["a"]
    assert found({"term": {"share": 0.1}}) == ["a"]
    assert found({"bool": {"must_not": {"exists": {"field": "at"}}}}) == ["b"]


PLACES = IndexSpec(
    name="airports",
    relation="lake.int_airports",
    columns=(Column("airport", "varchar(3)"), Column("y", "double precision"), Column("x", "double precision")),
    id_column="airport",
    geo_points={"location": GeoPoint(lat="y", lon="x")},
)


def places(**points: tuple[float | None, float | None]) -> pa.Table:
    """Rows of a small model: code, latitude, longitude."""
    y, x = zip(*points.values(), strict=True)
    return pa.table({"airport": list(points), "y": pa.array(y, pa.float64()), "x": pa.array(x, pa.float64())})


def test_a_geo_point_is_found_by_distance_and_a_row_without_one_by_its_columns(opensearch: OpenSearch):
    build(opensearch, PLACES, TableRows(places(LGA=(40.777, -73.873), LAX=(33.943, -118.408), XXX=(40.0, None))))
    near = {"geo_distance": {"distance": "20km", "location": {"lat": 40.7, "lon": -74.0}}}
    hits = opensearch.search(index="airports", body={"query": near})["hits"]["hits"]
    assert [hit["_id"] for hit in hits] == ["LGA"]
    assert opensearch.get(index="airports", id="XXX")["_source"] == {
        "airport": "XXX",
        "y": 40.0,
        "x": None,
        "location": None,
    }


def test_degrees_that_are_none_are_told_with_their_document(opensearch: OpenSearch):
    with pytest.raises(DocumentsRefusedError, match=r"(?s)1 documents were refused.*BAD.*latitude"):
        build(opensearch, PLACES, TableRows(places(LGA=(40.777, -73.873), BAD=(140.777, -73.873))))
    assert versions(opensearch, "airports") == {}


def test_the_index_tells_its_model_and_what_its_columns_mean(opensearch: OpenSearch):
    index = build(opensearch, SPEC, TableRows(flights(1))).index
    stored = opensearch.indices.get_mapping(index="flights")[index]["mappings"]
    assert stored == mapping(SPEC)
    assert stored["_meta"]["columns"]["carrier"]["description"] == "Code of the airline"


# Versions and the alias


def test_a_first_build_goes_live_and_a_rebuild_replaces_it(opensearch: OpenSearch):
    first = build(opensearch, SPEC, TableRows(flights(250, delay=1)))
    assert (first.index, first.documents, first.replaced, first.deleted) == ("flights-v000001", 250, None, ())
    assert first.bytes > 0
    second = build(opensearch, SPEC, TableRows(flights(120, delay=2)))
    assert (second.index, second.replaced) == ("flights-v000002", "flights-v000001")
    assert holders(opensearch, "flights") == {"flights-v000002"}
    assert delays(opensearch) == {2: 120}


def test_the_previous_version_is_kept_and_older_ones_are_deleted(opensearch: OpenSearch):
    result = [build(opensearch, SPEC, TableRows(flights(1))) for _ in range(3)][-1]
    assert result.deleted == ("flights-v000001",)
    assert versions(opensearch, "flights").keys() == {"flights-v000002", "flights-v000003"}


def test_what_a_killed_build_left_is_deleted_by_the_next(opensearch: OpenSearch):
    build(opensearch, SPEC, TableRows(flights(1)))
    left = create_version(opensearch, "flights", {})
    result = build(opensearch, SPEC, TableRows(flights(1)))
    assert (left, result.index, result.deleted) == ("flights-v000002", "flights-v000003", (left,))


def test_an_index_whose_name_begins_alike_is_another(opensearch: OpenSearch):
    other = IndexSpec("flights-v1-old", SPEC.relation, SPEC.columns, SPEC.id_column)
    kept = build(opensearch, other, TableRows(flights(1))).index
    result = [build(opensearch, SPEC, TableRows(flights(1))) for _ in range(3)][-1]
    assert result.index == "flights-v000003"
    assert opensearch.indices.exists(index=kept)


def test_a_finished_index_is_refreshed_as_usual_again(opensearch: OpenSearch):
    index = build(opensearch, SPEC, TableRows(flights(1))).index
    settings = opensearch.indices.get_settings(index=index)[index]["settings"]["index"]
    assert "refresh_interval" not in settings


def test_settings_of_the_exposure_are_those_of_the_index(opensearch: OpenSearch):
    spec = IndexSpec(
        SPEC.name,
        SPEC.relation,
        SPEC.columns,
        SPEC.id_column,
        settings={"number_of_shards": 2, "refresh_interval": "7s"},
    )
    index = build(opensearch, spec, TableRows(flights(1))).index
    settings = opensearch.indices.get_settings(index=index)[index]["settings"]["index"]
    assert (settings["number_of_shards"], settings["refresh_interval"]) == ("2", "7s")


def test_a_reader_of_the_alias_never_sees_a_half_built_index(opensearch: OpenSearch, opensearch_url: str):
    build(opensearch, SPEC, TableRows(flights(300, delay=0)))
    seen, stop = [], threading.Event()

    def read() -> None:
        reader = OpenSearch(hosts=[opensearch_url])
        while not stop.is_set():
            seen.append(delays(reader))
        reader.close()

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        try:
            for delay in (1, 2, 3):
                build(opensearch, SPEC, TableRows(flights(300, delay), between=lambda _: time.sleep(0.05)))
        finally:
            stop.set()
        reading.result()
    assert {tuple(counts.items()) for counts in seen} == {((delay, 300),) for delay in range(4)}


# Failures


def test_refused_documents_are_told_and_the_alias_stays_on_the_old_version(opensearch: OpenSearch):
    live = build(opensearch, SPEC, TableRows(flights(30, delay=1))).index
    rows = flights(30).set_column(1, "carrier", [["UA", "1", "2"] * 10])
    with pytest.raises(DocumentsRefusedError, match=r"(?s)10 documents were refused.*f00000.*carrier") as refused:
        build(opensearch, with_fields(carrier={"type": "integer"}), TableRows(rows))
    assert refused.value.counts == {"mapper_parsing_exception": 10}
    assert refused.value.failures[0].id == "f00000"
    assert holders(opensearch, "flights") == {live}
    assert versions(opensearch, "flights").keys() == {live}
    assert delays(opensearch) == {1: 30}


def test_a_failed_first_build_leaves_nothing(opensearch: OpenSearch):
    with pytest.raises(DocumentsRefusedError):
        build(opensearch, with_fields(carrier={"type": "integer"}), TableRows(flights(5)))
    assert versions(opensearch, "flights") == {}
    assert holders(opensearch, "flights") == set()


def test_a_build_with_very_many_refusals_stops(opensearch: OpenSearch):
    read: list[int] = []
    rows = TableRows(flights(20_000), between=read.append)
    options = BulkOptions(chunk_bytes=20_000)
    with pytest.raises(DocumentsRefusedError, match="then the build stopped"):
        build(opensearch, with_fields(carrier={"type": "integer"}), rows, options=options)
    assert len(read) < 100


def test_a_field_that_the_mapping_lacks_is_refused(opensearch: OpenSearch):
    index = create_version(opensearch, "flights", {"mappings": mapping(SPEC)})
    table = flights(3).append_column("surprise", [[1, None, 3]])
    documents = DocumentWriter(table.schema, "flight_id").documents(table.to_batches()[0])
    with pytest.raises(DocumentsRefusedError) as refused:
        load(opensearch, index, [documents], _QUICK)
    assert refused.value.counts == {"strict_dynamic_mapping_exception": 3}


def test_a_number_that_json_cannot_write_is_told_with_its_document(opensearch: OpenSearch):
    table = pa.table({"flight_id": ["a", "b"], "ratio": [0.5, float("nan")]})
    columns = (Column("flight_id", "varchar(9)"), Column("ratio", "double precision"))
    with pytest.raises(DocumentsRefusedError, match="NaN") as refused:
        build(opensearch, IndexSpec("flights", "lake.t", columns, "flight_id"), TableRows(table))
    assert [failure.id for failure in refused.value.failures] == ["b"]


def test_rows_that_share_an_id_are_told(opensearch: OpenSearch):
    table = pa.concat_tables([flights(3), flights(1)])
    with pytest.raises(IndexBuildError, match=r"4 rows were read, and the index holds 3.*not unique.*f00000"):
        build(opensearch, SPEC, TableRows(table))
    assert versions(opensearch, "flights") == {}


def test_a_source_that_fails_halfway_leaves_nothing(opensearch: OpenSearch):
    def fail(number: int) -> None:
        if number == 2:
            raise RowsError("the engine is gone")

    with pytest.raises(RowsError, match="the engine is gone"):
        build(opensearch, SPEC, TableRows(flights(500), between=fail))
    assert versions(opensearch, "flights") == {}


def test_an_interrupted_build_leaves_nothing(opensearch: OpenSearch):
    def interrupt(number: int) -> None:
        if number == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(opensearch, SPEC, TableRows(flights(500), between=interrupt))
    assert versions(opensearch, "flights") == {}


def test_a_mapping_that_opensearch_refuses_is_told(opensearch: OpenSearch):
    with pytest.raises(IndexBuildError, match=r"flights-v000001.*no_such_type"):
        build(opensearch, with_fields(carrier={"type": "no_such_type"}), TableRows(flights(1)))


def test_an_index_of_the_aliass_name_is_told(opensearch: OpenSearch):
    opensearch.indices.create(index="flights")
    with pytest.raises(IndexBuildError, match=r"flights is an index.*Delete that index"):
        build(opensearch, SPEC, TableRows(flights(1)))


def test_an_alias_of_somebody_elses_index_is_told(opensearch: OpenSearch):
    opensearch.indices.create(index="by-hand", body={"aliases": {"flights": {}}})
    with pytest.raises(IndexBuildError, match="points at by-hand"):
        build(opensearch, SPEC, TableRows(flights(1)))
    assert holders(opensearch, "flights") == {"by-hand"}


# A busy cluster


@pytest.fixture
def small_breaker(opensearch: OpenSearch) -> Iterator[Callable[[], None]]:
    """A cluster that refuses requests of some size, and how to mend it."""

    def limit(value: str | None) -> None:
        opensearch.cluster.put_settings(body={"transient": {"network.breaker.inflight_requests.limit": value}})

    limit("10kb")
    yield lambda: limit(None)
    limit(None)


def test_a_request_that_the_breaker_refuses_is_told(opensearch: OpenSearch, small_breaker: Callable[[], None]):
    with pytest.raises(IndexBuildError, match=r"did not take 100 documents in 1 tries.*429.*in_flight_requests"):
        build(opensearch, SPEC, TableRows(flights(100)), options=_ONCE)


def test_a_request_that_the_breaker_refuses_is_repeated(opensearch: OpenSearch, small_breaker: Callable[[], None]):
    timer = threading.Timer(0.6, small_breaker)
    timer.start()
    result = build(opensearch, SPEC, TableRows(flights(500)), options=_QUICK)
    timer.join()
    assert result.seconds > 0.6
    assert delays(opensearch) == {0: 500}


def _block(client: OpenSearch, index: str, value: bool | None) -> None:
    # What OpenSearch sets by itself when a disk is nearly full: each document is put off with 429 inside a 200.
    client.indices.put_settings(index=index, body={"index.blocks.read_only_allow_delete": value})


def test_documents_that_are_put_off_are_repeated(opensearch: OpenSearch):
    index = create_version(opensearch, "flights", {"mappings": mapping(SPEC)})
    documents = DocumentWriter(flights(1).schema, "flight_id").documents(flights(250).to_batches()[0])
    _block(opensearch, index, True)
    timer = threading.Timer(0.5, _block, (opensearch, index, None))
    timer.start()
    progress: list[int] = []
    loaded = load(opensearch, index, [documents], _QUICK, progress.append)
    timer.join()
    opensearch.indices.refresh(index=index)
    assert loaded.documents == progress[-1] == opensearch.count(index=index)["count"] == 250
    assert loaded.overwritten == []


def test_documents_that_stay_put_off_are_told_with_the_reason(opensearch: OpenSearch):
    index = create_version(opensearch, "flights", {"mappings": mapping(SPEC)})
    documents = DocumentWriter(flights(1).schema, "flight_id").documents(flights(3).to_batches()[0])
    _block(opensearch, index, True)
    with pytest.raises(IndexBuildError, match=r"put off 3 of them: .*read-only-allow-delete"):
        load(opensearch, index, [documents], _ONCE)


class LosesAnswers(Urllib3HttpConnection):
    """A connection on which the first answer to each of these is lost, after the cluster has done it."""

    lose: frozenset[str] = frozenset({"_bulk", "_aliases"})

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.lost: set[str] = set()

    def perform_request(self, method: str, url: str, *arguments: Any, **options: Any) -> Any:
        answer = super().perform_request(method, url, *arguments, **options)
        call = url.rpartition("/")[2]
        if call in self.lose - self.lost:
            self.lost.add(call)
            raise ConnectionTimeout("TIMEOUT", f"the answer to {call} is lost", None)
        return answer


def test_a_lost_answer_changes_nothing(opensearch: OpenSearch, opensearch_url: str):
    build(opensearch, SPEC, TableRows(flights(10)))
    client = OpenSearch(hosts=[opensearch_url], connection_class=LosesAnswers, max_retries=0)
    result = build(client, SPEC, TableRows(flights(250, delay=7)), options=_QUICK)
    assert client.transport.get_connection().lost == {"_bulk", "_aliases"}
    client.close()
    assert (result.index, result.replaced, result.documents) == ("flights-v000002", "flights-v000001", 250)
    assert holders(opensearch, "flights") == {"flights-v000002"}
    assert delays(opensearch) == {7: 250}


# Builds at once


def _begun(opensearch: OpenSearch, count: int) -> None:
    deadline = time.monotonic() + 20
    while len(versions(opensearch, "flights")) < count and time.monotonic() < deadline:
        time.sleep(0.01)


@pytest.mark.parametrize("live_before", [True, False])
def test_of_two_builds_at_once_the_later_begun_wins_though_it_ends_first(opensearch: OpenSearch, live_before: bool):
    if live_before:
        build(opensearch, SPEC, TableRows(flights(10, delay=9)))
    go_on = threading.Event()
    before = len(versions(opensearch, "flights"))
    with ThreadPoolExecutor(1) as pool:
        slow = TableRows(flights(300, delay=1), between=lambda number: number < 2 or bool(go_on.wait(30)))
        earlier = pool.submit(build, opensearch, SPEC, slow)
        _begun(opensearch, before + 1)
        later = build(opensearch, SPEC, TableRows(flights(200, delay=2)))
        go_on.set()
        with pytest.raises(SupersededError, match=f"{later.index}, which was begun later, is live already"):
            earlier.result()
    assert holders(opensearch, "flights") == {later.index}
    assert delays(opensearch) == {2: 200}
    kept = {later.index, later.replaced} if live_before else {later.index}
    assert versions(opensearch, "flights").keys() == kept


def test_of_two_builds_at_once_the_later_begun_wins_when_it_ends_last(opensearch: OpenSearch):
    go_on = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        slow = TableRows(flights(300, delay=2), between=lambda number: number < 1 or bool(go_on.wait(30)))
        create_version(opensearch, "flights", {})  # the earlier build's, to be deleted at the end
        later = pool.submit(build, opensearch, SPEC, slow)
        _begun(opensearch, 2)
        point_alias(opensearch, "flights", "flights-v000001")
        go_on.set()
        result = later.result()
    assert (result.index, result.replaced) == ("flights-v000002", "flights-v000001")
    assert delays(opensearch) == {2: 300}


def test_builds_that_move_the_alias_at_the_same_moment_leave_it_on_the_latest_alone(
    opensearch: OpenSearch, opensearch_url: str
):
    seen: list[set[str]] = []
    stop = threading.Event()

    def move(index: str, barrier: threading.Barrier) -> str | None:
        client = OpenSearch(hosts=[opensearch_url])
        barrier.wait()
        try:
            return point_alias(client, "flights", index)
        except SupersededError:
            return None
        finally:
            client.close()

    def watch() -> None:
        client = OpenSearch(hosts=[opensearch_url])
        while not stop.is_set():
            seen.append(holders(client, "flights"))
        client.close()

    with ThreadPoolExecutor(6) as pool:
        watching = pool.submit(watch)
        try:
            for _ in range(3):
                begun = [create_version(opensearch, "flights", {}) for _ in range(5)]
                list(pool.map(move, begun, [threading.Barrier(len(begun))] * len(begun)))
                assert holders(opensearch, "flights") == {begun[-1]}
                opensearch.indices.delete(index="*")
        finally:
            stop.set()
        watching.result()
    assert max(len(found) for found in seen) == 1


def test_builds_that_begin_at_the_same_moment_get_versions_of_their_own(opensearch: OpenSearch):
    with ThreadPoolExecutor(6) as pool:
        begun = list(pool.map(lambda _: create_version(opensearch, "flights", {}), range(6)))
    assert sorted(begun) == [f"flights-v{number:06d}" for number in range(1, 7)]


def test_progress_counts_up_to_all_documents(opensearch: OpenSearch):
    told: list[int] = []
    result: BuildResult = build(opensearch, SPEC, TableRows(flights(500)), told.append, BulkOptions(chunk_bytes=10_000))
    assert told == sorted(told)
    assert len(told) > 3
    assert told[-1] == result.documents == 500
