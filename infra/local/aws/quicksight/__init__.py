"""QuickSight's data sources, data sets, ingestions and dashboards, in place of moto's.

moto has no DescribeDataSet, no update, delete or version of a dashboard, and takes any definition. Here each request
is checked against AWS's service model, and a dashboard against its data sets: what AWS refuses or fails is refused or
failed. As on AWS, a dashboard's version, a data source and an ingestion are in progress first. Users, groups, settings
and tags stay moto's.

**No data is behind this.** No data source is connected to, no visual is computed, and an ingestion of SPICE is recorded
and completed without a row being read: it therefore has no `RowInfo`.
"""

from __future__ import annotations

import re

import moto.quicksight.urls

from infra.local.aws.quicksight.requests import SERVICE
from infra.local.aws.quicksight.responses import OPERATIONS, QuickSightResponse


def install() -> None:
    """Route the paths of `OPERATIONS` here, and leave moto the others."""
    table = moto.quicksight.urls.url_paths
    uris = {SERVICE.operation_model(name).http["requestUri"] for name in OPERATIONS}
    mine = {re.sub(r"\{(\w+)\}", "X", uri) for uri in uris}
    for path in list(table):
        if re.sub(r"\(\?P<\w+>.*?\)", "X", path.removeprefix("{0}").removesuffix("$")) in mine:
            del table[path]
    for uri in sorted(uris):
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", uri)
        table["{0}" + pattern + "$"] = QuickSightResponse.dispatch
