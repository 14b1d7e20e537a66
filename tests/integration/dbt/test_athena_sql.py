"""The lake's SQL as it is sent to Athena. Read by a parser of Trino's grammar here; run in the rehearsal."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from sqlglot import exp, parse_one

from orchestration.settings import Settings
from tests.integration.lake import Lake

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def compiled(local_aws: Settings, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """SQL of the lake's models by name; of int_flights as a run that rebuilds days of the table found in Glue."""
    lake, folder = Lake(local_aws, {}), tmp_path_factory.mktemp("athena")
    glue = lake.client("glue")
    glue.create_database(DatabaseInput={"Name": "lake"})
    storage = {"Columns": [{"Name": "flight_id", "Type": "string"}], "Location": "s3://lake/int_flights"}
    table = {"Name": "int_flights", "TableType": "EXTERNAL_TABLE", "Parameters": {"table_type": "ICEBERG"}}
    glue.create_table(DatabaseName="lake", TableInput={**table, "StorageDescriptor": storage})
    lake.dbt(
        *("compile", "--target", "athena", "--no-populate-cache"),
        *("--vars", "{rebuild_from: 2013-01-05, rebuild_to: 2013-01-10}"),
        target_path=folder,
        AWS_ENDPOINT_URL=str(lake.settings.aws_endpoint_url),
        AWS_ACCESS_KEY_ID="local",
        AWS_SECRET_ACCESS_KEY="local",
    )
    files = (folder / "compiled/watershed/models/lake").rglob("*.sql")
    return {path.stem: path.read_text(encoding="utf-8") for path in files}


def test_is_trinos_and_names_athenas_tables(compiled: Mapping[str, str]) -> None:
    expected = {
        "stg_flight_events": {'"awsdatacatalog"."landing"."flight_events"'},
        "int_flights": {
            f'"awsdatacatalog"."lake"."{name}"' for name in ("stg_flight_events", "int_weather", "int_flights")
        },
    }
    for name, sql in compiled.items():
        found = (table for table in parse_one(sql, dialect="athena").find_all(exp.Table) if table.db)
        tables = {f'"{table.catalog}"."{table.db}"."{table.name}"' for table in found}
        assert tables, name
        assert tables == expected.get(name, tables)


def test_says_what_duckdb_says_otherwise(compiled: Mapping[str, str]) -> None:
    staged = compiled["stg_flight_events"]
    assert "element_at(legs, 1).origin" in staged
    assert "element_at(legs, -1).destination" in staged
    assert "reduce(legs, cast(0 as bigint), (total, element) -> total + element.distance_miles" in staged
    # Iceberg tables of Athena hold microseconds; a bare timestamp is one of milliseconds, which it refuses.
    assert "as timestamp(6)) as departed_at" in compiled["int_flights"]
    assert "as timestamp)" not in compiled["int_flights"]
    assert "between cast('2013-01-05' as date) and cast('2013-01-10' as date)" in compiled["int_flights"]
