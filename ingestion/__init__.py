"""Lands data: from streams and objects into Iceberg tables, exactly once. No Dagster and no dbt in here."""
