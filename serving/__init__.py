"""What goes out: QuickSight dashboards and OpenSearch indexes. No Dagster in here."""
