"""How much memory a job took at its peak: this program, its children, and the servers that it worked with."""

from __future__ import annotations

import re
import resource
import sys
from collections.abc import Iterable
from pathlib import Path

from infra.local.processes import Process

# Linux counts in KiB, macOS in bytes.
_UNIT = 1 if sys.platform == "darwin" else 1024
_MIB = 1024 * 1024


def peak_memory(servers: Iterable[Process]) -> str:
    """A sentence. A server's peak is since its start, and is told where the system tells it: on Linux."""
    own, child = (resource.getrusage(who).ru_maxrss * _UNIT for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    # A child has its parent's memory until it becomes a program of its own, and that counts as its peak.
    peaks = {"this program": own} | ({"its largest child": child} if child > own else {})
    peaks |= {server.name: peak for server in servers if (peak := _peak(server.pid))}
    return "Memory at its peak: " + ", ".join(f"{name} {peak / _MIB:,.0f} MiB" for name, peak in peaks.items()) + "."


def _peak(pid: int) -> int | None:
    """Bytes that a process had in memory at most; None if the system does not tell."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    told = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(told[1]) * 1024 if told else None
