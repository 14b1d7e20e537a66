"""What is inside Redshift and OpenSearch and is no resource of AWS: schemas, users, roles, grants.

What there shall be is data: `warehouse.yaml`, `search.yaml`. The code here looks what of it is missing, and makes that.
Pure Python: no Dagster.
"""
