"""The password of QuickSight's user, and what Redshift is told of it."""

from __future__ import annotations

import hashlib

from redshift_connector.utils.extensible_digest import ExtensibleDigest

from infra.bootstrap.password import Credentials, digest, generate


def test_redshift_lets_in_whoever_knows_the_password() -> None:
    """What a driver answers to Redshift's challenge is made from the digest that Redshift was told."""
    password, salt, server, client = generate(), bytes(range(16)), b"server-nonce", b"client-nonce"
    kind, hashed, told_salt = digest(password, salt).split("|")
    assert (kind, told_salt) == ("sha256", salt.hex())
    answer = ExtensibleDigest.encode(client, password.encode(), salt, "sha256", server)
    assert answer == hashlib.sha256(bytes.fromhex(hashed) + server + client).digest()


def test_a_salt_is_used_once() -> None:
    assert digest("Same1Password") != digest("Same1Password")


def test_passwords_are_what_redshift_takes() -> None:
    made = {generate() for _ in range(200)}
    assert len(made) == 200
    for password in made:
        assert 8 <= len(password) <= 64
        assert password.isalnum()
        assert any(map(str.isupper, password))
        assert any(map(str.islower, password))
        assert any(map(str.isdigit, password))


def test_a_password_does_not_show() -> None:
    assert "Secret1" not in repr(Credentials("quicksight", "Secret1"))
