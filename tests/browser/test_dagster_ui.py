"""Dagster's UI over the demo's state: the lineage from the stream to its ends, and a mart that is built by a click."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import FloatRect, Locator, Page, expect

from infra.local.opensearch.engine import OpenSearchEngine
from orchestration.lineage.build import project_graph
from orchestration.lineage.graph import AssetKind
from tests.browser.conftest import Seen

pytestmark = pytest.mark.browser

_RUN_MILLISECONDS = 300_000
# From the stream to the dashboard and the index: what is behind the stream, and before one of its two ends.
_PATH = 'key:"kinesis/flight_events"+ and (+key:"opensearch/flights" or +key:"quicksight/on_time_performance")'
# Names as the graph shows them, from left to right; it shortens a long one.
_ON_THE_PATH = {
    "kinesis/flight_events": "flight_events",
    "landing/flight_events": "flight_events",
    "lake/stg_flight_events": "stg_flight_events",
    "lake/int_flights": "int_flights",
    "marts/fct_flights": "fct_flights",
    "marts/agg_on_time_daily": "agg_on_time_daily",
    "opensearch/flights": "flights",
    "quicksight/on_time_performance": "on_ti…_performance",
}


def test_the_lineage_leads_from_the_stream_through_marts_to_the_dashboard_and_the_index(
    dagster_url: str, open_page: Callable[..., Page], picture: Callable[..., Path], seen: Seen
) -> None:
    page = open_page(1900, 800, scale=1.5)
    _open_lineage(page, dagster_url)
    picture(page, "dagster-groups")
    page.locator(".CodeMirror").click()
    page.keyboard.type(_PATH)
    page.keyboard.press("Enter")
    # The stream itself is not Dagster's to materialize.
    expect(page.get_by_text(f"Materialize all ({len(_ON_THE_PATH) - 1})")).to_be_visible()
    _expand_all(page, len(_ON_THE_PATH))
    assert Counter(_assets(page).all_inner_texts()) == Counter(_ON_THE_PATH.values())
    # Green: built. All but the stream, and without Java the index, which is skipped.
    built = len(_ON_THE_PATH) - 1 - (OpenSearchEngine().available() is not None)
    expect(page.locator("foreignObject [style*='accent-green']")).to_have_count(built)
    picture(page, "dagster-from-the-stream-to-dashboard-and-index", clip=_box(page.locator("foreignObject")))
    address = page.url
    for key in (
        "kinesis/flight_events",
        "marts/agg_on_time_daily",
        "opensearch/flights",
        "quicksight/on_time_performance",
    ):
        page.goto(address)
        # Of two with one name, the source is the left one.
        _assets(page).filter(has_text=re.compile(f"^{re.escape(_ON_THE_PATH[key])}$")).first.click()
        expect(page.get_by_text(key.replace("/", " / "), exact=True).first).to_be_visible()
    expect(page.get_by_text("View logs")).to_be_visible()
    expect(page.get_by_text("Loading plots")).to_have_count(0)
    picture(page, "dagster-dashboard-beside-its-lineage")
    assert all(url.startswith(dagster_url) for url in seen.requests), "Dagster's UI asked for something elsewhere"


def test_the_lineage_of_all_shows_every_asset(
    dagster_url: str, open_page: Callable[..., Page], picture: Callable[..., Path]
) -> None:
    page = open_page(2000, 1500)
    _open_lineage(page, dagster_url)
    _expand_all(page, 20)
    every = project_graph().assets.values()
    expected = [each for each in every if each.kind is not AssetKind.DATA_SET]
    # What is outside the window is not drawn.
    for _ in range(10):
        if _assets(page).count() == len(expected):
            break
        page.locator("button:has([aria-label=zoom_out])").click()
        page.wait_for_timeout(1000)
    expect(_assets(page)).to_have_count(len(expected))
    picture(page, "dagster-all-assets")


def test_a_mart_is_materialized_by_a_click_and_its_page_shows_it(
    dagster_url: str, open_page: Callable[..., Page], picture: Callable[..., Path]
) -> None:
    page = open_page()
    page.goto(f"{dagster_url}/assets/marts/dim_carrier")
    page.get_by_role("button").filter(has_text=re.compile("^Materialize$")).click()
    launched = page.get_by_text(re.compile(r"^Launched run \w{8}")).first
    run = launched.inner_text().split()[2]
    page.get_by_text("View", exact=True).click()
    expect(page).to_have_url(re.compile(f"/runs/{run}"))
    expect(page.get_by_text("Success", exact=True).first).to_be_visible(timeout=_RUN_MILLISECONDS)
    picture(page, "dagster-run-of-a-mart")
    page.goto(f"{dagster_url}/assets/marts/dim_carrier?view=events")
    expect(page.get_by_text(f"Materialized in run {run}")).to_be_visible()
    picture(page, "dagster-materialization-of-a-mart")


def test_an_assets_metadata_leads_to_its_fields_on_the_lineage_page(
    dagster_url: str, open_page: Callable[..., Page], picture: Callable[..., Path]
) -> None:
    page = open_page()
    page.goto(f"{dagster_url}/assets/marts/fct_flights")
    link = page.get_by_role("link", name="lineage.html#marts/fct_flights")
    with page.expect_popup() as opened:
        link.click()
    picture(page, "dagster-mart-with-link-to-its-fields")
    told = opened.value.locator("#details")
    expect(told.locator("h2")).to_have_text("marts/fct_flights")
    expect(told).to_contain_text("kinesis/flight_events.flight.carrier")
    expect(told).to_contain_text("quicksight/on_time_performance.worst-routes")
    picture(opened.value, "lineage-of-a-mart-from-dagster")


def _open_lineage(page: Page, dagster_url: str) -> None:
    """The lineage, its groups closed, with the room that folding the menus gives it."""
    page.goto(f"{dagster_url}/asset-groups")
    page.get_by_text("Hide navigation").click()
    page.locator("foreignObject").first.wait_for()


def _expand_all(page: Page, least: int) -> None:
    """Show the assets of every group, in a window that holds `least` of them."""
    page.keyboard.press("Alt+e")
    page.wait_for_url(re.compile("expanded="))
    # The graph is fitted to the window as it opens.
    page.reload()
    _assets(page).nth(least - 1).wait_for()


def _assets(page: Page) -> Locator:
    """The assets that the graph shows from afar: a name in a box."""
    return page.locator("foreignObject [class*=minimalName]")


def _box(nodes: Locator, margin: float = 8) -> FloatRect:
    """The part of the window that the nodes cover."""
    boxes = [box for node in nodes.all() if (box := node.bounding_box())]
    left, top = min(box["x"] for box in boxes) - margin, min(box["y"] for box in boxes) - margin
    right = max(box["x"] + box["width"] for box in boxes) + margin
    bottom = max(box["y"] + box["height"] for box in boxes) + margin
    return {"x": left, "y": top, "width": right - left, "height": bottom - top}
