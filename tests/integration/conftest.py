"""Lakes on the local AWS that tests of dbt and of what serves its models share."""

from __future__ import annotations

import time
from datetime import date

import pytest

from infra.local.traffic import await_delivery, drop_files, play, put_weather
from orchestration.settings import Settings
from tests.conftest import local_settings
from tests.integration.lake import Lake, new_lake


@pytest.fixture
def lake(fresh_settings: Settings) -> Lake:
    """A lake that no other test sees. Nothing has landed in it."""
    return new_lake(fresh_settings)


@pytest.fixture(scope="session")
def january(local_aws: Settings, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake that holds January 2013 of the real flights, and its models, built and tested. Not to be changed."""
    assert local_aws.aws_endpoint_url
    lake = new_lake(local_settings(local_aws.aws_endpoint_url, tmp_path_factory.mktemp("january")))
    first, last = date(2013, 1, 1), date(2013, 1, 31)
    put_weather(lake.client("firehose"), lake.settings.stream_name("weather"), first, last)
    put_at = time.monotonic()
    play(lake.client("kinesis"), lake.stream, first, last)
    drop_files(lake.client("s3"), lake.settings.landing_bucket, lake.contracts.values())
    await_delivery(lake.client("firehose"), lake.settings.stream_name("weather"), put_at)
    lake.land()
    lake.dbt("build")
    return lake
