"""The HTTP server of the local AWS: moto's application, its extensions, and a health check."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, cast

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import BaseWSGIServer, make_server

from infra.local.aws.extensions import dispatcher, install_all
from infra.local.aws.recorder import Recorder

HEALTH_PATH = "/_health"  # No bucket can be called so: its name has no underscore.


class _QuietRequestHandler(MotoRequestHandler):
    """Logs what failed inside the server only: a run makes tens of thousands of calls."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        if str(code).startswith("5"):
            super().log_request(code, size)


def application() -> Callable[[dict[str, Any], Any], Iterable[bytes]]:
    """Build the WSGI application.

    `GET /_health` answers `{"pid": int}`: a caller can tell this server from another one on the same port.
    """
    install_all()
    aws = dispatcher()

    def dispatch(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == HEALTH_PATH:
            start_response("200 OK", [("Content-Type", "application/json")])
            return [json.dumps({"pid": os.getpid()}).encode()]
        return cast(Iterable[bytes], aws(environ, start_response))

    return dispatch


def serve(port: int, record: Path | None = None) -> BaseWSGIServer:
    """Bind the server to 127.0.0.1.

    Args:
        port: TCP port.
        record: A file that each distinct call is written to.

    Raises:
        SystemExit: If the port is taken; werkzeug has written so to standard error.
    """
    served = Recorder(application(), record) if record else application()
    return make_server("127.0.0.1", port, served, threaded=True, request_handler=_QuietRequestHandler)
