"""IAM's decision on one request, for as much of the policy language as the platform's policies use.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html, within one account: no
boundaries, no service control policies, no session policies. What a policy says beyond that is an error: nothing is let
through because it was not understood.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

Values = str | Sequence[str]
Statement = Mapping[str, Any]


class UnsupportedPolicyError(Exception):
    """A policy says what is not evaluated here. Teach it here, with a test."""


@dataclass(frozen=True)
class Request:
    """What a principal asks for.

    `principal` is a role's ARN, or a service such as `s3.amazonaws.com`. `resource` may end with a `*`, where the call
    is on all that there is of a kind: only a pattern that covers all of it allows that. `context` holds condition keys.
    """

    principal: str
    action: str
    resource: str
    context: Mapping[str, Values] = field(default_factory=dict)

    @property
    def is_of_service(self) -> bool:
        """Whether an AWS service asks in its own name, for which no identity policy speaks."""
        return not self.principal.startswith("arn:")


@dataclass(frozen=True)
class Decision:
    """IAM's decision; `used` are the statements of the identity policy that allow the request."""

    allowed: bool
    reason: str
    used: tuple[Statement, ...] = ()


def decide(
    request: Request, identity: Mapping[str, Any], resource: Mapping[str, Any] | None = None, *, both: bool = False
) -> Decision:
    """Decide on a request.

    Args:
        request: The request.
        identity: The policy of the principal's role.
        resource: The policy of the resource; None if it has none.
        both: Whether an identity policy counts only if the resource's policy leaves it to the account, as for KMS keys.

    Raises:
        UnsupportedPolicyError: If a policy has an element, an operator or a variable that is not known here.
    """
    own = [statement for statement in _statements(identity) if _applies(statement, request)]
    theirs = [s for s in _statements(resource or {}) if _applies(s, request) and _is_about(s, request)]
    for statement in [*own, *theirs]:
        if statement["Effect"] == "Deny":
            return Decision(False, f"{statement.get('Sid', 'a statement')} denies it")
    named = any(_names(statement, request) for statement in theirs)
    if named:
        return Decision(True, "the resource's policy names the principal", tuple(own))
    if request.is_of_service:
        return Decision(False, "the resource's policy does not allow the service")
    if not own:
        return Decision(False, "no statement of the role's policy allows it")
    if both and not theirs:
        return Decision(False, "the role's policy allows it, the resource's policy does not")
    return Decision(True, "the role's policy allows it", tuple(own))


def _statements(policy: Mapping[str, Any]) -> Sequence[Statement]:
    statements = policy.get("Statement", [])
    return [statements] if isinstance(statements, Mapping) else statements


def _applies(statement: Statement, request: Request) -> bool:
    """Whether action, resource and conditions of a statement are those of the request."""
    if unknown := statement.keys() - {"Sid", "Effect", "Action", "Resource", "Principal", "Condition"}:
        raise UnsupportedPolicyError(f"{statement.get('Sid')}: {', '.join(sorted(unknown))}")
    return (
        any(matches(action, request.action, case=False) for action in several(statement["Action"]))
        # A role's trust policy has no resource: it is about the role.
        and any(matches(r, request.resource) for r in _filled(statement.get("Resource", "*"), request))
        and all(_holds(operator, keys, request) for operator, keys in statement.get("Condition", {}).items())
    )


def _is_about(statement: Statement, request: Request) -> bool:
    """Whether a statement of a resource's policy is about the request's principal, by its name or by its account."""
    return _names(statement, request) or (
        not request.is_of_service and _account(request) in _principals(statement, "AWS")
    )


def _names(statement: Statement, request: Request) -> bool:
    kind = "Service" if request.is_of_service else "AWS"
    return not {"*", request.principal}.isdisjoint(_principals(statement, kind))


def _principals(statement: Statement, kind: str) -> Sequence[str]:
    principal = statement["Principal"]
    if principal == "*":
        return ["*"]
    if unknown := principal.keys() - {"AWS", "Service"}:
        raise UnsupportedPolicyError(f"{statement.get('Sid')}: Principal {', '.join(sorted(unknown))}")
    return several(principal.get(kind, []))


def _account(request: Request) -> str:
    partition, account = request.principal.split(":")[1], request.principal.split(":")[4]
    return f"arn:{partition}:iam::{account}:root"


def _holds(operator: str, keys: Mapping[str, Values], request: Request) -> bool:
    """Whether a condition holds: each of its keys, by any of its values. A key that the request lacks does not hold."""
    quantifier, _, plain = operator.rpartition(":")
    if plain not in _OPERATORS or quantifier not in ("", "ForAnyValue"):
        raise UnsupportedPolicyError(f"the condition operator {operator}")
    context = {key.lower(): value for key, value in request.context.items()}
    for key, said in keys.items():
        has = context.get(key.lower())
        if has is None:
            return False
        if not quantifier and not isinstance(has, str):
            raise UnsupportedPolicyError(f"{operator} on {key}, which has several values: ForAnyValue:{operator}")
        if not any(_OPERATORS[plain](value, each) for value in _filled(said, request) for each in several(has)):
            return False
    return True


def _filled(said: Values, request: Request) -> Iterator[str]:
    """Values with their variables, such as `${aws:userid}`; a value with one that the request lacks is left out."""
    for value in several(said):
        names = re.findall(r"\$\{([^}]+)\}", value)
        if all(isinstance(request.context.get(name), str) for name in names):
            for name in names:
                value = value.replace(f"${{{name}}}", str(request.context[name]))  # noqa: PLW2901
            yield value


def several(value: Values) -> Sequence[str]:
    """The elements of what a policy writes as one string if there is but one."""
    return [value] if isinstance(value, str) else value


def matches(pattern: str, value: str, *, case: bool = True) -> bool:
    """Whether a value is as a pattern with `*` and `?` says. A `*` in the value is a character as any other."""
    return _compiled(pattern, case).fullmatch(value) is not None


@cache
def _compiled(pattern: str, case: bool) -> re.Pattern[str]:
    parts = (".*" if part == "*" else "." if part == "?" else re.escape(part) for part in re.split(r"([*?])", pattern))
    return re.compile("".join(parts), re.DOTALL if case else re.DOTALL | re.IGNORECASE)


# Each takes what the policy says and what the request has.
_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda said, has: said == has,
    "StringLike": matches,
    "ArnEquals": matches,
    "ArnLike": matches,
    "Bool": lambda said, has: said.lower() == has.lower(),
}
