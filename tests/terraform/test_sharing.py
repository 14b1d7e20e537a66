"""Lake Formation for readers: off unless it is asked for, and then for readers alone."""

from __future__ import annotations

import json

import pytest

from orchestration.settings import PROJECT_ROOT
from tests.terraform.conftest import Plan, Planner

pytestmark = pytest.mark.terraform

LAKE = "arn:aws:s3:::watershed-dev-lake"


@pytest.fixture(scope="module")
def shared(plan: Planner, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """The plan of dev with Lake Formation on."""
    variables = tmp_path_factory.mktemp("sharing") / "sharing.tfvars.json"
    variables.write_text(json.dumps({"lake_formation": {}}))
    return plan("dev", PROJECT_ROOT / "ingestion" / "contracts", variables)


def policies(plan: Plan) -> dict[str, str]:
    """What each role may do, JSON, by actor."""
    return {values["name"]: values["policy"] for values in plan.of("aws_iam_role_policy").values()}


def allowed_on_the_lake(policy: str) -> set[str]:
    """Actions that a policy allows on the lake's bucket, or on objects in it."""
    statements = json.loads(policy)["Statement"]
    found = [(as_list(it["Action"]), as_list(it["Resource"])) for it in statements]
    return {action for actions, names in found for action in actions if any(name.startswith(LAKE) for name in names)}


def as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def test_unless_it_is_asked_for_there_is_none_of_it(dev: Plan, production: Plan) -> None:
    for planned in (dev, production):
        assert not [address for address in planned.values if "lakeformation" in address or "sharing" in address]
    assert "s3:GetObject" in allowed_on_the_lake(policies(dev)["reader"])


def test_a_reader_reads_through_lake_formation_alone_and_nobody_else_is_touched(dev: Plan, shared: Plan) -> None:
    off, on = policies(dev), policies(shared)
    assert not allowed_on_the_lake(on["reader"])
    assert "lakeformation:GetDataAccess" in on["reader"]
    assert {actor: policy for actor, policy in on.items() if actor not in {"reader", "sharing"}} == {
        actor: policy for actor, policy in off.items() if actor != "reader"
    }


def test_what_lake_formation_lends_cannot_write_and_reaches_models_alone(shared: Plan) -> None:
    policy = policies(shared)["sharing"]
    assert allowed_on_the_lake(policy) == {"s3:GetObject", "s3:ListBucket"}
    objects = [as_list(it["Resource"]) for it in json.loads(policy)["Statement"] if it["Action"] == "s3:GetObject"]
    assert objects == [[f"{LAKE}/lake/*"]]


def test_what_is_registered_is_where_the_models_lie_in_hybrid_mode(shared: Plan) -> None:
    (registered,) = shared.of("aws_lakeformation_resource").values()
    (database,) = [it for it in shared.of("aws_glue_catalog_database").values() if it["name"] == "lake"]
    assert registered["hybrid_access_enabled"]
    assert registered["arn"] == database["location_uri"].replace("s3://", "arn:aws:s3:::")
    # The settings are the whole account's: writing them would take away what others wrote.
    assert not shared.of("aws_lakeformation_data_lake_settings")
