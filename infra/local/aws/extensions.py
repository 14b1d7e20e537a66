"""What is laid over moto when the local AWS starts, service by service.

moto answers a request with a response class, which works on a backend class. An extension is a module of this package
that subclasses these and has a function `install()`, which says so to moto or to `route`. It is called once, before the
server takes its first request.
"""

from __future__ import annotations

from importlib import import_module

from flask import Flask
from moto.backends import SERVICE_NAMES
from moto.core.responses import BaseResponse
from moto.core.utils import convert_to_flask_response
from moto.moto_server.werkzeug_app import create_backend_app

EXTENSIONS = ("firehose", "glue", "kinesis", "quicksight", "s3")

_routes: dict[str, type[BaseResponse]] = {}


def install_all() -> None:
    """Install every extension in `EXTENSIONS`."""
    for name in EXTENSIONS:
        import_module(f"{__package__}.{name}").install()


def route(service: str, response: type[BaseResponse]) -> None:
    """Answer a service's requests with `response`, a subclass of moto's response class for it."""
    _routes[service] = response


def create_app(service: SERVICE_NAMES) -> Flask:
    """Create a service's application as moto does, with each path led to the class that `route` was told.

    Raises:
        TypeError: If that class does not extend moto's.
    """
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
    return app
