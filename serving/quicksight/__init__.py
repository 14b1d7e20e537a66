"""QuickSight: the data source, data sets and dashboards that serve the marts, declared as code.

A dashboard is a YAML file in QuickSight's own definition schema; its data sets follow from the models that it reads.
`declare` checks all of it without a call to AWS, `plan` compares it with what is deployed, `apply` deploys it and
`refresh` fills SPICE. Drawing a preview of a dashboard does not belong here, nor does anything of Dagster.
"""

from serving.quicksight.data_sets import Column, Relation
from serving.quicksight.data_sources import Athena, Redshift
from serving.quicksight.declaration import Deployment, declare
from serving.quicksight.definition import ColumnUse, column_uses, load_definition
from serving.quicksight.deployment import Applied, Plan, apply, plan
from serving.quicksight.errors import DefinitionError, DeploymentError, QuickSightError, RefreshError
from serving.quicksight.refreshes import Refresh, refresh

__all__ = [
    "Applied",
    "Athena",
    "Column",
    "ColumnUse",
    "DefinitionError",
    "Deployment",
    "DeploymentError",
    "Plan",
    "QuickSightError",
    "Redshift",
    "Refresh",
    "RefreshError",
    "Relation",
    "apply",
    "column_uses",
    "declare",
    "load_definition",
    "plan",
    "refresh",
]
