"""dbt in this very process, for models that are built again and again: imported and parsed once.

A dbt process of its own takes some ten seconds before its first statement. Here a run of two models takes two.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt.core.dbt_cli_event import DbtCoreCliEventMessage
from dbt.adapters.factory import get_adapter_by_type
from dbt.cli.main import dbtRunner, dbtRunnerResult
from dbt_common.events.functions import msg_to_dict

from orchestration.dbt import LAKE, Translator, engine_of
from orchestration.defs.transform import close_connections
from orchestration.errors import ModelsNotBuiltError, ParseError
from orchestration.settings import DBT_PROJECT_DIR, Settings

DbtEvent = dg.AssetMaterialization | dg.AssetCheckEvaluation

_RESULTS = ("LogModelResult", "LogTestResult")
_FAILED = ("error", "fail", "runtime error")


@dataclass(frozen=True)
class WarmModels:
    """Some models of the lake, ready to be built. Made by `warm`.

    `manifest` is dbt's, as JSON and as the object that later runs take.
    """

    select: str
    manifest: dict[str, Any]
    parsed: Any
    arguments: Sequence[str]
    adapter: str

    def build(self, *, test: bool) -> list[DbtEvent]:
        """Build the models, and test them and the sources that they read if asked to.

        Without tests incremental models look back no further than what they have seen: quick, and enough for what one
        lander commits in order. What another commits late is found by the next build with tests.

        Returns:
            What Dagster is to know: the same materializations and check results as of the asset.

        Raises:
            ModelsNotBuiltError: With dbt's words. A test that fails as an error is one: what depends on it is skipped.
        """
        events: list[Any] = []
        command = (
            ["build", "--exclude-resource-type", "unit_test"] if test else ["run", "--vars", "{look_back_days: 0}"]
        )
        runner = dbtRunner(manifest=self.parsed, callbacks=[events.append])
        try:
            ran = runner.invoke([*command, "--select", self.select, "--no-write-json", *self.arguments])
        finally:
            close_connections(get_adapter_by_type(self.adapter))
        told = list(self._told(events))
        if not ran.success:
            raise ModelsNotBuiltError(_failure(self.select, ran), told)
        return told

    def _told(self, events: Sequence[Any]) -> Iterator[DbtEvent]:
        translator = Translator(engine_of(LAKE))
        for event in events:
            if event.info.name in _RESULTS:
                message = DbtCoreCliEventMessage(raw_event=msg_to_dict(event), event_history_metadata={})
                for told in message.to_default_asset_events(self.manifest, translator):
                    if isinstance(told, DbtEvent):
                        yield told


def warm(config: Settings, select: str, name: str) -> WarmModels:
    """Parse the project for the lake's engine.

    Args:
        config: Names the engine.
        select: dbt's selection of models of the lake.
        name: Of the folder for dbt's artifacts and log: no two processes share one.

    Raises:
        ParseError: With dbt's words.
    """
    target_path = DBT_PROJECT_DIR / "target" / name
    arguments = [
        *("--project-dir", str(DBT_PROJECT_DIR), "--profiles-dir", str(DBT_PROJECT_DIR)),
        *("--target", LAKE.target(config), "--target-path", str(target_path), "--log-path", str(target_path)),
        *("--log-level", "none"),
    ]
    ran = dbtRunner().invoke(["parse", *arguments])
    if not ran.success:
        raise ParseError(f"dbt cannot parse the project; mend what it says:\n{ran.exception}")
    manifest = json.loads(Path(target_path, "manifest.json").read_text(encoding="utf-8"))
    return WarmModels(select, manifest, ran.result, arguments, manifest["metadata"]["adapter_type"])


def _failure(select: str, ran: dbtRunnerResult) -> str:
    if ran.exception is not None or ran.result is None:
        return f"dbt could not build {select}: {ran.exception}"
    results = getattr(ran.result, "results", [])
    failed = [f"{each.node.name}: {each.message}" for each in results if str(each.status) in _FAILED]
    return f"dbt could not build {select}: {'; '.join(failed) or 'it does not say why'}"
