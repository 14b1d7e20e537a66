"""The settings: what an environment brings, what must be given, what is refused."""

from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from orchestration.errors import SettingsError
from orchestration.settings import DEFAULTS, Environment, Settings, settings


def from_environment(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    for name, value in variables.items():
        monkeypatch.setenv(f"WATERSHED_{name}", value)
    return Settings()  # pyright: ignore[reportCallIssue]


def test_local_needs_nothing_and_leads_to_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    found = from_environment(monkeypatch)
    assert found.environment is Environment.LOCAL
    assert found.client_args()["endpoint_url"] == "http://127.0.0.1:18600"
    assert found.client_args()["aws_access_key_id"] == "local"


def test_every_environment_has_a_row() -> None:
    assert DEFAULTS.keys() == set(Environment)


def test_an_unknown_environment_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        ValidationError, match="'prod' is no environment; write one of local, rehearsal, dev, production"
    ):
        from_environment(monkeypatch, ENVIRONMENT="prod")


def test_an_account_must_be_named_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError, match="account_id"):
        from_environment(monkeypatch, ENVIRONMENT="production")


def test_production_has_no_endpoint_and_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    found = from_environment(monkeypatch, ENVIRONMENT="production", ACCOUNT_ID="123456789012")
    assert [found.aws_endpoint_url, found.aws_access_key_id, found.aws_secret_access_key] == [None, None, None]
    assert (found.lake_target, found.warehouse_target) == ("athena", "redshift")
    assert found.opensearch_required


def test_names_carry_the_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    found = from_environment(monkeypatch, PREFIX="acme-dev", LAKE_BUCKET="elsewhere")
    assert (found.landing_bucket, found.lake_bucket) == ("acme-dev-landing", "elsewhere")
    assert found.stream_name("flight-events") == "acme-dev-flight-events"


def test_databases_are_the_same_in_every_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    local = from_environment(monkeypatch)
    production = from_environment(monkeypatch, ENVIRONMENT="production", ACCOUNT_ID="123456789012")
    for name in ("landing_database", "quarantine_database", "lake_database", "warehouse_schema"):
        assert getattr(local, name) == getattr(production, name)


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("WATERSHED_ENVIRONMENT", "prod", "WATERSHED_ENVIRONMENT: Value error, 'prod' is no environment"),
        ("WATERSHED_ENVIRONMENT", "production", "WATERSHED_ACCOUNT_ID: Field required"),
        ("WATERSHED_REDSHIFT_PORT", "many", "WATERSHED_REDSHIFT_PORT: Input should be a valid integer"),
        ("WATERSHED_STATEDIR", "/tmp", "there is no such setting. Did you mean WATERSHED_STATE_DIR?"),
    ],
)
def test_a_wrong_variable_is_named(variable: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    settings.cache_clear()
    with pytest.raises(SettingsError, match=re.escape(told)):
        settings()
