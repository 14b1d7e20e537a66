"""The role bootstrap may do what `watershed bootstrap` calls, and no more: what it calls is recorded."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opensearchpy import OpenSearch
from rich.console import Console

from infra.bootstrap import search
from orchestration.settings import Settings
from tests.integration.bootstrap.redshift import QUICKSIGHT_SECRET, running_postgres, serving
from tests.terraform.conftest import Plan, settings_of
from watershed.bootstrap import role_arns, role_name, run, wanted

pytestmark = pytest.mark.terraform

# Granted, and seen here only when something goes wrong or not at all.
UNSEEN = {
    "es:ESHttpDelete": "a person deletes a version of an index, by docs/runbook.md",
    "redshift-data:CancelStatement": "a statement that takes too long, or Ctrl-C",
    "kms:Decrypt": "the Data API reads the administrator's secret, which is under the warehouse's key, as whoever asks",
}


def test_the_role_may_do_what_the_command_calls_and_no_more(dev: Plan) -> None:
    config = settings_of(dev)
    with running_postgres() as redshift, serving(redshift) as url:
        redshift.empty()
        reached = {"aws_endpoint_url": url, "aws_access_key_id": "none", "aws_secret_access_key": "none"}
        told = {**dev.outputs["settings"], **reached, "quicksight_secret_arn": QUICKSIGHT_SECRET}
        run(Console(file=io.StringIO()), wanted(Settings(**told), [], "warehouse"), rotate=False)
        called = set(redshift.called)
    # The Data API reads it in the caller's name.
    called.add("secretsmanager:GetSecretValue")
    with _recording() as (search_url, requests):
        list(
            search.set_up(
                OpenSearch(hosts=[search_url]), search.load_roles().of_indexes(["flights"]), role_arns(config)
            )
        )
    called |= {f"es:ESHttp{method.capitalize()}" for method, _ in requests}

    statements = json.loads(dev.values[_POLICY]["policy"])["Statement"]
    granted = {action for statement in statements for action in _several(statement["Action"])}
    assert granted == called | set(UNSEEN)
    allowed = [
        arn for statement in statements if statement["Sid"] == "Search" for arn in _several(statement["Resource"])
    ]
    paths = {f"arn:aws:es:us-east-1:123456789012:domain/watershed-dev{path}" for _, path in requests}
    assert {path for path in paths if not any(fnmatchcase(path, arn) for arn in allowed)} == set()


def test_roles_have_the_names_that_terraform_gives_them(dev: Plan) -> None:
    config = settings_of(dev)
    names = {values["name"] for values in dev.of("aws_iam_role").values()}
    assert {role_name(config, actor) for actor in ("bootstrap", "dbt", "serving")} <= names
    domain = next(iter(dev.of("aws_opensearch_domain").values()))
    master = domain["advanced_security_options"][0]["master_user_options"][0]["master_user_arn"]
    assert role_arns(config)["bootstrap"] == master


_POLICY = 'module.platform.module.access.aws_iam_role_policy.this["bootstrap"]'


def _several(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


@contextmanager
def _recording() -> Iterator[tuple[str, set[tuple[str, str]]]]:
    """A server that has no role yet, and takes each that it is given: its URL, and what was asked of it."""
    requests: set[tuple[str, str]] = set()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self, status: int) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            requests.add((self.command, self.path))
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def do_GET(self) -> None:
            self._answer(404)

        def do_PUT(self) -> None:
            self._answer(201)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", requests
    finally:
        server.shutdown()
        server.server_close()
