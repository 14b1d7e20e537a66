"""S3 as moto has it, one request at a time, and as if each came over TLS.

moto lists a bucket by walking dictionaries that a put or a delete in another thread changes meanwhile: the listing ends
in an internal error (500).

moto does not look at the conditions of a bucket's policy: one that refuses what comes without TLS refuses everything.
The local AWS has no TLS, and what is sent to it would be sent to AWS with it; so such a statement refuses nothing here.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/example-bucket-policies.html#example-bucket-policies-HTTP-HTTPS

In a bucket whose versioning was suspended, moto cannot delete a version of an object that has a delete marker (500).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from threading import RLock
from typing import Any, cast

import moto.s3.urls
from moto.core.common_types import TYPE_RESPONSE
from moto.iam.access_control import IAMPolicy
from moto.s3.exceptions import MissingBucket
from moto.s3.models import FakeBucket, FakeDeleteMarker, S3Backend, s3_backends
from moto.s3.responses import S3Response
from moto.s3.utils import _VersionedKeyStore

from infra.local.aws.extensions import route

_buckets = RLock()


class VersionedKeys(_VersionedKeyStore):
    """Objects by key, each with its versions."""

    def pop(self, key: str) -> None:  # type: ignore[override]
        """Forget a key. moto's own fails when one of its versions is a delete marker, which holds no file."""
        for version in self.getlist(key, []):
            if not isinstance(version, FakeDeleteMarker):
                version.dispose()
        dict.pop(self, key)


class LocalBucket(FakeBucket):
    """A bucket whose policy is asked as if the request came over TLS."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.keys = VersionedKeys()

    def get_permission(self, action: str, resource: str) -> Any:
        """What the policy says of an action on a resource."""
        if self.policy is None:
            return super().get_permission(action, resource)
        policy = json.loads(self.policy)
        statements = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
        met = [statement for statement in statements if not _is_about_no_tls(statement)]
        return IAMPolicy(json.dumps({**policy, "Statement": met})).is_action_permitted(action, resource)


class LocalS3Backend(S3Backend):
    """Makes such buckets."""

    @property
    def _url_module(self) -> Any:
        return moto.s3.urls  # moto would look for it beside this module

    def create_bucket(self, bucket_name: str, region_name: str, bucket_namespace: str | None = None) -> FakeBucket:
        """CreateBucket."""
        super().create_bucket(bucket_name, region_name, bucket_namespace)
        bucket = cast(FakeBucket, LocalBucket(bucket_name, self.account_id, region_name, bucket_namespace))
        self.buckets[bucket_name] = bucket
        return bucket


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


def _is_about_no_tls(statement: Mapping[str, Any]) -> bool:
    secure = statement.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport")
    return str(secure).lower() == "false"


def _read_body(request: Any) -> None:
    """Take the body off the socket before the lock: a slow client must not hold up the others."""
    _ = request.data  # werkzeug keeps it


def install() -> None:
    """Route S3 here, and keep its buckets here."""
    s3_backends.backend = LocalS3Backend
    route("s3", SerialS3Response)
