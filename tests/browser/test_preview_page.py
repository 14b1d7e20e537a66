"""A dashboard's preview, opened from a disk without a network: its numbers are the marts', parameters change them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Platform, Seen

pytestmark = pytest.mark.browser

_OVERVIEW = """
    select sum(flights), sum(departed_on_time) / sum(departed), count(distinct carrier)
    from marts.agg_on_time_daily
"""
_LATE = """
    select count(*), count_if(departure_delay_minutes >= {minutes}) / count(departed_at)
    from marts.fct_flights where route = '{route}'
"""


@pytest.fixture(scope="module")
def previews(platform: Platform, artefacts: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """The page, by the minutes from which a departure counts as late."""
    folder = tmp_path_factory.mktemp("previews")
    for minutes in (15, 60):
        given = () if minutes == 15 else ("--parameter", f"LateFromMinutes={minutes}")
        platform.run("preview", "on_time_performance", "--out", str(folder / str(minutes)), *given)
    for sheet in ("overview", "routes"):
        shutil.copy(folder / "15" / f"on_time_performance-{sheet}.png", artefacts / f"preview-picture-{sheet}.png")
    return {minutes: folder / str(minutes) / "on_time_performance.html" for minutes in (15, 60)}


@pytest.fixture
def open_preview(open_page: Callable[..., Page], seen: Seen) -> Callable[[Path], Page]:
    def open_(path: Path) -> Page:
        page, before = open_page(1600, 1000, offline=True), len(seen.requests)
        page.goto(path.as_uri())
        # Vega draws once the page is there.
        expect(page.locator("[data-chart] svg")).to_have_count(page.locator("[data-chart]").count())
        assert seen.requests[before:] == [path.as_uri()]
        return page

    return open_


def test_figures_and_charts_show_what_the_marts_hold(
    platform: Platform,
    previews: dict[int, Path],
    open_preview: Callable[[Path], Page],
    picture: Callable[..., Path],
) -> None:
    page = open_preview(previews[15])
    ((flights, on_time, carriers),) = _query(platform, _OVERVIEW)
    expect(page.locator("#flights .kpi b")).to_have_text(f"{flights:,}")
    expect(page.locator("#on-time-departures .kpi b")).to_have_text(f"{on_time:.1%}")
    bars = page.locator("#by-carrier .mark-rect.role-mark path")
    expect(bars).to_have_count(carriers)
    # Charts have as many colours as series, and tell their numbers.
    expect(page.locator("#by-day .mark-line.role-mark path")).to_have_count(2)
    bars.first.hover()
    expect(page.locator("#vg-tooltip-element")).to_contain_text(re.compile(r"\d%"))
    page.mouse.move(0, 0)
    picture(page, "preview-page", full_page=True)
    picture(page.locator("#overview"), "preview-sheet")


def test_a_parameter_is_shown_and_changes_the_numbers(
    platform: Platform, previews: dict[int, Path], open_preview: Callable[[Path], Page]
) -> None:
    shares = {}
    for minutes, path in previews.items():
        page = open_preview(path)
        control = page.locator("#routes .control").filter(has_text="Late from, minutes")
        expect(control).to_have_text(f"Late from, minutes{minutes}")
        route, flights, share = page.locator("#worst-routes tbody tr").first.locator("td").all_inner_texts()[:3]
        ((in_mart, late),) = _query(platform, _LATE.format(minutes=minutes, route=route))
        assert (flights, share) == (f"{in_mart:,}", f"{late:.1%}")
        shares[minutes] = late
        page.context.close()
    assert shares[60] < shares[15]


def _query(platform: Platform, sql: str) -> list[tuple]:
    with duckdb.connect(platform.state_dir / "duckdb" / "watershed.duckdb", read_only=True) as connection:
        return connection.execute(sql).fetchall()
