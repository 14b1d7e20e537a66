"""Writes down which calls a server of AWS's APIs gets: who called what, on which resource.

At the HTTP edge, because not every client is botocore: Arrow, DuckDB and Spark speak to S3 by themselves. The operation
is read from the request as AWS reads it, by the service models that botocore carries. Seen is what is signed by
Signature Version 4.
"""

from __future__ import annotations

import io
import json
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from xml.etree import ElementTree

import botocore.session
from botocore.exceptions import UnknownServiceError

Environ = dict[str, Any]
Application = Callable[[Environ, Any], Iterable[bytes]]
Parameters = dict[str, str | list[str]]

MOST_REMEMBERED = 50_000
"""Calls that are known to have been written. One that was forgotten since is written again, which says nothing new."""

# https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html: in a header, or in the query of
# a presigned URL.
_SCOPE = re.compile(r"(?P<key>[^/=,\s]+)/\d{8}/[^/]+/(?P<service>[^/]+)/aws4_request")
_CBOR_PATH = re.compile(r"/service/[^/]+/operation/(?P<operation>\w+)")
# Where a service is signed for under another name than its model has.
_MODELS = {"monitoring": "cloudwatch"}

# Top-level members of a request that name a resource; not what is sent to it, nor tokens that no two calls share.
_NAMING = re.compile(r"(?:Name|A[Rr][Nn]|Url|Work[Gg]roup|SecretId|KeyId|TablesToDelete)$")
_STRUCTURES = re.compile(r"Input$")  # glue:CreateTable names the table in TableInput.Name
_S3_HEADERS = {
    "HTTP_X_AMZ_COPY_SOURCE": "CopySource",
    "HTTP_X_AMZ_TAGGING": "Tagging",
    "HTTP_X_AMZ_ACL": "ACL",
}
_DELETE = "DeleteObjects"
# The most that a request of AWS's may have as JSON or XML: 10 MiB of Kinesis's records, in base64.
_MOST_BODY_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Call:
    """What a request asks for.

    `service` is the name that it is signed for. `parameters` are those that name resources, as the service's model
    calls them; of a structure `TableInput` the name is `TableInput.Name`.
    """

    actor: str
    """The access key ID."""
    service: str
    operation: str
    parameters: Mapping[str, str | list[str]]


class Recorder:
    """A WSGI application around another one. Writes a line of JSON for each distinct call and HTTP status.

    A body that may be long, as that of an object, is not touched.
    """

    def __init__(self, application: Application, file: Path) -> None:
        self._application = application
        self._file = file.open("a", encoding="utf-8")
        self._written: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Pass the request on, and note it once its status is known."""
        call = call_of(environ)
        if call is None:
            return self._application(environ, start_response)

        def start(status: str, *arguments: Any) -> Any:
            self._note(call, int(status.split(maxsplit=1)[0]))
            return start_response(status, *arguments)

        return self._application(environ, start)

    def _note(self, call: Call, status: int) -> None:
        line = json.dumps({**vars(call), "status": status}, sort_keys=True)
        with self._lock:
            if line in self._written:
                self._written.move_to_end(line)
                return
            self._written[line] = None
            if len(self._written) > MOST_REMEMBERED:
                self._written.popitem(last=False)
            self._file.write(line + "\n")
            self._file.flush()


def call_of(environ: Environ) -> Call | None:
    """The call that a WSGI request is; None if nobody has signed it.

    What cannot be told has its method and path as operation. Where the body has to be read it is put back.
    """
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    signed = environ.get("HTTP_AUTHORIZATION") or query.get("X-Amz-Credential", [""])[0]
    scope = _SCOPE.search(signed)
    if scope is None:
        return None
    service, target = scope["service"], environ.get("HTTP_X_AMZ_TARGET")
    path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
    if target:
        operation, parameters = target.rpartition(".")[2], _naming(_json(environ))
    elif cbor := _CBOR_PATH.fullmatch(path):
        operation, parameters = cbor["operation"], {}
    elif service != "s3" and (action := (form := _form(environ, query)).get("Action")):
        operation, parameters = action[0], _naming({name: values[0] for name, values in form.items()})
    else:
        operation, parameters = _rest(service, environ, path, query)
    return Call(scope["key"], service, operation, parameters)


def _rest(service: str, environ: Environ, path: str, query: Mapping[str, list[str]]) -> tuple[str, Parameters]:
    """The operation of a service whose operations are methods and paths."""
    method = environ["REQUEST_METHOD"]
    fitting = [(route, match) for route in _routes(service) if (match := route.match(method, path, query, environ))]
    if not fitting:
        return f"{method} {path}", {}
    route, match = max(fitting, key=lambda found: found[0].asks_for)
    parameters: Parameters = dict(match.groupdict())
    if service != "s3":
        return route.operation, parameters | _naming(_json(environ))
    parameters |= {name: environ[header] for header, name in _S3_HEADERS.items() if header in environ}
    if "versionId" in query:
        parameters["VersionId"] = query["versionId"][0]
    if route.operation == _DELETE:
        parameters["Keys"] = _deleted_keys(environ)
    return route.operation, parameters


@dataclass(frozen=True)
class _Route:
    """An operation's method and path, and what else a request of it has: query parameters, headers."""

    operation: str
    method: str
    path: re.Pattern[str]
    literals: Mapping[str, str | None]
    query: frozenset[str]
    headers: frozenset[str]

    @property
    def asks_for(self) -> int:
        """How much tells it from others. `PUT /bucket/key` alone is PutObject, with ?partNumber it is UploadPart."""
        return 2 * len(self.literals) + len(self.query) + len(self.headers)

    def match(self, method: str, path: str, query: Mapping[str, list[str]], environ: Environ) -> re.Match[str] | None:
        """The path's parts if a request can be of this operation."""
        fits = (
            method == self.method
            and all(name in query and (value is None or value in query[name]) for name, value in self.literals.items())
            and all(name in query for name in self.query)
            and all(f"HTTP_{name.upper().replace('-', '_')}" in environ for name in self.headers)
        )
        return self.path.fullmatch(path) if fits else None


@cache
def _routes(service: str) -> tuple[_Route, ...]:
    try:
        model = botocore.session.get_session().get_service_model(_MODELS.get(service, service))
    except UnknownServiceError:
        return ()
    return tuple(_route(model.operation_model(name)) for name in model.operation_names)


def _route(operation: Any) -> _Route:
    path, _, literals = operation.http["requestUri"].partition("?")
    shape = operation.input_shape
    required = [shape.members[name].serialization for name in shape.required_members] if shape else []
    named: dict[str, frozenset[str]] = {
        place: frozenset(s["name"] for s in required if s.get("location") == place)
        for place in ("querystring", "header")
    }
    return _Route(
        operation.name,
        operation.http["method"],
        re.compile("".join(_pattern(path)) + "/?"),
        {name: value or None for name, _, value in (literal.partition("=") for literal in literals.split("&")) if name},
        named["querystring"],
        named["header"],
    )


def _pattern(path: str) -> Iterator[str]:
    """A template such as `/{Bucket}/{Key+}` as a regular expression. A `+` takes slashes too."""
    for part in re.split(r"(\{[^}]+\})", path.rstrip("/")):
        if not part.startswith("{"):
            yield re.escape(part)
        elif part.endswith("+}"):
            yield f"(?P<{part[1:-2].replace('-', '_')}>.+?)"
        else:
            yield f"(?P<{part[1:-1].replace('-', '_')}>[^/]+)"


def _naming(members: Mapping[str, Any]) -> Parameters:
    """What names a resource, of a request's members."""
    found: Parameters = {}
    for name, value in members.items():
        if _NAMING.search(name) and (isinstance(value, str) or _strings(value)):
            found[name] = value
        elif _STRUCTURES.search(name) and isinstance(value, Mapping):
            found |= {f"{name}.{inner}": told for inner, told in _naming(value).items()}
    return found


def _strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _json(environ: Environ) -> Mapping[str, Any]:
    """A request's body, if it is a JSON object."""
    try:
        told = json.loads(_body(environ) or b"{}")
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _form(environ: Environ, query: Mapping[str, list[str]]) -> Mapping[str, list[str]]:
    """The query's parameters, with those of the body where that is a form."""
    if not environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        return query
    return {**query, **parse_qs(_body(environ).decode("utf-8", "replace"))}


def _deleted_keys(environ: Environ) -> list[str]:
    try:
        document = ElementTree.fromstring(_body(environ))
    except ElementTree.ParseError:
        return []
    return sorted(key.text or "" for key in document.iter() if key.tag.rpartition("}")[2] == "Key")


def _body(environ: Environ) -> bytes:
    """A request's whole body, which is put back. Nothing if its length is not told, or is more than AWS takes."""
    length = environ.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal() or int(length) > _MOST_BODY_BYTES:
        return b""
    body = environ["wsgi.input"].read(int(length))
    environ["wsgi.input"] = io.BytesIO(body)
    return body
