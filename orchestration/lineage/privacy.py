"""Whether an exposure may show what it shows: private data leaves the platform only with a reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from orchestration import exposures
from orchestration.lineage.classification import Classification
from orchestration.lineage.errors import PrivateDataError
from orchestration.lineage.graph import Field, FieldId, Graph

Node = Mapping[str, Any]


def require_permitted(graph: Graph, manifest: Node, to_serve: Iterable[Node]) -> None:
    """Refuse exposures whose private columns have no reason, or whose reasons have no private column.

    Call it before anything is made of an exposure: nothing is sent of one that is refused.

    Args:
        graph: The lineage of fields, which knows how private each column is.
        manifest: dbt's, of any target.
        to_serve: Some of the manifest's exposures.

    Raises:
        PrivateDataError: With every column that is wrong: where it would be seen, whence it comes, and what to do.
        ExposureError: If what an exposure says cannot be read.
    """
    problems = {exposures.file(each): list(_problems(graph, manifest, each)) for each in to_serve}
    if any(problems.values()):
        told = (f"{file}:\n" + "\n".join(found) for file, found in problems.items() if found)
        raise PrivateDataError("\n".join(told))


def _problems(graph: Graph, manifest: Node, exposure: Node) -> Iterator[str]:
    permitted = exposures.permissions(exposure)
    exported = exposures.exported(manifest, exposure)
    private = {name: field for name, id_ in exported.items() if _is_private(field := _field(graph, id_))}
    yield from (_unpermitted(graph, exposure, name, private[name]) for name in private if name not in permitted)
    yield from (_stale(name, exported) for name in permitted if name not in private)


def _field(graph: Graph, id_: FieldId) -> Field:
    if id_ not in graph.fields:
        raise PrivateDataError(
            f"Nobody knows how private {id_} is: the lineage has no such column. Either its model declares a column"
            f" that its SQL lacks, or dbt's manifest is older than the project: `watershed prepare`."
        )
    return graph.fields[id_]


def _is_private(field: Field) -> bool:
    return field.classification is not None and Classification(field.classification).is_private


def _unpermitted(graph: Graph, exposure: Node, name: str, field: Field) -> str:
    model, _, column = name.partition(".")
    shown = ", ".join(_places(graph, exposure, field.id)) or f"the data of {exposure['name']}"
    exclude = []
    if exposures.served_by(exposure, "quicksight") is not None:
        exclude.append(f"config.meta.quicksight.exclude: {{{model}: [{column}]}}")
    if exposures.served_by(exposure, "opensearch") is not None:
        exclude.append(f"config.meta.opensearch.exclude: [{column}]")
    return (
        f"  {name} is {field.classification}, by {' -> '.join(map(str, field.classified_by))}\n"
        f"    shown in {shown}\n"
        f"    Leave it out ({' and '.join(exclude)}), mask it in the model ({{{{ mask('{column}') }}}}), or say why it"
        f" may be shown (config.meta.private: {{{name}: {{reason: ...}}}}). See docs/private-data.md."
    )


def _places(graph: Graph, exposure: Node, column: FieldId) -> Iterator[str]:
    """Where an exposure shows a column: fields of data sets and indexes, visuals and filters."""
    index = exposures.served_by(exposure, "opensearch") or {}
    served = (f"quicksight/{exposure['name']}", f"opensearch/{index.get('index')}")
    found = graph.reached([column], graph.downstream)
    for id_, field in graph.fields.items():
        if id_ in found and _is_private(field) and id_.asset.startswith(served):
            yield f"{field.kind} {id_}"


def _stale(name: str, exported: Mapping[str, FieldId]) -> str:
    why = f"which is not private ({exported[name]})" if name in exported else "which it does not show"
    return f"  config.meta.private gives a reason for {name}, {why}. Take it out."
