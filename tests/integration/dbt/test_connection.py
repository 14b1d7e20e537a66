"""DuckDB over the local lake: what it reads, and what it says if it cannot."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from dbt.adapters.duckdb.credentials import DuckDBCredentials

from infra.local.duckdb.connection import DatabaseLocked, check_lock, connect
from infra.local.duckdb.landed import LakeUnavailable
from infra.local.duckdb.plugin import Plugin
from orchestration import settings as settings_module
from orchestration.settings import Settings
from tests.conftest import free_port
from tests.integration.lake import Lake

AIRLINES = "carrier,name\nUA,United Air Lines Inc.\n"


def _unreachable(settings: Settings) -> Settings:
    return settings.model_copy(update={"aws_endpoint_url": f"http://127.0.0.1:{free_port()}"})


@pytest.fixture
def held_file(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A DuckDB file, and the process that has it open for writing."""
    path = tmp_path / "held.duckdb"
    code = f"import duckdb; c = duckdb.connect({str(path)!r}); print('open', flush=True); input()"
    holder = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout
    assert holder.stdout.readline() == b"open\n"
    yield path, holder.pid
    holder.communicate(b"\n", timeout=10)


def test_reads_the_newest_commit_at_each_connection(lake: Lake) -> None:
    query = "select count(*) from landing.airlines"
    lake.drop("airlines", AIRLINES, name="1.csv")
    lake.land("airlines")
    assert lake.rows(query) == [(1,)]
    lake.drop("airlines", AIRLINES, name="2.csv")
    lake.land("airlines")
    assert lake.rows(query) == [(2,)]


def test_a_contract_that_has_not_landed_is_an_empty_table_with_its_columns(lake: Lake) -> None:
    lake.land("airlines")
    with lake.connect() as connection:
        relation = connection.sql("select * from landing.flight_events")
        types = dict(zip(relation.columns, map(str, relation.types), strict=True))
        assert relation.fetchall() == []
        assert connection.sql("select _reason, _payload from quarantine.airports").fetchall() == []
    assert types["flight"] == "STRUCT(date DATE, carrier VARCHAR, number INTEGER, tail_number VARCHAR)"
    assert types["legs"] == "STRUCT(origin VARCHAR, destination VARCHAR, distance_miles INTEGER)[]"
    assert types["_landed_at"] == "TIMESTAMP"


def test_a_rejected_record_is_seen_in_the_quarantine(lake: Lake) -> None:
    lake.drop("airlines", "carrier,name\nunited,United Air Lines Inc.\n")
    lake.land("airlines")
    assert lake.rows("select count(*), min(_field) from quarantine.airlines") == [(1, "carrier")]


def test_opens_read_only_by_default(january: Lake) -> None:
    with (
        connect(january.settings) as connection,
        pytest.raises(duckdb.InvalidInputException, match="read-only"),
    ):
        connection.execute("delete from marts.fct_flights")


def test_says_that_the_local_aws_is_down(fresh_settings: Settings) -> None:
    settings = _unreachable(fresh_settings)
    message = f"The local AWS is not running at {settings.aws_endpoint_url}. Start it with `watershed up`."
    with pytest.raises(LakeUnavailable, match=re.escape(message)):
        connect(settings)


def test_says_that_nothing_has_landed(lake: Lake) -> None:
    with pytest.raises(LakeUnavailable, match=r"Nothing has landed yet in the local AWS at http.*`watershed demo`"):
        lake.connect()


def test_says_that_an_environment_has_no_local_aws(fresh_settings: Settings) -> None:
    with pytest.raises(LakeUnavailable, match="WATERSHED_ENVIRONMENT=local"):
        connect(fresh_settings.model_copy(update={"aws_endpoint_url": None}))


def test_dbt_says_it_in_one_sentence(fresh_settings: Settings) -> None:
    settings = _unreachable(fresh_settings)
    run = Lake(settings, {}).try_dbt("run", "--select", "stg_airlines")
    assert run.returncode != 0
    assert f"The local AWS is not running at {settings.aws_endpoint_url}. Start it with `watershed up`." in run.stdout
    assert "Traceback" not in run.stdout + run.stderr


def test_names_who_holds_the_file(held_file: tuple[Path, int], lake: Lake) -> None:
    path, pid = held_file
    with pytest.raises(DatabaseLocked, match=rf"{path} is open in process {pid} \(.*python.*\).*try again"):
        check_lock(path, {})
    lake.land("airlines")
    lake.settings.duckdb_path.parent.mkdir(parents=True)
    lake.settings.duckdb_path.symlink_to(path)
    with pytest.raises(DatabaseLocked, match=f"process {pid} "):
        lake.connect()


def test_plugin_leaves_a_read_only_database_as_it_is(
    january: Lake, fresh_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Dagster counts rows through such a connection. Glue is not asked: it could not be reached here.
    monkeypatch.setattr(settings_module, "settings", lambda: january.settings)
    monkeypatch.setattr("infra.local.duckdb.plugin.settings", lambda: january.settings)
    monkeypatch.setattr("infra.local.duckdb.plugin.landed_views", _asked)
    plugin = Plugin("landed_tables", {}, DuckDBCredentials(database="watershed", schema="main"))
    with duckdb.connect(str(january.settings.duckdb_path), read_only=True) as connection:
        plugin.configure_connection(connection)
        assert connection.sql("select count(*) from lake.stg_airlines").fetchone() == (16,)


def _asked(_: Settings) -> None:
    raise AssertionError("Glue was asked")
