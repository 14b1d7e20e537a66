"""Which paths are answered here, and which by moto. moto finds this module by its place beside `models`."""

from __future__ import annotations

import re

import moto.quicksight.urls

from infra.local.aws.quicksight.groups import GroupsResponse
from infra.local.aws.quicksight.requests import SERVICE
from infra.local.aws.quicksight.responses import OPERATIONS, QuickSightResponse

_URIS = sorted({SERVICE.operation_model(name).http["requestUri"] for name in OPERATIONS})
# A path with its placeholders alike, however they are written.
_OURS = {re.sub(r"\{\w+\}", "*", uri) for uri in _URIS}

url_bases = moto.quicksight.urls.url_bases
url_paths = {
    path: GroupsResponse.dispatch
    for path in moto.quicksight.urls.url_paths
    if re.sub(r"\(\?P<\w+>.*?\)", "*", path.removeprefix("{0}").removesuffix("$")) not in _OURS
} | {"{0}" + re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", uri) + "$": QuickSightResponse.dispatch for uri in _URIS}
