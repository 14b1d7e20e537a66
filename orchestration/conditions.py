"""When an asset is built: the cadences that dbt's meta may name, as Dagster's automation conditions.

`on_change`: once something that it reads has changed. A cron expression, in UTC: at these times, if something that it
reads has changed since it was last built. Neither fires for a landing that landed nothing: that materializes nothing.
"""

from __future__ import annotations

import dagster as dg

ON_CHANGE = "on_change"
TIMEZONE = "UTC"

Condition = dg.AutomationCondition


def condition(cadence: str) -> dg.AutomationCondition:
    """The condition of a cadence. Raises a CheckError for what is neither `on_change` nor a cron expression."""
    if cadence == ON_CHANGE:
        return (_changed() & _settled()).with_label(ON_CHANGE)
    # A time counts until it was served: at the very moment what the asset reads may be in the making.
    due = (_changed() & Condition.cron_tick_passed(cadence, TIMEZONE)).since_last_handled()
    return (due & _settled()).with_label(f"at {cadence}")


def _changed() -> dg.AutomationCondition:
    """Never built, or something that it reads was built since it was last."""
    # `since_last_handled` takes the first evaluation of an asset for a handling: a model that is added to a running
    # deployment would wait for the next change. It is asked for once; if that run fails, with the next change again.
    handled = Condition.newly_requested() | Condition.newly_updated()
    return Condition.newly_missing().since(handled) | Condition.any_deps_updated().since_last_handled()


def _settled() -> dg.AutomationCondition:
    """All that it reads is there, and nobody is building that, or the asset itself."""
    return ~Condition.any_deps_missing() & ~Condition.any_deps_in_progress() & ~Condition.in_progress()
