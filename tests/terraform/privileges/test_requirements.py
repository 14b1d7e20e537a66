"""What a call needs, one rule each, by AWS's reference and the table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.terraform.privileges.requirements import Call, Names, Requirements, UnknownCallError

NAMES = Names(
    account="123456789012",
    region="us-east-1",
    prefix="rain",
    buckets={"landing": "rain-landing", "lake": "rain-lake", "results": "rain-results", "logs": "rain-logs"},
)
GLUE, S3, KMS = "arn:aws:glue:us-east-1:123456789012", "arn:aws:s3:::", "arn:aws:kms:us-east-1:123456789012:key"


def needs(*calls: Call) -> set[tuple[str, str]]:
    return {(need.action, need.resource) for need in Requirements(NAMES).needs(calls)}


def call(name: str, **parameters: str | list[str]) -> Call:
    service, _, operation = name.partition(":")
    return Call("landing", service, operation, {n.replace("_", "."): v for n, v in parameters.items()})


def test_a_table_needs_its_database_and_the_catalog_too() -> None:
    table = call("glue:UpdateTable", DatabaseName="landing", TableInput_Name="flights")
    assert needs(table) == {
        ("glue:UpdateTable", f"{GLUE}:{part}") for part in ("catalog", "database/landing", "table/landing/flights")
    }


def test_a_list_is_on_all_that_there_is() -> None:
    assert ("glue:GetTables", f"{GLUE}:table/lake/*") in needs(call("glue:GetTables", DatabaseName="lake"))
    assert ("glue:GetDatabases", f"{GLUE}:database/*") in needs(call("glue:GetDatabases"))


def test_an_operation_of_s3_needs_its_action_and_the_key_of_the_bucket() -> None:
    of = {"Bucket": "rain-landing", "Key": "quarantine/1"}
    part = {("s3:PutObject", f"{S3}rain-landing/quarantine/1"), ("kms:GenerateDataKey", f"{KMS}/landing")}
    assert needs(call("s3:PutObject", **of)) == part
    assert needs(call("s3:UploadPart", **of)) == part | {("kms:Decrypt", f"{KMS}/landing")}
    assert needs(call("s3:ListObjectsV2", Bucket="rain-lake")) == {("s3:ListBucket", f"{S3}rain-lake")}
    assert needs(call("s3:PutObject", Bucket="rain-logs", Key="1")) == {("s3:PutObject", f"{S3}rain-logs/1")}


def test_an_object_that_is_not_there_is_told_from_a_forbidden_one_by_the_right_to_list() -> None:
    there = call("s3:HeadObject", Bucket="rain-lake", Key="1")
    assert ("s3:ListBucket", f"{S3}rain-lake") not in needs(there)
    assert ("s3:ListBucket", f"{S3}rain-lake") in needs(replace(there, status=404))


def test_each_deleted_key_and_what_is_copied_is_needed() -> None:
    assert needs(call("s3:DeleteObjects", Bucket="rain-lake", Keys=["a", "b"])) == {
        ("s3:DeleteObject", f"{S3}rain-lake/{key}") for key in "ab"
    }
    copied = call("s3:CopyObject", Bucket="rain-lake", Key="a", CopySource="rain-landing/a%20b", Tagging="t=1")
    assert needs(copied) == {
        ("s3:PutObject", f"{S3}rain-lake/a"),
        ("s3:PutObjectTagging", f"{S3}rain-lake/a"),
        ("kms:GenerateDataKey", f"{KMS}/lake"),
        ("s3:GetObject", f"{S3}rain-landing/a b"),
        ("kms:Decrypt", f"{KMS}/landing"),
    }


def test_a_token_is_on_what_was_named_when_it_was_given() -> None:
    iterator = call("kinesis:GetShardIterator", StreamName="rain-events")
    stream = "arn:aws:kinesis:us-east-1:123456789012:stream/rain-events"
    assert needs(iterator, call("kinesis:GetRecords")) == {
        ("kinesis:GetShardIterator", stream),
        ("kinesis:GetRecords", stream),
        ("kms:Decrypt", f"{KMS}/stream"),
    }


def test_an_action_that_another_one_depends_on_is_needed_too() -> None:
    assert ("quicksight:PassDataSource", "arn:aws:quicksight:us-east-1:123456789012:datasource/*") in needs(
        call("quicksight:UpdateDataSet", DataSetId="daily")
    )


def test_an_action_without_a_resource_type_needs_every_resource() -> None:
    assert needs(call("quicksight:ListIngestions", DataSetId="daily")) == {("quicksight:ListIngestions", "*")}
    assert needs(call("sts:GetCallerIdentity")) == set()


@pytest.mark.parametrize(
    ("unknown", "told"),
    [
        (call("glue:GetTeapot"), "no action glue:GetTeapot is known"),
        (call("s3:GetObjectAcl", Bucket="rain-lake", Key="1"), "several resource types, none required"),
        (call("s3:GetObject", Bucket="another", Key="1"), "which key is it encrypted with"),
    ],
)
def test_what_cannot_be_told_is_an_error(unknown: Call, told: str) -> None:
    with pytest.raises(UnknownCallError, match=told):
        needs(unknown)
