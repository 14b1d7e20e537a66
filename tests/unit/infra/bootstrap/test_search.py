"""The roles of the search engine as data."""

from __future__ import annotations

import pytest
from opensearchpy import OpenSearch

from infra.bootstrap.errors import BootstrapError
from infra.bootstrap.search import load_roles, set_up
from serving.opensearch.versions import number_of


def test_a_role_is_on_each_index_by_its_alias_and_its_versions() -> None:
    serving = load_roles().of_indexes(["flights", "airports"]).roles[0]
    versions, everything = serving.index_permissions
    assert versions.index_patterns == ("airports", "airports-v*", "flights", "flights-v*")
    assert everything.index_patterns == ("*",)
    assert number_of("flights", "flights-v000001") == 1


def test_nothing_but_names_of_aliases_may_be_read_of_other_indexes() -> None:
    for role in load_roles().of_indexes(["flights"]).roles:
        for permission in role.index_permissions:
            if "*" in permission.index_patterns:
                assert permission.allowed_actions == ("indices:admin/aliases/get",)
            assert not {"*", "indices:*"} & set(permission.allowed_actions)
        assert not any(action.endswith("*") for action in role.cluster_permissions)


def test_who_does_not_answer_is_told_with_where_it_would(free_url: str) -> None:
    with pytest.raises(BootstrapError, match=r"GET /_plugins/_security/api/roles/watershed_serving: no answer.*VPC"):
        list(set_up(OpenSearch(hosts=[free_url], max_retries=0), load_roles(), {}))
