"""`python -m infra.local.aws --port N`: the local AWS in the foreground, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from infra.local.aws.server import serve


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m infra.local.aws", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1")
    parser.add_argument("--exit-with-stdin", action="store_true", help="stop when standard input is closed")
    parser.add_argument(
        "--record", type=Path, metavar="FILE", help="write each distinct call to FILE, as lines of JSON"
    )
    arguments = parser.parse_args()
    server = serve(arguments.port, arguments.record)
    signal.signal(signal.SIGTERM, _exit)
    signal.signal(signal.SIGINT, _exit)
    if arguments.exit_with_stdin:
        threading.Thread(target=_exit_with_stdin, daemon=True).start()
    server.serve_forever()


def _exit(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def _exit_with_stdin() -> None:
    """End the process once its starter is gone, however that ended: its end of the pipe closes with it."""
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
