"""Refusals in AWS's shape, and what the operations need to find a reason for one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.core.exceptions import ServiceException

Request = Mapping[str, Any]
Answer = dict[str, Any]


class RefusedError(ServiceException):
    """An error of the service, by its code. moto takes status and shape from AWS's service model."""


def refuse(code: str, message: str) -> RefusedError:
    """An error to raise."""
    return RefusedError(code, message)


def invalid(message: str) -> RefusedError:
    """An error to raise: a parameter has a value that AWS does not take."""
    return refuse("InvalidParameterValueException", message)


def existing(records: Mapping[str, Any], record_id: str, kind: str) -> Any:
    """The record with an id; ResourceNotFoundException if there is none."""
    if record_id not in records:
        raise refuse("ResourceNotFoundException", f"{kind} {record_id} does not exist.")
    return records[record_id]


def one_of(variants: Request, path: str) -> Request:
    """A union of AWS's: exactly one member is given."""
    if len(variants) != 1:
        raise invalid(f"{path}: give exactly one of its members, not {len(variants)}.")
    return variants
