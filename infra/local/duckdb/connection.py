"""How a DuckDB connection is made: the file and its lock, the extensions, the local AWS' keys, the time zone.

What the landed tables look like in it is in `infra.local.duckdb.landed`.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb

from infra.local.duckdb.landed import LakeUnavailable, landed_views, lay_out
from infra.local.errors import LocalServicesError
from orchestration.settings import Settings

# In this order: iceberg needs avro, and would try to download it.
EXTENSIONS = ("httpfs", "avro", "iceberg")

_LOCK_HOLDER = re.compile(r"Conflicting lock is held in (?P<command>.*?) \(PID (?P<pid>\d+)\)")


class DatabaseLocked(LocalServicesError, RuntimeError):
    """The DuckDB file is open in another process. DuckDB lets one process write, or several read."""


def connect(settings: Settings, *, read_only: bool = True) -> duckdb.DuckDBPyConnection:
    """Open the landed tables and, if they have been built, the models.

    Names resolve as in dbt: `landing.flight_events` is the newest commit at the time of this call,
    `lake.int_flights` and `marts.fct_flights` are in the DuckDB file. Time zone UTC.

    Args:
        settings: The settings of a local environment.
        read_only: False to write to the DuckDB file, which is then created if there is none.

    Raises:
        DatabaseLocked: Another process has the file open.
        LakeUnavailable: The local AWS is down, or nothing has landed.
    """
    views = landed_views(settings)
    connection = duckdb.connect(":memory:")
    try:
        configure(connection, settings)
        lay_out(connection, views)
        if not read_only or settings.duckdb_path.exists():
            _attach(connection, settings, read_only=read_only)
    except BaseException:
        connection.close()
        raise
    return connection


def configure(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Load the extensions, let S3 mean the local AWS, and set the time zone to UTC."""
    for extension in EXTENSIONS:
        connection.load_extension(str(extension_file(extension)))
    connection.execute(_s3_secret(settings))
    connection.execute("set global timezone = 'UTC'")


def check_lock(path: Path, config: dict[str, Any]) -> None:
    """Raise DatabaseLocked, which names the holder, if the file cannot be opened with this DuckDB configuration."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        duckdb.connect(str(path), config=config).close()
    except duckdb.IOException as error:
        raise _explained(error, path) from error


def extension_file(name: str) -> Path:
    """The file of an extension, from its wheel: loaded by path, so that nothing is installed or downloaded.

    Raises:
        LakeUnavailable: The wheel is missing or is of another DuckDB version.
    """
    package = find_spec(f"duckdb_extension_{name}")
    folders = list(package.submodule_search_locations or ()) if package else []
    for folder in folders:
        path = Path(folder) / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
        if path.exists():
            return path
    raise LakeUnavailable(
        f"DuckDB {duckdb.__version__} has no {name} extension here. "
        f"Install the project with its extra `local`: duckdb-extension-{name}=={duckdb.__version__}."
    )


def _s3_secret(settings: Settings) -> str:
    endpoint = urlsplit(settings.aws_endpoint_url or "")
    values = {
        "key_id": settings.aws_access_key_id or "",
        "secret": settings.aws_secret_access_key or "",
        "region": settings.region,
        "endpoint": endpoint.netloc,
        "url_style": "path",
    }
    options = ", ".join(f"{name} '{_escaped(value)}'" for name, value in values.items())
    use_ssl = "true" if endpoint.scheme == "https" else "false"
    return f"create or replace temporary secret local_aws (type s3, {options}, use_ssl {use_ssl})"


def _attach(connection: duckdb.DuckDBPyConnection, settings: Settings, *, read_only: bool) -> None:
    path = settings.duckdb_path
    name = path.stem
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        connection.execute(f"attach '{_escaped(str(path))}' as \"{name}\" (read_only {str(read_only).lower()})")
    except duckdb.IOException as error:
        raise _explained(error, path) from error
    here = "memory"  # first, so that `landing.x` is what landed by now and not by the last dbt run
    found = connection.execute(
        "select schema_name from duckdb_schemas() where database_name = ? and not internal", [name]
    ).fetchall()
    path_of_schemas = [f"{here}.landing", f"{here}.quarantine", f"{name}.main"]
    path_of_schemas += [f"{name}.{schema}" for (schema,) in found if schema not in ("landing", "quarantine", "main")]
    connection.execute(f"set search_path = '{','.join(path_of_schemas)}'")


def _explained(error: duckdb.IOException, path: Path) -> Exception:
    """The lock error as a sentence that names the holder; any other error as it is."""
    holder = _LOCK_HOLDER.search(str(error))
    if not holder:
        return error
    pid = holder["pid"]
    return DatabaseLocked(
        f"{path} is open in process {pid} ({_command(int(pid)) or holder['command']}). "
        f"Wait until it is done, or close it (`kill {pid}` if it hangs), and try again."
    )


def _command(pid: int) -> str:
    """The command line of a process, where the system tells it."""
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return ""
    return " ".join(" ".join(arguments).split())[:200]


def _escaped(text: str) -> str:
    return text.replace("'", "''")
