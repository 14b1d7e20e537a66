"""What can go wrong while data is landed. Each message says what, where and how to mend it."""


class IngestionError(Exception):
    """Any error of this package."""


class ContractError(IngestionError):
    """A contract file that cannot be used."""


class SampleError(IngestionError):
    """A sample that no contract can be drafted from."""


class SourceError(IngestionError):
    """A source that cannot be read as its contract says."""


class TableError(IngestionError):
    """A landed table that does not fit its contract."""


class PositionMoved(IngestionError):
    """Another lander committed first: this one's batch was refused and must be read again."""


class ReconciliationError(IngestionError):
    """Rows and rejects do not add up to the records that were read. The message says whether they are committed."""
