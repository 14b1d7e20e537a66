"""What goes wrong in the wiring itself."""

from collections.abc import Sequence


class OrchestrationError(Exception):
    """The base of them all. The message says what is wrong and how to mend it."""


class ParseError(OrchestrationError):
    """dbt cannot parse the project."""


class SettingsError(OrchestrationError):
    """A setting is unknown, missing or wrong."""


class ModelsNotBuiltError(OrchestrationError):
    """dbt could not build models, or a test of them failed. `events` is what it did until then, for Dagster."""

    def __init__(self, message: str, events: Sequence[object] = ()) -> None:
        self.events = tuple(events)
        super().__init__(message)


class RebuildError(OrchestrationError):
    """A range of days cannot be rebuilt."""


class UnknownNameError(OrchestrationError):
    """There is no contract, or no asset, of a name that was given."""


class ExposureError(OrchestrationError):
    """What an exposure's `config.meta` says cannot be read, or names what is not there."""


class GlueJobError(OrchestrationError):
    """A Glue job is not there, runs already, or did not succeed."""
