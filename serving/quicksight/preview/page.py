"""A preview as one HTML page. It needs no network: Vega stands in it."""

from __future__ import annotations

import json
from functools import lru_cache
from html import escape

import vl_convert

from serving.quicksight.preview.dashboard import Element, Preview, Sheet
from serving.quicksight.preview.figures import Chart, Figure, Grid, Kpi, NotDrawn
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

_STYLE = f"""
* {{ box-sizing: border-box; }}
body {{ margin: 0; background: {CANVAS}; color: {INK}; font: 14px/1.4 {FONT}; }}
header {{ background: {BACKGROUND}; border-bottom: 1px solid {BORDER}; padding: 14px 24px; display: flex; gap: 24px;
  align-items: baseline; flex-wrap: wrap; }}
header h1 {{ font-size: 20px; margin: 0; }}
header a {{ color: {AXIS}; }}
header .note {{ color: {MUTED}; margin-left: auto; }}
section {{ max-width: 1640px; margin: 0 auto; padding: 8px 20px 20px; }}
section h2 {{ font-size: 17px; margin: 14px 6px 8px; }}
.controls {{ display: flex; flex-wrap: wrap; gap: 8px; margin: 0 6px 8px; }}
.control {{ background: {BACKGROUND}; border: 1px solid {BORDER}; border-radius: 6px; padding: 4px 12px; }}
.control span {{ color: {MUTED}; display: block; font-size: 11px; }}
.sheet {{ position: relative; min-width: 900px; }}
.place {{ position: absolute; padding: {GAP / 2}px; }}
.card {{ background: {BACKGROUND}; border: 1px solid {BORDER}; border-radius: 8px; height: 100%; padding: {GAP}px;
  display: flex; flex-direction: column; overflow: hidden; }}
.card h3 {{ font-size: 15px; margin: 0; }}
.card p.sub {{ color: {MUTED}; font-size: 12px; margin: 2px 0 0; }}
.figure {{ flex: 1; min-height: 0; margin-top: 8px; overflow: auto; }}
.figure.chart {{ overflow: hidden; width: 100%; }}
.kpi {{ display: flex; flex-direction: column; justify-content: center; height: 100%; }}
.kpi b {{ font-size: 40px; font-weight: 600; line-height: 1.15; }}
.good {{ color: {GOOD}; }} .bad {{ color: {BAD}; }}
.kpi small {{ color: {MUTED}; font-size: 13px; }}
table {{ border-collapse: collapse; width: 100%; font-size: 13px; font-variant-numeric: tabular-nums; }}
th {{ position: sticky; top: 0; background: {BACKGROUND}; color: {AXIS}; font-weight: 600; }}
th, td {{ padding: 5px 10px; border-bottom: 1px solid {GRID}; }}
td {{ white-space: nowrap; }}
.left {{ text-align: left; }} .right {{ text-align: right; }} .center {{ text-align: center; }}
tr.total td {{ font-weight: 600; border-top: 2px solid {BORDER}; }}
.missing {{ height: 100%; display: flex; flex-direction: column; justify-content: center; align-items: center;
  text-align: center; color: {MUTED}; border: 2px dashed {BORDER}; border-radius: 6px; padding: 12px; }}
"""

_EXPORTS = "window.vegaEmbed = vegaEmbed;"
_SCRIPT = """
for (const place of document.querySelectorAll("[data-chart]")) {
  const spec = charts[place.dataset.chart];
  vegaEmbed(place, {...spec, width: "container", height: "container", autosize: {type: "fit", contains: "padding"}},
    {actions: false, renderer: "svg"});
}
"""


def html(preview: Preview) -> str:
    """The page."""
    charts = {
        f"{sheet.id}/{element.id}": element.figure.spec
        for sheet in preview.sheets
        for element in sheet.elements
        if isinstance(element.figure, Chart)
    }
    links = " ".join(f'<a href="#{escape(sheet.id)}">{escape(sheet.name)}</a>' for sheet in preview.sheets)
    # What stands in a script must not end it.
    specs = json.dumps(charts, ensure_ascii=False).replace("</", "<\\/")
    sheets = "\n".join(_sheet(sheet) for sheet in preview.sheets)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(preview.title)}: preview</title>
<style>{_STYLE}</style>
</head>
<body>
<header><h1>{escape(preview.title)}</h1><nav>{links}</nav>
<span class="note">A preview of the QuickSight dashboard, drawn from local data</span></header>
{sheets}
<script>{_vega()}</script>
<script>const charts = {specs};{_SCRIPT}</script>
</body>
</html>
"""


@lru_cache(maxsize=1)
def _vega() -> str:
    """Vega, Vega-Lite and Vega-Embed in one script."""
    return vl_convert.javascript_bundle(_EXPORTS).replace("</script", "<\\/script")


def _sheet(sheet: Sheet) -> str:
    shown = "".join(
        f'<div class="control"><span>{escape(each.title)}</span>{escape(each.value)}</div>' for each in sheet.controls
    )
    elements = "\n".join(_element(sheet, element) for element in sheet.elements)
    return f"""<section id="{escape(sheet.id)}">
<h2>{escape(sheet.name)}</h2>
<div class="controls">{shown}</div>
<div class="sheet" style="height:{sheet.height:g}px">
{elements}
</div>
</section>"""


def _element(sheet: Sheet, element: Element) -> str:
    """A card in its place. Widths follow the window, heights do not."""
    box = element.box
    place = (
        f"left:{box.x / sheet.width:.4%};top:{box.y:g}px;width:{box.width / sheet.width:.4%};height:{box.height:g}px"
    )
    title = f"<h3>{escape(element.title)}</h3>" if element.title else ""
    subtitle = f'<p class="sub">{escape(element.subtitle)}</p>' if element.subtitle else ""
    figure = (
        f'<div class="figure chart" data-chart="{escape(f"{sheet.id}/{element.id}")}"></div>'
        if isinstance(element.figure, Chart)
        else f'<div class="figure">{_figure(element.figure)}</div>'
    )
    card = f'<div class="card">{title}{subtitle}{figure}</div>'
    return f'<div class="place" id="{escape(element.id)}" style="{place}">{card}</div>'


def _figure(figure: Figure) -> str:
    if isinstance(figure, Kpi):
        return _kpi(figure)
    if isinstance(figure, Grid):
        return _grid(figure)
    if isinstance(figure, NotDrawn):
        return f'<div class="missing"><b>{escape(figure.what)}</b>{escape(figure.reason)}</div>'
    assert not isinstance(figure, Chart)
    return "".join(f"<p>{escape(paragraph)}</p>" for paragraph in figure.paragraphs)


def _kpi(kpi: Kpi) -> str:
    compared = ""
    if kpi.comparison is not None:
        arrow, tone = ("▲", "good") if kpi.is_good else ("▼", "bad")
        compared = f'<span><span class="{tone}">{arrow} {escape(kpi.comparison)}</span> '
        compared += f"<small>{escape(kpi.compared_with)}</small></span>"
    return f'<div class="kpi"><b>{escape(kpi.value)}</b>{compared}</div>'


def _grid(grid: Grid) -> str:
    head = "".join(
        "<tr>" + "".join(f'<th class="{c.align}" colspan="{c.span}">{escape(c.text)}</th>' for c in line) + "</tr>"
        for line in grid.head
    )
    body = "".join(_row(row, grid) for row in grid.rows)
    total = _row(grid.total, grid, "total") if grid.total else ""
    cut = f"<p>The first {len(grid.rows)} rows.</p>" if grid.is_cut else ""
    return f"<table><thead>{head}</thead><tbody>{body}{total}</tbody></table>{cut}"


def _row(row: tuple[str, ...], grid: Grid, kind: str = "") -> str:
    cells = zip(row, grid.aligns, strict=True)
    return f'<tr class="{kind}">' + "".join(f'<td class="{align}">{escape(t)}</td>' for t, align in cells) + "</tr>"
