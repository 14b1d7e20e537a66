"""Colors, fonts and sizes of a preview: the same on the page and in the pictures."""

from __future__ import annotations

FONT = "Amazon Ember, Helvetica Neue, Helvetica, Arial, Liberation Sans, sans-serif"
CANVAS = "#f2f4f7"
BACKGROUND = "#ffffff"
BORDER = "#dfe3ea"
GRID = "#e8ebf0"
INK = "#1f2937"
MUTED = "#6b7280"
AXIS = "#4b5563"
GOOD = "#1b7f4b"
BAD = "#c0392b"
PALETTE = ("#2b6cb0", "#e07b39", "#3a9a76", "#b5476d", "#7a5bb5", "#c9a227", "#4aa3c7", "#8c6d5a", "#6b7f2a", "#8a8f98")
SHADES = ("#eef5fc", "#9fc5e8", "#3f86c4", "#123f73")

GAP = 12
"""Pixels between cards, and inside of them."""
ROW_HEIGHT = 36
"""Pixels of a row of the grid. QuickSight scales its rows with the window."""
