"""Creates on the local AWS what Terraform creates on AWS: derived from the contracts and the settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import ClientError

from ingestion.contract import Contract, KinesisSource
from orchestration.settings import Settings

SHARDS = 2
"""Of each stream: more than one, so that order across shards is nowhere taken for granted."""


@dataclass(frozen=True)
class Provisioned:
    """What was created. What was there already is not in it."""

    buckets: tuple[str, ...]
    streams: tuple[str, ...]
    databases: tuple[str, ...]


def provision(settings: Settings, contracts: Iterable[Contract]) -> Provisioned:
    """Create buckets, a stream for each contract that is fed by one, and Glue databases. May be repeated.

    Args:
        settings: Names everything.
        contracts: The contracts of what comes in.

    Raises:
        botocore.exceptions.ClientError: What the local AWS refused, except that something exists already.
    """
    session = boto3.Session()

    def client(service: str) -> Any:
        return session.client(service, **settings.client_args())  # pyright: ignore[reportCallIssue, reportArgumentType]

    s3, kinesis, glue = client("s3"), client("kinesis"), client("glue")
    # us-east-1 is where a bucket is made unless told otherwise, and S3 refuses to be told that.
    elsewhere = {"CreateBucketConfiguration": {"LocationConstraint": settings.region}}
    placed = {} if settings.region == "us-east-1" else elsewhere
    there = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    buckets = (settings.landing_bucket, settings.lake_bucket, settings.results_bucket)
    sources = [contract.source for contract in contracts]
    streams = [settings.stream_name(source.stream) for source in sources if isinstance(source, KinesisSource)]
    databases = (settings.landing_database, settings.quarantine_database, settings.lake_database)
    return Provisioned(
        buckets=_created(
            [name for name in buckets if name not in there], lambda name: s3.create_bucket(Bucket=name, **placed)
        ),
        streams=_created(streams, lambda name: kinesis.create_stream(StreamName=name, ShardCount=SHARDS)),
        databases=_created(databases, lambda name: glue.create_database(DatabaseInput={"Name": name})),
    )


def _created(names: Iterable[str], create: Callable[[str], object]) -> tuple[str, ...]:
    """The names of what did not exist yet."""
    created: list[str] = []
    for name in names:
        try:
            create(name)
        except ClientError as error:
            # Kinesis and Glue have their own words for "exists already".
            if error.response.get("Error", {}).get("Code") not in ("ResourceInUseException", "AlreadyExistsException"):
                raise
        else:
            created.append(name)
    return tuple(created)
