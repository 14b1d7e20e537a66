"""A sheet of a preview as a PNG: the cards as SVG, with each chart as Vega draws it, rendered without a browser."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import wrap
from typing import Literal
from xml.sax.saxutils import escape, quoteattr

import vl_convert

from serving.quicksight.preview.dashboard import Element, Sheet
from serving.quicksight.preview.figures import Chart, Figure, Grid, HeadCell, Kpi, NotDrawn
from serving.quicksight.preview.layout import Box
from serving.quicksight.preview.style import (
    AXIS,
    BACKGROUND,
    BAD,
    BORDER,
    CANVAS,
    FONT,
    GAP,
    GOOD,
    GRID,
    INK,
    MUTED,
)

_MARGIN = 20
_HEAD = 96
_LINE = 27

_Anchor = Literal["start", "middle", "end"]


def png(sheet: Sheet, title: str, *, scale: float = 1.5) -> bytes:
    """A sheet as a picture.

    Args:
        sheet: The sheet.
        title: The dashboard's title.
        scale: Pixels of the picture for one of the sheet.
    """
    return vl_convert.svg_to_png(svg(sheet, title), scale=scale)


def svg(sheet: Sheet, title: str) -> str:
    """A sheet as an SVG image."""
    width, height = sheet.width + 2 * _MARGIN, sheet.height + _HEAD + _MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" font-family="{FONT}">',
        _rect(Box(0, 0, width, height), CANVAS),
        *_head(sheet, title),
        f'<g transform="translate({_MARGIN} {_HEAD})">',
        *(part for element in sheet.elements for part in _card(element)),
        "</g></svg>",
    ]
    return "".join(parts)


def _head(sheet: Sheet, title: str) -> Iterator[str]:
    """The names of dashboard and sheet, and the controls."""
    inset = _MARGIN + GAP / 2
    name = title if sheet.name in ("", title) else f"{title}: {sheet.name}"
    yield _text(inset, 34, name, 20, weight=600)
    x = inset
    for control in sheet.controls:
        width = max(_width(control.value, 14), _width(control.title, 11)) + 26
        yield _rect(Box(x, 48, width, 40), BACKGROUND, BORDER, 6)
        yield _text(x + 12, 63, control.title, 11, MUTED)
        yield _text(x + 12, 81, control.value, 14)
        x += width + 8


def _card(element: Element) -> Iterator[str]:
    box = element.box
    card = Box(box.x + GAP / 2, box.y + GAP / 2, box.width - GAP, box.height - GAP)
    yield _rect(card, BACKGROUND, BORDER, 8)
    top = card.y + GAP
    if element.title:
        yield _text(card.x + GAP, top + 14, _fitted(element.title, 15, card.width - 2 * GAP), 15, weight=600)
        top += 22
    if element.subtitle:
        yield _text(card.x + GAP, top + 11, _fitted(element.subtitle, 12, card.width - 2 * GAP), 12, MUTED)
        top += 18
    top += 6
    yield from _figure(element.figure, Box(card.x + GAP, top, card.width - 2 * GAP, card.y + card.height - GAP - top))


def _figure(figure: Figure, box: Box) -> Iterator[str]:
    if isinstance(figure, Chart):
        yield _chart(figure, box)
    elif isinstance(figure, Kpi):
        yield from _kpi(figure, box)
    elif isinstance(figure, Grid):
        yield from _grid(figure, box)
    elif isinstance(figure, NotDrawn):
        yield from _not_drawn(figure, box)
    else:
        for i, paragraph in enumerate(figure.paragraphs):
            yield _text(box.x, box.y + 16 + 20 * i, _fitted(paragraph, 14, box.width), 14)


def _chart(chart: Chart, box: Box) -> str:
    """A chart as an image of its own, so that the names within it are nobody else's."""
    sized = {
        **chart.spec,
        "width": box.width,
        "height": box.height,
        "autosize": {"type": "fit", "contains": "padding"},
    }
    drawn = base64.b64encode(vl_convert.vegalite_to_svg(sized).encode()).decode()
    place = f'x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}"'
    return f'<image {place} href="data:image/svg+xml;base64,{drawn}"/>'


def _kpi(kpi: Kpi, box: Box) -> Iterator[str]:
    middle = box.y + box.height / 2
    yield _text(box.x, middle + 4, kpi.value, 40, weight=600)
    if kpi.comparison is None:
        return
    arrow, tone = ("▲", GOOD) if kpi.is_good else ("▼", BAD)
    said = f"{arrow} {kpi.comparison}"
    yield _text(box.x, middle + 34, said, 15, tone)
    yield _text(box.x + _width(said, 15) + 10, middle + 34, kpi.compared_with, 13, MUTED)


def _not_drawn(missing: NotDrawn, box: Box) -> Iterator[str]:
    dashes = f'<rect x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}" rx="6"'
    yield f'{dashes} fill="none" stroke="{BORDER}" stroke-width="2" stroke-dasharray="8 6"/>'
    middle, center = box.y + box.height / 2, box.x + box.width / 2
    yield _text(center, middle - 6, missing.what, 14, MUTED, weight=600, anchor="middle")
    for i, line in enumerate(wrap(missing.reason, max(10, int(box.width / 7)))[:3]):
        yield _text(center, middle + 16 + 18 * i, line, 13, MUTED, anchor="middle")


@dataclass(frozen=True)
class _Columns:
    """The columns of a table in a picture: where each starts, and how wide it is."""

    starts: tuple[float, ...]
    widths: tuple[float, ...]


def _grid(grid: Grid, box: Box) -> Iterator[str]:
    """As much of a table as fits, and a word on the rest."""
    columns = _columns(grid, box)
    y = box.y
    for line in grid.head:
        yield from _head_line(line, columns, y)
        y += _LINE
    room = int((box.height - _LINE * len(grid.head) - (_LINE if grid.total else 0)) / _LINE)
    fits = len(grid.rows) <= room
    shown = grid.rows if fits and not grid.is_cut else grid.rows[: max(room - 1, 0)]
    for row in shown:
        yield from _grid_row(row, grid, columns, y)
        y += _LINE
    if len(shown) < len(grid.rows) or grid.is_cut:
        rest = f"{len(grid.rows) - len(shown)}{' or more' if grid.is_cut else ''} rows are not shown here"
        yield _text(columns.starts[0] + 8, y + 18, rest, 12, MUTED)
        y += _LINE
    if grid.total:
        yield from _grid_row(grid.total, grid, columns, y, weight=600)


def _columns(grid: Grid, box: Box) -> _Columns:
    """Columns as wide as their content needs, stretched or shrunk to the box together."""
    rows = [*grid.rows, *([grid.total] if grid.total else [])]
    needed = [
        max([_width(row[i], 13) for row in rows] + [_width(head, 14) for head in _heads(grid, i)] + [30.0]) + 20
        for i in range(len(grid.aligns))
    ]
    factor = box.width / sum(needed)
    starts = [box.x + sum(needed[:i]) * factor for i in range(len(needed))]
    return _Columns(tuple(starts), tuple(width * factor for width in needed))


def _heads(grid: Grid, column: int) -> Iterator[str]:
    """What stands over a column alone."""
    for line in grid.head:
        at = 0
        for cell in line:
            if at == column and cell.span == 1:
                yield cell.text
            at += cell.span


def _head_line(line: tuple[HeadCell, ...], columns: _Columns, y: float) -> Iterator[str]:
    at = 0
    for cell in line:
        width = sum(columns.widths[at : at + cell.span])
        yield from _cell(cell.text, cell.align, columns.starts[at], width, y, color=AXIS, weight=600)
        at += cell.span
    end = columns.starts[-1] + columns.widths[-1]
    yield f'<line x1="{columns.starts[0]:g}" x2="{end:g}" y1="{y + _LINE:g}" y2="{y + _LINE:g}" stroke="{BORDER}"/>'


def _grid_row(row: tuple[str, ...], grid: Grid, columns: _Columns, y: float, weight: int = 400) -> Iterator[str]:
    for i, (text, align) in enumerate(zip(row, grid.aligns, strict=True)):
        yield from _cell(text, align, columns.starts[i], columns.widths[i], y, weight=weight)
    end = columns.starts[-1] + columns.widths[-1]
    yield f'<line x1="{columns.starts[0]:g}" x2="{end:g}" y1="{y + _LINE:g}" y2="{y + _LINE:g}" stroke="{GRID}"/>'


def _cell(
    text: str, align: str, x: float, width: float, y: float, *, color: str = INK, weight: int = 400
) -> Iterator[str]:
    places: dict[str, tuple[float, _Anchor]] = {
        "left": (x + 8, "start"),
        "right": (x + width - 8, "end"),
        "center": (x + width / 2, "middle"),
    }
    at, anchor = places[align]
    yield _text(at, y + 18, _fitted(text, 13, width - 12), 13, color, weight=weight, anchor=anchor)


def _text(
    x: float, y: float, text: str, size: int, color: str = INK, *, weight: int = 400, anchor: _Anchor = "start"
) -> str:
    style = f'font-size="{size}" font-weight="{weight}" fill="{color}" text-anchor="{anchor}"'
    return f'<text x="{x:g}" y="{y:g}" {style}>{escape(text)}</text>'


def _rect(box: Box, fill: str, stroke: str = "none", radius: float = 0) -> str:
    place = f'x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}" rx="{radius:g}"'
    return f"<rect {place} fill={quoteattr(fill)} stroke={quoteattr(stroke)}/>"


def _width(text: str, size: float) -> float:
    """About how wide a text is, in pixels: Helvetica's letters are half as wide as high, its capitals more."""
    wide = sum(1 for letter in text if letter.isupper() or letter in "mwMW%@▲▼")
    narrow = sum(1 for letter in text if letter in "iljtfr.,:;'|! ()-")
    return size * (0.56 * len(text) + 0.14 * wide - 0.24 * narrow)


def _fitted(text: str, size: float, width: float) -> str:
    """A text, cut where it is wider than its place."""
    if _width(text, size) <= width:
        return text
    while text and _width(f"{text}…", size) > width:
        text = text[:-1]
    return f"{text.rstrip()}…"
