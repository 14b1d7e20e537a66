"""Creates on the local AWS what Terraform creates on AWS: derived from the contracts and the settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import ClientError

from ingestion.contract import Contract, FirehoseDelivery, KinesisSource, ObjectSource
from orchestration.settings import Settings

SHARDS = 2
"""Of each stream: more than one, so that order across shards is nowhere taken for granted."""

LONGEST_BUFFER_SECONDS = 1
"""What Firehose has buffered is delivered after at most so long, whatever the contract says: nobody waits a minute for
the local one."""


_HIDDEN = {"VisibilityTimeout": "60"}
"""Seconds until a message that was looked at comes again."""


@dataclass(frozen=True)
class Provisioned:
    """What was created. What was there already is not in it."""

    buckets: tuple[str, ...]
    queues: tuple[str, ...]
    streams: tuple[str, ...]
    delivery_streams: tuple[str, ...]
    databases: tuple[str, ...]


def provision(settings: Settings, contracts: Iterable[Contract]) -> Provisioned:
    """Create buckets, a queue for arrivals, Glue databases, and what contracts name. May be repeated.

    Args:
        settings: Names everything.
        contracts: The contracts of what comes in.

    Raises:
        botocore.exceptions.ClientError: What the local AWS refused, except that something exists already.
    """
    session = boto3.Session()

    def client(service: str) -> Any:
        return session.client(service, **settings.client_args())  # pyright: ignore[reportCallIssue, reportArgumentType]

    s3, sqs, kinesis, firehose, glue = (client(each) for each in ("s3", "sqs", "kinesis", "firehose", "glue"))
    # us-east-1 is where a bucket is made unless told otherwise, and S3 refuses to be told that.
    elsewhere = {"CreateBucketConfiguration": {"LocationConstraint": settings.region}}
    placed = {} if settings.region == "us-east-1" else elsewhere
    there = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    buckets = (settings.landing_bucket, settings.lake_bucket, settings.results_bucket)
    sources = [contract.source for contract in contracts]
    delivered = {
        settings.stream_name(source.delivery.stream): (source, source.delivery)
        for source in sources
        if isinstance(source, ObjectSource) and source.delivery
    }
    streams = {source.stream for source in sources if isinstance(source, KinesisSource)}
    streams |= {delivery.source_stream for _, delivery in delivered.values() if delivery.source_stream}
    databases = (settings.landing_database, settings.quarantine_database, settings.lake_database)
    new_buckets = _created(
        [name for name in buckets if name not in there], lambda name: s3.create_bucket(Bucket=name, **placed)
    )
    queues_there = {url.rsplit("/", 1)[-1] for url in sqs.list_queues().get("QueueUrls", ())}
    new_queues = _created(
        {settings.arrivals_queue} - queues_there, lambda name: sqs.create_queue(QueueName=name, Attributes=_HIDDEN)
    )
    _tell_of_arrivals(s3, settings, sources)
    return Provisioned(
        buckets=new_buckets,
        queues=new_queues,
        streams=_created(
            sorted(settings.stream_name(stream) for stream in streams),
            lambda name: kinesis.create_stream(StreamName=name, ShardCount=SHARDS),
        ),
        delivery_streams=_created(
            delivered,
            lambda name: firehose.create_delivery_stream(**_delivery_stream(settings, name, *delivered[name])),
        ),
        databases=_created(databases, lambda name: glue.create_database(DatabaseInput={"Name": name})),
    )


def _tell_of_arrivals(s3: Any, settings: Settings, sources: Iterable[KinesisSource | ObjectSource]) -> None:
    """Have the landing bucket tell the queue of what arrives, by the first folder of the contracts' prefixes.

    A bucket has one configuration: what it tells of already stays, as other contracts' folders.
    """
    folders = {source.prefix.split("/")[0] for source in sources if isinstance(source, ObjectSource)}
    told = s3.get_bucket_notification_configuration(Bucket=settings.landing_bucket).get("QueueConfigurations", [])
    missing = folders - {each["Id"] for each in told}
    if not missing:
        return
    arn = f"arn:aws:sqs:{settings.region}:{settings.account_id}:{settings.arrivals_queue}"
    added = [
        {
            "Id": folder,
            "QueueArn": arn,
            "Events": ["s3:ObjectCreated:*"],
            "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": f"{folder}/"}]}},
        }
        for folder in sorted(missing)
    ]
    s3.put_bucket_notification_configuration(
        Bucket=settings.landing_bucket, NotificationConfiguration={"QueueConfigurations": [*told, *added]}
    )


def _delivery_stream(settings: Settings, name: str, source: ObjectSource, delivery: FirehoseDelivery) -> dict[str, Any]:
    """The arguments of CreateDeliveryStream. No role is looked at here; the names are as AWS would have them."""
    role = f"arn:aws:iam::{settings.account_id}:role/{settings.prefix}-firehose"
    arguments: dict[str, Any] = {
        "DeliveryStreamName": name,
        "DeliveryStreamType": "DirectPut",
        "ExtendedS3DestinationConfiguration": {
            "RoleARN": role,
            "BucketARN": f"arn:aws:s3:::{settings.landing_bucket}",
            "Prefix": source.prefix,
            "ErrorOutputPrefix": f"{source.error_prefix}!{{firehose:error-output-type}}/!{{timestamp:yyyy/MM/dd/HH}}/",
            "BufferingHints": {
                "SizeInMBs": delivery.buffer_mib,
                "IntervalInSeconds": min(delivery.buffer_seconds, LONGEST_BUFFER_SECONDS),
            },
            "CompressionFormat": delivery.compression,
        },
    }
    if delivery.source_stream:
        stream = settings.stream_name(delivery.source_stream)
        arn = f"arn:aws:kinesis:{settings.region}:{settings.account_id}:stream/{stream}"
        arguments["DeliveryStreamType"] = "KinesisStreamAsSource"
        arguments["KinesisStreamSourceConfiguration"] = {"KinesisStreamARN": arn, "RoleARN": role}
    return arguments


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
