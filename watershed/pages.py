"""The lineage page over HTTP, for the links in Dagster's UI: a browser opens no file from a page that a server sent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ingestion.contract import load_contracts
from ingestion.errors import IngestionError
from orchestration.lineage.build import field_graph
from orchestration.lineage.compiled import compiled_manifest
from orchestration.lineage.errors import LineageError
from orchestration.lineage.page import page
from orchestration.settings import CONTRACTS_DIR

_PATH = "/lineage.html"


@contextmanager
def lineage_page(port: int = 0) -> Iterator[str]:
    """Serve the page on 127.0.0.1 for as long as the block lasts; yields its URL.

    Each request draws the project as it is then, so the page is never behind the models.

    Args:
        port: Where to listen; a free one if 0.
    """
    with ThreadingHTTPServer(("127.0.0.1", port), _Handler) as server:
        threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="lineage-page", daemon=True
        ).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}{_PATH}"
        finally:
            server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/favicon.ico":
            # Every browser asks for one. Not found would stand in its console as an error.
            self.send_response(HTTPStatus.NO_CONTENT)
            self.end_headers()
            return
        if self.path.partition("?")[0] != _PATH:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", f"There is one page here: {_PATH}")
            return
        try:
            drawn = page(field_graph(load_contracts(CONTRACTS_DIR).values(), compiled_manifest()))
        except (LineageError, IngestionError) as error:
            self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, "text/plain", f"{type(error).__name__}: {error}")
            return
        self._answer(HTTPStatus.OK, "text/html", drawn)

    def _answer(self, status: HTTPStatus, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the terminal is Dagster's."""
