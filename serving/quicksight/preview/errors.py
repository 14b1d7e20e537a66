"""What a preview cannot do, and says."""

from __future__ import annotations

from serving.quicksight.errors import QuickSightError


class PreviewError(QuickSightError):
    """A dashboard cannot be previewed: a parameter that it does not declare, or a value that does not fit it."""


class NotDrawnError(QuickSightError):
    """One visual cannot be drawn. The others can: this one is named in its place, with the reason.

    Either QuickSight knows more than the preview does (a type of visual, a function), or the visual is wrong.
    """

    def __init__(self, reason: str, visual: str | None = None) -> None:
        self.reason = reason
        super().__init__(f"visual {visual!r}: {reason}" if visual else reason)
