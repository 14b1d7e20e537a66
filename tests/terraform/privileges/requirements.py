"""What IAM is asked for a call of an API: actions, resources, and the keys that what is encrypted needs.

Actions and resource types are those of AWS's Service Authorization Reference, by policy-sentry. What differs from it,
and what services do in a caller's name, is in `calls.yaml`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import yaml
from policy_sentry.shared.iam_data import get_service_prefix_data

from tests.terraform.privileges.evaluation import Values, several

TABLE = Path(__file__).with_name("calls.yaml")


class UnknownCallError(Exception):
    """A call has no action in the reference, or no resource. Say in calls.yaml what it is."""


@dataclass(frozen=True)
class Call:
    """A call of an API. `status` is of its answer, in HTTP; `why` says where it is known from."""

    actor: str
    service: str
    operation: str
    parameters: Mapping[str, Values]
    status: int = 200
    why: str = "recorded"
    context: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.service}:{self.operation}"


@dataclass(frozen=True)
class Need:
    """What a call needs: an action on a resource. `key` is the alias of the KMS key that is meant, `via` by whom."""

    call: Call
    action: str
    resource: str
    key: str | None = None
    via: str | None = None


@dataclass(frozen=True)
class Names:
    """The middle of ARNs, and the bucket of each zone."""

    account: str
    region: str
    prefix: str
    buckets: Mapping[str, str]
    partition: str = "aws"

    @property
    def fields(self) -> dict[str, str]:
        """For what is written in calls.yaml with braces."""
        return {"prefix": self.prefix, "account": self.account, "region": self.region, **self.buckets}


class Requirements:
    """The needs of calls, by the table and the reference."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._table: Mapping[str, Any] = yaml.safe_load(TABLE.read_text(encoding="utf-8"))

    def kept(self) -> list[Call]:
        """The calls of the table: what services do in a caller's name, and what no run here shows."""
        return [call for row in self._table["kept"] for call in self._of_row(row)]

    def is_local(self, call: Call) -> bool:
        """Whether a call is made on this machine only."""
        return any(
            call.actor == row["actor"]
            and call.name in row["calls"]
            and all(
                re.fullmatch(_filled(value, self._names), str(call.parameters.get(name)))
                for name, value in row.get("with", {}).items()
            )
            for row in self._table["local"]
        )

    def not_seen(self, recorded: Sequence[Call]) -> list[str]:
        """What the table says is called on this machine only, and nobody called."""
        seen = {(call.actor, call.name) for call in recorded if self.is_local(call)}
        told = ((row["actor"], name) for row in self._table["local"] for name in row["calls"])
        return [f"{actor}: {name}" for actor, name in told if (actor, name) not in seen]

    def needs(self, calls: Sequence[Call]) -> list[Need]:
        """What calls need, each need once.

        Raises:
            UnknownCallError: If an operation has no action that the reference or the table knows.
        """
        found: dict[tuple[str, ...], Need] = {}
        for call in calls:
            told = self._with_what_a_token_stands_for(call, calls)
            for need in [*self._of_call(told), *self._of_key(told)]:
                found.setdefault((call.actor, need.action, need.resource, need.key or "", need.via or ""), need)
        return list(found.values())

    def _of_row(self, row: Mapping[str, Any]) -> Iterator[Call]:
        why = f"{row['why']} ({row['source']})"
        context = {key: _filled(value, self._names) for key, value in row.get("context", {}).items()}
        for actor in several(row["actor"]):
            for name in row["calls"]:
                service, _, operation = name.partition(":")
                for parameters in row.get("with", [{}]):
                    filled = {key: _filled(value, self._names) for key, value in parameters.items()}
                    yield Call(actor, service, operation, filled, why=why, context=context)

    def _with_what_a_token_stands_for(self, call: Call, calls: Sequence[Call]) -> Call:
        """A call by a token, such as a shard iterator: on what the actor has named when it got one."""
        got = self._table["tokens"].get(call.name)
        if got is None:
            return call
        parameters: dict[str, Values] = {}
        for each in calls:
            if each.actor == call.actor and each.name == got:
                for name, value in each.parameters.items():
                    parameters[name] = [*several(parameters.get(name, [])), *several(value)]
        return Call(call.actor, call.service, call.operation, {**parameters, **call.parameters}, call.status, call.why)

    def _of_call(self, call: Call) -> Iterator[Need]:
        actions = self._actions(call)
        actions += [also for action in actions for also in self._also(action)]
        for action in actions:
            for resource in self._resources(action, call):
                yield Need(call, action, resource)
        if "CopySource" in call.parameters:
            bucket, _, key = unquote(str(call.parameters["CopySource"])).lstrip("/").partition("/")
            copied = Call(call.actor, "s3", "GetObject", {"Bucket": bucket, "Key": key}, why=call.why)
            yield from [*self._of_call(copied), *self._of_key(copied)]

    def _actions(self, call: Call) -> list[str]:
        prefix = self._table["prefixes"].get(call.service, call.service)
        operations = self._table["operations"].get(prefix, {})
        actions = list(operations.get(call.operation, [call.operation]))
        if prefix == "s3":
            actions += self._of_s3_parameters(call, actions)
        return [f"{prefix}:{action}" for action in actions]

    @staticmethod
    def _of_s3_parameters(call: Call, actions: Sequence[str]) -> Iterator[str]:
        """Actions that depend on more than the operation: https://docs.aws.amazon.com/AmazonS3/latest/API/."""
        if "Tagging" in call.parameters:
            yield "PutObjectTagging"
        if "ACL" in call.parameters:
            yield "PutObjectAcl"
        if "VersionId" in call.parameters:
            yield from (f"{action}Version" for action in actions if action in ("GetObject", "DeleteObject"))
        # Without it S3 says 403 in place of 404, which no client takes for "there is none".
        if call.status == 404 and "GetObject" in actions:
            yield "ListBucket"

    def _also(self, action: str) -> Iterator[str]:
        """The actions that the reference says an action depends on."""
        prefix, _, name = action.partition(":")
        known = get_service_prefix_data(prefix)["privileges"].get(name, {"resource_types": {}})
        depends = {each for type_ in known["resource_types"].values() for each in type_["dependent_actions"]}
        yield from sorted(depends - set(self._table["not_needed"].get(action, ())))

    def _resources(self, action: str, call: Call) -> list[str]:
        """The ARN of each resource that the action must be allowed on. `*` if AWS has no resource type for it."""
        prefix, _, name = action.partition(":")
        service = get_service_prefix_data(prefix)
        types = self._table["resource_types"].get(action)
        if types is None:
            known = service["privileges"].get(name) if service else None
            if known is None:
                raise UnknownCallError(
                    f"{call.actor} calls {call.name}: no action {action} is known. See {TABLE.name}."
                )
            types = [type_ for type_, is_ in known["resource_types"].items() if is_["required"]]
            if not types and any(known["resource_types"]):
                raise UnknownCallError(
                    f"{action} has several resource types, none required: say in {TABLE.name} which."
                )
        return [
            arn for type_ in types for arn in self._arns(prefix, type_, service["resources"][type_]["arn"], call)
        ] or ["*"]

    def _arns(self, prefix: str, type_: str, pattern: str, call: Call) -> Iterator[str]:
        of_names = {"Partition": self._names.partition, "Region": self._names.region, "Account": self._names.account}
        variables = re.findall(r"\$\{(\w+)\}", pattern)
        choices = [
            [of_names[variable]] if variable in of_names else self._values(prefix, type_, variable, call)
            for variable in variables
        ]
        for values in product(*choices):
            arn = pattern
            for variable, value in zip(variables, values, strict=True):
                arn = value if value.startswith("arn:") else arn.replace(f"${{{variable}}}", value, 1)
            yield arn

    def _values(self, prefix: str, type_: str, variable: str, call: Call) -> Sequence[str]:
        """What a call says of a variable of an ARN; `*` if nothing: then it is on all that there is."""
        of_type = self._table["parameters"].get(prefix, {}).get(type_, {})
        for parameter in of_type.get(variable, [variable]):
            if parameter in call.parameters:
                # Of a queue's URL the last part is its name.
                return [
                    each.rpartition("/")[2] if "://" in each else each for each in several(call.parameters[parameter])
                ]
        return ["*"]

    def _of_key(self, call: Call) -> Iterator[Need]:
        """The use of the KMS key that a resource is encrypted with, which its service makes in the caller's name."""
        for row in self._table["encrypted"]:
            if call.name not in row["calls"]:
                continue
            said = call.parameters.get(row["by"], "")
            for value in several(said):
                alias = next(
                    (a for pattern, a in row["keys"].items() if re.fullmatch(_filled(pattern, self._names), value)),
                    None,
                )
                if alias is None:
                    raise UnknownCallError(
                        f"{call.actor} calls {call.name} on {value}: which key is it encrypted with?"
                    )
                if alias != "none":
                    for action in row["actions"]:
                        arn = f"arn:{self._names.partition}:kms:{self._names.region}:{self._names.account}:key/{alias}"
                        yield Need(call, action, arn, f"alias/{self._names.prefix}-{alias}", row["via"])


def _filled(text: Any, names: Names) -> Any:
    if isinstance(text, list):
        return [_filled(each, names) for each in text]
    return re.sub(r"\{(\w+)\}", lambda found: names.fields[found[1]], text)
