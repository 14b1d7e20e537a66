"""What `watershed bootstrap` makes of the settings, before it asks anybody."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from infra.bootstrap.errors import BootstrapError
from orchestration.settings import DEFAULTS, Environment, Settings
from watershed.bootstrap import Part, described, role_arns, run, show, wanted

_SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:acme/quicksight-AbCdEf"


def settings(**more: object) -> Settings:
    values: dict[str, object] = {
        "environment": "dev",
        "account_id": "123456789012",
        "prefix": "acme",
        "redshift_unload_role_arn": "arn:aws:iam::123456789012:role/acme-redshift",
        "opensearch_url": "https://search-acme.us-east-1.es.amazonaws.com",
    }
    return Settings(**(values | more))  # pyright: ignore[reportArgumentType]  pydantic checks them


def plan(config: Settings, only: Part | None = None) -> str:
    printed = io.StringIO()
    show(Console(file=printed, width=300), wanted(config, ["flights"], only))
    return printed.getvalue()


def test_names_follow_from_the_settings() -> None:
    printed = plan(settings(warehouse_schema="gold", lake_database="waters", quicksight_secret_arn=_SECRET))
    assert 'create schema if not exists "gold"' in printed
    assert "create external schema if not exists \"lake\" from data catalog database 'waters'" in printed
    assert 'create user "IAMR:acme-dbt" password disable' in printed
    assert "has it: arn:aws:iam::123456789012:role/acme-serving" in printed
    assert role_arns(settings(region="cn-north-1"))["serving"] == "arn:aws-cn:iam::123456789012:role/acme-serving"


def test_what_the_environment_lacks_is_skipped_and_told() -> None:
    printed = plan(settings(opensearch_url="", opensearch_required=False))
    assert "skipped    OpenSearch: the environment has none" in printed
    assert "skipped    user of QuickSight" in printed
    assert "quicksight" not in plan(settings(), "search").lower()


@pytest.mark.parametrize(
    ("config", "only", "rotate", "says"),
    [
        (Settings(**DEFAULTS[Environment.LOCAL]), None, False, "WATERSHED_ENVIRONMENT is local"),
        (settings(redshift_unload_role_arn=""), None, False, "WATERSHED_REDSHIFT_UNLOAD_ROLE_ARN is not set"),
        (settings(opensearch_url=""), None, False, "WATERSHED_OPENSEARCH_URL is not set"),
        (
            settings(opensearch_url="", opensearch_required=False),
            "search",
            False,
            "WATERSHED_OPENSEARCH_URL is not set",
        ),
        (settings(), None, True, "--rotate is about"),
        (settings(quicksight_secret_arn=_SECRET), "search", True, "--rotate is about"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(config: Settings, only: Part | None, rotate: bool, says: str) -> None:
    with pytest.raises(BootstrapError, match=says):
        wanted(config, [], only, rotate=rotate)


def test_a_url_that_is_none_of_opensearch_is_refused() -> None:
    with pytest.raises(BootstrapError, match="WATERSHED_OPENSEARCH_URL: 'http://elsewhere' is no URL of OpenSearch"):
        run(
            Console(file=io.StringIO()), wanted(settings(opensearch_url="http://elsewhere"), [], "search"), rotate=False
        )


def test_the_page_names_every_statement() -> None:
    page = described()
    assert '`create user "IAMR:<prefix>-dbt" password disable`' in page
    assert "| `watershed_serving` |" in page
    assert page.count("\n| `") == 3
