"""What each actor does, by the platform's own code: `python -m tests.terraform.privileges.actors ACTOR`.

In a process of its own, so that each call carries the actor's access key. Settings come from the environment.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pyarrow as pa

from ingestion.contract import ObjectSource, load_contracts
from ingestion.maintenance import LEAST_KEPT
from orchestration.platform import Arrivals, DashboardDeployer, Lander, Maintenance, rows_of
from orchestration.settings import CONTRACTS_DIR, settings
from serving.quicksight import Column
from serving.rows.athena import AthenaRows
from serving.rows.redshift import RedshiftRows
from tests.integration.serving.unloading import ENGINE, Engine


def landing() -> None:
    """Lands every contract as its sensor and its asset do, tells how far each is, and has its tables kept quick."""
    from watershed.status import contract_statuses

    arrivals, lander, maintenance = Arrivals(), Lander(), Maintenance()
    received = arrivals.receive()
    told = {version for arrival in received for version in arrival.objects}
    for contract in load_contracts(CONTRACTS_DIR).values():
        if isinstance(contract.source, ObjectSource):
            lander.waiting(contract, told)
        else:
            lander.has_news(contract)
        lander.land(contract, lambda _: None)
        lander.snapshots(contract)
        if isinstance(contract.source, ObjectSource) and contract.source.delivery:
            Lander(whole_listing=True).land(contract, lambda _: None)
    arrivals.remove(received)
    contract_statuses(settings())
    assert list(maintenance.expire(LEAST_KEPT))
    maintenance.rewrite(lambda _: None)


def serving() -> None:
    """Deploys every dashboard, anew and changed, and reads the rows of every index from the engine of its model."""
    from orchestration import exposures
    from orchestration.dbt import LAKE, manifest

    dbt = manifest(LAKE)
    for exposure in dbt["exposures"].values():
        if exposures.served_by(exposure, "quicksight"):
            _deploy(dbt, exposure)
        if exposures.served_by(exposure, "opensearch"):
            model = exposures.index_model(dbt, exposure)
            _read_rows(model["config"]["meta"]["layer"], f"{model['schema']}.{model['name']}", list(model["columns"]))
    _read_rows("warehouse", "marts.dim_carrier", ["carrier", "carrier_name"])


def _deploy(dbt: Mapping[str, Any], exposure: Mapping[str, Any]) -> None:
    """Deploys a dashboard; with a title, a column and a warehouse that have changed, and an editor; and as it is."""
    from orchestration import exposures

    dashboards, definition = DashboardDeployer(), exposures.definition_path(exposure)
    relations = exposures.relations(dbt, exposure)
    dashboards.deploy(dashboards.declare(exposure["name"], "A title", definition, relations))
    wider = {
        name: replace(relation, columns={**relation.columns, "another": Column("bigint")})
        for name, relation in relations.items()
    }
    group = f"arn:aws:quicksight:{settings().region}:{settings().account_id}:group/default/authors"
    os.environ.update(WATERSHED_REDSHIFT_HOST="another.example.com", WATERSHED_QUICKSIGHT_PRINCIPAL_ARN=group)
    settings.cache_clear()
    for _ in range(2):
        dashboards.deploy(dashboards.declare(exposure["name"], "Another title", definition, wider))


def _read_rows(layer: str, relation: str, columns: list[str]) -> None:
    rows = rows_of(settings(), layer)
    assert isinstance(rows, AthenaRows | RedshiftRows)
    tables = {relation: pa.table({column: ["a", "b"] for column in columns})}
    writer = rows.session.client("s3", aws_access_key_id=ENGINE, aws_secret_access_key="local")
    Engine(rows.session, writer, tables)
    assert sum(batch.num_rows for batch in rows.batches(relation, columns)) == 2
    assert rows.count(relation) == 2


ACTORS: Mapping[str, Callable[[], None]] = {"landing": landing, "serving": serving}


if __name__ == "__main__":
    ACTORS[sys.argv[1]]()
