"""Runs what the demo does, on a day of flights, against a local AWS that records; each actor has its own access key."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

import boto3

from infra.local.provision import provision
from infra.local.state import local_environment
from infra.local.traffic import await_delivery, drop_files, play, put_weather
from ingestion.contract import Contract, KinesisSource, ObjectSource, load_contracts
from orchestration.manifests import target_path
from orchestration.settings import CONTRACTS_DIR, DBT_PROJECT_DIR, DEFAULTS, PROJECT_ROOT, Environment, Settings
from tests.conftest import running_aws
from tests.integration.serving.unloading import ENGINE
from tests.terraform.privileges.requirements import Call
from watershed.put import put

DAY = date(2013, 1, 1)
# Not actors of the platform: whoever deploys, and what is AWS's own work.
SETUP = "setup"
NOTHING_MORE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Stage:
    """A local AWS under the names of an environment, and its contracts."""

    settings: Settings
    contracts: Mapping[str, Contract]
    folder: Path

    def of(self, actor: str) -> Settings:
        """The settings of an actor's processes."""
        return self.settings.model_copy(update={"aws_access_key_id": actor})

    def client(self, service: str, actor: str) -> Any:
        """A boto3 client that calls as an actor."""
        return boto3.client(service, **self.of(actor).client_args())  # pyright: ignore[reportCallIssue, reportArgumentType]

    def run(
        self, actor: str, *command: str, cwd: Path = PROJECT_ROOT, environment: Mapping[str, str] = NOTHING_MORE
    ) -> None:
        """Run a Python module as an actor.

        Raises:
            RuntimeError: If it fails, with what it said.
        """
        outside = {k: v for k, v in os.environ.items() if not k.startswith(("WATERSHED_", "AWS_", "DBT_"))}
        run = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=cwd,
            env={**outside, **local_environment(self.of(actor)), "PYTHONPATH": str(PROJECT_ROOT), **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode:
            raise RuntimeError(f"{actor}: {' '.join(command)}:\n{run.stdout[-5000:]}\n{run.stderr[-5000:]}")


def record(folder: Path, names: Settings) -> Iterator[Call]:
    """The calls that the platform's actors make, each once.

    Args:
        folder: For the local state and what programs leave.
        names: Settings of the environment whose names the resources have.
    """
    file = folder / "calls.jsonl"
    with _stage(folder, file, names) as stage:
        provision(stage.of(SETUP), stage.contracts.values())
        _prepare_lake(stage)
        with ThreadPoolExecutor() as pool:
            for done in [pool.submit(step, stage) for step in (_land_and_build, _build_on_athena, _serve)]:
                done.result()
    for line in file.read_text().splitlines():
        told = json.loads(line)
        if told["actor"] not in (SETUP, ENGINE):
            yield Call(told["actor"], told["service"], told["operation"], told["parameters"], told["status"])


@contextmanager
def _stage(folder: Path, file: Path, names: Settings) -> Iterator[Stage]:
    same = [name for name in Settings.model_fields if name.endswith(("_bucket", "_queue", "_database", "_workgroup"))]
    same += ["prefix", "account_id", "region", "maintenance_job"]
    with running_aws(folder, "--record", str(file)) as url:
        settings = Settings(
            **{
                **DEFAULTS[Environment.LOCAL],
                **{name: getattr(names, name) for name in same},
                "environment": Environment.LOCAL,
                "aws_endpoint_url": url,
                "state_dir": folder,
            }
        )
        yield Stage(settings, load_contracts(CONTRACTS_DIR), folder)


def _land_and_build(stage: Stage) -> None:
    """From the sources to the models on DuckDB, whose reads of landed tables are Athena's on AWS."""
    for step in (_produce, _disturb):
        step(stage)
        stage.run("landing", "tests.terraform.privileges.actors", "landing")
    _build(stage, "local")


def _produce(stage: Stage) -> None:
    """A day of the example's traffic into every contract's source, aggregated as the Kinesis Producer Library does."""
    firehose, weather = stage.client("firehose", "producer"), stage.settings.stream_name("weather")
    put_weather(firehose, weather, DAY, DAY)
    put_at = time.monotonic()
    play(stage.client("kinesis", "producer"), _stream(stage), DAY, DAY)
    drop_files(stage.client("s3", "producer"), stage.settings.landing_bucket, stage.contracts.values())
    await_delivery(firehose, weather, put_at)


def _disturb(stage: Stage) -> None:
    """What does not happen every day: records that break their contract, a file that is replaced, a shard that splits,
    records that Firehose could not process."""
    kinesis = stage.client("kinesis", SETUP)
    shard = kinesis.list_shards(StreamName=_stream(stage))["Shards"][0]
    middle = (int(shard["HashKeyRange"]["StartingHashKey"]) + int(shard["HashKeyRange"]["EndingHashKey"])) // 2
    kinesis.split_shard(StreamName=_stream(stage), ShardToSplit=shard["ShardId"], NewStartingHashKey=str(middle))
    for contract in stage.contracts.values():
        put(stage.of("producer"), contract, _broken(stage, contract))
    weather = stage.contracts["weather"].source
    assert isinstance(weather, ObjectSource)
    error = f"{weather.error_prefix}processing-failed/2013/01/01/00/1"
    stage.client("s3", SETUP).put_object(Bucket=stage.settings.landing_bucket, Key=error, Body=b"{}")
    time.sleep(1.5)  # Firehose delivers


def _broken(stage: Stage, contract: Contract) -> Path:
    """A file that breaks a contract in its last record; of a contract of files, a new version of what was dropped."""
    source = contract.source
    if isinstance(source, KinesisSource) or source.delivery:
        file = stage.folder / f"{contract.name}.jsonl"
        file.write_text('{"broken": true}\n')
        return file
    key = f"{source.prefix}{contract.name}.csv"
    body = stage.client("s3", SETUP).get_object(Bucket=stage.settings.landing_bucket, Key=key)["Body"].read().decode()
    lines = body.splitlines()[:5]
    short = io.StringIO()
    csv.writer(short).writerow(["broken"])
    file = stage.folder / f"{contract.name}.csv"
    file.write_text("\n".join([*lines, short.getvalue()]))
    return file


def _stream(stage: Stage) -> str:
    source = stage.contracts["flight_events"].source
    assert isinstance(source, KinesisSource)
    return stage.settings.stream_name(source.stream)


def _prepare_lake(stage: Stage) -> None:
    """The maintenance's job, and what Athena would have made before: the workgroup, models in the catalog and files.

    The local Athena takes statements and runs none. So that dbt-athena replaces what is there, and cleans up behind
    itself, its temporary tables are there too.
    """
    names, glue, s3 = stage.settings, stage.client("glue", SETUP), stage.client("s3", SETUP)
    glue.create_job(Name=names.maintenance_job, Role="glue", Command={"Name": "glueetl"})
    results = {"ResultConfiguration": {"OutputLocation": f"s3://{names.results_bucket}/dbt/"}}
    stage.client("athena", SETUP).create_work_group(Name=names.athena_workgroup, Configuration=results)
    manifest = json.loads((DBT_PROJECT_DIR / target_path("lake") / "manifest.json").read_text(encoding="utf-8"))
    models = [n for n in manifest["nodes"].values() if n["resource_type"] == "model" and "lake" in n["tags"]]
    for model in models:
        view = model["config"]["materialized"] == "view"
        for suffix in [""] if view else ["", "__ha", "__bkp", "__dbt_tmp", "__tmp_not_partitioned"]:
            key = f"lake/{names.lake_database}/{model['name']}{suffix}/one"
            table = {
                "Name": f"{model['name']}{suffix}",
                "TableType": "VIRTUAL_VIEW" if view else "EXTERNAL_TABLE",
                "Parameters": {} if view else {"table_type": "ICEBERG"},
                "StorageDescriptor": {
                    "Columns": [{"Name": column, "Type": "string"} for column in model["columns"]],
                    "Location": "" if view else f"s3://{names.lake_bucket}/{key}",
                },
                "PartitionKeys": [],
            }
            glue.create_table(DatabaseName=names.lake_database, TableInput=table)
            for _ in range(5):  # versions, of which dbt keeps few
                glue.update_table(DatabaseName=names.lake_database, TableInput=table)
            if not view:
                s3.put_object(Bucket=names.lake_bucket, Key=f"{key}/data", Body=b"1")


def _build_on_athena(stage: Stage) -> None:
    """The lake's models by dbt-athena: its own calls, beside those of Athena."""
    _build(stage, "athena")


def _build(stage: Stage, target: str) -> None:
    """The lake's models on an engine."""
    own = {"DBT_TARGET_PATH": str(stage.folder / f"target-{target}"), "DBT_LOG_PATH": str(stage.folder / "logs")}
    command = ("run", "--select", "tag:lake", "--target", target)
    stage.run("dbt", "dbt.cli.main", *command, cwd=DBT_PROJECT_DIR, environment=own)


def _serve(stage: Stage) -> None:
    engines = {"WATERSHED_LAKE_TARGET": "athena", "WATERSHED_WAREHOUSE_TARGET": "redshift"}
    stage.run("serving", "tests.terraform.privileges.actors", "serving", environment=engines)
