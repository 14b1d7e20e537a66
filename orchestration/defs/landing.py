"""The first layer of the graph: for each contract its source, as an external asset, and its landing table."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
from botocore.exceptions import BotoCoreError, ClientError
from pyiceberg.exceptions import CommitFailedException

from ingestion.contract import Contract, Field, KinesisSource, load_contracts
from ingestion.dbt_source import sql_type
from ingestion.errors import IngestionError, PositionMoved
from ingestion.landing import Landed
from ingestion.schemas import landing_fields
from orchestration.keys import landing_key, source_key
from orchestration.platform import Lander
from orchestration.settings import CONTRACTS_DIR

RECONCILIATION, QUARANTINE_LIMIT, FRESHNESS = "reconciliation", "quarantine_limit", "freshness"
NOTHING_LOST = "nothing_lost"

# A landing that AWS throttled or cut off is simply run again: it goes on where the last commit ended.
_RETRIES = 3
_FIRST_WAIT_SECONDS = 15
# OSError is what Arrow's file system, which writes the data files, says of S3.
PASSING = (ClientError, BotoCoreError, OSError, CommitFailedException, PositionMoved)


@dg.definitions
def defs() -> dg.Definitions:
    """Assets and checks of every contract."""
    contracts = load_contracts(CONTRACTS_DIR).values()
    sources = [source_spec(contract) for contract in contracts]
    landings = [landing_asset(contract) for contract in contracts]
    # Landing tables carry dbt's tests of the sources too, which are run where the models are.
    own_checks = dg.AssetSelection.checks(*(key for landing in landings for key in landing.check_keys))
    job = dg.define_asset_job(
        "land",
        dg.AssetSelection.assets(*landings).without_checks() | own_checks,
        description="Land what is new, of all contracts.",
    )
    return dg.Definitions(assets=[*sources, *landings], jobs=[job])


def source_spec(contract: Contract) -> dg.AssetSpec:
    """The stream or files as an external asset: Dagster draws it and does not run it."""
    is_stream = isinstance(contract.source, KinesisSource)
    place = "Kinesis stream" if is_stream else "Files in S3"
    return dg.AssetSpec(
        source_key(contract),
        description=f"{place}: {contract.description}",
        group_name="sources",
        owners=[_owner(contract)],
        kinds={"kinesis" if is_stream else "s3"},
        tags={"domain": contract.domain},
        metadata={"dagster/column_schema": _table_schema(contract.fields)},
    )


def landing_asset(contract: Contract) -> dg.AssetsDefinition:
    """The landing table. Skippable: a run that lands nothing materializes nothing, else all downstream were rebuilt."""
    key = landing_key(contract)
    spec = dg.AssetSpec(
        key,
        deps=[source_key(contract)],
        description=contract.description,
        group_name="landing",
        owners=[_owner(contract)],
        kinds={"iceberg", "glue"},
        tags={"domain": contract.domain},
        skippable=True,
        metadata={
            "contract": f"ingestion/contracts/{contract.path.name} {contract.version}",
            "dagster/column_schema": _table_schema(landing_fields(contract)),
        },
    )
    checks = [
        dg.AssetCheckSpec(RECONCILIATION, asset=key, description="Rows and rejects are the records that were read."),
        dg.AssetCheckSpec(
            QUARANTINE_LIMIT,
            asset=key,
            description=f"At most {contract.quarantine_limit:.2%} of the records break the contract.",
        ),
        dg.AssetCheckSpec(
            FRESHNESS, asset=key, description=f"The newest record is at most {spoken(contract.freshness)} old."
        ),
    ]
    if source_may_lose(contract):
        told = "No record was lost on its way: by the stream's retention, or because Firehose could not process it."
        checks.append(dg.AssetCheckSpec(NOTHING_LOST, asset=key, description=told))

    @dg.multi_asset(name=f"land_{contract.name}", specs=[spec], check_specs=checks)
    def land_contract(context: dg.AssetExecutionContext, lander: Lander) -> Iterator[Any]:
        committed = Landed(contract.name)

        def report(landed: Landed) -> None:
            nonlocal committed
            committed = landed
            context.log.info(f"{landed.rows} rows, {landed.rejects} rejects in {landed.commits} commits so far")

        try:
            landed = lander.land(contract, report)
        except Exception as error:
            # What was committed before has landed: another try would not see it, and nothing downstream be rebuilt.
            if not committed.nothing:
                yield dg.MaterializeResult(key, metadata=landing_metadata(committed))
            raise _failure(context, error) from error
        if landed.nothing:
            context.log.info(f"{contract.name}: nothing new; nothing is materialized")
        else:
            yield dg.MaterializeResult(key, metadata=landing_metadata(landed))
        yield from landing_checks(contract, landed, context.instance)

    return land_contract


def _failure(context: dg.AssetExecutionContext, error: Exception) -> Exception:
    """What to raise for an error of a landing: whether it is worth another try."""
    if isinstance(error, IngestionError) and not isinstance(error, PositionMoved):
        return dg.Failure(str(error), allow_retries=False)  # a second try would end the same way
    if isinstance(error, PASSING):
        context.log.warning(f"AWS refused or did not answer, or others were faster: {error}")
        return dg.RetryRequested(max_retries=_RETRIES, seconds_to_wait=_FIRST_WAIT_SECONDS * 2**context.retry_number)
    return error


def landing_metadata(landed: Landed) -> dict[str, Any]:
    """What a materialization tells of a landing. Dagster plots the numbers over time; units are in their names.

    `lag_seconds`: the longest that a record waited from its arrival at the source to its commit.
    """
    seconds = landed.seconds or float("inf")
    return {
        "dagster/row_count": landed.rows,
        "records": landed.records,
        "rejects": landed.rejects,
        "reject_reasons": landed.reasons,
        "commits": landed.commits,
        "races": landed.races,
        "position": dict(landed.position or {}),
        "newest_arrival": dg.MetadataValue.timestamp(landed.newest_arrival.replace(tzinfo=UTC))
        if landed.newest_arrival
        else None,
        "seconds": round(landed.seconds, 2),
        "records_per_second": round(landed.records / seconds, 1),
        "rows_per_second": round(landed.rows / seconds, 1),
        "raw_bytes": landed.nbytes,
        "raw_bytes_per_second": round(landed.nbytes / seconds),
        "lag_seconds": round(landed.lag_seconds, 2),
    }


@dataclass(frozen=True)
class _Judged:
    """What the checks judge: the newest landing that read something, which may be an earlier run's."""

    records: int
    rejects: int
    reasons: dict[str, int]
    newest_arrival: datetime | None


def _judged(instance: dg.DagsterInstance, key: dg.AssetKey, landed: Landed) -> _Judged:
    """This run, or the last one that landed something: a run without news must not turn a failed check green."""
    if not landed.nothing:
        newest = landed.newest_arrival.replace(tzinfo=UTC) if landed.newest_arrival else None
        return _Judged(landed.records, landed.rejects, landed.reasons, newest)
    last = instance.get_latest_materialization_event(key)
    told = last.asset_materialization.metadata if last and last.asset_materialization else {}
    values = {name: getattr(value, "value", None) for name, value in told.items()}
    newest = values.get("newest_arrival")
    return _Judged(
        records=int(values.get("records") or 0),
        rejects=int(values.get("rejects") or 0),
        reasons=values.get("reject_reasons") or {},
        newest_arrival=datetime.fromtimestamp(newest, UTC) if newest else None,
    )


def landing_checks(contract: Contract, landed: Landed, instance: dg.DagsterInstance) -> Iterator[dg.AssetCheckResult]:
    """The landing's own checks. `instance` knows the last landing, which is judged again if this one read nothing."""
    key = landing_key(contract)
    judged = _judged(instance, key, landed)
    yield dg.AssetCheckResult(
        asset_key=key,
        check_name=RECONCILIATION,
        passed=landed.rows + landed.rejects == landed.records,
        metadata={"records": landed.records, "rows": landed.rows, "rejects": landed.rejects},
    )
    share = judged.rejects / judged.records if judged.records else 0.0
    yield dg.AssetCheckResult(
        asset_key=key,
        check_name=QUARANTINE_LIMIT,
        passed=share <= contract.quarantine_limit,
        metadata={"share": share, "limit": contract.quarantine_limit, "reasons": judged.reasons},
        description=_above_the_limit(contract, judged) if share > contract.quarantine_limit else None,
    )
    age = datetime.now(UTC) - judged.newest_arrival if judged.newest_arrival else None
    yield dg.AssetCheckResult(
        asset_key=key,
        check_name=FRESHNESS,
        passed=age is not None and age <= contract.freshness,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "age_seconds": age.total_seconds() if age else None,
            "limit_seconds": contract.freshness.total_seconds(),
        },
        description=None if age else "No record has ever landed.",
    )
    if source_may_lose(contract):
        yield dg.AssetCheckResult(
            asset_key=key,
            check_name=NOTHING_LOST,
            passed=not landed.losses,
            severity=dg.AssetCheckSeverity.WARN,
            description=" ".join(landed.losses) or None,
        )


def source_may_lose(contract: Contract) -> bool:
    """Whether records can be lost between a producer and the landing: files wait in S3, all else does not."""
    return isinstance(contract.source, KinesisSource) or contract.source.delivery is not None


def _above_the_limit(contract: Contract, judged: _Judged) -> str:
    reasons = ", ".join(f"{reason} ({count:,})" for reason, count in judged.reasons.items())
    return (
        f"{judged.rejects:,} of {judged.records:,} records ({judged.rejects / judged.records:.2%}) break the contract;"
        f" its limit is {contract.quarantine_limit:.2%}. Reasons: {reasons}. They are kept, as they came, in"
        f" quarantine.{contract.name}: mend their producer, or ingestion/contracts/{contract.path.name}."
    )


def spoken(duration: timedelta) -> str:
    """A duration of whole minutes as people say it: `1 hour`, `2 days 30 minutes`."""
    hours, minutes = divmod(duration // timedelta(minutes=1), 60)
    parts = {"day": hours // 24, "hour": hours % 24, "minute": minutes}
    said = [f"{count} {unit}{'s' if count > 1 else ''}" for unit, count in parts.items() if count]
    return " ".join(said) or "0 minutes"


def _owner(contract: Contract) -> str:
    return f"team:{contract.owner}"


def _table_schema(fields: tuple[Field, ...]) -> dg.TableSchema:
    return dg.TableSchema(
        [
            dg.TableColumn(
                field.name,
                sql_type(field),
                description=field.description,
                constraints=dg.TableColumnConstraints(nullable=not field.required),
                tags={"classification": field.classification} if field.classification else {},
            )
            for field in fields
        ]
    )
