"""The resources of every environment, made from the settings. No call over the network is made to build them."""

import dagster as dg

from orchestration.platform import Arrivals, DashboardDeployer, IndexBuilder, Lander, Maintenance


@dg.definitions
def defs() -> dg.Definitions:
    """The resources by the names that assets ask for them."""
    return dg.Definitions(
        resources={
            "lander": Lander(),
            "arrivals": Arrivals(),
            "maintenance": Maintenance(),
            "dashboards": DashboardDeployer(),
            "indexes": IndexBuilder(),
        },
    )
