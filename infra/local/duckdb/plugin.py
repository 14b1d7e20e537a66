"""dbt-duckdb's plugin: each dbt run on the local target sees the landed tables as they are when it starts.

Named in dbt_project/profiles.yml. A source is then a plain relation of the DuckDB file, `landing.flight_events`,
which every thread, test and later reader of the file shares.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.adapters.duckdb.plugins import BasePlugin
from duckdb import DuckDBPyConnection

from infra.local.duckdb.connection import check_lock, configure
from infra.local.duckdb.landed import landed_views, lay_out
from orchestration.settings import settings


class Plugin(BasePlugin):
    """Prepares the connection that dbt makes, before its first statement."""

    def update_connection_config(self, creds: DuckDBCredentials, config: dict[str, Any]) -> None:
        """Called before the file is opened: dbt would show a lock error without saying what to do."""
        check_lock(Path(creds.path), config)

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        """Called once a connection is open."""
        configure(conn, settings())
        # Dagster opens the file read-only to count rows and to look at columns: what the last run laid out serves.
        if not _is_read_only(conn):
            lay_out(conn, landed_views(settings()))


def _is_read_only(connection: DuckDBPyConnection) -> bool:
    row = connection.execute(
        "select readonly from duckdb_databases() where database_name = current_database()"
    ).fetchone()
    return bool(row and row[0])
