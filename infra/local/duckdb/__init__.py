"""DuckDB over the local lake: the engine that stands in for Athena and Redshift on one machine."""
