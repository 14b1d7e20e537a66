"""What the lineage of fields tells of an asset, as Dagster's metadata: its columns, whence they come, the page.

Dagster knows columns by name alone: a struct is one column, and what is made of its members is made of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import dagster as dg

from orchestration.lineage.graph import AssetKind, FieldId, Graph

SCHEMA, LINEAGE = "dagster/column_schema", "dagster/column_lineage"


def with_fields(spec: dg.AssetSpec, graph: Graph, page_url: str | None) -> dg.AssetSpec:
    """An asset with what the lineage knows of its columns.

    Args:
        spec: The asset. Columns that it declares itself keep their types and constraints.
        graph: The lineage of fields.
        page_url: Where its page is published; None if it is not.
    """
    key = spec.key.to_user_string()
    if key not in graph.assets:
        return spec
    found: dict[str, Any] = {LINEAGE: column_lineage(graph, key)}
    schema = spec.metadata.get(SCHEMA)
    if schema is not None:
        found[SCHEMA] = _with_classifications(graph, key, getattr(schema, "value", schema))
    if page_url:
        found["lineage_of_fields"] = dg.MetadataValue.url(f"{page_url}#{quote(key)}")
    return spec.merge_attributes(metadata=found)


def column_lineage(graph: Graph, asset: str) -> dg.TableColumnLineage:
    """What each column of an asset is made of, or decided by."""
    lineage: dict[str, dict[tuple[str, str], None]] = {}
    for field in graph.fields_by_asset[asset]:
        column = _column(field.id) if graph.assets[asset].kind is not AssetKind.DASHBOARD else field.id.path
        lineage.setdefault(column, {}).update(dict.fromkeys(_origins(graph, field.id)))
    return dg.TableColumnLineage(
        {
            name: [dg.TableColumnDep(dg.AssetKey(key.split("/")), column) for key, column in origins]
            for name, origins in lineage.items()
            if origins
        }
    )


def _origins(graph: Graph, field: FieldId) -> Iterator[tuple[str, str]]:
    """The columns of other assets that a field is made of. A dashboard's data sets are no assets of Dagster's."""
    for source in graph.upstream(field):
        if graph.assets[source.asset].kind is AssetKind.DATA_SET:
            yield from _origins(graph, source)
        else:
            yield source.asset, _column(source)


def _column(field: FieldId) -> str:
    return field.path.partition(".")[0]


def _with_classifications(graph: Graph, asset: str, schema: dg.TableSchema) -> dg.TableSchema:
    classified = {field.id.path: field.classification for field in graph.fields_by_asset[asset]}
    return dg.TableSchema([_tagged(column, classified) for column in schema.columns])


def _tagged(column: dg.TableColumn, classified: Mapping[str, str | None]) -> dg.TableColumn:
    classification = classified.get(column.name)
    return dg.TableColumn(
        column.name,
        column.type,
        description=column.description,
        constraints=column.constraints,
        tags={**column.tags, "classification": str(classification)} if classification else column.tags,
    )
