"""The Glue catalog as Iceberg sees it, and what its files are read and written with."""

from __future__ import annotations

import boto3
from pyiceberg.catalog import Catalog
from pyiceberg.catalog.glue import GlueCatalog

# What Arrow's S3 client finds by itself, and renews when it expires, by botocore's names. More of the chain it does not
# know: the role of a profile, single sign-on, a command that tells credentials.
_ARROW_FINDS = {"assume-role-with-web-identity", "container-role", "env", "iam-role", "shared-credentials-file"}


def glue_catalog(
    *, region: str, endpoint_url: str | None = None, access_key_id: str | None = None, secret: str | None = None
) -> Catalog:
    """Open the Glue catalog.

    Args:
        region: Of AWS.
        endpoint_url: None is AWS's own.
        access_key_id: None has botocore's chain decide, for the catalog and for the files. Credentials that Arrow
            cannot renew end when those end that were there when the catalog was opened: those of a profile's role
            after an hour.
        secret: Of the key.
    """
    properties = {
        "glue.region": region,
        "glue.endpoint": endpoint_url,
        "glue.access-key-id": access_key_id,
        "glue.secret-access-key": secret,
        "s3.region": region,
        "s3.endpoint": endpoint_url,
        "s3.access-key-id": access_key_id,
        "s3.secret-access-key": secret,
        **({} if access_key_id else _credentials_for_arrow(region)),
    }
    return GlueCatalog("glue", **{key: value for key, value in properties.items() if value is not None})


def _credentials_for_arrow(region: str) -> dict[str, str | None]:
    """Without them Arrow would send its requests unsigned, and S3 refuse them."""
    found = boto3.Session(region_name=region).get_credentials()
    if found is None or found.method in _ARROW_FINDS:
        return {}
    now = found.get_frozen_credentials()
    return {
        "s3.access-key-id": now.access_key,
        "s3.secret-access-key": now.secret_key,
        "s3.session-token": now.token,
    }
