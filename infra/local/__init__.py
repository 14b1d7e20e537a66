"""The AWS services on this machine: what stands in for them, and how it is started, filled and stopped."""
