"""A real OpenSearch on this machine: its artifacts from Maven Central, run on the installed Java."""
