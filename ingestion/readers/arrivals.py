"""What S3 tells of objects that arrived: the messages of a queue. Landing does not need them; they say when to land.

A message is removed once its object has landed or is gone. Until then it is hidden after each look, for as long as the
queue says, and comes again. What never lands (an object that no contract takes, a contract that fails) becomes a dead
letter after as many looks as the queue says, and has an alarm.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from ingestion.errors import SourceError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

logger = logging.getLogger(__name__)

# What SQS takes in one request. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
_MESSAGES_A_REQUEST = 10
# Long enough that SQS asks all of its servers, and not some.
_WAIT_SECONDS = 1
# Well below the minute for which a message that was received is hidden.
_MOST_SECONDS = 20

Version = tuple[str, str]
"""A version of an object: key and ETag."""


@dataclass(frozen=True)
class Arrival:
    """A message: what arrived, and the receipt to remove it by. S3's test of the configuration tells of nothing."""

    receipt: str
    objects: frozenset[Version]


def receive(client: SQSClient, queue: str, *, most: int = 1_000) -> list[Arrival]:
    """Receive what the queue has, up to some `most` messages. The rest is left for the next time.

    Raises SourceError if there is no such queue. A message that is not S3's is left to become a dead letter.
    """
    url, started = _url(client, queue), time.monotonic()
    arrivals: list[Arrival] = []
    for _ in range(most // _MESSAGES_A_REQUEST):
        answer = client.receive_message(
            QueueUrl=url, MaxNumberOfMessages=_MESSAGES_A_REQUEST, WaitTimeSeconds=_WAIT_SECONDS
        )
        messages = answer.get("Messages", ())
        for message in messages:
            assert "Body" in message
            assert "ReceiptHandle" in message
            objects = _objects(message["Body"])
            if objects is None:
                logger.warning("%s holds a message that is no event of S3: %.200s", queue, message["Body"])
            else:
                arrivals.append(Arrival(message["ReceiptHandle"], objects))
        # SQS may answer with fewer than it has; only none says that there is no more.
        if not messages or time.monotonic() - started > _MOST_SECONDS:
            break
    return arrivals


def remove(client: SQSClient, queue: str, arrivals: Sequence[Arrival]) -> None:
    """Remove messages that were dealt with. One that cannot be removed comes again, which harms nothing."""
    if not arrivals:
        return
    url = _url(client, queue)
    for first in range(0, len(arrivals), _MESSAGES_A_REQUEST):
        some = arrivals[first : first + _MESSAGES_A_REQUEST]
        entries: Any = [{"Id": str(index), "ReceiptHandle": each.receipt} for index, each in enumerate(some)]
        for failed in client.delete_message_batch(QueueUrl=url, Entries=entries).get("Failed", ()):
            logger.warning("%s keeps a message: %s", queue, failed.get("Message", failed["Code"]))


def _url(client: SQSClient, queue: str) -> str:
    try:
        return client.get_queue_url(QueueName=queue)["QueueUrl"]
    except client.exceptions.QueueDoesNotExist as error:
        raise SourceError(
            f"There is no queue {queue!r} that S3 tells of arrivals. Create it (`terraform apply`; locally"
            " `watershed up`)."
        ) from error


def _objects(body: str) -> frozenset[Version] | None:
    """What a message tells of; None if it is not S3's.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    """
    try:
        event = json.loads(body)
        if event.get("Event") == "s3:TestEvent":
            return frozenset()
        told: Iterable[Any] = (record["s3"]["object"] for record in event["Records"])
        return frozenset((unquote_plus(each["key"]), each["eTag"]) for each in told)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
