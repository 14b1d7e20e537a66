"""A contract by the name that somebody typed."""

from __future__ import annotations

from pathlib import Path

from ingestion.contract import Contract, load_contract
from orchestration.errors import UnknownNameError


def find_contract(folder: Path, name: str) -> Contract:
    """The contract of a name. What is wrong with other contracts is no matter.

    Raises:
        UnknownNameError: If there is none.
        ContractError: If it cannot be used.
    """
    path = folder / f"{name}.yaml"
    if not path.is_file():
        names = ", ".join(sorted(each.stem for each in folder.glob("*.yaml")))
        raise UnknownNameError(f"There is no contract {name!r}; there is {names}.")
    return load_contract(path)
