"""Requests against AWS's service model."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape
from botocore.validate import ParamValidator

from infra.local.aws.quicksight.refusals import Request, refuse

SERVICE = botocore.session.get_session().get_service_model("quicksight")


def check_request(operation: OperationModel, request: Request) -> None:
    """Refuse what AWS's description of the operation does not allow."""
    shape = operation.input_shape
    assert shape is not None, f"{operation.name} takes no parameters"
    report = ParamValidator().validate(request, shape)
    errors = report.generate_report().splitlines() if report.has_errors() else []
    errors = errors or list(_constraint_errors(shape, request, ""))
    if errors:
        found = "1 validation error" if len(errors) == 1 else f"{len(errors)} validation errors"
        raise refuse("ValidationException", f"{found} detected: {'; '.join(errors)}")


def _constraint_errors(shape: Shape, value: Any, path: str) -> Iterator[str]:
    """What botocore's own validator leaves to the service: allowed values, lengths, patterns."""
    if isinstance(shape, StructureShape):
        for name, member in value.items():
            yield from _constraint_errors(shape.members[name], member, f"{path}.{name}".lstrip("."))
    elif isinstance(shape, MapShape):
        for name, member in value.items():
            yield from _constraint_errors(shape.key, name, f"{path}.{name}")
            yield from _constraint_errors(shape.value, member, f"{path}.{name}")
    elif isinstance(shape, ListShape):
        yield from _value_errors(shape, value, path)
        for index, member in enumerate(value):
            yield from _constraint_errors(shape.member, member, f"{path}[{index}]")
    elif shape.type_name == "string":
        yield from _value_errors(shape, value, path)


def _value_errors(shape: Shape, value: Any, path: str) -> Iterator[str]:
    limits, start = shape.metadata, f"Value at '{path}' failed to satisfy constraint: Member must"
    if limits.get("enum") and value not in limits["enum"]:
        yield f"{start} satisfy enum value set: {limits['enum']}"
    if len(value) < limits.get("min", 0):
        yield f"{start} have length greater than or equal to {limits['min']}"
    if len(value) > limits.get("max", len(value)):
        yield f"{start} have length less than or equal to {limits['max']}"
    if not _matches(limits.get("pattern"), value):
        yield f"{start} satisfy regular expression pattern: {limits['pattern']}"


def _matches(pattern: str | None, value: str) -> bool:
    try:
        return not pattern or re.fullmatch(pattern, value, re.DOTALL) is not None
    except re.error:
        return True  # A few patterns are in Java's dialect alone.
