"""Dagster's asset graph over the whole platform. Holds wiring; logic lives in ingestion and serving."""
