"""How a field goes into another: the kinds of an edge, which the lineage of SQL and the graph share."""

from __future__ import annotations

from enum import IntEnum


class Transformation(IntEnum):
    """How a field goes into another, the closest first.

    OpenLineage's facet for column lineage has the same kinds: direct; indirect by condition, join and window; masking.
    Of two ways in a row the looser counts, of two ways side by side the closer.
    """

    VALUE = 0
    """The value is computed from it."""
    CONDITIONAL = 1
    """A `case`, an `if`, a `filter` or an `exists` of the expression asks for it."""
    MASKED = 2
    """Only what the macro `mask` makes of it goes in."""
    JOIN = 3
    """It finds the joined row that the value is taken from."""
    WINDOW = 4
    """It parts or orders the rows of a window."""

    @property
    def carries_classification(self) -> bool:
        """Whether what is private stays so: an expression can spell out what it asks for, value by value."""
        return self <= Transformation.CONDITIONAL

    @property
    def masks(self) -> bool:
        """Whether a mask lies between."""
        return self is Transformation.MASKED

    @property
    def decides(self) -> bool:
        """Whether the field only decides among the values of others."""
        return self in (Transformation.CONDITIONAL, Transformation.JOIN, Transformation.WINDOW)
