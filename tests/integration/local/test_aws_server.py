"""The local AWS as a server."""

from __future__ import annotations

from typing import Any

import boto3

from infra.local.aws.engine import answering_pid
from orchestration.settings import Settings


def client(settings: Settings, service: str) -> Any:
    return boto3.client(service, **settings.client_args())  # pyright: ignore[reportCallIssue, reportArgumentType]


def test_health_names_the_process(local_aws: Settings) -> None:
    assert answering_pid(local_aws.aws_endpoint_url or "") is not None


def test_health_of_another_program_is_none() -> None:
    assert answering_pid("http://127.0.0.1:1") is None


def test_objects_are_served_back(fresh_settings: Settings) -> None:
    s3 = client(fresh_settings, "s3")
    s3.create_bucket(Bucket=fresh_settings.landing_bucket)
    s3.put_object(Bucket=fresh_settings.landing_bucket, Key="a/b.txt", Body=b"rain")
    assert s3.get_object(Bucket=fresh_settings.landing_bucket, Key="a/b.txt")["Body"].read() == b"rain"
