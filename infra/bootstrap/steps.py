"""The steps of `warehouse.yaml`, and their SQL with the names of an environment in it."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from infra.bootstrap.errors import BootstrapError

WAREHOUSE = Path(__file__).with_name("warehouse.yaml")


class Name(str):
    """A name that goes into SQL as an identifier (`{name:id}`) or as a string (`{name:text}`), quoted."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        if spec not in ("id", "text"):
            raise ValueError(f"{spec!r} is no way to quote: write id or text.")
        quote = '"' if spec == "id" else "'"
        return quote + self.replace(quote, quote * 2) + quote


class Step(BaseModel):
    """One thing that shall be there; see the head of `warehouse.yaml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    why: str
    run: str
    missing: str | None = None
    sign_in: bool = False
    needs: Literal["dashboards"] | None = None

    @model_validator(mode="after")
    def _looks_one_way(self) -> Step:
        if (self.missing is None) is not self.sign_in:
            raise ValueError("write missing, or sign_in: true")
        return self

    def with_names(self, names: Mapping[str, str]) -> Step:
        """The step with names in its SQL. Raises BootstrapError for one that is not given."""
        return self.model_copy(
            update={
                "run": _fill(self, self.run, names),
                "missing": None if self.missing is None else _fill(self, self.missing, names),
            }
        )


class WarehouseNames(BaseModel):
    """What the names in `warehouse.yaml` are in an environment, but for the digest of a password."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database: str
    lake_schema: str = Field(description="The schema that dbt's refs to the lake lead to.")
    lake_database: str = Field(description="Of Glue.")
    marts: str
    dbt_user: str
    serving_user: str
    unload_role: str = Field(description="ARN of the IAM role that UNLOAD writes with.")
    builder: str = "marts_builder"
    reader: str = "marts_reader"
    quicksight_user: str = "quicksight"


def load_steps(path: Path = WAREHOUSE) -> tuple[Step, ...]:
    """The steps, in their order."""
    return tuple(Step(**values) for values in _read(path))


def database_user(iam_role: str) -> str:
    """The database user that an IAM role signs in as.

    Source: GetCredentials in the Amazon Redshift Serverless API Reference.
    """
    return f"IAMR:{iam_role}"


def _read(path: Path) -> Sequence[Mapping[str, Any]]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _fill(step: Step, sql: str, names: Mapping[str, str]) -> str:
    try:
        return string.Formatter().vformat(sql, (), {key: Name(value) for key, value in names.items()}).strip()
    except KeyError as error:
        raise BootstrapError(
            f"warehouse.yaml, step {step.name!r}: there is no name {error}. There are {', '.join(names)}."
        ) from error
