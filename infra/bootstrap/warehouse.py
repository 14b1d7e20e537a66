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
_RETRY_SECONDS = 1.0
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
    retry_seconds: float = _RETRY_SECONDS


def set_up(access: Access, steps: Sequence[Step]) -> Iterator[Outcome]:
    """Do the steps in their order, and tell of each. What has been done already is left alone.

    Raises:
        StatementError: If Redshift refuses a statement; what came before stays, and the next run goes on there. Or,
            after the last step, if one had no effect.
        BootstrapError: If Redshift cannot be asked.
    """
    without_effect: list[str] = []
    for step in steps:
        missing = _repeated(access, step, "missing")
        if missing:
            _repeated(access, step, "run")
            if still := _repeated(access, step, "missing"):
                without_effect.append(f"{step.name} ({', '.join(still)})")
        yield Outcome(step, "done" if missing else "unchanged", missing)
    if without_effect:
        raise StatementError(
            f"warehouse.yaml: these steps ran, and what they make is still missing: {'; '.join(without_effect)}. "
            f"Something of that name is there and differs, or the query under `missing` is wrong. Look in Redshift."
        )


def _repeated(access: Access, step: Step, part: Literal["missing", "run"]) -> tuple[str, ...]:
    for attempt in range(1, _TRIES + 1):
        try:
            return _look(access, step) if part == "missing" else _run(access, step)
        except StatementError as error:
            if attempt == _TRIES or not _PASSING.search(str(error)):
                sql = _DIGEST.sub("sha256|...", step.missing or "" if part == "missing" else step.run)
                said = _DIGEST.sub("sha256|...", str(error))
                # Without its cause, which may quote the digest.
                raise StatementError(
                    f"warehouse.yaml, step {step.name!r}, {part}: Redshift says: {said}\nIt ran: {sql}\n"
                    f"Mend that, then run the command again: it goes on here."
                ) from None
            time.sleep(access.retry_seconds * attempt)
    raise AssertionError("unreachable: the last try returns or raises")


def _look(access: Access, step: Step) -> tuple[str, ...]:
    if step.missing is not None:
        return tuple(str(row[0]) for row in access.admin.run(step.missing))
    assert access.quicksight is not None, "a step that signs in needs dashboards"
    try:
        access.quicksight.run("select 1")
    except BootstrapError as error:
        # For whatever reason: telling Redshift the password that the secret holds is right in any case.
        return (f"a sign-in with the secret: {error}",)
    return ()


def _run(access: Access, step: Step) -> tuple[str, ...]:
    access.admin.run(step.run)
    return ()


def shown(step: Step) -> str:
    """A step's statement for a terminal, without the digest of a password."""
    return _DIGEST.sub("sha256|...", step.run)


def chosen(steps: Sequence[Step], *, dashboards: bool) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """The steps of an environment, and those that it skips."""
    kept = tuple(step for step in steps if dashboards or step.needs != "dashboards")
    return kept, tuple(step for step in steps if step not in kept)
