"""The page that draws the lineage of fields, opened from a disk without a network: search, the way of a field, zoom."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from orchestration.lineage.build import project_graph
from orchestration.lineage.page import page as drawn
from tests.browser.conftest import Seen

pytestmark = pytest.mark.browser

_FIELD = "landing/flight_events.flight.carrier"


@pytest.fixture
def lineage(open_page: Callable[..., Page], seen: Seen, tmp_path: Path) -> Page:
    path = tmp_path / "lineage.html"
    path.write_text(drawn(project_graph()), encoding="utf-8")
    page = open_page(offline=True)
    page.goto(path.as_uri())
    assert seen.requests == [path.as_uri()]
    return page


def test_a_search_finds_a_field_and_lights_its_way_from_the_stream_to_visuals_and_index(
    lineage: Page, picture: Callable[..., Path], seen: Seen
) -> None:
    lineage.keyboard.press("/")
    lineage.keyboard.type("landing events carrier")
    expect(lineage.get_by_role("option").first).to_have_text(_FIELD)
    picture(lineage, "lineage-search")
    lineage.keyboard.press("Enter")
    expect(lineage.locator(".row.chosen text").first).to_have_text("carrier")
    told = lineage.locator("#details")
    for end in ("opensearch/flights.carrier", "quicksight/on_time_performance.by-carrier"):
        expect(told.get_by_text(end, exact=True)).to_be_visible()
    assert _opacity(lineage.locator(".row.down").first) == 1
    assert _opacity(lineage.locator(".row:not(.lit)").first) < 0.5
    picture(lineage, "lineage-way-of-a-field")
    lineage.get_by_role("button", name="Fit").click()
    picture(lineage, "lineage-way-of-a-field-from-stream-to-dashboard")
    told.get_by_text("kinesis/flight_events.flight.carrier", exact=True).click()
    expect(told).to_contain_text("Made of, directly or not: nothing")
    lineage.keyboard.press("Escape")
    expect(told).to_be_hidden()
    expect(lineage.locator(".edge.up, .edge.down")).to_have_count(0)
    assert len(set(seen.requests)) == 1


def test_the_wheel_the_buttons_and_a_drag_move_the_graph_and_fit_brings_it_back(lineage: Page) -> None:
    whole = _place(lineage)
    lineage.mouse.move(800, 500)
    lineage.mouse.wheel(0, -600)
    assert _place(lineage)["width"] > 2 * whole["width"]
    lineage.get_by_role("button", name="Zoom out").click()
    zoomed = _place(lineage)
    lineage.mouse.move(800, 500)
    lineage.mouse.down()
    lineage.mouse.move(700, 450, steps=4)
    lineage.mouse.up()
    moved = _place(lineage)
    assert (moved["x"], moved["y"]) == pytest.approx((zoomed["x"] - 100, zoomed["y"] - 50), abs=1)
    expect(lineage.locator("#details"), "a drag is no click").to_be_hidden()
    lineage.get_by_role("button", name="Fit").click()
    assert _place(lineage) == pytest.approx(whole)


def test_an_address_that_names_a_field_opens_at_it(lineage: Page) -> None:
    lineage.goto(f"{lineage.url}#marts/agg_on_time_daily.carrier_name")
    expect(lineage.locator("#details h2")).to_have_text("carrier_name")
    expect(lineage.locator(".row.chosen")).to_be_in_viewport()


def _opacity(row: Locator) -> float:
    return float(row.evaluate("row => getComputedStyle(row).opacity"))


def _place(page: Page) -> dict[str, float]:
    """Where the graph is in the window, and how large."""
    box = page.locator("#boxes").bounding_box()
    assert box is not None
    return {"x": box["x"], "y": box["y"], "width": box["width"], "height": box["height"]}
