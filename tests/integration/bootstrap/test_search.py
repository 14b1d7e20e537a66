"""OpenSearch's roles, made in an OpenSearch with its security plugin, and used by what serves."""

from __future__ import annotations

import pyarrow as pa
import pytest
from opensearchpy import OpenSearch
from opensearchpy.exceptions import AuthorizationException

from infra.bootstrap.errors import BootstrapError
from infra.bootstrap.search import Change, load_roles, set_up
from serving.opensearch.build import build
from serving.opensearch.incremental import IndexUpdater
from serving.opensearch.spec import Column, IndexSpec
from tests.integration.bootstrap.conftest import BOOTSTRAP_ARN, SERVING_ARN, As
from tests.integration.serving.test_opensearch import TableRows

pytestmark = [pytest.mark.opensearch, pytest.mark.slow]

_ARNS = {"bootstrap": BOOTSTRAP_ARN, "serving": SERVING_ARN}
_INDEXES = ["flights", "airports"]
_COLUMNS = (Column("flight_id", "varchar(48)"), Column("delay", "integer"))
_SPEC = IndexSpec("flights", "lake.int_flights", _COLUMNS, "flight_id")


def flights(count: int, delay: int = 0) -> TableRows:
    ids = [f"f{n:03d}" for n in range(count)]
    return TableRows(pa.table({"flight_id": ids, "delay": pa.array([delay] * count, pa.int32())}))


def changes(client: OpenSearch) -> dict[str, str]:
    found: list[Change] = list(set_up(client, load_roles().of_indexes(_INDEXES), _ARNS))
    return {change.what: change.did for change in found}


def test_roles_are_made_once_used_by_serving_and_mended(secured_opensearch: As) -> None:
    admin, serving = secured_opensearch(BOOTSTRAP_ARN), secured_opensearch(SERVING_ARN)
    with pytest.raises(AuthorizationException):
        serving.info()
    admin.indices.create(index="strange", body={})

    assert changes(admin) == {
        "role watershed_serving": "made",
        "who has watershed_serving": "made",
        "role watershed_search": "made",
        "who has all_access": "unchanged",
    }
    assert set(changes(admin).values()) == {"unchanged"}

    # All that serving does: the first build, a second, which moves the alias and prunes, and updates of what is live.
    build(serving, _SPEC, flights(20))
    build(serving, _SPEC, flights(20))
    third = build(serving, _SPEC, flights(20))
    assert third.deleted
    updater = IndexUpdater(serving, _SPEC, flights(20))
    assert updater.update().full
    updater._rows = flights(20, delay=7)
    assert updater.update().sent == 20

    # And nothing else.
    for refused in (
        lambda: serving.indices.create(index="others", body={}),
        lambda: serving.indices.delete(index="strange"),
        lambda: serving.search(index="strange"),
        lambda: serving.cluster.put_settings(body={"transient": {"action.auto_create_index": "true"}}),
        lambda: serving.transport.perform_request("GET", "/_plugins/_security/api/roles"),
    ):
        with pytest.raises(AuthorizationException):
            refused()
    with pytest.raises(BootstrapError, match="403"):
        changes(serving)

    # An application that was mapped by hand searches by the alias, and stays mapped.
    application = secured_opensearch("arn:aws:iam::123456789012:role/application")
    with pytest.raises(AuthorizationException):
        application.search(index="flights")
    by_hand = {"backend_roles": ["arn:aws:iam::123456789012:role/application"]}
    admin.transport.perform_request("PUT", "/_plugins/_security/api/rolesmapping/watershed_search", body=by_hand)
    # What somebody took away is put back; what is OpenSearch's keeps who else has it.
    more = {"cluster_permissions": ["cluster:monitor/main"], "index_permissions": []}
    admin.transport.perform_request("PUT", "/_plugins/_security/api/roles/watershed_serving", body=more)
    owners = {"backend_roles": ["arn:aws:iam::123456789012:role/owner", BOOTSTRAP_ARN]}
    admin.transport.perform_request("PUT", "/_plugins/_security/api/rolesmapping/all_access", body=owners)
    assert changes(admin) == {
        "role watershed_serving": "mended",
        "who has watershed_serving": "unchanged",
        "role watershed_search": "unchanged",
        "who has all_access": "unchanged",
    }
    assert application.search(index="flights")["hits"]["total"]["value"] == 20
    build(serving, _SPEC, flights(20))


def test_who_is_no_master_is_added_to_those_who_are(secured_opensearch: As) -> None:
    admin = secured_opensearch(BOOTSTRAP_ARN)
    arns = {**_ARNS, "bootstrap": "arn:aws:iam::123456789012:role/other"}
    found = {change.what: change.did for change in set_up(admin, load_roles().of_indexes(_INDEXES), arns)}
    assert found["who has all_access"] == "mended"
    mapping = admin.transport.perform_request("GET", "/_plugins/_security/api/rolesmapping/all_access")
    assert arns["bootstrap"] in mapping["all_access"]["backend_roles"]
    assert BOOTSTRAP_ARN in mapping["all_access"]["backend_roles"]
