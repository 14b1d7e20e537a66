"""Where the elements of a sheet are, in pixels: QuickSight's grid of 36 columns, or its free form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from serving.quicksight.preview.style import ROW_HEIGHT

COLUMNS = 36
DEFAULT_WIDTH = 1600


@dataclass(frozen=True)
class Box:
    """A rectangle, in pixels from the top left of the sheet."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Layout:
    """The boxes of a sheet's elements by their ids, and the sheet's width and height."""

    boxes: Mapping[str, Box]
    width: float
    height: float


def layout(sheet: Mapping[str, Any], elements: Sequence[str]) -> Layout:
    """Lay a sheet out.

    Args:
        sheet: As the definition has it.
        elements: Ids of what is drawn. What the definition does not place stands below the rest, two in a row: so does
            all of a sheet in sections, which is one for paper.
    """
    boxes: dict[str, Box] = {}
    width: float = DEFAULT_WIDTH
    for placed in sheet.get("Layouts", ()):
        for kind, body in placed["Configuration"].items():
            screen = body.get("CanvasSizeOptions", {}).get("ScreenCanvasSizeOptions", {})
            width = _pixels(screen.get("OptimizedViewPortWidth", f"{DEFAULT_WIDTH}px"))
            if kind in ("GridLayout", "FreeFormLayout"):
                place = _grid_box if kind == "GridLayout" else _free_box
                boxes |= {each["ElementId"]: place(each, width) for each in body.get("Elements", ())}
    boxes = {name: box for name, box in boxes.items() if name in elements}
    boxes |= _below(boxes, [name for name in elements if name not in boxes], width)
    return Layout(boxes, width, max((box.y + box.height for box in boxes.values()), default=0))


def _grid_box(element: Mapping[str, Any], width: float) -> Box:
    column = width / COLUMNS
    return Box(
        element.get("ColumnIndex", 0) * column,
        element.get("RowIndex", 0) * ROW_HEIGHT,
        element["ColumnSpan"] * column,
        element["RowSpan"] * ROW_HEIGHT,
    )


def _free_box(element: Mapping[str, Any], _: float) -> Box:
    keys = ("XAxisLocation", "YAxisLocation", "Width", "Height")
    return Box(*(_pixels(element[key]) for key in keys))


def _below(boxes: Mapping[str, Box], names: Sequence[str], width: float) -> dict[str, Box]:
    top = max((box.y + box.height for box in boxes.values()), default=0)
    height = 12 * ROW_HEIGHT
    return {name: Box(i % 2 * width / 2, top + i // 2 * height, width / 2, height) for i, name in enumerate(names)}


def _pixels(length: str) -> float:
    return float(length.removesuffix("px"))
