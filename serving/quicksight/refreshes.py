"""Filling SPICE: ingestions of data sets, started and waited for after their models were built."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from serving.quicksight.errors import RefreshError
from serving.quicksight.resources import Client
from serving.quicksight.waiting import wait_until

_ACTIVE = frozenset({"INITIALIZED", "QUEUED", "RUNNING"})


@dataclass(frozen=True)
class Refresh:
    """A completed ingestion. The counts are None where QuickSight does not tell them."""

    data_set_id: str
    ingestion_id: str
    rows_ingested: int | None
    rows_dropped: int | None
    seconds: int | None


def refresh(
    client: Client,
    account_id: str,
    data_set_ids: Sequence[str],
    *,
    under_way: Mapping[str, str] | None = None,
    timeout_seconds: float = 3600,
) -> tuple[Refresh, ...]:
    """Refill data sets from the warehouse, side by side, and wait until all are filled.

    An ingestion that runs already may have read the model before it was built: it is waited for, then another is
    started. One in `under_way` is known to have started since, and is only waited for.

    Args:
        client: boto3's client for QuickSight.
        under_way: Ingestion ids by data set id, as `Applied.ingestions` has them.
        timeout_seconds: For each wait.

    Raises:
        RefreshError: Once all have ended, if any failed, was cancelled or did not end in time; it names each.
    """
    under_way = under_way or {}
    started = {
        data_set_id: under_way.get(data_set_id) or _start(client, account_id, data_set_id, timeout_seconds)
        for data_set_id in data_set_ids
    }
    refreshes: list[Refresh] = []
    failures: list[str] = []
    for data_set_id, ingestion_id in started.items():
        ingestion = _await(client, account_id, data_set_id, ingestion_id, timeout_seconds)
        if ingestion is not None and ingestion["IngestionStatus"] == "COMPLETED":
            refreshes.append(_refresh(data_set_id, ingestion_id, ingestion))
        else:
            failures.append(_failure(data_set_id, ingestion_id, ingestion, timeout_seconds))
    if failures:
        raise RefreshError("SPICE was not filled:" + "".join(f"\n  {failure}" for failure in failures))
    return tuple(refreshes)


def _start(client: Client, account_id: str, data_set_id: str, timeout_seconds: float) -> str:
    listed = client.list_ingestions(AwsAccountId=account_id, DataSetId=data_set_id)["Ingestions"]
    for ingestion in listed:
        if ingestion["IngestionStatus"] in _ACTIVE:
            _await(client, account_id, data_set_id, ingestion["IngestionId"], timeout_seconds)
    ingestion_id = uuid.uuid4().hex
    client.create_ingestion(
        AwsAccountId=account_id, DataSetId=data_set_id, IngestionId=ingestion_id, IngestionType="FULL_REFRESH"
    )
    return ingestion_id


def _await(
    client: Client, account_id: str, data_set_id: str, ingestion_id: str, timeout_seconds: float
) -> dict[str, Any] | None:
    return wait_until(
        lambda: client.describe_ingestion(AwsAccountId=account_id, DataSetId=data_set_id, IngestionId=ingestion_id)[
            "Ingestion"
        ],
        lambda ingestion: ingestion["IngestionStatus"] not in _ACTIVE,
        timeout_seconds=timeout_seconds,
    )


def _refresh(data_set_id: str, ingestion_id: str, ingestion: Mapping[str, Any]) -> Refresh:
    rows = ingestion.get("RowInfo", {})
    return Refresh(
        data_set_id,
        ingestion_id,
        rows.get("RowsIngested"),
        rows.get("RowsDropped"),
        ingestion.get("IngestionTimeInSeconds"),
    )


def _failure(data_set_id: str, ingestion_id: str, ingestion: Mapping[str, Any] | None, timeout_seconds: float) -> str:
    if ingestion is None:
        return f"{data_set_id}: ingestion {ingestion_id} did not end within {timeout_seconds:g} s"
    error = ingestion.get("ErrorInfo", {})
    reason = f"{error.get('Type', 'no type')}: {error.get('Message', 'no message')}"
    return f"{data_set_id}: ingestion {ingestion_id} {ingestion['IngestionStatus']}, {reason}"
