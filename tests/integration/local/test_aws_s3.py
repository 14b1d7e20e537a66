"""S3 under listings and deletes at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from orchestration.settings import Settings

KEYS = [str(index) for index in range(200)]


def failures_of_listing_while_deleting(settings: Settings, rounds: int) -> list[str]:
    """Fill a bucket, then empty it while others list it, until a call fails; what failed."""
    once = Config(retries={"total_max_attempts": 1}, max_pool_connections=8)  # a retry would cover a failure up
    s3: Any = boto3.client("s3", config=once, **settings.client_args())  # pyright: ignore
    bucket = settings.lake_bucket
    s3.create_bucket(Bucket=bucket)
    failures: list[str] = []

    def attempt(call: Any, **arguments: Any) -> None:
        try:
            call(Bucket=bucket, **arguments)
        except ClientError as error:
            failures.append(str(error))

    for _ in range(rounds):
        with ThreadPoolExecutor(8) as pool:
            for key in KEYS:
                pool.submit(attempt, s3.put_object, Key=key, Body=b"")
        with ThreadPoolExecutor(8) as pool:
            for key in KEYS:
                pool.submit(attempt, s3.list_objects_v2, MaxKeys=1)
                pool.submit(attempt, s3.delete_object, Key=key)
        if failures:
            break
    return failures


def test_listing_while_deleting_succeeds(hasty_aws: Settings) -> None:
    assert failures_of_listing_while_deleting(hasty_aws, rounds=2) == []


def test_without_the_correction_listing_while_deleting_fails(plain_moto: Settings) -> None:
    assert failures_of_listing_while_deleting(plain_moto, rounds=15) != []
