"""QuickSight's data sources, data sets, ingestions, dashboards and VPC connections, in place of moto's.

moto has no DescribeDataSet, no update, delete or version of a dashboard, and takes any definition. Here each request
is checked against AWS's service model, and a dashboard against its data sets: what AWS refuses or fails is refused or
failed. As on AWS, a dashboard's version, a data source and an ingestion are in progress first. Users, groups, settings
and tags stay moto's.

**No data is behind this.** No data source is connected to, no visual is computed, and an ingestion of SPICE is recorded
and completed without a row being read: it therefore has no `RowInfo`. A VPC connection makes no network interface.
"""

from __future__ import annotations

from moto.quicksight.models import quicksight_backends

from infra.local.aws.quicksight.models import CompletedQuickSightBackend


def install() -> None:
    """Make moto build this backend, which brings its own paths. Call it before the first request."""
    quicksight_backends.clear()
    quicksight_backends.backend = CompletedQuickSightBackend
