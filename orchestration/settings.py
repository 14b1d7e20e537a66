"""Every setting of the platform, typed. One table holds what differs between environments.

A setting is read from the environment variable `WATERSHED_<NAME>`, else from its environment's row in
`DEFAULTS`, else from its default here. An unknown environment or a missing setting raises at load.
"""

from __future__ import annotations

import difflib
import os
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from orchestration.errors import SettingsError

PROJECT_ROOT = Path(__file__).resolve().parent.parent
DBT_PROJECT_DIR = PROJECT_ROOT / "dbt_project"
CONTRACTS_DIR = PROJECT_ROOT / "ingestion" / "contracts"

PREFIX = "WATERSHED_"
"""Of the environment variables that hold settings."""


class Environment(StrEnum):
    """Where the platform runs."""

    LOCAL = "local"
    REHEARSAL = "rehearsal"
    DEV = "dev"
    PRODUCTION = "production"


_LOOPBACK_AWS: dict[str, Any] = {
    "aws_endpoint_url": "http://127.0.0.1:18600",
    "aws_access_key_id": "local",
    "aws_secret_access_key": "local",
    "account_id": "123456789012",
    "opensearch_url": "http://127.0.0.1:18920",
    "redshift_host": "127.0.0.1",
    # A search engine needs Java, which not every laptop has. Elsewhere a missing one is a failure.
    "opensearch_required": False,
}

# Exhaustive: an environment without a row here is a KeyError when settings load.
DEFAULTS: dict[Environment, dict[str, Any]] = {
    Environment.LOCAL: {**_LOOPBACK_AWS, "lake_target": "local", "warehouse_target": "local"},
    Environment.REHEARSAL: {**_LOOPBACK_AWS, "lake_target": "athena", "warehouse_target": "redshift"},
    Environment.DEV: {"lake_target": "athena", "warehouse_target": "redshift"},
    Environment.PRODUCTION: {"lake_target": "athena", "warehouse_target": "redshift"},
}


def _environment(name: str) -> Environment:
    try:
        return Environment(name)
    except ValueError as error:
        raise ValueError(f"{name!r} is no environment; write one of {', '.join(Environment)}.") from error


class Settings(BaseSettings):
    """The platform's settings. On AWS, Terraform's outputs carry the same names."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    environment: Environment = Environment.LOCAL

    # AWS. Endpoint and keys are set for local environments only; on AWS the default chain serves.
    region: str = "us-east-1"
    account_id: str
    aws_endpoint_url: str | None = None
    aws_access_key_id: str | None = None
    aws_secret_access_key: str | None = None

    # Names. Databases are the same everywhere; buckets and streams carry the prefix.
    prefix: str = Field(default="", description="Starts the name of each bucket, stream and queue.")
    landing_bucket: str = Field(default="", description="Restricted zone: objects as they came in, quarantine.")
    lake_bucket: str = Field(default="", description="Iceberg tables: landing and lake.")
    results_bucket: str = Field(default="", description="Results of Athena queries and UNLOADs; short-lived.")
    arrivals_queue: str = Field(default="", description="Where S3 tells of objects that arrived.")
    landing_database: str = "landing"
    quarantine_database: str = "quarantine"
    lake_database: str = "lake"
    warehouse_schema: str = "marts"

    # Engines.
    lake_target: str = Field(description="dbt's target for models/lake.")
    warehouse_target: str = Field(description="dbt's target for models/warehouse.")
    maintenance_job: str = Field(default="", description="Glue job that keeps tables small. Empty: there is no Spark.")
    athena_workgroup: str = "watershed-dbt"
    redshift_host: str = ""
    redshift_port: int = 5439
    redshift_database: str = "watershed"
    redshift_workgroup: str = "watershed"
    redshift_unload_role_arn: str = ""
    opensearch_url: str = ""
    opensearch_required: bool = Field(default=True, description="Whether an index that cannot be reached is a failure.")
    quicksight_principal_arn: str | None = Field(
        default=None, description="User or group that may view and edit what is deployed to QuickSight."
    )
    quicksight_secret_arn: str | None = Field(
        default=None, description="Secret with the user that QuickSight reads Redshift as."
    )
    quicksight_vpc_connection_arn: str | None = Field(
        default=None, description="QuickSight's way to a Redshift workgroup that is not public."
    )
    landing_batch_mib: int = Field(default=64, description="Bytes of raw records that one commit lands, at most.")

    lineage_url: str | None = Field(
        default=None, description="Where the page of the lineage of fields is published: each asset links to it."
    )

    # This machine.
    state_dir: Path = PROJECT_ROOT / ".watershed"

    @model_validator(mode="before")
    @classmethod
    def _environment_defaults(cls, values: dict[str, Any]) -> dict[str, Any]:
        environment = _environment(values.get("environment", Environment.LOCAL))
        prefix = values.get("prefix") or f"watershed-{environment}"
        names = {
            "prefix": prefix,
            "landing_bucket": f"{prefix}-landing",
            "lake_bucket": f"{prefix}-lake",
            "results_bucket": f"{prefix}-results",
            "arrivals_queue": f"{prefix}-arrivals",
        }
        return names | DEFAULTS[environment] | values

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only arguments and environment variables: no dotenv or secrets folder can surprise."""
        return init_settings, env_settings

    @property
    def duckdb_path(self) -> Path:
        """The DuckDB file that holds every model in the local environment."""
        return self.state_dir / "duckdb" / "watershed.duckdb"

    def stream_name(self, stream: str) -> str:
        """The deployed name of a contract's Kinesis stream."""
        return f"{self.prefix}-{stream}"

    def client_args(self) -> dict[str, Any]:
        """Arguments for `boto3.client` and `boto3.Session.client`."""
        return {
            "region_name": self.region,
            "endpoint_url": self.aws_endpoint_url,
            "aws_access_key_id": self.aws_access_key_id,
            "aws_secret_access_key": self.aws_secret_access_key,
        }


@lru_cache
def settings() -> Settings:
    """The settings of this process.

    Raises:
        SettingsError: If a variable is of no setting, or one is wrong or missing.
    """
    _require_known_variables()
    try:
        return Settings()  # pyright: ignore[reportCallIssue]  the environment supplies what is required
    except ValidationError as error:
        told = "\n".join(f"  {_variable(problem)}: {problem['msg']}" for problem in error.errors(include_url=False))
        raise SettingsError(f"Settings come from environment variables; mend these:\n{told}") from error


def _variable(problem: ErrorDetails) -> str:
    """The variable that a validation error is about; an error about all of them is about the environment's row."""
    return f"{PREFIX}{problem['loc'][0]}".upper() if problem["loc"] else f"{PREFIX}ENVIRONMENT"


def _require_known_variables() -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    for name in sorted(os.environ.keys() - known):
        if name.startswith(PREFIX):
            near = difflib.get_close_matches(name, known, n=1)
            meant = f" Did you mean {near[0]}?" if near else ""
            raise SettingsError(f"{name} is set, and there is no such setting.{meant} Unset it.")
