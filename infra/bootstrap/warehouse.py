"""Sets up Redshift: looks, step by step, what is missing, and makes it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from infra.bootstrap.data_api import DataApi
from infra.bootstrap.errors import BootstrapError, StatementError
from infra.bootstrap.steps import Step

# Redshift ended the statement, and the same one may pass: another transaction was in the way, or it was waking up.
_PASSING = re.compile(
    r"serializable isolation|concurrent|could not connect|connection (was|is|has been)|conn\w* reset", re.I
)
_TRIES = 3
_DIGEST = re.compile(r"sha256\|[0-9a-fA-F|]+")


@dataclass(frozen=True)
class Outcome:
    """What became of a step."""

    step: Step
    did: Literal["unchanged", "done"]
    missing: tuple[str, ...] = ()
    """What had been missing, as the look names it."""


@dataclass(frozen=True)
class Access:
    """How to speak to the warehouse."""

    admin: DataApi
    quicksight: DataApi | None = None
    """As the user of QuickSight's secret."""


def set_up(access: Access, steps: Sequence[Step]) -> Iterator[Outcome]:
    """Do the steps in their order, and tell of each. What has been done already is left alone.

    Raises:
        StatementError: If Redshift refuses a statement; what came before stays, and the next run goes on there. Or,
            after the last step, if one had no effect.
        BootstrapError: If Redshift cannot be asked.
    """
    without_effect: list[str] = []
    for step in steps:
        missing, still = _settled(access, step)
        if still:
            without_effect.append(f"{step.name} ({', '.join(still)})")
        yield Outcome(step, "done" if missing else "unchanged", missing)
    if without_effect:
        raise StatementError(
            f"warehouse.yaml: these steps ran, and what they make is still missing: {'; '.join(without_effect)}. "
            f"Something of that name is there and differs, or the query under `missing` is wrong. Look in Redshift."
        )


def _settled(access: Access, step: Step) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Do a step if it has not been done: what was missing before, and what is after.

    After a failure that may pass it looks again: the statement may have run, and only its answer been lost.
    """
    missing: list[str] = []
    for attempt in range(1, _TRIES + 1):
        try:
            still = _once(access, step, missing)
        except StatementError as error:
            if attempt == _TRIES or not _PASSING.search(str(error)):
                raise
            time.sleep(access.admin.patience.retry_pause * attempt)
        else:
            return tuple(missing), still
    raise AssertionError("unreachable: the last try returns or raises")


def _once(access: Access, step: Step, missing: list[str]) -> tuple[str, ...]:
    """One try: what is missing after it. What was missing before the first one is noted."""
    found = _look(access, step)
    if not found:
        return ()
    missing[:] = missing or found
    _ask(access.admin, step, "run", step.run)
    return _look(access, step)


def _look(access: Access, step: Step) -> tuple[str, ...]:
    if step.missing is not None:
        return tuple(str(row[0]) for row in _ask(access.admin, step, "missing", step.missing))
    assert access.quicksight is not None, "a step that signs in needs dashboards"
    try:
        access.quicksight.run("select 1")
    except BootstrapError as error:
        # For whatever reason: telling Redshift the password that the secret holds is right in any case.
        return (f"a sign-in with the secret: {error}",)
    return ()


def _ask(api: DataApi, step: Step, part: str, sql: str) -> list[tuple[str | None, ...]]:
    try:
        return api.run(sql)
    except StatementError as error:
        # Without its cause, which may quote the digest.
        said = _hidden(str(error))
        raise StatementError(
            f"warehouse.yaml, step {step.name!r}, {part}: Redshift says: {said}\nIt ran: {_hidden(sql)}\n"
            f"Mend that, then run the command again: it goes on here."
        ) from None


def _hidden(text: str) -> str:
    """A text without the digest of a password."""
    return _DIGEST.sub("sha256|...", text)


def shown(step: Step) -> str:
    """A step's statement for a terminal, without the digest of a password."""
    return _hidden(step.run)


def chosen(steps: Sequence[Step], *, dashboards: bool) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """The steps of an environment, and those that it skips."""
    kept = tuple(step for step in steps if dashboards or step.needs != "dashboards")
    return kept, tuple(step for step in steps if step not in kept)
