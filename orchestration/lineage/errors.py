"""What can go wrong with the lineage of fields. Each message says what, where and how to mend it."""


class LineageError(Exception):
    """Any error of this package."""


class UnknownFieldError(LineageError):
    """A name that no field has."""


class UnservableError(LineageError):
    """An exposure that cannot be served as it says."""


class UnreadableSqlError(LineageError):
    """A model's SQL whose columns could not be followed to where they come from."""


class CompileError(LineageError):
    """dbt could not compile the project."""


class ChangesUnknownError(LineageError):
    """git could not say what changed."""


class ClassificationError(LineageError):
    """A classification that is unknown, or lower than what the field is made of."""


class PrivateDataError(LineageError):
    """An exposure that would show private data and gives no reason, or gives a reason for what it does not show."""
