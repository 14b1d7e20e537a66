"""Contracts are all that streams, deliveries and prefixes follow from: one, a hundred, one more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.terraform.conftest import Plan, Planner
from tests.terraform.test_plan import LONGEST, LONGEST_PREFIX, TEXTS, policies

pytestmark = pytest.mark.terraform

# Kinesis, Firehose from producers, Firehose from Kinesis, files: in turn. Names are as long as contracts may have them.
SERVERS = (
    """{{type: kinesis, format: json, customProperties: [{{property: stream, value: {name}}}]}}""",
    """{{type: s3, format: json, location: "s3://{{landing}}/firehose/{name}/",
        customProperties: [{{property: deliveryStream, value: {name}}}]}}""",
    """{{type: s3, format: json, location: "s3://{{landing}}/firehose/{name}/",
        customProperties: [{{property: deliveryStream, value: {name}}}, {{property: sourceStream, value: {name}}}]}}""",
    """{{type: s3, format: csv, location: "s3://{{landing}}/files/{name}/"}}""",
)


@pytest.fixture(scope="module")
def contracts(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """A folder with so many contracts."""

    @cache
    def of(count: int) -> Path:
        folder = tmp_path_factory.mktemp(f"contracts-{count}")
        for number in range(count):
            write_contract(folder, number)
        return folder

    return of


@pytest.fixture(scope="module", params=["dev", "production"])
def planned(
    request: pytest.FixtureRequest,
    plan: Planner,
    contracts: Callable[[int], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[int], Plan]:
    """The plan of an environment with so many contracts, and names as long as they get."""
    variables = tmp_path_factory.mktemp("names") / "prefix.tfvars"
    variables.write_text(f'prefix = "{LONGEST_PREFIX}"')
    return lambda count: plan(request.param, contracts(count), variables)


def contract_name(number: int) -> str:
    """A name as long as that of a delivery stream may be."""
    return f"contract_{number:03}".ljust(40, "x")


def write_contract(folder: Path, number: int) -> None:
    """As much of a contract as Terraform reads."""
    name = contract_name(number)
    server = SERVERS[number % len(SERVERS)].format(name=name)
    sla = "[{property: archive, value: 30, unit: d}]"
    (folder / f"{name}.yaml").write_text(f"name: {name}\nservers: [{server}]\nslaProperties: {sla}\n")


@pytest.mark.parametrize("count", [1, 3, 100])
def test_policies_and_names_stay_within_the_limits(planned: Callable[[int], Plan], count: int) -> None:
    plan = planned(count)
    assert not {address for address, kind, policy in policies(plan) if len(policy) > LONGEST[kind]}
    assert all(
        len(values[attribute]) <= 64
        for kind, attribute in TEXTS
        if attribute != "description"
        and kind in ("aws_iam_role", "aws_s3_bucket", "aws_kinesis_firehose_delivery_stream")
        for values in plan.of(kind).values()
    )


def test_roles_may_the_same_with_a_hundred_contracts_as_with_one(planned: Callable[[int], Plan]) -> None:
    assert planned(100).of("aws_iam_role_policy") == planned(1).of("aws_iam_role_policy")


def test_each_contract_has_its_stream_delivery_and_lifecycle_rule(planned: Callable[[int], Plan]) -> None:
    plan = planned(100)
    counted = [len(plan.of(kind)) for kind in ("aws_kinesis_stream", "aws_kinesis_firehose_delivery_stream")]
    assert counted == [50, 50]
    assert len(archive_rules(plan)) == 75


def test_contracts_more_change_only_what_is_their_own(planned: Callable[[int], Plan]) -> None:
    """One of each kind. The landing bucket has one lifecycle configuration: it gets rules, and its other rules stay."""
    before, after = planned(100 - len(SERVERS)), planned(100)
    assert not before.values.keys() - after.values.keys()
    names = [contract_name(number) for number in range(100 - len(SERVERS), 100)]
    added = after.values.keys() - before.values.keys()
    assert all(any(name in address for name in names) for address in added)
    changed = {address for address in before.values if before.values[address] != after.values[address]}
    assert changed == {LANDING_LIFECYCLE}
    kept = {rule: what for rule, what in archive_rules(after).items() if rule.removeprefix("archive-") not in names}
    assert kept == archive_rules(before)


LANDING_LIFECYCLE = 'module.platform.module.lake.aws_s3_bucket_lifecycle_configuration.this["landing"]'


def archive_rules(plan: Plan) -> dict[str, Mapping[str, Any]]:
    """The lifecycle rules of the landing bucket that follow from contracts, by ID."""
    rules = plan.values[LANDING_LIFECYCLE]["rule"]
    return {rule["id"]: rule for rule in rules if rule["id"].startswith("archive-")}
