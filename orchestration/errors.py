"""What goes wrong in the wiring itself."""


class OrchestrationError(Exception):
    """The base of them all. The message says what is wrong and how to mend it."""


class ParseError(OrchestrationError):
    """dbt cannot parse the project."""


class SettingsError(OrchestrationError):
    """A setting is unknown, missing or wrong."""
