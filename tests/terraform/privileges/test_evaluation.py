"""IAM's decisions, one rule each. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html"""

from __future__ import annotations

from typing import Any

import pytest

from tests.terraform.privileges.evaluation import Request, UnsupportedPolicyError, decide

ROLE = "arn:aws:iam::123456789012:role/landing"
ACCOUNT = "arn:aws:iam::123456789012:root"
OBJECT = "arn:aws:s3:::lake/landing/a"


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*", **s} for s in statements]}


def get(resource: str = OBJECT, principal: str = ROLE, **context: Any) -> Request:
    return Request(
        principal, "s3:GetObject", resource, {key.replace("_", ":"): value for key, value in context.items()}
    )


def allowed(request: Request, identity: Any, resource: Any = None, *, both: bool = False) -> bool:
    return decide(request, identity, resource, both=both).allowed


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::lake/landing/*"}, True),
        ({"Action": ["s3:PutObject", "S3:getobject"]}, True),
        ({"Action": "s3:Get*", "Resource": ["arn:aws:s3:::lake", "arn:aws:s3:::lake/??nding/a"]}, True),
        ({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::lake/Landing/*"}, False),
        ({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::lake/landing"}, False),
        ({"Action": "s3:GetObjectVersion"}, False),
    ],
)
def test_an_action_and_a_resource_are_as_their_patterns_say(statement: dict[str, Any], expected: bool) -> None:
    assert allowed(get(), policy(statement)) is expected


def test_what_is_on_all_of_a_kind_is_allowed_only_by_a_pattern_that_covers_all() -> None:
    request = Request(ROLE, "glue:GetTables", "arn:aws:glue:us-east-1:123456789012:table/lake/*")
    of = {"Action": "glue:GetTables"}
    assert allowed(request, policy({**of, "Resource": "arn:aws:glue:us-east-1:123456789012:table/lake/*"}))
    assert not allowed(request, policy({**of, "Resource": "arn:aws:glue:us-east-1:123456789012:table/lake/flights"}))


def test_a_denial_outweighs_what_allows_wherever_it_stands() -> None:
    allows, denies = {"Action": "s3:GetObject"}, {"Action": "s3:*", "Effect": "Deny", "Sid": "NotTheTables"}
    assert decide(get(), policy(allows, denies)).reason == "NotTheTables denies it"
    assert not allowed(get(), policy(allows), policy({**denies, "Principal": "*"}))
    plain = {**denies, "Principal": {"AWS": "*"}, "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    assert allowed(get(aws_SecureTransport="true"), policy(allows), policy(plain))
    assert not allowed(get(aws_SecureTransport="false"), policy(allows), policy(plain))


def test_either_policy_allows_but_a_policy_that_names_the_account_leaves_it_to_the_role() -> None:
    own, of = policy({"Action": "s3:GetObject"}), {"Action": "s3:GetObject"}
    assert allowed(get(), own, policy({**of, "Principal": {"AWS": "arn:aws:iam::123456789012:role/other"}}))
    assert allowed(get(), policy(), policy({**of, "Principal": {"AWS": [ROLE]}}))
    assert not allowed(get(), policy(), policy({**of, "Principal": {"AWS": ACCOUNT}}))


def test_a_keys_policy_must_allow_too() -> None:
    own, of = policy({"Action": "s3:GetObject"}), {"Action": "s3:GetObject"}
    assert not allowed(get(), own, None, both=True)
    assert not allowed(get(), own, policy({**of, "Principal": {"AWS": "arn:aws:iam::999999999999:root"}}), both=True)
    assert not allowed(get(), policy(), policy({**of, "Principal": {"AWS": ACCOUNT}}), both=True)
    assert allowed(get(), own, policy({**of, "Principal": {"AWS": ACCOUNT}}), both=True)


def test_a_service_is_allowed_by_the_resource_alone() -> None:
    service = {"Action": "s3:GetObject", "Principal": {"Service": "logging.s3.amazonaws.com"}}
    assert allowed(get(principal="logging.s3.amazonaws.com"), policy(), policy(service))
    assert not allowed(get(principal="s3.amazonaws.com"), policy({"Action": "*"}), policy(service))
    assert not allowed(get(), policy(), policy(service))


@pytest.mark.parametrize(
    ("condition", "context", "expected"),
    [
        ({"StringEquals": {"kms:ViaService": ["s3", "kinesis"]}}, {"kms_viaservice": "s3"}, True),
        ({"StringEquals": {"kms:ViaService": "s3"}}, {"kms_ViaService": "sqs"}, False),
        ({"StringEquals": {"kms:ViaService": "s3"}}, {}, False),
        ({"StringEquals": {"a:b": "1", "a:c": "2"}}, {"a_b": "1", "a_c": "3"}, False),
        ({"StringEquals": {"a:b": "1"}, "Bool": {"a:c": "true"}}, {"a_b": "1", "a_c": "True"}, True),
        ({"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::*:role/l*"}}, {"aws_PrincipalArn": ROLE}, True),
        ({"StringEquals": {"aws:PrincipalArn": "arn:aws:iam::*:role/l*"}}, {"aws_PrincipalArn": ROLE}, False),
        ({"ForAnyValue:StringEquals": {"kms:Aliases": ["x", "y"]}}, {"kms_Aliases": ["z", "y"]}, True),
        ({"ForAnyValue:StringEquals": {"kms:Aliases": ["x"]}}, {"kms_Aliases": []}, False),
        ({"StringEquals": {"data:owner": "${aws:userid}"}}, {"data_owner": "me", "aws_userid": "me"}, True),
        ({"StringEquals": {"data:owner": "${aws:userid}"}}, {"data_owner": "me", "aws_userid": "you"}, False),
        ({"StringEquals": {"data:owner": "${aws:userid}"}}, {"data_owner": "${aws:userid}"}, False),
    ],
)
def test_a_condition_holds_by_all_its_keys_and_any_value_of_each(
    condition: dict[str, Any], context: dict[str, Any], expected: bool
) -> None:
    assert allowed(get(**context), policy({"Action": "s3:GetObject", "Condition": condition})) is expected


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ({"Condition": {"NumericLessThan": {"s3:max-keys": "10"}}}, "NumericLessThan"),
        ({"Condition": {"StringEqualsIfExists": {"a:b": "1"}}}, "StringEqualsIfExists"),
        ({"Condition": {"ForAllValues:StringEquals": {"a:b": "1"}}}, "ForAllValues"),
        ({"Condition": {"StringEquals": {"a:several": "1"}}}, "several values"),
        ({"NotResource": "*"}, "NotResource"),
    ],
)
def test_what_is_not_known_is_an_error_and_no_decision(statement: dict[str, Any], what: str) -> None:
    with pytest.raises(UnsupportedPolicyError, match=what):
        decide(get(a_several=["1", "2"]), policy({"Action": "s3:GetObject", **statement}))
    with pytest.raises(UnsupportedPolicyError, match="Federated"):
        decide(get(), policy(), policy({"Action": "*", "Principal": {"Federated": "accounts.google.com"}}))
