"""S3 as moto has it, one request at a time.

moto lists a bucket by walking dictionaries that a put or a delete in another thread changes meanwhile: the listing ends
in an internal error (500).
"""

from __future__ import annotations

from threading import RLock
from typing import Any

from moto.core.common_types import TYPE_RESPONSE
from moto.s3.exceptions import MissingBucket
from moto.s3.models import s3_backends
from moto.s3.responses import S3Response

from infra.local.aws.extensions import route

_buckets = RLock()


class SerialS3Response(S3Response):
    """Answers one request at a time."""

    def bucket_response(self, request: Any, full_url: str, headers: Any) -> TYPE_RESPONSE:
        """Answer a request on a bucket."""
        _read_body(request)
        with _buckets:
            return super().bucket_response(request, full_url, headers)

    def key_response(self, request: Any, full_url: str, headers: Any) -> TYPE_RESPONSE:
        """Answer a request on an object."""
        _read_body(request)
        with _buckets:
            return super().key_response(request, full_url, headers)


def put_object(account_id: str, bucket: str, key: str, body: bytes) -> bool:
    """Write an object for another service of this server. Returns whether there is such a bucket."""
    with _buckets:
        try:
            s3_backends[account_id]["aws"].put_object(bucket, key, body)
        except MissingBucket:
            return False
    return True


def _read_body(request: Any) -> None:
    """Take the body off the socket before the lock: a slow client must not hold up the others."""
    _ = request.data  # werkzeug keeps it


def install() -> None:
    """Route S3 here."""
    route("s3", SerialS3Response)
