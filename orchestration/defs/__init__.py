"""Dagster definitions, one module for each layer of the graph."""
