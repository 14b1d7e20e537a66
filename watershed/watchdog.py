"""Breaks a job off when a server that it works with ends: else its retries would go on for minutes."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from infra.local.errors import EngineEndedError
from infra.local.processes import Process, is_alive

_POLL_SECONDS = 0.5


@contextmanager
def watched(processes: Sequence[Process]) -> Iterator[None]:
    """Interrupt the main thread, as Ctrl-C would, if one of the servers ends.

    To be called from the main thread. A shell starts its background jobs with SIGINT ignored: here it is heard.

    Args:
        processes: May grow while it is watched.

    Raises:
        EngineEndedError: In place of what the interrupt led to.
    """
    ended: list[Process] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_POLL_SECONDS):
            if ended_now := [process for process in tuple(processes) if not is_alive(process)]:
                ended.extend(ended_now)
                os.kill(os.getpid(), signal.SIGINT)
                return

    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if ignored:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=watch, name="watchdog", daemon=True)
    thread.start()
    try:
        yield
    except BaseException as error:
        if ended:
            raise EngineEndedError(_told(ended)) from error
        raise
    finally:
        over.set()
        thread.join()
        if ignored:
            signal.signal(signal.SIGINT, signal.SIG_IGN)


def _told(ended: Sequence[Process]) -> str:
    named = " and ".join(f"{process.name} (pid {process.pid}, log {process.log})" for process in ended)
    return f"{named} ended while the job worked with it. What was started is ended too; run the command again."
