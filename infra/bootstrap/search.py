"""Sets up OpenSearch's own roles, and which IAM role has them, by the REST API of its security plugin.

Source: "Access control API" in OpenSearch's documentation; fine-grained access in the Amazon OpenSearch Service Guide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from opensearchpy import OpenSearch
from opensearchpy.exceptions import ConnectionError as NoAnswerError
from opensearchpy.exceptions import NotFoundError, OpenSearchException, TransportError
from pydantic import BaseModel, ConfigDict

from infra.bootstrap.errors import BootstrapError

SEARCH = Path(__file__).with_name("search.yaml")
_API = "/_plugins/_security/api"


class IndexPermission(BaseModel):
    """What may be done with indexes of some names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    index_patterns: tuple[str, ...]
    allowed_actions: tuple[str, ...]


class Role(BaseModel):
    """A role of OpenSearch's own, and the actor that has it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    why: str
    cluster_permissions: tuple[str, ...]
    index_permissions: tuple[IndexPermission, ...]
    mapped_to: str | None = None

    def of_indexes(self, indexes: Sequence[str]) -> Role:
        """The role with the names of indexes in its patterns."""
        permissions = tuple(
            each.model_copy(
                update={
                    # A pattern that names no index stands once.
                    "index_patterns": tuple(
                        dict.fromkeys(
                            pattern.format(index=index) for index in sorted(indexes) for pattern in each.index_patterns
                        )
                    )
                }
            )
            for each in self.index_permissions
        )
        return self.model_copy(update={"index_permissions": permissions})

    def body(self) -> dict[str, Any]:
        """What the API takes."""
        return self.model_dump(mode="json", include={"cluster_permissions", "index_permissions"})


class Holder(BaseModel):
    """An actor that has a role that is OpenSearch's, beside whoever has it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: str
    why: str
    also: str


class Roles(BaseModel):
    """What `search.yaml` says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    roles: tuple[Role, ...]
    mappings: tuple[Holder, ...]

    def of_indexes(self, indexes: Sequence[str]) -> Roles:
        """The same with the names of indexes in the roles' patterns."""
        return self.model_copy(update={"roles": tuple(role.of_indexes(indexes) for role in self.roles)})


@dataclass(frozen=True)
class Change:
    """What became of a role or a mapping."""

    what: str
    did: Literal["unchanged", "made", "mended"]


def load_roles(path: Path = SEARCH) -> Roles:
    """What there shall be."""
    return Roles(**yaml.safe_load(path.read_text(encoding="utf-8")))


def set_up(client: OpenSearch, wanted: Roles, role_arns: Mapping[str, str]) -> Iterator[Change]:
    """Make what is missing or differs, and tell of each. What is as it shall be is left alone.

    Args:
        client: The cluster, from `serving.opensearch.client.connect`, as somebody who may manage security.
        wanted: The roles, with names of indexes in them.
        role_arns: ARNs of IAM roles, by actor.

    Raises:
        BootstrapError: If OpenSearch gives no answer, or refuses. What came before stays.
    """
    for role in wanted.roles:
        yield _settle(client, "roles", role.name, role.body())
        if role.mapped_to is not None:
            yield _settle(client, "rolesmapping", role.name, {"backend_roles": [role_arns[role.mapped_to]]})
    for mapping in wanted.mappings:
        yield _add(client, mapping.role, role_arns[mapping.also])


def _settle(client: OpenSearch, kind: str, name: str, body: dict[str, Any]) -> Change:
    found = _request(client, "GET", kind, name)
    what = f"{'role' if kind == 'roles' else 'who has'} {name}"
    if found is not None and _told(found) == _told(body):
        return Change(what, "unchanged")
    _request(client, "PUT", kind, name, body)
    return Change(what, "made" if found is None else "mended")


def _add(client: OpenSearch, role: str, arn: str) -> Change:
    found = _request(client, "GET", "rolesmapping", role)
    held = _told(found or {})
    what = f"who has {role}"
    if arn in (*held.get("backend_roles", ()), *held.get("users", ())):
        return Change(what, "unchanged")
    _request(client, "PUT", "rolesmapping", role, {**held, "backend_roles": [*held.get("backend_roles", ()), arn]})
    return Change(what, "mended" if found else "made")


def _told(body: Mapping[str, Any]) -> dict[str, Any]:
    """A role or a mapping in one form: without what the API only answers, and without what is empty; lists in order."""
    kept = {key: value for key, value in body.items() if key not in ("hidden", "reserved", "static")}
    return {key: _ordered(value) for key, value in kept.items() if value not in (None, "", [], {})}


def _ordered(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return sorted((_told(each) if isinstance(each, dict) else each for each in value), key=str)


def _request(client: OpenSearch, method: str, kind: str, name: str, body: Any = None) -> dict[str, Any] | None:
    """What the API answers about one role or mapping; None if there is none."""
    where = f"OpenSearch, {method} {_API}/{kind}/{name}"
    try:
        answer = client.transport.perform_request(method, f"{_API}/{kind}/{name}", body=body)
    except NotFoundError:
        return None
    except NoAnswerError as error:
        raise BootstrapError(
            f"{where}: no answer ({error.error}). The domain answers inside its VPC alone: run this from there, "
            f"or with --only warehouse without it."
        ) from error
    except TransportError as error:
        denied = error.status_code in (401, 403)
        cure = "Take the role bootstrap, the domain's master." if denied else "Look at search.yaml."
        raise BootstrapError(f"{where}: {error.status_code}: {error.info or error.error}. {cure}") from error
    except OpenSearchException as error:
        raise BootstrapError(f"{where}: {error}. Run the command again.") from error
    return answer[name] if method == "GET" else None
