"""Locks between programs: files that the operating system unlocks when their holder ends, however it ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.local.errors import StateInUseError

_POLL_SECONDS = 0.1


@contextmanager
def exclusive(path: Path, what: str, wait_seconds: float = 0) -> Iterator[None]:
    """Hold a lock.

    Args:
        path: The lock's file. It stays; to delete it would let two programs hold one lock.
        what: What its holder does, for the message: "a start of the local services".
        wait_seconds: How long to wait for it.

    Raises:
        StateInUseError: If another program holds it; names its pid.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + wait_seconds
    with path.open("a+") as file:
        while not _try_lock(file.fileno()):
            if time.monotonic() >= deadline:
                holder = path.read_text().strip() or "unknown"
                raise StateInUseError(f"Another program (pid {holder}) is busy with {what}. Wait for it, or end it.")
            time.sleep(_POLL_SECONDS)
        # On a full disk the lock holds all the same; others are not told by whom it is held.
        with contextlib.suppress(OSError):
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def holder(path: Path) -> int | None:
    """The pid of the program that holds a lock; None if it is free."""
    try:
        with path.open("a+") as file:
            if _try_lock(file.fileno()):
                return None
            return int(path.read_text().strip() or 0)
    except FileNotFoundError:
        return None


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
