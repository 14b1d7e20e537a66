"""The maintenance on a real Spark: fewer files, the same rows, the same position, whatever goes on beside it."""

from __future__ import annotations

import json
import re
import tempfile
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pytest
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import LongType, NestedField, StringType

import ingestion.landing
from infra.local.duckdb.connection import connect
from ingestion.commit import POSITION_PROPERTY
from ingestion.contract import Contract
from ingestion.landing import land
from ingestion.ledger import landed_versions
from ingestion.readers.objects import ObjectReader
from ingestion.state import QuarantineState
from orchestration.settings import PROJECT_ROOT, Settings
from tests.conftest import local_settings
from tests.integration.ingestion.conftest import FILES, Lake, Source, age_snapshots, contract_in, make_lake
from tests.spark.conftest import JOBS, Run, Spark, age_objects

pytestmark = pytest.mark.spark

GOOD, BAD = 1, 500
MAINTAIN = JOBS / "maintain.py"
MEANWHILE = Path(__file__).parent / "jobs" / "meanwhile.py"
MERGE_ON_READ = Path(__file__).parent / "jobs" / "merge_on_read.py"
# Partition values that a path has to escape.
ODD = ["a b/c", "ä%20+=&", ".hidden", "_under"]
REPLACING = FILES[:-1] + ", customProperties: [{property: onReplace, value: replace}]}"


@dataclass(frozen=True)
class Landed:
    """A lake, its contract, and the stream that it was landed from."""

    lake: Lake
    contract: Contract
    source: Source

    def land(self, times: int) -> None:
        """Land a record that holds and one that does not, in a commit of their own, some times."""
        for _ in range(times):
            self.source.amounts += [GOOD, BAD]
            land(self.contract, self.source, self.tables())

    def tables(self) -> Any:
        return self.lake.tables(self.contract)

    def databases(self) -> tuple[str, str]:
        return self.lake.settings.landing_database, self.lake.settings.quarantine_database

    def expect_each_record_once(self) -> None:
        """Rows and rejects are the records, for pyiceberg and for DuckDB."""
        rows = [n for n, amount in enumerate(self.source.amounts) if amount == GOOD]
        rejects = [n for n, amount in enumerate(self.source.amounts) if amount == BAD]
        assert (self.lake.rows(self.contract), self.lake.rejects(self.contract)) == (rows, rejects)
        with connect(self.lake.settings) as connection:
            assert [n for (n,) in connection.sql("select id from landing.readings order by id").fetchall()] == rows
            payloads = connection.sql("select _payload from quarantine.readings").fetchall()
        assert sorted(json.loads(payload)["id"] for (payload,) in payloads) == rejects


@dataclass(frozen=True)
class World:
    """Lakes of which each shows something else, and the maintenance of all of them by one job."""

    many: Landed
    followed: Landed
    broken: Landed
    replaced: Landed
    before: dict[str, Any]
    dry: Run
    run: Run

    def reports(self, landed: Landed) -> list[dict[str, Any]]:
        """Of the landing table and of the quarantine."""
        return [self.run.reports[f"{database}.readings"] for database in landed.databases()]


def new(settings: Settings, folder: Path, **contract: str) -> Landed:
    """A lake of its own."""
    assert settings.aws_endpoint_url
    folder = Path(tempfile.mkdtemp(dir=folder))
    made = make_lake(local_settings(settings.aws_endpoint_url, folder))
    return Landed(made, contract_in(folder, **contract), Source())  # pyright: ignore[reportArgumentType]


def objects(lake: Lake) -> dict[str, str]:
    """Every object of a lake, with its ETag."""
    s3, found = boto3.client("s3", **lake.settings.client_args()), {}
    for bucket in (lake.settings.lake_bucket, lake.settings.landing_bucket):
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            found |= {f"{bucket}/{each['Key']}": each["ETag"] for each in page.get("Contents", [])}
    return found


def positions(landed: Landed) -> list[str]:
    tables = landed.tables()
    return [table.metadata.properties[POSITION_PROPERTY] for table in (tables.landing, tables.quarantine)]


def make_odd(lake: Lake) -> Table:
    """A table partitioned by text, with five files in each partition."""
    schema = Schema(NestedField(1, "text", StringType(), required=False), NestedField(2, "n", LongType()))
    spec = PartitionSpec(PartitionField(source_id=1, field_id=1000, transform=IdentityTransform(), name="text"))
    location = f"s3://{lake.settings.lake_bucket}/landing/odd"
    table = lake.catalog.create_table((lake.settings.landing_database, "odd"), schema, location, spec)
    for n in range(5):
        table.append(pa.table({"text": ODD, "n": [n] * len(ODD)}, schema=schema.as_arrow()))
    return table


@pytest.fixture(scope="module")
def world(spark: Spark, local_aws: Settings, tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("lakes")
    many, followed, broken = (new(local_aws, folder) for _ in range(3))
    replaced = new(local_aws, folder, server=REPLACING)
    settings = many.lake.settings
    merging = spark.start(MERGE_ON_READ, settings.landing_database, f"s3://{settings.lake_bucket}/landing/merged")
    for landed, commits in ((many, 12), (followed, 6), (broken, 5)):
        landed.land(commits)
    leave_pending(many)
    for n in range(5):
        replace_file(replaced, n)
    odd = make_odd(many.lake)
    assert merging.wait().code == 0
    prepare_ages(many)
    lose_a_file(broken.tables().landing)
    nest(many.lake)
    # Queries of tables that were quiet for a month. They begin here, and read when the maintenance is over.
    reading = many.tables().landing.scan()
    databases = [database for each in (followed, many, replaced, broken) for database in each.databases()]
    before = {
        "objects": objects(many.lake),
        "positions": positions(many),
        "schema": many.tables().landing.schema(),
        "odd": odd.metadata_location,
        "reading": reading,
    }
    arguments = ("--databases", ",".join(many.databases()), "--keep-orphan-hours", "24")
    dry = spark.start(MAINTAIN, *arguments, "--dry-run").wait()
    before["after_dry"] = objects(many.lake)
    arguments = ("--databases", ",".join(databases), "--keep-orphan-hours", "24", "--keep-snapshots", "1")
    # As Glue gives them to a script.
    glues = ("--JOB_NAME", "maintain", "--JOB_RUN_ID", "jr_1", "--enable-metrics", "true", "--job-language", "python")
    job = spark.start(MAINTAIN, *glues, *arguments)
    # The local AWS is a thread of this process, and has work to do for Spark too.
    while job.running and not job.has_reported(followed.databases()[0]):
        followed.land(1)
        time.sleep(1)
    return World(many, followed, broken, replaced, before, dry, job.wait())


def leave_pending(landed: Landed) -> None:
    """Have a landing die between its two commits, and be passed by another one: its rejects are to go."""
    landed.source.amounts += [GOOD, BAD]
    with pytest.MonkeyPatch.context() as patch:
        real, calls = ingestion.landing.commit, iter(range(2))

        def commit(*arguments: Any, **keywords: Any) -> Table:
            if next(calls) == 1:
                raise KeyboardInterrupt
            return real(*arguments, **keywords)

        patch.setattr(ingestion.landing, "commit", commit)
        with pytest.raises(KeyboardInterrupt):
            land(landed.contract, landed.source, landed.tables())


def replace_file(landed: Landed, version: int) -> None:
    """Drop a file of which each version has other readings under one key, and another file beside it."""
    lake, s3 = landed.lake, boto3.client("s3", **landed.lake.settings.client_args())
    for key, first in (("readings/one", 100 * version), (f"readings/more-{version}", 10_000 + version)):
        body = "\n".join(json.dumps({"id": first + n, "amount": GOOD}) for n in range(3)).encode()
        s3.put_object(Bucket=lake.settings.landing_bucket, Key=key, Body=body)
    reader = ObjectReader(s3, landed.contract, lake.settings.landing_bucket, max_bytes=1_000_000)
    land(landed.contract, reader, landed.tables())


def prepare_ages(landed: Landed) -> None:
    """Two orphans, one older than a day; another table's files beside; commits of a month ago, but for the last."""
    lake = landed.lake
    s3, bucket = boto3.client("s3", **lake.settings.client_args()), lake.settings.lake_bucket
    for name in ("readings/data/old.parquet", "readings/data/new.parquet", "readings_of_others/data/old.parquet"):
        s3.put_object(Bucket=bucket, Key=f"landing/{name}", Body=b"")
    age_objects(lake.settings, bucket, "landing/", timedelta(days=30))
    age_objects(lake.settings, bucket, "landing/readings/data/new", timedelta(hours=23))
    for table in (landed.tables().landing, landed.tables().quarantine):
        age_snapshots(lake.settings, table, timedelta(days=30))


def nest(lake: Lake) -> None:
    """A table with a table of Hive and one of a database that is not maintained below it, all of a month ago."""
    bucket, database = lake.settings.lake_bucket, lake.settings.landing_database
    glue, s3 = boto3.client("glue", **lake.settings.client_args()), boto3.client("s3", **lake.settings.client_args())
    others = f"{database}_others"
    glue.create_database(DatabaseInput={"Name": others})
    schema = Schema(NestedField(1, "n", LongType()))
    for name, below in ((database, ""), (others, "/inner")):
        location = f"s3://{bucket}/landing/outer{below}"
        lake.catalog.create_table((name, "outer"), schema, location).append(pa.table({"n": [1]}))
    for name, folder in (("hive", "outer2/hive"), ("unrelated", "unrelated")):
        location = f"s3a://{bucket}/landing/{folder}"
        hive: Any = {"Name": name, "StorageDescriptor": {"Location": location}}
        glue.create_table(DatabaseName=database, TableInput=hive)
        s3.put_object(Bucket=bucket, Key=f"landing/{folder}/part-0.parquet", Body=b"x")
    lake.catalog.create_table((database, "outer2"), schema, f"s3://{bucket}/landing/outer2")
    age_objects(lake.settings, bucket, "landing/outer", timedelta(days=30))


def lose_a_file(table: Table) -> None:
    path = next(iter(table.scan().plan_files())).file.file_path
    table.io.delete(path)


def test_a_dry_run_tells_and_changes_nothing(world: World) -> None:
    assert world.dry.code == 0, world.dry.errors
    assert world.before["after_dry"] == world.before["objects"]
    report = world.dry.reports[f"{world.many.databases()[0]}.readings"]
    told = {name: report[name] for name in ("rewritten_files", "expired_snapshots", "orphan_files", "failed")}
    assert told == {"rewritten_files": 12, "expired_snapshots": 2, "orphan_files": 2, "failed": None}


def test_many_small_commits_become_few_files_of_the_same_rows(world: World) -> None:
    rows, rejects = world.reports(world.many)
    assert (rows["failed"], rejects["failed"]) == (None, None)
    assert (rows["before"]["rows"], rows["before"]["files"], rows["before"]["manifests"]) == (12, 12, 12)
    assert (rows["after"]["rows"], rows["after"]["files"], rows["after"]["manifests"]) == (12, 1, 1)
    assert (rejects["before"]["files"], rejects["after"]["files"], rejects["after"]["rows"]) == (13, 1, 13)
    assert (rows["before"]["snapshots"], rows["after"]["snapshots"]) == (12, 3)
    assert rows["expired_snapshots"] >= 11
    table = world.many.tables().landing
    assert (table.schema(), table.spec().is_unpartitioned()) == (world.before["schema"], True)


def test_a_query_that_began_before_reads_on(world: World) -> None:
    assert world.before["reading"].to_arrow()["id"].to_pylist()


@pytest.mark.parametrize(("table", "inner"), [("outer", "_others.outer"), ("outer2", ".hive")])
def test_tables_that_are_not_maintained_keep_their_files_too(world: World, table: str, inner: str) -> None:
    database, _ = world.many.databases()
    report = world.run.reports[f"{database}.{table}"]
    assert (report["failed"], report["orphan_files"]) == (None, 0)
    told = f"Orphan files stay: {database}{inner} has files in the same place. Move one of the two tables."
    assert told in report["left"]


def test_the_position_and_what_is_pending_stay_and_landing_goes_on(world: World) -> None:
    many = world.many
    assert positions(many) == world.before["positions"]
    assert len(QuarantineState.of(many.tables().quarantine).pending) == 1
    assert land(many.contract, many.source, many.tables()).records == 2
    many.land(3)
    many.expect_each_record_once()


def test_orphans_go_after_a_day_and_never_from_beside_a_table(world: World) -> None:
    gone = {name.split("/", 2)[2] for name in world.before["objects"].keys() - objects(world.many.lake).keys()}
    left = {name.split("/", 2)[2] for name in objects(world.many.lake)}
    assert "readings/data/old.parquet" in gone
    assert {"readings/data/new.parquet", "readings_of_others/data/old.parquet"} <= left
    assert world.reports(world.many)[0]["orphan_files"] == 2


def test_a_landing_beside_it_loses_nothing_and_lands_nothing_twice(world: World) -> None:
    rows, _ = world.reports(world.followed)
    assert (rows["failed"], rows["rewritten_files"] >= 6) == (None, True)
    snapshots = sorted(world.followed.tables().landing.snapshots(), key=lambda each: each.sequence_number or 0)
    operations = [each.summary.operation.value for each in snapshots if each.summary]
    assert operations.index("replace") > 6, "it had not landed anything before the first rewrite"
    assert "append" in operations[operations.index("replace") :], "it did not go on landing after a rewrite"
    world.followed.expect_each_record_once()


def test_a_table_that_cannot_be_read_is_told_and_keeps_what_it_has(world: World) -> None:
    rows, rejects = world.reports(world.broken)
    assert "data files cannot be rewritten" in rows["failed"]
    assert (rows["expired_snapshots"], rows["deleted_files"], rows["orphan_files"]) == (0, 0, 0)
    assert (rejects["failed"], rejects["after"]["files"]) == (None, 1)
    assert len(world.broken.tables().landing.snapshots()) == 5
    assert world.run.code == 1
    told = [line for line in world.run.errors.splitlines() if line.startswith(world.broken.databases()[0])]
    assert told == [f"{rows['table']}: {rows['failed']}"]


def test_files_that_replace_others_do_so_after_a_rewrite_too(world: World) -> None:
    replaced = world.replaced
    rows, _ = world.reports(replaced)
    assert (rows["failed"], rows["before"]["rows"], rows["after"]["rows"], rows["after"]["files"]) == (None, 18, 18, 1)
    # The ledger opens files by the least and the greatest key: they must be whole.
    assert landed_versions(replaced.tables().landing, "readings/more-3") == {
        each for each in landed_versions(replaced.tables().landing) if each.key > "readings/more-3"
    }
    replace_file(replaced, 9)
    ids = replaced.lake.rows(replaced.contract)
    assert [n for n in ids if n < 10_000] == [900, 901, 902]
    assert len([n for n in ids if n >= 10_000]) == 6 * 3


def test_partitions_of_any_text_keep_their_files(world: World) -> None:
    """A path that is read otherwise than it was written would make a live file an orphan."""
    database, _ = world.many.databases()
    report = world.run.reports[f"{database}.odd"]
    assert (report["failed"], report["rewritten_files"], report["orphan_files"]) == (None, 20, 0)
    found = world.many.lake.catalog.load_table((database, "odd")).scan().to_arrow()
    assert sorted(zip(*found.to_pydict().values(), strict=True)) == sorted((text, n) for text in ODD for n in range(5))


def test_deletes_by_position_are_applied(world: World) -> None:
    database, _ = world.many.databases()
    report = world.run.reports[f"{database}.merged"]
    assert report["failed"] is None
    assert (report["before"]["rows"], report["before"]["delete_files"] > 0) == (1_800, True)
    assert (report["after"]["rows"], report["after"]["delete_files"]) == (1_800, 0)
    with connect(world.many.lake.settings) as connection:
        assert connection.sql("select count(distinct id), count(*) from landing.merged").fetchall() == [(1_800, 1_800)]
    found = world.many.lake.catalog.load_table((database, "merged")).scan().to_arrow()["id"].to_pylist()
    assert sorted(found) == [n for n in range(2_000) if n % 10 != 3]


def test_killed_in_the_middle_it_leaves_tables_whole_and_goes_on_next_time(
    spark: Spark, local_aws: Settings, tmp_path: Path
) -> None:
    landed, other = new(local_aws, tmp_path), new(local_aws, tmp_path)
    for each in (landed, other):
        each.land(8)
    databases = ",".join([*landed.databases(), *other.databases()])
    old = landed.tables().landing.metadata_location
    job = spark.start(MAINTAIN, "--databases", databases)
    while job.running and landed.tables().landing.metadata_location == old:
        time.sleep(0.1)
    job.kill()
    assert job.process.returncode == -9
    for each in (landed, other):
        each.land(1)
        each.expect_each_record_once()
    # A table that cannot be found is told, and the others' orphans stay: its files could be among them.
    lost = other.tables().quarantine
    lost.io.delete(lost.metadata_location)
    with pytest.raises((NoSuchTableError, FileNotFoundError)):
        other.tables()
    run = spark.start(MAINTAIN, "--databases", databases).wait()
    reports = [run.reports[f"{database}.readings"] for database in (*landed.databases(), *other.databases())]
    # What had been rewritten before is one file; what landed since is too little for another rewrite.
    assert all(report["after"]["files"] <= 2 for report in reports[:3])
    assert all(re.match("Orphan files stay: .* cannot be loaded", *report["left"]) for report in reports[:3])
    assert [report["failed"] is None for report in reports] == [True, True, True, False]
    landed.land(2)
    landed.expect_each_record_once()


def test_what_others_delete_or_drop_meanwhile_is_no_failure(spark: Spark, local_aws: Settings, tmp_path: Path) -> None:
    settings = new(local_aws, tmp_path).lake.settings
    database = settings.landing_database
    run = spark.start(MEANWHILE, database, f"s3://{settings.lake_bucket}/landing").wait()
    assert run.code == 0, run.errors
    deleted, dropped = (run.reports[f"{database}.{name}"] for name in ("deleted", "dropped"))
    assert (deleted["failed"], deleted["rewritten_files"], deleted["after"]["rows"]) == (None, 6, 540)
    assert (dropped["failed"], dropped["left"]) == (None, ["The table is gone: it was dropped or renamed meanwhile."])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--keep-orphan-hours", "23"], "23 is less than 24"),
        (["--keep-snapshot-hours", "1"], "1 is less than 4"),
        (["--keep-orphan-hours", "inf"], "'inf' is no number"),
        (["--dry-rum", "true"], "unrecognized arguments: --dry-rum"),
        (["--databases", "landing;drop"], "no name in Glue"),
    ],
)
def test_what_could_do_harm_is_refused_before_spark_starts(spark: Spark, arguments: list[str], told: str) -> None:
    run = spark.start(MAINTAIN, *arguments).wait()
    assert (run.code, told in run.errors) == (2, True), run.errors


def test_the_spark_that_tests_run_is_the_one_that_terraform_names() -> None:
    compute = PROJECT_ROOT / "infra" / "terraform" / "modules" / "compute"
    (version,) = re.findall(
        r'variable "spark_version" {[^}]*default *= "([\d.]+)"', (compute / "variables.tf").read_text()
    )
    assert f"pyspark=={version} " in (PROJECT_ROOT / "requirements-spark.lock").read_text()
