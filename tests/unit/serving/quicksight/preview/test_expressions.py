from __future__ import annotations

from datetime import datetime
from typing import Any

import duckdb
import pytest

from serving.quicksight.preview.errors import NotDrawnError
from serving.quicksight.preview.expressions import Level, Scope, as_datetime, translate

ROWS = "(values (1, 10, 'UA', timestamp '2013-01-06 10:30:00'), (2, null, 'B6', timestamp '2013-03-31 23:00:00'))"


@pytest.fixture
def scope() -> Scope:
    return Scope(
        "flights",
        frozenset({"n", "delay", "carrier", "at", "odd name"}),
        {"All": "sum({n})", "Half": "{All} / 2", "Circle": "{Square} + 1", "Square": "{Circle}"},
        {"Least": 2, "Name": "O'Hare", "Unset": None, "Carriers": ("UA", "AA")},
        now=datetime(2013, 4, 5, 6),
    )


def _value(expression: str, scope: Scope) -> Any:
    """The value of an expression, of the first row if it is of rows."""
    with duckdb.connect() as connection:
        sql = translate(expression, scope).text
        query = f'select {sql} from {ROWS} as rows(n, delay, carrier, "at") limit 1'
        found = connection.execute(query).fetchone()
    assert found is not None
    return found[0]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1 + 2 * 3 ^ 2 - 4 / 8", 18.5),
        ("(1 + 2) * -3", -9),
        ("7 % 4", 3),
        ("7 / 2", 3.5),
        ("1 / 0", None),
        ("2 > 1 AND NOT 1 >= 2 or 1 <> 1", True),
        ("1 != 1", False),
        ("'it\\'s' = \"it's\"", True),
        ("/* {gone} */ {n} + ${Least}", 3),
        ("${Name}", "O'Hare"),
        ("isNull(${Unset})", True),
        ("ifelse({n} > 5, 'many', {n} > 0, 'some', 'none')", "some"),
        ("switch({carrier}, 'UA', 'United', 'other')", "United"),
        ("coalesce(null, {delay}, 0)", 10),
        ("in({carrier}, ['UA', 'AA'])", True),
        ("notIn({carrier}, ${Carriers})", False),
        ("concat(toLower({carrier}), '-', toString({n}))", "ua-1"),
        ("round(2 / 3, 2)", 0.67),
        ("sum({n})", 3),
        ("avg({delay})", 10),
        ("count({delay}) / count({n})", 0.5),
        ("distinct_count({carrier})", 2),
        ("max({n}) - min({n})", 1),
        ("countIf({n}, {carrier} = 'B6')", 1),
        ("sumIf({n}, {n} >= ${Least})", 2),
        ("percentile({n}, 50)", 1),
        ("percentileCont({n}, 50)", 1.5),
        ("sum(ifelse({delay} >= 5, 1, 0)) / {All}", 1 / 3),
        ("{Half}", 1.5),
        ("extract('WD', {at})", 1),
        ("dateDiff({at}, now(), 'MM')", 3),
        ("truncDate('WK', {at})", datetime(2013, 1, 6)),
        ("addDateTime(-1, 'DD', truncDate('MM', now()))", datetime(2013, 3, 31)),
    ],
)
def test_an_expression_has_the_value_that_quicksight_gives_it(expression: str, value: Any, scope: Scope) -> None:
    assert _value(expression, scope) == (pytest.approx(value) if isinstance(value, float) else value)


@pytest.mark.parametrize(("week_starts", "first"), [(0, 31), (6, 6), (5, 5)])
def test_a_week_starts_when_the_dashboard_says(week_starts: int, first: int) -> None:
    scope = Scope("flights", frozenset({"at"}), week_starts=week_starts)
    assert _value("truncDate('WK', {at})", scope).day == first


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("sumOver({n}, [{carrier}])", "the function sumOver with 2 arguments is not translated"),
        ("sum({n}, [{carrier}])", "levels of aggregation are not translated"),
        ("sum({All})", "which is aggregated already"),
        ("sum({n}) / {delay}", "are of rows and of groups of rows"),
        ("{nothing}", "flights has no column or calculated field 'nothing'"),
        ("${Nothing}", "there is no parameter 'Nothing'"),
        ("{Circle}", "'Circle' is made of itself"),
        ("delay + 1", "a field is written {delay}"),
        ("sum({n}", "'the end' is out of place"),
        ("{n} {n}", "'n' is out of place"),
        ("{n} ? 1", "'?' is not understood"),
        ("ifelse({n} > 1, 2)", "pairs of a condition and a value"),
        ("truncDate('fortnight', {at})", "takes one of YYYY, Q,"),
        ("abs()", "not translated|takes 1 arguments"),
    ],
)
def test_what_cannot_be_translated_is_said(expression: str, message: str, scope: Scope) -> None:
    with pytest.raises(NotDrawnError, match=message.replace("(", r"\(").replace("{", r"\{").replace("?", r"\?")):
        translate(expression, scope)


def test_the_level_of_an_expression_is_that_of_its_parts(scope: Scope) -> None:
    levels = [translate(each, scope).level for each in ("${Least} / 100", "{n} + 1", "{Half} > ${Least}")]
    assert levels == [Level.CONSTANT, Level.ROW, Level.AGGREGATE]


def test_names_and_texts_cannot_leave_their_quotes() -> None:
    scope = Scope("flights", frozenset({'a"b'}), parameters={"P": "x' or '1'='1"})
    assert translate('{a"b} = ${P}', scope).text == """("a""b" = 'x'' or ''1''=''1')"""


def test_a_point_in_time_is_read_in_utc() -> None:
    assert as_datetime("2013-01-01T02:00:00+02:00") == datetime(2013, 1, 1)
    with pytest.raises(ValueError, match="is no point in time"):
        as_datetime(5)
