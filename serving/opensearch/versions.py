"""The versions of an index, and the alias that points at one of them.

A version's number is also the order in which builds began. The alias only ever moves to a higher number, in one
atomic step that fails if another build has moved it meanwhile. So builds may run at once, and a reader of the alias
always sees exactly one complete index.
"""

from __future__ import annotations

import logging
import re
import time
from typing import Any

from opensearchpy import OpenSearch
from opensearchpy.exceptions import ConnectionError as NoAnswerError
from opensearchpy.exceptions import NotFoundError, RequestError, TransportError

from serving.opensearch.bulk import BUSY
from serving.opensearch.errors import IndexBuildError, SupersededError

_TRIES = 20
_TRY_SECONDS = 0.05
"""The wait grows by this with each try."""

_logger = logging.getLogger(__name__)


def require_usable_alias(client: OpenSearch, name: str) -> None:
    """Check that the alias is free, or points at a version of this index.

    Raises:
        IndexBuildError: If an index has that very name, or the alias points at some other index.
    """
    if not client.indices.exists_alias(name=name):
        if client.indices.exists(index=name):
            raise IndexBuildError(
                f"{name} is an index, so it cannot be the alias of one. "
                f"Delete that index, or give the exposure's index another name."
            )
        return
    strangers = [holder for holder in holders(client, name) if number_of(name, holder) is None]
    if strangers:
        raise IndexBuildError(
            f"The alias {name} points at {', '.join(strangers)}, which is no version of it ({name}-v000001). "
            f"Remove that alias, or give the exposure's index another name."
        )


def create_version(client: OpenSearch, name: str, body: dict[str, Any]) -> str:
    """Create the index of the next version. Builds that do so at once get different ones.

    Args:
        client: The cluster.
        name: The alias.
        body: Settings and mappings.

    Returns:
        The new index' name.

    Raises:
        IndexBuildError: If OpenSearch refuses the settings or the mapping.
    """
    number = max(versions(client, name).values(), default=0) + 1
    for candidate in range(number, number + _TRIES):
        index = f"{name}-v{candidate:06d}"
        try:
            client.indices.create(index=index, body=body)
        except RequestError as error:
            if error.error == "resource_already_exists_exception":
                continue
            raise IndexBuildError(f"OpenSearch refused the index {index}: {error.error}: {_reason(error)}") from error
        return index
    raise IndexBuildError(f"No version of {name} from {number} on is free: {_TRIES} builds began at once. Try again.")


def versions(client: OpenSearch, name: str) -> dict[str, int]:
    """The versions that there are, complete or not, with their numbers."""
    found = client.indices.get_alias(index=f"{name}-v*", params={"expand_wildcards": "all"})
    return {index: number for index in found if (number := number_of(name, index)) is not None}


def number_of(name: str, index: str) -> int | None:
    """The number of a version; None if the index is no version of this name."""
    told = re.fullmatch(rf"{re.escape(name)}-v(\d{{6,}})", index)
    return int(told[1]) if told else None


def holders(client: OpenSearch, name: str) -> set[str]:
    """The indexes that an alias points at."""
    found = client.indices.get_alias(name=name, params={"ignore": 404})
    return {index for index, content in found.items() if isinstance(content, dict)}


def later(name: str, index: str, others: set[str]) -> str | None:
    """Of some indexes, one that is a later version than this one."""
    own = number_of(name, index) or 0
    return next((other for other in others if (number_of(name, other) or 0) > own), None)


def point_alias(client: OpenSearch, name: str, index: str) -> str | None:
    """Move the alias to a version, atomically, unless it points at a later one.

    Args:
        client: The cluster.
        name: The alias.
        index: A complete version.

    Returns:
        The version that the alias pointed at before; None if there was no alias.

    Raises:
        SupersededError: If it points at a later version.
        IndexBuildError: If it could not be moved.
    """
    replaced: str | None = None
    for attempt in range(_TRIES):
        time.sleep(attempt * _TRY_SECONDS)
        current = holders(client, name)
        if current == {index}:  # also when an earlier request did it and its answer was lost
            return replaced
        if (live := later(name, index, current)) is not None:
            raise SupersededError(index, live)
        replaced = max(current, default=None)
        _try_to_move(client, name, index, current)
    raise IndexBuildError(f"The alias {name} could not be moved to {index} in {_TRIES} tries. Try again.")


def _try_to_move(client: OpenSearch, name: str, index: str, current: set[str]) -> None:
    """Move the alias if it still points at `current`. What came of it is seen by looking again."""
    # must_exist: fails if another build has taken the alias from there. is_write_index: an alias has at most one, so
    # that of two builds that find no alias only one can add it.
    actions: list[dict[str, Any]] = [
        {"remove": {"index": holder, "alias": name, "must_exist": True}} for holder in sorted(current)
    ]
    actions.append({"add": {"index": index, "alias": name, "is_write_index": True}})
    try:
        client.indices.update_aliases(body={"actions": actions})
    except NotFoundError as error:
        if error.error == "index_not_found_exception" and index in _reason(error):
            raise IndexBuildError(f"{index} was deleted while it was built. Build again.") from error
        _logger.debug("The alias %s was moved by another build: %s", name, error)
    except TransportError as error:
        if "more than one write index" in _reason(error):  # OpenSearch calls it an illegal state, status 500
            _logger.debug("The alias %s was added by another build: %s", name, error)
        elif isinstance(error, NoAnswerError) or error.status_code in BUSY:
            _logger.warning("No answer when the alias %s was moved to %s: %s. Looking where it is.", name, index, error)
        else:
            raise IndexBuildError(f"The alias {name} was not moved to {index}: {_reason(error)}") from error


def prune(client: OpenSearch, name: str, live: str, previous: str | None) -> list[str]:
    """Delete the versions before the live one, but for the previous, which is kept to go back to.

    That includes what killed builds left, and builds that began earlier and still run: those cannot go live any more.
    A version that cannot be deleted now (a snapshot is being taken) is left for the next build.

    Returns:
        What was deleted.
    """
    own = number_of(name, live) or 0
    deleted: list[str] = []
    for index, number in sorted(versions(client, name).items()):
        if number >= own or index == previous:
            continue
        try:
            client.indices.delete(index=index, params={"ignore_unavailable": "true"})
        except RequestError as error:
            _logger.warning("%s is not needed any more and could not be deleted: %s", index, _reason(error))
        else:
            deleted.append(index)
    return deleted


def _reason(error: TransportError) -> str:
    info = error.info
    cause = info.get("error") if isinstance(info, dict) else None
    return str(cause.get("reason", cause)) if isinstance(cause, dict) else str(cause or info)
