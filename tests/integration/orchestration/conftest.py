"""Dagster over a local AWS of its own: one day of flights is in the stream, the reference files are in S3."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import boto3
import dagster as dg
import pytest

from infra.local.provision import provision
from infra.local.state import local_environment
from infra.local.traffic import await_delivery, drop_files, play, put_weather
from ingestion.contract import KinesisSource, load_contracts
from orchestration.dbt import parse, stale_manifests
from orchestration.settings import CONTRACTS_DIR, Settings, settings
from tests.conftest import local_settings

Execute = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture(scope="module")
def platform(local_aws: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings that this whole process uses, and its children: the first of January, and nothing has landed."""
    assert local_aws.aws_endpoint_url
    found = local_settings(local_aws.aws_endpoint_url, tmp_path_factory.mktemp("state"))
    contracts = load_contracts(CONTRACTS_DIR)
    source = contracts["flight_events"].source
    assert isinstance(source, KinesisSource)
    provision(found, contracts.values())
    kinesis, s3 = (_client(found, service) for service in ("kinesis", "s3"))
    firehose = _client(found, "firehose")
    put_weather(firehose, found.stream_name("weather"), date(2013, 1, 1), date(2013, 1, 1))
    put_at = time.monotonic()
    play(kinesis, found.stream_name(source.stream), date(2013, 1, 1), date(2013, 1, 1))
    drop_files(s3, found.landing_bucket, contracts.values())
    await_delivery(firehose, found.stream_name("weather"), put_at)
    for layer in stale_manifests():
        parse(layer)
    return found


@pytest.fixture(autouse=True)
def _this_process_uses(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in local_environment(platform).items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    """An instance that remembers what the tests of a module materialized."""
    with dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("dagster"))) as found:
        yield found


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    from orchestration.definitions import defs

    for layer in stale_manifests():
        parse(layer)
    return defs()


@pytest.fixture
def execute(definitions: dg.Definitions, instance: dg.DagsterInstance) -> Execute:
    """Run a job in this process."""

    def run(job: str, **arguments: Any) -> dg.ExecuteInProcessResult:
        resolved = definitions.resolve_job_def(job)
        return resolved.execute_in_process(instance=instance, raise_on_error=False, **arguments)

    return run


def _client(found: Settings, service: str) -> Any:
    return boto3.client(service, **found.client_args())  # pyright: ignore[reportCallIssue, reportArgumentType]
