"""Waiting for what QuickSight does in the background."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0


def wait_until(look: Callable[[], T], is_done: Callable[[T], bool], *, timeout_seconds: float) -> T | None:
    """Look again and again, ever less often, until it is done.

    Returns:
        What was seen last; None if it was not done within `timeout_seconds`.
    """
    deadline, pause = time.monotonic() + timeout_seconds, _FIRST_PAUSE_SECONDS
    while True:
        seen = look()
        if is_done(seen):
            return seen
        if time.monotonic() + pause > deadline:
            return None
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)
