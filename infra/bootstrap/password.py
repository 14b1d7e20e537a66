"""The password that QuickSight reads Redshift with: made here, kept in a secret, told to Redshift as a digest alone."""

from __future__ import annotations

import hashlib
import json
import secrets
import string
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra.bootstrap.data_api import not_taken
from infra.bootstrap.errors import SecretError

# Redshift takes 8 to 64 printable characters, of them an upper-case and a lower-case letter and a digit; some
# punctuation is not allowed, so there is none. Source: CREATE USER in the Amazon Redshift Database Developer Guide.
_ALPHABET = string.ascii_letters + string.digits
_LENGTH = 48


@dataclass(frozen=True)
class Credentials:
    """A database user and its password, which does not show in a message."""

    user: str
    password: str = field(repr=False)
    fresh: bool = False
    """Whether the password was made by this run."""


def generate() -> str:
    """A password that Redshift takes, of some 280 bits."""
    while True:
        password = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
        kinds = (str.isupper, str.islower, str.isdigit)
        if all(any(kind(letter) for letter in password) for kind in kinds):
            return password


def digest(password: str, salt: bytes | None = None) -> str:
    """What `create user ... password` takes in place of a password: `sha256|<digest>|<salt>`, both in hex.

    The digest is of the password and the salt's 16 bytes, as Redshift's drivers compute it when they sign in
    (`redshift_connector.utils.extensible_digest`).
    """
    salt = secrets.token_bytes(16) if salt is None else salt
    return f"sha256|{hashlib.sha256(password.encode() + salt).hexdigest()}|{salt.hex()}"


def credentials(client: Any, secret_arn: str, user: str, *, rotate: bool) -> Credentials:
    """The credentials that a secret holds. Makes a password, and writes it there, if it holds none.

    The secret is written before Redshift is told: after a run that broke off between the two, the next one tells
    Redshift what the secret holds.

    Args:
        client: A boto3 client of secretsmanager.
        secret_arn: The secret, `{"username": ..., "password": ...}`.
        user: The database user.
        rotate: Make a new password even if there is one.

    Raises:
        SecretError: If it holds something else.
        BootstrapError: If it is not there, or may not be read or written.
    """
    try:
        held = None if rotate else _read(client, secret_arn)
        if held is None:
            made = Credentials(user, generate(), fresh=True)
            value = json.dumps({"username": made.user, "password": made.password})
            client.put_secret_value(SecretId=secret_arn, SecretString=value)
            return made
    except (ClientError, BotoCoreError) as error:
        raise not_taken(f"Secret {secret_arn}", error) from error
    return _understood(held, secret_arn, user)


def _read(client: Any, secret_arn: str) -> str | None:
    try:
        return client.get_secret_value(SecretId=secret_arn).get("SecretString") or None
    except client.exceptions.ResourceNotFoundException:
        # The secret has no value yet, or is not there at all: then writing it fails, and says so.
        return None


def _understood(held: str, secret_arn: str, user: str) -> Credentials:
    try:
        value = json.loads(held)
        found = Credentials(value["username"], value["password"])
    except (ValueError, KeyError, TypeError):
        # Without its cause, which quotes the secret.
        raise SecretError(
            f"Secret {secret_arn} does not hold username and password as JSON. "
            f"Run the command with --rotate, which writes it anew."
        ) from None
    if found.user != user or not found.password:
        raise SecretError(
            f"Secret {secret_arn} is of the user {found.user!r}, and QuickSight's is {user!r}. If nothing else "
            f"uses it, run the command with --rotate, which writes it anew."
        )
    return found
