"""Puts the graph of fields together: contracts, dbt's compiled manifest and the definitions of what is served."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from ingestion.contract import Contract, load_contracts
from ingestion.contract import Field as ContractField
from ingestion.dbt_source import sql_type
from ingestion.schemas import landing_fields
from orchestration import exposures
from orchestration.dbt import node_key
from orchestration.errors import ExposureError
from orchestration.keys import landing_key, source_key
from orchestration.lineage.classification import classify
from orchestration.lineage.compiled import DIALECT, compiled_manifest
from orchestration.lineage.errors import UnreadableSqlError, UnservableError
from orchestration.lineage.graph import Asset, AssetKind, Draft, Edge, Field, FieldId, FieldKind, Graph
from orchestration.lineage.serving import add_dashboard, add_index
from orchestration.lineage.sql import Origins, column_sources
from orchestration.settings import CONTRACTS_DIR, DBT_PROJECT_DIR, PROJECT_ROOT
from serving.opensearch.spec import IndexSpecError
from serving.quicksight import QuickSightError

Node = Mapping[str, Any]


def field_graph(contracts: Iterable[Contract], manifest: Node) -> Graph:
    """The graph from the contracts' fields to the visuals and the fields of the indexes.

    Args:
        contracts: All of them.
        manifest: dbt's, with compiled SQL (`compiled_manifest`).

    Raises:
        LineageError: If a model's SQL cannot be followed, an exposure cannot be served as it says, or something is
            made of a field that does not exist.
    """
    draft = Draft()
    for contract in contracts:
        _add_contract(draft, contract)
    _add_models(draft, manifest)
    for exposure in manifest["exposures"].values():
        file = exposures.file(exposure)
        try:
            add_dashboard(draft, manifest, exposure, {file})
            add_index(draft, manifest, exposure, {file})
        except (QuickSightError, IndexSpecError, ExposureError) as error:
            raise UnservableError(f"{file}: {error}") from error
    return classify(draft.graph())


@lru_cache(maxsize=1)
def project_graph() -> Graph:
    """The graph of this checkout, read once a process. Compiles the dbt project if it has changed.

    Raises:
        LineageError: As `field_graph`, and if dbt cannot compile the project.
        ContractError: If a contract cannot be read.
    """
    return field_graph(load_contracts(CONTRACTS_DIR).values(), compiled_manifest())


def _add_contract(draft: Draft, contract: Contract) -> None:
    source, landing = _key(source_key(contract)), _key(landing_key(contract))
    file = contract.path.resolve()
    files = frozenset({str(file.relative_to(PROJECT_ROOT) if file.is_relative_to(PROJECT_ROOT) else file)})
    draft.add_asset(Asset(source, AssetKind.SOURCE, contract.description, files))
    for path, field in _nested("", contract.fields):
        draft.add_field(_contract_field(FieldId(source, path), field))
    draft.add_asset(Asset(landing, AssetKind.LANDING, contract.description, files))
    own = {path for path, _ in _nested("", contract.fields)}
    for path, field in _nested("", landing_fields(contract)):
        is_leaf = path in own and not any(other.startswith(f"{path}.") for other in own)
        draft.add_field(_contract_field(FieldId(landing, path), field), [FieldId(source, path)] if is_leaf else [])


def _nested(prefix: str, fields: Iterable[ContractField]) -> Iterator[tuple[str, ContractField]]:
    """Every field with its path, members behind their struct. An array's elements have its name."""
    for field in fields:
        yield prefix + field.name, field
        inner = field
        while inner.element:
            inner = inner.element
        yield from _nested(f"{prefix}{field.name}.", inner.fields)


def _contract_field(id_: FieldId, field: ContractField) -> Field:
    type_ = sql_type(field)
    short = "array" if field.element else "struct" if field.fields else type_
    return Field(id_, FieldKind.FIELD, short, field.description, field.classification)


def _add_models(draft: Draft, manifest: Node) -> None:
    nodes = {n["unique_id"]: n for n in manifest["nodes"].values() if n["resource_type"] == "model"}
    tables = {(s["schema"], s["identifier"]): s for s in manifest["sources"].values()}
    tables |= {(n["schema"], n["alias"]): n for n in nodes.values()}
    # A landing table's columns are the contract's; a model's are known once its SQL has been read.
    columns = {
        name: [field.id.path for field in draft.fields_of(_key(node_key(table))) if "." not in field.id.path]
        for name, table in tables.items()
        if table["resource_type"] == "source"
    }
    keys = {name: _key(node_key(table)) for name, table in tables.items()}
    for node in _parents_first(nodes):
        try:
            found = column_sources(node["compiled_code"], columns, DIALECT)
        except UnreadableSqlError as error:
            where = _dbt_file(node["original_file_path"])
            raise UnreadableSqlError(
                f"{where}: its columns cannot be followed to where they come from: {error}"
            ) from error
        columns[node["schema"], node["alias"]] = list(found)
        draft.add_asset(Asset(_key(node_key(node)), AssetKind.MODEL, node["description"], _files(manifest, node)))
        for name, origins in found.items():
            field = _column(FieldId(_key(node_key(node)), name), node["columns"].get(name))
            draft.add_field(field)
            draft.add_edges(_edges(keys, origins, field.id))


def _parents_first(nodes: Mapping[str, Node]) -> Iterator[Node]:
    waiting, done = dict(nodes), set[str]()
    while waiting:
        ready = [name for name, n in waiting.items() if done.issuperset(nodes.keys() & n["depends_on"]["nodes"])]
        done.update(ready)
        yield from (waiting.pop(name) for name in ready)


def _edges(keys: Mapping[tuple[str, str], str], origins: Origins, target: FieldId) -> Iterator[Edge]:
    for read, transformation in origins.fields.items():
        yield Edge(FieldId(keys[read.schema, read.table], ".".join(read.path)), target, transformation)


def _column(id_: FieldId, declared: Node | None) -> Field:
    if declared is None:
        return Field(id_, FieldKind.COLUMN)
    classification = declared["config"]["meta"].get("classification")
    return Field(id_, FieldKind.COLUMN, declared["data_type"] or "", declared["description"], classification)


def _files(manifest: Node, node: Node) -> frozenset[str]:
    """The files that a model is made of: its SQL, its YAML, and the project's macros that its SQL calls."""
    paths = {node["original_file_path"]}
    if node["patch_path"]:
        paths.add(node["patch_path"].partition("://")[2])
    waiting, seen = [*node["depends_on"]["macros"]], set[str]()
    while waiting:
        macro = manifest["macros"].get(waiting.pop())
        if macro and macro["package_name"] == node["package_name"] and macro["unique_id"] not in seen:
            seen.add(macro["unique_id"])
            paths.add(macro["original_file_path"])
            waiting += macro["depends_on"]["macros"]
    return frozenset(map(_dbt_file, paths))


def _dbt_file(path: str) -> str:
    return str((DBT_PROJECT_DIR / path).relative_to(PROJECT_ROOT))


def _key(key: Any) -> str:
    return key.to_user_string()
