"""Keeps Iceberg tables quick and small, on Spark: joins small files, expires snapshots, removes files of no table.

One file, for Python 3.9 or later, and nothing but pyspark: it runs on Glue, on EMR Serverless and on a machine with
Java, each of which brings Iceberg's jars and a Hadoop file system for `s3://`. What Iceberg needs of Spark's
configuration is set in `session`.
Region, keys and endpoint are those of the AWS SDK's environment: AWS_REGION, AWS_ENDPOINT_URL.

For each Iceberg table of some Glue databases, in this order: `rewrite_data_files`, `rewrite_manifests` if there are
many, `expire_snapshots`, `remove_orphan_files`. The order is a safeguard: a table whose files cannot be read, or whose
rows are not as many after the rewrite as before, keeps its snapshots and files. Landings go on beside it: see
docs/operations.md. A line of JSON for each table goes to standard output; a table that fails does not stop the others.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from pyspark.sql import Row, SparkSession

CATALOG = "watershed"
_NAME = re.compile(r"[a-z0-9_]+")
_MIB = 1024 * 1024

# Redshift ends a query after four hours, so that nobody reads a snapshot that stopped being current before then.
LEAST_SNAPSHOT_HOURS = 4.0
# A file that no table names yet may belong to a commit that is under way. Iceberg refuses less too.
LEAST_ORPHAN_HOURS = 24.0
# A file below this part of the target is small: Iceberg's own bound.
_SMALL = 0.75
# As many small files of a partition are worth a rewrite: Iceberg's own bound. As many deletes in a file are, too.
_LEAST_FILES, _LEAST_DELETES = 5, 1
# As many manifests of less than half of Iceberg's target size are worth a rewrite.
_LEAST_MANIFESTS, _MANIFEST_BYTES = 10, 8 * _MIB
# Another commit may come first, or take away what is being rewritten. The next try sees the table anew.
_TRIES = 5

# What Glue gives a script beside its own arguments.
# https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-glue-arguments.html
_OF_GLUE = re.compile(
    r"--([A-Z]\w*|scriptLocation|TempDir|RedshiftTempDir|conf|class|(job|enable|disable|datalake|extra|continuous|spark"
    r"|additional|security|encryption|user|custom|executor|python|use)-[\w-]+)(=.*)?"
)

logger = logging.getLogger("maintain")


class RefusedError(Exception):
    """Work that is not done because it could do harm, or cannot be done as it was asked for."""


@dataclass(frozen=True)
class Options:
    """What is maintained and how. `tables` are `database.table`; none: all of the databases."""

    databases: tuple[str, ...]
    tables: tuple[str, ...]
    keep_snapshot_hours: float
    keep_snapshots: int
    keep_orphan_hours: float
    target_file_mib: int
    dry_run: bool

    @property
    def small_file_bytes(self) -> int:
        """A data file below it is small."""
        return int(_SMALL * self.target_file_mib * _MIB)


@dataclass(frozen=True)
class Size:
    """A table as its current snapshot has it, but for `snapshots`, of which it keeps so many. `bytes` are of data."""

    rows: int
    files: int
    bytes: int
    small_files: int
    delete_files: int
    manifests: int
    snapshots: int


@dataclass
class Report:
    """What was done to a table, or on a dry run would be.

    `deleted_files` went with snapshots. `failed` is a sentence, `left` are those on what was not done and does no harm.
    """

    table: str
    dry_run: bool
    before: Size | None = None
    after: Size | None = None
    rewritten_files: int = 0
    expired_snapshots: int = 0
    deleted_files: int = 0
    orphan_files: int = 0
    left: list[str] = field(default_factory=list)
    seconds: float = 0.0
    failed: str | None = None


def parse(arguments: Sequence[str]) -> Options:
    """Read the command line. Glue's own arguments are passed over; any other that is not known ends the program.

    Each option takes a value, since a Glue job's arguments have one each.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0], allow_abbrev=False)
    parser.add_argument("--databases", type=_names, default="landing,quarantine,lake", help="Glue databases: a,b")
    parser.add_argument("--tables", type=_names, default="", help="only these, of the databases: a.t,b.t")
    parser.add_argument(
        "--keep-snapshot-hours", type=_at_least(LEAST_SNAPSHOT_HOURS), default=24.0, help="younger ones are kept"
    )
    parser.add_argument("--keep-snapshots", type=_at_least(1), default=10.0, help="the newest are kept, however old")
    parser.add_argument(
        "--keep-orphan-hours", type=_at_least(LEAST_ORPHAN_HOURS), default=72.0, help="younger files are kept"
    )
    parser.add_argument("--target-file-mib", type=_at_least(1), default=128.0, help="size of a data file")
    parser.add_argument(
        "--dry-run", nargs="?", const="true", default="false", choices=["true", "false"], help="change nothing"
    )
    found = parser.parse_args(list(_without_glues(arguments)))
    return Options(
        databases=found.databases,
        tables=found.tables,
        keep_snapshot_hours=found.keep_snapshot_hours,
        keep_snapshots=int(found.keep_snapshots),
        keep_orphan_hours=found.keep_orphan_hours,
        target_file_mib=int(found.target_file_mib),
        dry_run=found.dry_run == "true",
    )


def _without_glues(arguments: Iterable[str]) -> Iterator[str]:
    """Leave out Glue's own arguments, each with the values that follow it."""
    skipping = False
    for argument in arguments:
        if argument.startswith("--"):
            skipping = _OF_GLUE.fullmatch(argument) is not None
        if not skipping:
            yield argument


def _names(text: str) -> tuple[str, ...]:
    names = tuple(re.split(r"[,\s]+", text.strip())) if text.strip() else ()
    for name in names:
        if not all(_NAME.fullmatch(part) for part in name.split(".")):
            raise argparse.ArgumentTypeError(f"{name!r} is no name in Glue: write lower-case letters, digits, _")
    return names


def _at_least(least: float) -> Any:
    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise argparse.ArgumentTypeError(f"{text!r} is no number")
        if not value >= least:
            raise argparse.ArgumentTypeError(f"{text} is less than {least:g}, the least that does no harm")
        return value

    return read


def session() -> SparkSession:
    """Spark with the Glue catalog under the name CATALOG. Jars and master are chosen by whoever starts the program."""
    catalog = f"spark.sql.catalog.{CATALOG}"
    return (
        SparkSession.Builder()
        .appName("watershed-maintain")
        .config("spark.sql.extensions", "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions")
        .config(catalog, "org.apache.iceberg.spark.SparkCatalog")
        .config(f"{catalog}.type", "glue")
        .config(f"{catalog}.io-impl", "org.apache.iceberg.aws.s3.S3FileIO")
        # A table is loaded anew by each statement: others commit meanwhile.
        .config(f"{catalog}.cache-enabled", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .getOrCreate()
    )


def maintain(spark: SparkSession, options: Options) -> Iterator[Report]:
    """Maintain table after table."""
    now = datetime.now(timezone.utc)
    tables: list[str] = []
    places: _Places = {}
    for database in options.databases:
        try:
            found = spark.sql(f"show tables in {CATALOG}.`{database}`").collect()
        except Exception as error:  # noqa: BLE001  told, and the other databases go on
            places[database] = None
            yield Report(database, options.dry_run, failed=f"The database cannot be listed: {_said(error)}")
        else:
            tables += [f"{database}.{row.tableName}" for row in found]
    for table in options.tables:
        if table not in tables:
            yield Report(table, options.dry_run, failed=f"There is no such table in {', '.join(options.databases)}.")
    places |= {table: _places(spark, table) for table in tables}
    # After the others, so that a table that is renamed meanwhile is seen under one of its names.
    places = _places_in_glue(spark, options) | places
    for table in tables:
        if not options.tables or table in options.tables:
            yield _maintain(spark, options, table, places, now)


def _maintain(spark: SparkSession, options: Options, table: str, places: _Places, now: datetime) -> Report:
    report, started = Report(table, options.dry_run), time.monotonic()
    try:
        # Before the size, so that deletes that others add from here on are told from those that were there.
        known = _snapshot_ids(spark, table)
        report.before = _size(spark, options, table)
        expiring = now - timedelta(hours=options.keep_snapshot_hours)
        if options.dry_run:
            report.rewritten_files = _rewritable(spark, options, table)
            report.expired_snapshots = _expirable(spark, options, table, expiring)
        else:
            _rewrite_data(spark, options, table, report, known)
            _rewrite_manifests(spark, table)
            report.expired_snapshots, report.deleted_files = _expire(spark, options, table, expiring)
        if reason := _shared(table, places):
            report.left.append(f"Orphan files stay: {reason}")
        else:
            report.orphan_files = _remove_orphans(spark, options, table, now)
        report.after = _size(spark, options, table)
    except Exception as error:
        if _is_gone(spark, table):
            report.left.append("The table is gone: it was dropped or renamed meanwhile.")
        else:
            logger.warning("%s", table, exc_info=True)
            report.failed = _said(error)
            # It may have been rewritten before it failed.
            with suppress(Exception):
                report.after = _size(spark, options, table)
    report.seconds = round(time.monotonic() - started, 1)
    return report


def _size(spark: SparkSession, options: Options, table: str) -> Size:
    files = f"""
        select
            coalesce(sum(if(content = 0, record_count, 0)) - sum(if(content = 1, record_count, 0)), 0) as rows,
            count_if(content = 0) as files,
            coalesce(sum(if(content = 0, file_size_in_bytes, 0)), 0) as bytes,
            count_if(content = 0 and file_size_in_bytes < {options.small_file_bytes}) as small_files,
            count_if(content > 0) as delete_files
        from {_quoted(table, "files")}
    """
    return Size(
        **_row(spark, files).asDict(),
        manifests=_count(spark, f"select count(*) from {_quoted(table, 'manifests')}"),
        snapshots=_count(spark, f"select count(*) from {_quoted(table, 'snapshots')}"),
    )


def _rewrite_data(spark: SparkSession, options: Options, table: str, report: Report, known: set[int]) -> None:
    """Join small files, partition by partition, and apply deletes.

    Each part is committed when it is done, so that a job that is ended keeps what it did. Where other commits come
    first again and again, Iceberg passes a part over and says so in its log only: hence what is left is looked for.

    `known` are the snapshots from before the report was begun.

    Raises RefusedError if files cannot be rewritten, or if the rows of the new files are not as many as of the old.
    """
    deletes = report.before.delete_files if report.before else 0
    settings = {
        "target-file-size-bytes": options.target_file_mib * _MIB,
        "min-input-files": _LEAST_FILES,
        "delete-file-threshold": _LEAST_DELETES,
        "partial-progress.enabled": "true",
    }
    given = ", ".join(f"'{key}', '{value}'" for key, value in settings.items())
    failed = waiting = 0
    for attempt in range(_TRIES):
        waiting = _rewritable(spark, options, table)
        done = _call(spark, "rewrite_data_files", f"table => '{table}', options => map({given})")
        report.rewritten_files += done.rewritten_data_files_count
        failed, waiting = done.failed_data_files_count, waiting - done.rewritten_data_files_count
        if (not failed and waiting <= 0) or (failed and attempt):
            break
        logger.warning("%s: %s files failed, %s were passed over, try %s", table, failed, waiting, attempt + 1)
    if failed:
        raise RefusedError(
            f"{failed} data files cannot be rewritten, the log says why; is one of them missing?"
            " Snapshots and files are left as they are."
        )
    if waiting > 0:
        report.left.append(f"{waiting} small files stay: other commits came first. The next run takes them.")
    if not deletes:
        _compare_rows(spark, table, known)
    if _count(spark, f"select count(*) from {_quoted(table, 'delete_files')}"):
        # What was deleted from files that are rewritten now is in none of the new ones: those deletes go.
        _call(spark, "rewrite_position_delete_files", f"table => '{table}', options => map('rewrite-all', 'true')")


def _compare_rows(spark: SparkSession, table: str, known: set[int]) -> None:
    """Where there were no deletes to apply, what was rewritten must have as many rows as what it replaced.

    If others added deletes meanwhile, the rewrite may have applied them, and nothing is compared.
    """
    replaced = ", ".join(map(str, known)) or "0"
    names = ("added-records", "deleted-records", "added-delete-files")
    added, removed, deletes = (f"coalesce(cast(summary['{name}'] as bigint), 0)" for name in names)
    sums = _row(
        spark,
        f"""
        select
            coalesce(sum(if(operation = 'replace', {added}, 0)), 0) as added,
            coalesce(sum(if(operation = 'replace', {removed}, 0)), 0) as removed,
            coalesce(sum({deletes}), 0) as delete_files
        from {_quoted(table, "snapshots")}
        where snapshot_id not in ({replaced})
        """,
    )
    if sums.delete_files:
        logger.info("%s: deletes were added meanwhile, rows are not compared", table)
    elif sums.added != sums.removed:
        raise RefusedError(
            f"{sums.removed} rows were rewritten as {sums.added}. Snapshots and files are left as they are: stop what"
            " writes the table, compare it with its snapshot before, and report this."
        )


def _rewrite_manifests(spark: SparkSession, table: str) -> None:
    """Join manifests if many are small: each commit of a landing adds one, and a reader opens each."""
    small = f"select count(*) from {_quoted(table, 'manifests')} where length < {_MANIFEST_BYTES // 2}"
    if _count(spark, small) >= _LEAST_MANIFESTS:
        _call(spark, "rewrite_manifests", f"table => '{table}', use_caching => false")


def _expire(spark: SparkSession, options: Options, table: str, before: datetime) -> tuple[int, int]:
    """Expire snapshots. Returns how many, and how many files went with them."""
    known = _snapshot_ids(spark, table)
    deleted = _call(
        spark,
        "expire_snapshots",
        f"table => '{table}', older_than => {_timestamp(_unread(spark, table, before))},"
        f" retain_last => {options.keep_snapshots},"
        " stream_results => true",
    )
    return len(known - _snapshot_ids(spark, table)), sum(deleted.asDict().values())


def _unread(spark: SparkSession, table: str, before: datetime) -> datetime:
    """Before which moment a snapshot must have been made to be in no query that began at `before` or later.

    That goes by when snapshots stopped being current: of a quiet table, the one of last month may be read now.
    """
    snapshots, history = _quoted(table, "snapshots"), _quoted(table, "history")
    found = spark.sql(
        f"""
        select unix_millis(committed_at) as made, unix_millis(made_current_at) as current
        from {snapshots}
        left join {history} using (snapshot_id)
        """
    ).collect()
    bound = int(before.timestamp() * 1000)
    # When what was current at `before` became so. Who is in no history counts as current from when it was made.
    current = [(row.made if row.current is None else row.current, row.made) for row in found]
    since = max((moment for moment, _ in current if moment < bound), default=bound)
    least = min([bound, *(made for moment, made in current if moment >= since)])
    return datetime.fromtimestamp(0, timezone.utc) + timedelta(milliseconds=least)


def _remove_orphans(spark: SparkSession, options: Options, table: str, now: datetime) -> int:
    """Remove what lies where the table is and no snapshot names. Returns how many files that are."""
    before = now - timedelta(hours=options.keep_orphan_hours)
    arguments = f"table => '{table}', older_than => {_timestamp(before)}, dry_run => {str(options.dry_run).lower()}"
    orphans = spark.sql(f"call {CATALOG}.system.remove_orphan_files({arguments})").collect()
    for orphan in orphans:
        logger.info("%s: orphan %s", table, orphan[0])
    return len(orphans)


_Places = dict[str, "tuple[str, ...] | None"]
"""Where each table's files are, each ending with a slash; None: a table or database that cannot be loaded."""


def _places(spark: SparkSession, table: str) -> tuple[str, ...] | None:
    try:
        rows = spark.sql(f"describe table extended {_quoted(table)}").collect()
    except Exception:  # noqa: BLE001  told when it is the table's turn
        return () if _is_gone(spark, table) else None
    told = {row.col_name: row.data_type for row in rows}
    elsewhere = re.findall(r"\bwrite\.[\w.-]*path=([^,\]]+)", told.get("Table Properties", ""))
    return tuple(_folder(place) for place in (told["Location"], *elsewhere))


def _places_in_glue(spark: SparkSession, options: Options) -> _Places:
    """The places of all that Glue shows, of any type and in any database: `show tables` leaves out all but Iceberg's.

    A database that is not among the options' is passed over if it may not be read.
    """
    try:
        glue = _Glue(spark)
    except Exception:
        logger.warning("Glue cannot be asked for tables", exc_info=True)
        return {"Glue's catalog": None}
    places: _Places = {}
    databases = set(options.databases)
    try:
        databases |= set(glue.databases())
    except Exception as error:  # noqa: BLE001
        logger.warning("databases that are not named cannot be listed: %s", _said(error))
        if "AccessDenied" not in str(error):
            places["Glue's catalog"] = None
    for database in sorted(databases):
        try:
            places |= {f"{database}.{name}": where for name, where in glue.tables(database)}
        except Exception as error:  # noqa: BLE001
            logger.warning("%s: tables cannot be listed: %s", database, _said(error))
            if database in options.databases or "AccessDenied" not in str(error):
                places[database] = None
    return places


class _Glue:
    """Glue as Iceberg's catalog reaches it: with its client, so that region, keys and endpoint are the same."""

    def __init__(self, spark: SparkSession) -> None:
        jvm: Any = spark._jvm
        self._client = getattr(jvm.org.apache.iceberg.aws.AwsClientFactories, "from")(jvm.java.util.HashMap()).glue()
        self._requests = jvm.software.amazon.awssdk.services.glue.model

    def databases(self) -> Iterator[str]:
        request = self._requests.GetDatabasesRequest.builder()
        for page in self._pages(self._client.getDatabases, request):
            yield from (database.name() for database in page.databaseList())

    def tables(self, database: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Names, and where the files are."""
        request = self._requests.GetTablesRequest.builder().databaseName(database)
        for page in self._pages(self._client.getTables, request):
            for table in page.tableList():
                storage, parameters = table.storageDescriptor(), dict(table.parameters() or {})
                metadata = parameters.get("metadata_location", "").rpartition("/")[0]
                moved = [value for key, value in parameters.items() if re.fullmatch(r"write\..*path", key)]
                found = (storage.location() if storage else None, metadata, *moved)
                yield table.name(), tuple(_folder(place) for place in found if place)

    def _pages(self, call: Any, request: Any) -> Iterator[Any]:
        token = None
        while True:
            page = call(request.nextToken(token).build())
            yield page
            token = page.nextToken()
            if not token:
                return


def _folder(place: str) -> str:
    return re.sub(r"^s3[an]:", "s3:", place).rstrip("/") + "/"


def _is_gone(spark: SparkSession, table: str) -> bool:
    """Whether a table is listed no more. One whose database cannot be listed may be there."""
    database, name = table.split(".")
    try:
        return all(row.tableName != name for row in spark.sql(f"show tables in {CATALOG}.`{database}`").collect())
    except Exception:  # noqa: BLE001
        return False


def _shared(table: str, places: _Places) -> str | None:
    """Why files under a table's location may be another table's; None if they cannot."""
    own = places[table] or ()
    for other, theirs in places.items():
        if theirs is None:
            return f"{other} cannot be loaded, and its files could be here."
        if other != table and any(one.startswith(two) or two.startswith(one) for one in own for two in theirs):
            return f"{other} has files in the same place. Move one of the two tables."
    return None


def _rewritable(spark: SparkSession, options: Options, table: str) -> int:
    """About how many files a rewrite would take: small ones, where a partition has enough of them."""
    files = _quoted(table, "files")
    partition = "partition" if "partition" in spark.table(files).columns else "spec_id"
    return _count(
        spark,
        f"""
        select coalesce(sum(number), 0)
        from (
            select count(*) as number
            from {files}
            where content = 0 and file_size_in_bytes < {options.small_file_bytes}
            group by spec_id, {partition}
        )
        where number >= {_LEAST_FILES}
        """,
    )


def _expirable(spark: SparkSession, options: Options, table: str, before: datetime) -> int:
    """About how many snapshots an expiry would take."""
    snapshots = _quoted(table, "snapshots")
    unread = _timestamp(_unread(spark, table, before))
    older = _count(spark, f"select count(*) from {snapshots} where committed_at < {unread}")
    return max(0, min(older, _count(spark, f"select count(*) from {snapshots}") - options.keep_snapshots))


def _snapshot_ids(spark: SparkSession, table: str) -> set[int]:
    return {row[0] for row in spark.sql(f"select snapshot_id from {_quoted(table, 'snapshots')}").collect()}


def _call(spark: SparkSession, procedure: str, arguments: str) -> Row:
    """Run a procedure of Iceberg; again if another commit was in its way."""
    for attempt in range(1, _TRIES + 1):
        try:
            return _row(spark, f"call {CATALOG}.system.{procedure}({arguments})")
        except Exception as error:
            if attempt == _TRIES or not _is_conflict(error):
                raise
            logger.warning("%s: another commit was in its way, try %s: %s", procedure, attempt, _said(error))
    raise AssertionError("unreachable")


def _is_conflict(error: Exception) -> bool:
    """Whether Iceberg refused a commit because of another one. An unknown outcome is none: it may have been applied."""
    refusals = ("exceptions.CommitFailedException", "exceptions.ValidationException")
    return any(refusal in str(error) for refusal in refusals)


def _row(spark: SparkSession, statement: str) -> Row:
    return spark.sql(statement).collect()[0]


def _count(spark: SparkSession, statement: str) -> int:
    return int(_row(spark, statement)[0])


def _quoted(table: str, metadata: str | None = None) -> str:
    parts = [CATALOG, *table.split("."), *([metadata] if metadata else [])]
    return ".".join(f"`{part}`" for part in parts)


def _timestamp(moment: datetime) -> str:
    return f"timestamp '{moment.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S.%f}+00:00'"


def _said(error: Exception) -> str:
    """What an error says, without Java's stack and the names of its classes."""
    java: Any = getattr(error, "java_exception", None)
    text = str(java.getMessage() or java.toString()) if java is not None else str(error)
    return " ".join(text.split("\n\tat ")[0].split("JVM stacktrace:")[0].split()) or type(error).__name__


def main(arguments: Sequence[str]) -> None:
    """Maintain, and write the reports. Ends with a sentence for each table that failed."""
    options = parse(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.getLogger("py4j").setLevel(logging.WARNING)
    failures: list[str] = []
    spark = session()
    for report in maintain(spark, options):
        sys.stdout.write(json.dumps(asdict(report)) + "\n")
        sys.stdout.flush()
        if report.failed:
            failures.append(f"{report.table}: {report.failed}")
    spark.stop()
    if failures:
        # Glue shows what a script ends with as the run's error.
        sys.exit("\n".join(failures))


if __name__ == "__main__":
    main(sys.argv[1:])
