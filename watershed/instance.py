"""Dagster's instance in the local state."""

from __future__ import annotations

import shutil

from orchestration.settings import PROJECT_ROOT, Settings

_CONFIGURATION = PROJECT_ROOT / "infra" / "local" / "dagster.yaml"


def install_instance(settings: Settings) -> None:
    """Put Dagster's configuration where DAGSTER_HOME will be."""
    home = settings.state_dir / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_CONFIGURATION, home / "dagster.yaml")
