"""A dashboard before it is deployed: the same QuickSight definition, drawn from data that an engine holds.

`preview` reads each visual's wells, filters, parameters and calculated fields as QuickSight would, asks one query for
it and shapes the answer. `html` and `png` draw it. A visual that the preview cannot draw is named in its place, with
the reason. Deploying does not belong here.
"""

from serving.quicksight.preview.dashboard import Element, Preview, Sheet, preview
from serving.quicksight.preview.errors import NotDrawnError, PreviewError
from serving.quicksight.preview.page import html
from serving.quicksight.preview.picture import png
from serving.quicksight.preview.query import Numbers, Query

__all__ = ["Element", "NotDrawnError", "Numbers", "Preview", "PreviewError", "Query", "Sheet", "html", "png", "preview"]
