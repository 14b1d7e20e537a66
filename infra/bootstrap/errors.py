"""What can go wrong while Redshift and OpenSearch are set up. After each of these the same command may run again."""

from __future__ import annotations


class BootstrapError(Exception):
    """Redshift or OpenSearch was not set up. The message says what, where, and how to mend it."""


class StatementError(BootstrapError):
    """Redshift refused a statement, or what it should have made is still missing."""


class SecretError(BootstrapError):
    """The secret that QuickSight reads Redshift with cannot be used as it is."""
