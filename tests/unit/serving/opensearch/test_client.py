from __future__ import annotations

import socket

import pytest

from serving.opensearch.build import build
from serving.opensearch.bulk import Backoff
from serving.opensearch.client import connect
from serving.opensearch.errors import IndexBuildError
from serving.opensearch.spec import Column, IndexSpec
from serving.opensearch.versions import number_of
from serving.rows.duckdb import DuckDBRows


def test_requests_to_a_domain_are_signed_for_its_region(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    client = connect("https://search-x.eu-west-1.es.amazonaws.com", "eu-west-1")
    connection = client.transport.get_connection()
    assert connection.host == "https://search-x.eu-west-1.es.amazonaws.com:443"
    headers = connection.http_auth("GET", f"{connection.host}/_alias", None)
    assert "/eu-west-1/es/aws4_request" in headers["Authorization"]


def test_a_node_of_this_machine_is_asked_without_credentials():
    client = connect("http://127.0.0.1:18920")
    connection = client.transport.get_connection()
    assert (connection.host, connection.http_auth) == ("http://127.0.0.1:18920", None)


@pytest.mark.parametrize("url", ["http://search.example.com", "search.example.com", "ftp://127.0.0.1", ""])
def test_a_url_that_is_neither_signed_nor_of_this_machine_is_refused(url: str):
    with pytest.raises(ValueError, match="no URL of OpenSearch"):
        connect(url, "us-east-1")


def test_a_domain_without_a_region_is_refused():
    with pytest.raises(ValueError, match="none is given"):
        connect("https://search.example.com")


def test_a_cluster_that_does_not_answer_is_told(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    spec = IndexSpec("flights", "lake.int_flights", (Column("id", "varchar(1)"),), "id")
    with pytest.raises(IndexBuildError, match=f"No OpenSearch answers at {url}"):
        build(connect(url), spec, DuckDBRows(tmp_path / "none.duckdb"))


def test_the_number_of_a_version_is_read_from_its_name_alone():
    assert number_of("flights", "flights-v000012") == 12
    assert number_of("flights", "flights-v1234567") == 1234567
    assert number_of("flights", "flights-v12") is None
    assert number_of("flights", "flights-v1-v000012") is None
    assert number_of("f.ights", "flights-v000012") is None


def test_waits_double_up_to_the_longest():
    backoff = Backoff(first_seconds=1, most_seconds=5)
    for attempt, longest in enumerate([1, 2, 4, 5, 5]):
        assert longest / 2 <= backoff.seconds(attempt) <= longest
