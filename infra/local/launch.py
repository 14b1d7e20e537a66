"""Becomes a server, once its record is written: `python -m infra.local.launch RECORD URL COMMAND...`.

The record is written by the process itself, before it executes the command, so that no server ever runs unrecorded.
The starter confirms with a line on standard input. If it is gone by then, nothing is started.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def identity(pid: int) -> str | None:
    """What tells a process from any other, earlier or later, that has the same pid.

    Args:
        pid: Process identifier.

    Returns:
        When it started, to the clock tick and by the boot; None if there is no such process or it has ended.
    """
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            # The name, in parentheses, may hold spaces. After it: state is field 3, start time field 22 (proc(5)).
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return None if fields[0] in "ZX" else f"{boot}/{fields[19]}"
    shown = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, started = shown.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else started.strip()


def main() -> None:
    """Write the record, wait for the starter's word, execute the command."""
    record, url, command = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
    written = record.with_suffix(f".{os.getpid()}")
    written.write_text(json.dumps({"pid": os.getpid(), "identity": identity(os.getpid()), "url": url}))
    written.replace(record)
    if not sys.stdin.readline():
        record.unlink(missing_ok=True)
        sys.exit("The program that started this one is gone.")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
