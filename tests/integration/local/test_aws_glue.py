"""Glue's optimistic lock, and the appends that are lost without it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pytest
from botocore.exceptions import ClientError
from pyiceberg.catalog import load_catalog
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import ValidationException

from orchestration.settings import Settings

WRITERS = 4
SCHEMA = pa.schema([("writer", pa.int64()), ("append", pa.int64())])


def catalog(settings: Settings) -> Any:
    properties = {
        "type": "glue",
        "glue.endpoint": settings.aws_endpoint_url,
        "glue.region": settings.region,
        "glue.access-key-id": settings.aws_access_key_id,
        "glue.secret-access-key": settings.aws_secret_access_key,
        "s3.endpoint": settings.aws_endpoint_url,
        "s3.region": settings.region,
        "s3.access-key-id": settings.aws_access_key_id,
        "s3.secret-access-key": settings.aws_secret_access_key,
        "warehouse": f"s3://{settings.lake_bucket}/warehouse",
    }
    return load_catalog("glue", **properties)


def append_at_once(settings: Settings, client: Any, appends: int) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    """Let several writers append to one table, each so many times.

    Returns:
        The appends that were acknowledged; the appends that the table has.
    """
    client(settings, "s3").create_bucket(Bucket=settings.lake_bucket)
    name = f"{settings.landing_database}.events"
    lake = catalog(settings)
    assert isinstance(lake, GlueCatalog)
    lake.create_namespace(settings.landing_database)
    # Each refused commit is tried again; four writers need more tries than the default four.
    retries = {"num-retries": "50", "min-wait-ms": "10", "max-wait-ms": "100"}
    lake.create_table(name, SCHEMA, properties={f"commit.retry.{key}": value for key, value in retries.items()})

    def write(writer: int) -> set[tuple[int, int]]:
        own, acknowledged = catalog(settings), set()
        for append in range(appends):
            row = pa.table({"writer": [writer], "append": [append]}, schema=SCHEMA)
            try:
                own.load_table(name).append(row)
            except ValidationException:  # the snapshot that it started from is gone: lost by another writer
                continue
            acknowledged.add((writer, append))
        return acknowledged

    with ThreadPoolExecutor(WRITERS) as pool:
        acknowledged = set().union(*pool.map(write, range(WRITERS)))
    landed = lake.load_table(name).scan().to_arrow().to_pylist()
    return acknowledged, {(row["writer"], row["append"]) for row in landed}


def test_every_acknowledged_append_of_concurrent_writers_is_in_the_table(fresh_settings: Settings, client: Any) -> None:
    acknowledged, landed = append_at_once(fresh_settings, client, appends=5)
    assert len(acknowledged) == WRITERS * 5
    assert landed == acknowledged


def test_without_the_correction_acknowledged_appends_are_lost(plain_moto: Settings, client: Any) -> None:
    acknowledged, landed = append_at_once(plain_moto, client, appends=3)
    assert landed < acknowledged


@pytest.fixture
def table(fresh_settings: Settings, client: Any) -> tuple[Any, dict[str, Any]]:
    """A Glue client, and the request that names a table."""
    glue = client(fresh_settings, "glue")
    glue.create_database(DatabaseInput={"Name": fresh_settings.landing_database})
    glue.create_table(DatabaseName=fresh_settings.landing_database, TableInput={"Name": "t"})
    return glue, {"DatabaseName": fresh_settings.landing_database, "Name": "t"}


def update(glue: Any, name: dict[str, Any], **arguments: Any) -> str:
    glue.update_table(DatabaseName=name["DatabaseName"], TableInput={"Name": name["Name"]}, **arguments)
    return glue.get_table(**name)["Table"]["VersionId"]


def test_a_stale_version_is_refused_and_the_current_one_taken(table: tuple[Any, dict[str, Any]]) -> None:
    glue, name = table
    read = glue.get_table(**name)["Table"]["VersionId"]
    assert int(update(glue, name, VersionId=read)) == int(read) + 1
    with pytest.raises(glue.exceptions.ConcurrentModificationException):
        update(glue, name, VersionId=read)


def test_an_update_without_a_version_is_taken(table: tuple[Any, dict[str, Any]]) -> None:
    glue, name = table
    assert update(glue, name) != update(glue, name)


def test_an_unknown_table_is_not_found(table: tuple[Any, dict[str, Any]]) -> None:
    glue, name = table
    with pytest.raises(ClientError, match="EntityNotFoundException"):
        update(glue, name | {"Name": "other"}, VersionId="1")


@pytest.mark.parametrize(("skip_archive", "kept"), [(True, 1), (False, 3)])
def test_old_versions_are_kept_unless_the_archive_is_skipped(
    table: tuple[Any, dict[str, Any]], skip_archive: bool, kept: int
) -> None:
    glue, name = table
    for _ in range(2):
        update(glue, name, SkipArchive=skip_archive)
    versions = glue.get_table_versions(DatabaseName=name["DatabaseName"], TableName="t")["TableVersions"]
    assert len(versions) == kept


COLUMN = {"Name": "a", "Type": "int"}
REFUSED = {
    "a long comment": {"StorageDescriptor": {"Columns": [{**COLUMN, "Comment": "a" * 256}]}},
    "two lines": {"StorageDescriptor": {"Columns": [COLUMN, {**COLUMN, "Comment": "a\nb"}]}},
    "a long parameter": {"Parameters": {"position": "a" * 512_001}},
}


@pytest.mark.parametrize("values", REFUSED.values(), ids=REFUSED)
def test_a_table_that_aws_would_not_take_is_refused(table: tuple[Any, dict[str, Any]], values: dict[str, Any]) -> None:
    glue, name = table
    for call, named in ((glue.create_table, "another"), (glue.update_table, name["Name"])):
        with pytest.raises(ClientError, match=r"1 validation error detected: .*failed to satisfy constraint"):
            call(DatabaseName=name["DatabaseName"], TableInput={"Name": named, **values})
