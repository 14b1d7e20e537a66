"""The macros of a range of days that is rebuilt: what they refuse, and the statement that deletes."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import jinja2
import pytest
from sqlglot import exp, parse_one

from orchestration.settings import DBT_PROJECT_DIR


class CompilationError(Exception):
    """What dbt raises for raise_compiler_error."""


def _macros(**variables: str) -> Any:
    def fail(message: str) -> None:
        raise CompilationError(message)

    environment = jinja2.Environment(extensions=["jinja2.ext.do"])
    environment.globals.update(
        var=lambda name, default=None: variables.get(name, default),
        modules=SimpleNamespace(re=re),
        exceptions=SimpleNamespace(raise_compiler_error=fail),
        this='"awsdatacatalog"."lake"."int_flights"',
        # In Jinja alone a macro returns text: nothing for false.
        **{"return": lambda value: value or ""},
    )
    return environment.from_string((DBT_PROJECT_DIR / "macros/rebuild.sql").read_text(encoding="utf-8")).module


def _delete(**variables: str) -> str:
    return str(_macros(**variables).delete_vanished("flight_date", "flight_id", "lake.stg_flight_events")).strip()


def test_a_plain_run_deletes_nothing() -> None:
    assert str(_macros().days_are_rebuilt()).strip() == ""
    assert _delete() == ""


@pytest.mark.parametrize("dialect", ["athena", "duckdb"])
def test_only_rows_of_these_days_that_vanished_are_deleted(dialect: str) -> None:
    statement = parse_one(_delete(rebuild_from="2013-01-05", rebuild_to="2013-01-10"), dialect=dialect)
    assert isinstance(statement, exp.Delete)
    between = statement.find(exp.Between)
    assert between is not None
    assert [each.this for each in between.find_all(exp.Literal)] == ["2013-01-05", "2013-01-10"]
    assert isinstance(statement.args["where"].this, exp.And)
    assert statement.find(exp.Not) is not None


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"rebuild_from": "2013-01-05"}, "rebuild_to is None. Give both"),
        ({"rebuild_to": "2013-01-05"}, "rebuild_from is None"),
        ({"rebuild_from": "5 January", "rebuild_to": "2013-01-10"}, "rebuild_from is 5 January"),
        ({"rebuild_from": "2013-01-05' or 1=1", "rebuild_to": "2013-01-10"}, "as dates"),
        ({"rebuild_from": "2013-01-10", "rebuild_to": "2013-01-05"}, "2013-01-10, is after rebuild_to, 2013-01-05"),
    ],
)
def test_what_is_no_range_is_refused(variables: dict[str, str], message: str) -> None:
    with pytest.raises(CompilationError, match=message):
        _macros(**variables).days_are_rebuilt()
