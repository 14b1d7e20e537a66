"""A landing that goes on: lands, builds the models behind it, updates the index behind those, and tells Dagster.

The same `Lander` and the same dbt models as the assets have. Dagster hears of it by events without a run, at intervals,
so that automation carries on what the follower leaves alone: marts, dashboards, other models.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from ingestion.contract import Contract
from ingestion.landing import Landed
from orchestration import exposures
from orchestration.dbt import LAKE, models_of
from orchestration.defs.landing import landing_checks, landing_metadata
from orchestration.errors import ModelsNotBuiltError, UnknownNameError
from orchestration.followers import observation
from orchestration.keys import exposure_keys, landing_key, node_key
from orchestration.lineage.build import project_graph
from orchestration.lineage.privacy import require_permitted
from orchestration.platform import Lander, rows_of
from orchestration.settings import Settings
from orchestration.warm_dbt import WarmModels, warm
from serving.opensearch.client import connect
from serving.opensearch.incremental import IndexUpdater, Updated


@dataclass(frozen=True)
class Through:
    """What is done after a landing: the models between the landing table and an index, and the index."""

    index: dg.AssetKey
    models: WarmModels
    updater: IndexUpdater


@dataclass(frozen=True)
class Cycle:
    """What one cycle did, and when (UTC) each stage was done; None for a stage that had nothing to do."""

    landed: Landed
    landed_at: datetime | None = None
    modelled_at: datetime | None = None
    indexed_at: datetime | None = None
    documents: int = 0


class Follower:
    """Follows one contract. `instance` is Dagster's; `through` None ends with the landing."""

    def __init__(
        self, instance: dg.DagsterInstance, lander: Lander, contract: Contract, through: Through | None = None
    ) -> None:
        self._instance = instance
        self._lander = lander
        self._contract = contract
        self._through = through
        # What Dagster has not been told yet.
        self._landed = Landed(contract.name)
        self._events: dict[object, dg.AssetMaterialization | dg.AssetCheckEvaluation] = {}
        # What is behind. At first it is not known: an earlier follower may have ended between landing and models.
        self._models_due = self._index_due = through is not None
        self._untested, self._test_failed = through is not None, False

    def cycle(self, *, test: bool = False) -> Cycle:
        """Land what is new and carry it on. What failed in the cycle before is done again.

        Args:
            test: Run dbt's tests too. After a test that failed each cycle does, until none fails: what depends on a
                failed test is not built, as by the asset.

        Raises:
            ModelsNotBuiltError: If dbt could not build a model, or a test failed.
            Exception: Whatever else a landing or an update of an index raises. What was committed before has landed.
        """
        cycle = self._land()
        if self._through is None:
            return cycle
        if self._models_due or (test and self._untested):
            self._build(self._through, test=test or self._test_failed)
            cycle = replace(cycle, modelled_at=datetime.now(UTC))
        # A full build by somebody else may have put older rows behind the alias, also when nothing is new.
        if self._index_due or not self._through.updater.knows_the_index:
            updated = self._update(self._through)
            cycle = replace(cycle, indexed_at=datetime.now(UTC), documents=updated.sent)
        return cycle

    def report(self, *, followed_until: datetime | None) -> None:
        """Tell Dagster all that was done since the last report: parents before children, all at one moment.

        Automation then finds that what the follower has built is newer than what it reads, and requests nothing.

        Args:
            followed_until: Until then the contract's sensor requests no landing; None when the follower ends.
        """
        self._instance.report_runless_asset_event(observation(self._contract, self._landed, followed_until))
        if not self._landed.nothing:
            key = landing_key(self._contract)
            self._instance.report_runless_asset_event(
                dg.AssetMaterialization(key, metadata=landing_metadata(self._landed))
            )
            for check in landing_checks(self._contract, self._landed, self._instance):
                self._instance.report_runless_asset_event(_evaluation(check))
        for event in self._events.values():
            self._instance.report_runless_asset_event(event)
        self._landed, self._events = Landed(self._contract.name), {}

    def _land(self) -> Cycle:
        before, so_far = self._landed, Landed(self._contract.name)

        def note(landed: Landed) -> None:
            nonlocal so_far
            so_far = landed
            self._landed = joined(before, landed)
            self._models_due = self._through is not None

        landed = self._lander.land(self._contract, note)
        if not landed.nothing:
            self._landed = joined(before, landed)
        return Cycle(landed, landed_at=None if so_far.nothing else datetime.now(UTC))

    def _build(self, through: Through, *, test: bool) -> None:
        try:
            events = through.models.build(test=test)
        except ModelsNotBuiltError as error:
            self._note(error.events)
            self._models_due, self._test_failed = True, test
            raise
        self._note(events)
        self._models_due, self._index_due = False, True
        self._untested, self._test_failed = not test, False

    def _update(self, through: Through) -> Updated:
        updated = through.updater.update()
        self._index_due = False
        metadata = {
            "dagster/row_count": updated.rows,
            "index": updated.index,
            "documents_sent": updated.sent,
            "full_build": updated.full,
            "seconds": round(updated.seconds, 2),
        }
        self._note([dg.AssetMaterialization(through.index, metadata=metadata)])
        return updated

    def _note(self, events: Sequence[Any]) -> None:
        """Keep the last event of each asset and check, in the order of the last."""
        for event in events:
            about = (event.asset_key, getattr(event, "check_name", None))
            self._events.pop(about, None)
            self._events[about] = event


def joined(one: Landed, other: Landed) -> Landed:
    """Two landings of a contract, one after the other, as one."""
    newest = [moment for moment in (one.newest_arrival, other.newest_arrival) if moment is not None]
    reasons = {
        reason: one.reasons.get(reason, 0) + other.reasons.get(reason, 0) for reason in {**one.reasons, **other.reasons}
    }
    counts = {
        name: getattr(one, name) + getattr(other, name)
        for name in ("records", "rows", "rejects", "commits", "races", "nbytes", "seconds")
    }
    return replace(
        other,
        **counts,
        newest_arrival=max(newest, default=None),
        lag_seconds=max(one.lag_seconds, other.lag_seconds),
        reasons=reasons,
    )


def through(config: Settings, contract: Contract, asset: str) -> Through:
    """Prepare all that lies between a landing table and a search index, `opensearch/<index>`.

    Raises:
        UnknownNameError: If there is no such index, or no model of the lake leads from the contract to it.
        ParseError: If dbt cannot parse the project.
        PrivateDataError: If the index would show private data, and its exposure says no reason.
    """
    parsed = warm(config, f"source:landing.{contract.name}+", f"follow-{contract.name}")
    exposure = exposure_of(parsed.manifest, contract, asset)
    require_permitted(project_graph(), parsed.manifest, [exposure])
    spec, model = exposures.index(parsed.manifest, exposure), exposures.index_model(parsed.manifest, exposure)
    between = replace(parsed, select=f"source:landing.{contract.name}+,+{model['name']}")
    client = connect(config.opensearch_url, config.region)
    return Through(dg.AssetKey(asset.split("/")), between, IndexUpdater(client, spec, rows_of(config, LAKE.name)))


def exposure_of(manifest: Mapping[str, Any], contract: Contract, asset: str) -> Mapping[str, Any]:
    """The exposure of an index, `opensearch/<index>`, that models of the lake make from a contract.

    Raises:
        UnknownNameError: If there is no such index, or it is not made so.
    """
    indexes = {"/".join(key.path): each for each in _indexes(manifest) for key in exposure_keys(each)}
    if asset not in indexes or not asset.startswith("opensearch/"):
        there = [name for name in sorted(indexes) if name.startswith("opensearch/")]
        raise UnknownNameError(f"--through {asset}: there is {', '.join(there) or 'no index'}.")
    model = exposures.index_model(manifest, indexes[asset])
    source = f"source.{manifest['metadata']['project_name']}.landing.{contract.name}"
    if model["config"]["meta"]["layer"] != LAKE.name or source not in _ancestors(manifest, model):
        raise UnknownNameError(
            f"--through {asset}: {'.'.join(node_key(model).path)} is not made from landing.{contract.name} by models"
            f" of the lake. Name an index that is, or leave --through out."
        )
    return indexes[asset]


def _indexes(manifest: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for exposure in manifest["exposures"].values():
        if exposures.served_by(exposure, "opensearch") and any(models_of(manifest, exposure)):
            yield exposure


def _ancestors(manifest: Mapping[str, Any], model: Mapping[str, Any]) -> set[str]:
    found: set[str] = set()
    waiting = list(model["depends_on"]["nodes"])
    while waiting:
        unique_id = waiting.pop()
        if unique_id not in found:
            found.add(unique_id)
            waiting += manifest["nodes"].get(unique_id, {}).get("depends_on", {}).get("nodes", [])
    return found


def _evaluation(check: dg.AssetCheckResult) -> dg.AssetCheckEvaluation:
    assert check.asset_key is not None
    assert check.check_name is not None
    return dg.AssetCheckEvaluation(
        asset_key=check.asset_key,
        check_name=check.check_name,
        passed=bool(check.passed),
        metadata=check.metadata or {},
        severity=check.severity,
        description=check.description,
    )
