"""What is laid over moto when the local AWS starts, service by service.

moto routes a request by its service's `urls` module to a response class, which works on a backend class. An extension
is a module of this package that subclasses these and has a function `install()`, which enters the subclasses into that
table. It is called once, before the server takes its first request.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import ModuleType

from moto.core.responses import BaseResponse

EXTENSIONS = ("glue", "kinesis", "s3")


def install_all() -> None:
    """Install every extension in `EXTENSIONS`."""
    for name in EXTENSIONS:
        import_module(f"{__package__}.{name}").install()


def route(urls: ModuleType, response: type[BaseResponse]) -> None:
    """Send every path of a service to `response`.

    Args:
        urls: The service's routing table, such as `moto.glue.urls`.
        response: A subclass of the response class that the table names now. Each path keeps its entry method.

    Raises:
        TypeError: If `response` does not extend what the table names.
    """
    table: dict[str, Callable[..., object]] = urls.url_paths
    for path, entry in table.items():
        routed = getattr(entry, "__self__", None)
        if not (isinstance(routed, type) and issubclass(response, routed)):
            raise TypeError(f"{response.__qualname__} must extend what {urls.__name__} routes {path!r} to ({entry!r})")
        table[path] = getattr(response, entry.__name__)
