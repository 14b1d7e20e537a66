"""The queue that S3 tells of arrivals, on the local AWS: what a message tells, and when it is gone."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import boto3
import pytest

from ingestion.errors import SourceError
from ingestion.readers.arrivals import receive, remove
from orchestration.settings import Settings


@pytest.fixture
def sqs(local_aws: Settings) -> Any:
    return boto3.client("sqs", **local_aws.client_args())


@pytest.fixture
def queue(sqs: Any) -> str:
    """A queue that shows a message again three seconds after it was looked at."""
    name = f"arrivals-{uuid.uuid4().hex}"
    sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "3"})
    return name


def send(sqs: Any, queue: str, *bodies: str) -> None:
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    for body in bodies:
        sqs.send_message(QueueUrl=url, MessageBody=body)


def event(*objects: tuple[str, str]) -> str:
    return json.dumps({"Records": [{"s3": {"object": {"key": key, "eTag": etag}}} for key, etag in objects]})


def test_a_message_comes_again_until_it_is_removed(sqs: Any, queue: str) -> None:
    send(sqs, queue, event(("files/a", "1")), event(("files/b", "2")))
    received = receive(sqs, queue)
    assert {version for arrival in received for version in arrival.objects} == {("files/a", "1"), ("files/b", "2")}
    remove(sqs, queue, [arrival for arrival in received if ("files/a", "1") in arrival.objects])
    time.sleep(3)
    assert [arrival.objects for arrival in receive(sqs, queue)] == [{("files/b", "2")}]


def test_more_messages_than_a_request_takes_are_received_and_removed(sqs: Any, queue: str) -> None:
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "60"})
    send(sqs, queue, *(event((f"files/{n}", "1")) for n in range(25)))
    assert len(receive(sqs, queue, most=10)) == 10
    rest = receive(sqs, queue)
    assert len({version for arrival in rest for version in arrival.objects}) == 15
    remove(sqs, queue, rest)
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessagesNotVisible"])
    assert attributes["Attributes"]["ApproximateNumberOfMessagesNotVisible"] == "10"


def test_s3_tells_the_key_as_it_was_put(sqs: Any, queue: str, local_aws: Settings) -> None:
    s3, bucket, key = boto3.client("s3", **local_aws.client_args()), uuid.uuid4().hex, "files/a b+c/ü=1.csv"
    s3.create_bucket(Bucket=bucket)
    told: Any = {"QueueArn": f"arn:aws:sqs:us-east-1:123456789012:{queue}", "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [told]})
    etag = s3.put_object(Bucket=bucket, Key=key, Body=b"1")["ETag"].strip('"')
    # The first is S3's own, a test of the configuration.
    assert [arrival.objects for arrival in receive(sqs, queue)] == [set(), {(key, etag)}]


def test_a_message_of_somebody_else_is_left_to_become_a_dead_letter(
    sqs: Any, queue: str, caplog: pytest.LogCaptureFixture
) -> None:
    bodies = ["no JSON", "[]", "1", '{"Records": [{}]}', '{"Records": 1}', "{}"]
    send(sqs, queue, *bodies)
    assert receive(sqs, queue) == []
    told = {record.getMessage() for record in caplog.records}
    assert told == {f"{queue} holds a message that is no event of S3: {body}" for body in bodies}


def test_a_missing_queue_is_told_with_its_cure(sqs: Any) -> None:
    with pytest.raises(SourceError, match=r"no queue 'nowhere'.*terraform apply.*watershed up"):
        receive(sqs, "nowhere")
