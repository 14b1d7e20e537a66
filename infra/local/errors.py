"""What can go wrong with the local services. Each message says how to mend it."""

from __future__ import annotations


class LocalServicesError(Exception):
    """The local services cannot do what was asked."""


class EngineStartError(LocalServicesError):
    """An engine did not start. Nothing of it is left running."""


class EngineEndedError(LocalServicesError):
    """An engine ended while something worked with it."""


class StateInUseError(LocalServicesError):
    """Another process works with the local state."""


class StreamAlreadyPlayedError(LocalServicesError):
    """The stream holds events of an earlier play."""
