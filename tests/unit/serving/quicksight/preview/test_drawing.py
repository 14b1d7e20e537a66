"""Where things are drawn, and what the page and the pictures hold."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest

from serving.quicksight.preview import Element, Preview, Sheet, html, png
from serving.quicksight.preview.controls import Control, controls
from serving.quicksight.preview.figures import Figure, Grid, HeadCell, Kpi, NotDrawn, Text
from serving.quicksight.preview.layout import Box, layout
from serving.quicksight.preview.picture import svg
from serving.quicksight.preview.style import ROW_HEIGHT
from tests.unit.serving.quicksight.preview.conftest import Draw, Node, bars, column

_SVG = "{http://www.w3.org/2000/svg}"


def _grid(*elements: Node, kind: str = "GridLayout", **canvas: Any) -> Node:
    sizes = {"CanvasSizeOptions": {"ScreenCanvasSizeOptions": canvas}} if canvas else {}
    return {"SheetId": "s", "Layouts": [{"Configuration": {kind: {"Elements": list(elements), **sizes}}}]}


def test_the_grid_has_36_columns_over_the_width_of_the_canvas() -> None:
    sheet = _grid(
        {"ElementId": "a", "ElementType": "VISUAL", "ColumnIndex": 9, "ColumnSpan": 18, "RowIndex": 2, "RowSpan": 4},
        OptimizedViewPortWidth="720px",
    )
    laid = layout(sheet, ["a"])
    assert laid.boxes == {"a": Box(180, 2 * ROW_HEIGHT, 360, 4 * ROW_HEIGHT)}
    assert (laid.width, laid.height) == (720, 6 * ROW_HEIGHT)


def test_a_free_form_is_laid_out_to_the_pixel() -> None:
    place = {"XAxisLocation": "10px", "YAxisLocation": "20px", "Width": "300px", "Height": "200px"}
    laid = layout(_grid({"ElementId": "a", "ElementType": "VISUAL", **place}, kind="FreeFormLayout"), ["a"])
    assert laid.boxes == {"a": Box(10, 20, 300, 200)}


def test_what_has_no_place_stands_below_two_in_a_row() -> None:
    sheet = _grid({"ElementId": "a", "ElementType": "VISUAL", "ColumnSpan": 36, "RowSpan": 2})
    boxes = layout(sheet, ["a", "b", "c", "d"]).boxes
    assert [(boxes[name].x, boxes[name].y) for name in "bcd"] == [
        (0, 2 * ROW_HEIGHT),
        (800, 2 * ROW_HEIGHT),
        (0, 14 * ROW_HEIGHT),
    ]


def test_controls_say_what_filters_and_parameters_are_set_to() -> None:
    dates = {
        "FilterId": "dates",
        "Column": column("flight_date"),
        "RangeMinimumValue": {"StaticValue": "2013-01-01T00:00:00Z"},
        "DefaultFilterControlConfiguration": {"Title": "Day"},
    }
    origins = {
        "FilterId": "origins",
        "Column": column("origin"),
        "Configuration": {"FilterListConfiguration": {"MatchOperator": "CONTAINS", "CategoryValues": ["EWR", "JFK"]}},
    }
    least = {"FilterId": "least", "Column": column("delay"), "RangeMinimum": {"Parameter": "Least"}}
    every = {**origins, "FilterId": "every", "Configuration": {"F": {"SelectAllOptions": "FILTER_ALL_VALUES"}}}
    filters = [{"TimeRangeFilter": dates}, {"CategoryFilter": origins}, {"N": least}, {"CategoryFilter": every}]
    sheet = {
        "FilterControls": [
            {"CrossSheet": {"FilterControlId": name, "SourceFilterId": name}}
            for name in ("dates", "origins", "least", "every")
        ],
        "ParameterControls": [
            {"Slider": {"ParameterControlId": "p", "Title": "At least", "SourceParameterName": "Least"}}
        ],
    }
    assert controls({"FilterGroups": [{"Filters": filters}]}, sheet, {"Least": 3000}) == [
        Control("Day", "Jan 1, 2013 to …"),
        Control("origin", "EWR, JFK"),
        Control("delay", "3,000 to …"),
        Control("origin", "All"),
        Control("At least", "3,000"),
    ]


def _preview(*figures: Figure) -> Preview:
    elements = [
        Element(f"e{i}", f"<Title {i}>", "", figure, Box(0, 300 * i, 400, 300)) for i, figure in enumerate(figures)
    ]
    sheet = Sheet("s", "First & last", (Control("Day", "<all>"),), tuple(elements), 400, 300 * len(figures))
    return Preview("Flights", (sheet,))


def _texts(picture: str) -> list[str]:
    return [node.text or "" for node in ElementTree.fromstring(picture).iter(f"{_SVG}text")]


_TABLE = Grid(
    ((HeadCell("Route"), HeadCell("Flights", align="right")),),
    tuple((f"r{i}", str(i)) for i in range(30)),
    ("left", "right"),
    ("Total", "435"),
)


def test_a_picture_shows_titles_controls_and_values() -> None:
    drawn = _preview(Kpi("80.8%", "-3.5%", False, "target 84%"), Text(("Hello",)), NotDrawn("PieChart p", "no pies"))
    found = _texts(svg(drawn.sheets[0], drawn.title))
    for text in (
        "Flights: First & last",
        "<all>",
        "<Title 0>",
        "80.8%",
        "▼ -3.5%",
        "target 84%",
        "Hello",
        "PieChart p",
    ):
        assert text in found
    assert "no pies" in found


def test_a_picture_shows_as_much_of_a_table_as_fits_and_says_what_is_left_out() -> None:
    found = _texts(svg(_preview(_TABLE).sheets[0], "Flights"))
    shown = [text for text in found if text.startswith("r")]
    assert shown == [f"r{i}" for i in range(len(shown))]
    assert f"{30 - len(shown)} rows are not shown here" in found
    assert found[-2:] == ["Total", "435"]


def test_a_picture_is_a_png_of_the_sheets_size(draw: Draw) -> None:
    chart = draw("BarChart", bars()).figure
    drawn = _preview(chart)
    picture = png(drawn.sheets[0], drawn.title, scale=2)
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = (int.from_bytes(picture[at : at + 4]) for at in (16, 20))
    assert (width, height) == (2 * (400 + 40), 2 * (300 + 96 + 20))


class _Outline(HTMLParser):
    """The texts of a page and the addresses in it, apart from its scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.addresses: list[str] = []
        self.scripts = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


def test_a_page_needs_no_network_and_holds_every_figure(draw: Draw) -> None:
    chart = draw("BarChart", bars(), definition={"CalculatedFields": []}).figure
    page = html(_preview(chart, Kpi("80.8%"), _TABLE, NotDrawn("PieChart p", "no pies"), Text(("</script> & co",))))
    outline = _Outline(page)
    assert outline.addresses == ["#s"]
    for text in ("80.8%", "r29", "435", "PieChart p", "no pies", "</script> & co", "<Title 4>"):
        assert text in outline.texts
    assert re.search(r'const charts = \{"s/e0": \{"config"', page)
    assert outline.scripts == 2


@pytest.mark.parametrize("name", ["</script><script>alert(1)</script>", "${x} `y`"])
def test_what_stands_in_the_data_does_not_end_the_script(draw: Draw, name: str) -> None:
    options = {"AxisLabelOptions": [{"CustomLabel": name}]}
    chart = draw("BarChart", bars(), ValueLabelOptions=options).figure
    assert _Outline(html(_preview(chart))).scripts == 2
