"""The landed tables as DuckDB views: one for each contract's landing and quarantine table, at its newest commit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import boto3
import duckdb
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError, HTTPClientError

from infra.local.errors import LocalServicesError
from orchestration.settings import CONTRACTS_DIR, Settings

SCHEMAS = ("landing", "quarantine")


class LakeUnavailable(LocalServicesError, RuntimeError):
    """The landed tables cannot be read: the local AWS is down, or nothing has landed."""


@dataclass(frozen=True)
class LandedView:
    """A view `schema.name` over an Iceberg table's metadata file, or over nothing if the table is not there yet."""

    schema: str
    name: str
    metadata_location: str | None


def landed_views(settings: Settings) -> list[LandedView]:
    """Look up the newest commit of every landed table. A contract whose table is not there yet gets an empty view.

    Raises:
        LakeUnavailable: The local AWS is down, or no contract has landed anything.
    """
    if not settings.aws_endpoint_url:
        raise LakeUnavailable(
            f"DuckDB reads the local AWS, and the environment {settings.environment} has none. "
            "Set WATERSHED_ENVIRONMENT=local, or use dbt's target athena or redshift."
        )
    contracts = sorted(path.stem for path in CONTRACTS_DIR.glob("*.yaml"))
    # One attempt: a local AWS that does not answer is down.
    once = Config(connect_timeout=2, retries={"total_max_attempts": 1})
    glue = boto3.client("glue", config=once, **settings.client_args())
    try:
        landing = _metadata_locations(glue, settings.landing_database)
        quarantine = _metadata_locations(glue, settings.quarantine_database)
    except (EndpointConnectionError, HTTPClientError) as error:
        raise LakeUnavailable(
            f"The local AWS is not running at {settings.aws_endpoint_url}. Start it with `watershed up`."
        ) from error
    if not landing:
        raise LakeUnavailable(
            f"Nothing has landed yet in the local AWS at {settings.aws_endpoint_url}. "
            "Land something first: `watershed demo` plays the example's events and lands them."
        )
    return [
        LandedView(schema, name, tables.get(name))
        for schema, tables in zip(SCHEMAS, (landing, quarantine), strict=True)
        for name in sorted({*contracts, *tables})
    ]


def lay_out(connection: duckdb.DuckDBPyConnection, views: Iterable[LandedView]) -> None:
    """Replace the schemas `landing` and `quarantine` by these views, all or none."""
    connection.begin()
    try:
        for schema in SCHEMAS:
            connection.execute(f"drop schema if exists {schema} cascade")
            connection.execute(f"create schema {schema}")
        for view in views:
            connection.execute(f'create view {view.schema}."{view.name}" as {_select(connection, view)}')
        connection.commit()
    except BaseException:
        connection.rollback()
        raise


def _select(connection: duckdb.DuckDBPyConnection, view: LandedView) -> str:
    if view.metadata_location:
        location = view.metadata_location.replace("'", "''")
        return f"select * from iceberg_scan('{location}')"
    columns = (f'cast(null as {type_}) as "{name}"' for name, type_ in _contract_columns(connection, view))
    return f"select {', '.join(columns)} where false"


def _contract_columns(connection: duckdb.DuckDBPyConnection, view: LandedView) -> list[tuple[str, str]]:
    """Names and DuckDB types that the contract gives to a table that is not there yet."""
    from ingestion.contract import load_contract
    from ingestion.schemas import arrow_schema, landing_fields, quarantine_fields

    contract = load_contract(CONTRACTS_DIR / f"{view.name}.yaml")
    fields = landing_fields(contract) if view.schema == "landing" else quarantine_fields(contract)
    relation = connection.from_arrow(arrow_schema(fields).empty_table())
    return [(name, str(type_)) for name, type_ in zip(relation.columns, relation.types, strict=True)]


def _metadata_locations(glue: Any, database: str) -> dict[str, str]:
    """Iceberg's newest metadata file of each table of a Glue database. Empty if there is no such database."""
    try:
        pages = glue.get_paginator("get_tables").paginate(DatabaseName=database)
        tables = [table for page in pages for table in page["TableList"]]
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "EntityNotFoundException":
            raise
        return {}
    locations = {table["Name"]: table.get("Parameters", {}).get("metadata_location") for table in tables}
    return {name: location for name, location in locations.items() if location}
