"""What is laid over moto when the local AWS starts, service by service.

moto answers a request with a response class, which works on a backend class. An extension is a module of this package
that subclasses these and has a function `install()`, which says so to moto, to `route` or, for a service that moto has
not, to `add`. It is called once, before the server takes its first request.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import import_module
from typing import cast

from flask import Flask
from moto.backends import SERVICE_NAMES
from moto.core.responses import BaseResponse
from moto.core.utils import convert_to_flask_response
from moto.moto_server.werkzeug_app import (
    HTTP_METHODS,
    BackendRequest,
    DomainDispatcherApplication,
    create_backend_app,
)

EXTENSIONS = (
    "budgets",
    "ec2",
    "emr_serverless",
    "firehose",
    "glue",
    "kinesis",
    "lake_formation",
    "quicksight",
    "redshift_serverless",
    "s3",
    "sqs",
)

_routes: dict[str, type[BaseResponse]] = {}
_paths: dict[str, Sequence[str]] = {}
_added: dict[str, type[BaseResponse]] = {}


def install_all() -> None:
    """Install every extension in `EXTENSIONS`."""
    for name in EXTENSIONS:
        import_module(f"{__package__}.{name}").install()


def route(service: str, response: type[BaseResponse], paths: Sequence[str] = ()) -> None:
    """Answer a service's requests with `response`, a subclass of moto's response class for it.

    Args:
        service: moto's name of the service.
        response: What answers.
        paths: Paths of operations that moto has not.
    """
    _routes[service], _paths[service] = response, paths


def add(service: str, response: type[BaseResponse]) -> None:
    """Answer a service that moto has not, and that has one path, as those have that name the operation in a header.

    Args:
        service: How requests to it are signed, which is how its host name begins.
        response: What answers.
    """
    _added[service] = response


def dispatcher() -> DomainDispatcherApplication:
    """moto's application, with the services that were added."""
    application = DomainDispatcherApplication(create_app)
    hosts = [(service, re.compile(rf"https?://{re.escape(service)}\.")) for service in _added]
    application.backend_url_patterns = [*hosts, *application.backend_url_patterns]
    return application


def create_app(service: SERVICE_NAMES) -> Flask:
    """Create a service's application as moto does, with each path led to the class that `route` or `add` was told.

    Raises:
        TypeError: If the class that `route` was told does not extend moto's.
    """
    if added := _added.get(service):
        return _new_app(added)
    app = create_backend_app(service)
    response = _routes.get(service)
    if response is None:
        return app
    for endpoint, view in app.view_functions.items():
        entry = getattr(view, "callback", None)  # a class method of moto's response class
        routed = getattr(entry, "__self__", None)
        if entry is None or not (isinstance(routed, type) and issubclass(response, routed)):
            raise TypeError(f"{response.__qualname__} must extend what answers {service}'s {endpoint}: {entry!r}")
        app.view_functions[endpoint] = convert_to_flask_response(getattr(response, entry.__name__))
    for path in _paths[service]:
        _add_path(app, path, response)
    return app


def _new_app(response: type[BaseResponse]) -> Flask:
    app = Flask("moto")
    app.debug = True
    app.request_class = BackendRequest
    _add_path(app, "/", response)
    return app


def _add_path(app: Flask, path: str, response: type[BaseResponse]) -> None:
    view = convert_to_flask_response(response.dispatch)
    app.add_url_rule(path, endpoint=path, methods=cast(Sequence[str], HTTP_METHODS), view_func=view)
