"""How private each field is: what a contract declares follows the field through all that is made of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum
from graphlib import TopologicalSorter

from orchestration.lineage.errors import ClassificationError
from orchestration.lineage.graph import Field, FieldId, Graph


class Classification(StrEnum):
    """What a contract may say in a field's `classification`, the most open first."""

    PUBLIC = "public"
    INTERNAL = "internal"
    CONFIDENTIAL = "confidential"
    RESTRICTED = "restricted"

    @property
    def rank(self) -> int:
        """The higher, the more private."""
        return list(Classification).index(self)

    @property
    def is_private(self) -> bool:
        """Whether it leaves the platform only where an exposure gives a reason."""
        return self in (Classification.CONFIDENTIAL, Classification.RESTRICTED)


def classify(graph: Graph) -> Graph:
    """The same graph, in which each field has the strongest classification of all that it is made of, and its way.

    A struct's classification is that of each member. A model may declare a classification of its own, to raise it; what
    is masked, joined by, or a window's order carries none (`Transformation`).

    Raises:
        ClassificationError: If a classification is none of `Classification`, or a declared one is below what the field
            is made of: a word clears nothing.
    """
    carried: dict[FieldId, set[FieldId]] = {}
    for edge in graph.edges:
        if edge.transformation.carries_classification:
            carried.setdefault(edge.target, set()).add(edge.source)
    found: dict[FieldId, Field] = {}
    order = TopologicalSorter({id_: sorted(carried.get(id_, ())) for id_ in graph.fields}).static_order()
    for id_ in order:
        found[id_] = _classified(graph, id_, [found[source] for source in sorted(carried.get(id_, ()))])
    return replace(graph, fields={id_: found[id_] for id_ in graph.fields})


def _classified(graph: Graph, id_: FieldId, sources: list[Field]) -> Field:
    field = graph.fields[id_]
    declared = max(_declared(graph, id_), key=lambda each: each.rank, default=None)
    # Of equal ones the way that is shortest, then first by name, so that it is the same on each run.
    ways = [
        (-Classification(each.classification).rank, len(each.classified_by), each)
        for each in sources
        if each.classification
    ]
    if not ways:
        return replace(field, classification=declared, classified_by=(id_,) if declared else ())
    nearest = min(ways, key=lambda way: way[:2])[2]
    inherited = Classification(nearest.classification)
    if declared and declared.rank > inherited.rank:
        return replace(field, classification=declared, classified_by=(id_,))
    if field.classification and Classification(field.classification).rank < inherited.rank:
        raise ClassificationError(
            f"{id_} is declared {field.classification}, and is made of what is {inherited}: "
            f"{' -> '.join(map(str, (*nearest.classified_by, id_)))}. Leave its classification out, or mask it: "
            f"docs/private-data.md."
        )
    return replace(field, classification=inherited, classified_by=(*nearest.classified_by, id_))


def _declared(graph: Graph, id_: FieldId) -> Iterator[Classification]:
    """What a field, or a struct around it, is declared as."""
    path = id_.path
    while path:
        field = graph.fields.get(FieldId(id_.asset, path))
        if field and field.classification:
            if field.classification not in list(Classification):
                raise ClassificationError(
                    f"{field.id}: {field.classification!r} is no classification; write {', '.join(Classification)}."
                )
            yield Classification(field.classification)
        path = path.rpartition(".")[0]
