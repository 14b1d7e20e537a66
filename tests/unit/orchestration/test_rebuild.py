"""What a run is told that rebuilds a range of days, and what follows of it."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import dagster as dg
import pytest

from orchestration.dbt import LAKE
from orchestration.errors import RebuildError
from orchestration.rebuild import RebuiltDays, build_arguments, daily_models, days, followed, run_config

REBUILT = {"day": "flight_date", "key": "flight_id", "from": "stg"}


def _manifest(**parents: list[str]) -> dict[str, Any]:
    """A project of models, each with those that it reads; `int` is the one whose days can be rebuilt."""
    return {
        "nodes": {
            f"model.p.{name}": {
                "resource_type": "model",
                "name": name,
                "depends_on": {"nodes": [f"model.p.{each}" for each in reads] + ["source.p.landing.events"]},
                "config": {
                    "schema": "lake",
                    "meta": {"layer": "lake", **({"rebuilt": REBUILT} if name == "int" else {})},
                },
            }
            for name, reads in parents.items()
        }
    }


def test_a_plain_run_is_a_build() -> None:
    assert build_arguments(RebuiltDays()) == ["build"]


def test_a_range_is_given_to_dbt_as_variables() -> None:
    command, flag, variables = build_arguments(RebuiltDays(rebuild_from="2013-01-05", rebuild_to="2013-01-10"))
    assert (command, flag) == ("build", "--vars")
    assert json.loads(variables) == {"rebuild_from": "2013-01-05", "rebuild_to": "2013-01-10"}


@pytest.mark.parametrize(
    ("first", "last", "message"),
    [
        ("2013-01-10", "2013-01-05", "wrong way round"),
        ("2013-02-30", "2013-03-05", "'2013-02-30' is not a day"),
        ("2013-01-05", "", "'' is not a day"),
        ("", "2013-01-05", "'' is not a day"),
        ("2013-01-05'; drop table x; --", "2013-01-05", "is not a day"),
    ],
)
def test_what_is_no_range_is_refused(first: str, last: str, message: str) -> None:
    with pytest.raises(RebuildError, match=message):
        build_arguments(RebuiltDays(rebuild_from=first, rebuild_to=last))


def test_one_day_is_a_range() -> None:
    assert days("2013-01-05", "2013-01-05") == (date(2013, 1, 5), date(2013, 1, 5))


def test_what_it_is_made_of_and_what_reads_it_follow_parents_first() -> None:
    manifest = _manifest(mart=["fct"], fct=["int", "other"], int=["stg"], stg=[], other=["stg"], apart=[])
    assert [key.path[1] for key in followed(manifest)] == ["stg", "int", "fct", "mart"]


def test_a_model_says_which_of_its_columns_is_the_day() -> None:
    (model,) = daily_models(_manifest(int=["stg"], stg=[]))
    assert (model.relation, model.merged_from, model.day, model.key) == (
        "lake.int",
        "lake.stg",
        "flight_date",
        "flight_id",
    )
    assert model.layer is LAKE


def test_only_the_layer_with_such_a_model_is_told_the_range() -> None:
    config = run_config(_manifest(int=["stg"], stg=[]), date(2013, 1, 5), date(2013, 1, 10))
    assert config == {"ops": {"dbt_lake": {"config": {"rebuild_from": "2013-01-05", "rebuild_to": "2013-01-10"}}}}


def test_the_job_accepts_what_it_is_told() -> None:
    from orchestration.dbt import manifest
    from orchestration.definitions import defs

    job = defs().resolve_job_def("rebuild")
    assert dg.validate_run_config(job, run_config(manifest(LAKE), date(2013, 1, 5), date(2013, 1, 10)))
