"""What AWS refuses or fails in a dashboard's definition."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from infra.local.aws.quicksight.records import DataSet
from infra.local.aws.quicksight.refusals import Answer, Request, invalid


def _nodes(value: Any, path: str = "definition") -> Iterator[tuple[str, str, Request]]:
    """Every structure in a definition: its path, the member that holds it, itself."""
    if isinstance(value, Mapping):
        yield path, re.sub(r"\[\d+\]$", "", path).rsplit(".", 1)[-1], value
        for name, member in value.items():
            yield from _nodes(member, f"{path}.{name}")
    elif isinstance(value, list | tuple):
        for index, member in enumerate(value):
            yield from _nodes(member, f"{path}[{index}]")


def check_identifiers(definition: Request) -> None:
    """Refuse a definition that names a data set which it does not declare."""
    declared = [item["Identifier"] for item in definition["DataSetIdentifierDeclarations"]]
    if len(set(declared)) < len(declared):
        raise invalid("definition.dataSetIdentifierDeclarations: an identifier is declared more than once.")
    for path, _, node in _nodes(definition):
        if node.get("DataSetIdentifier", declared[0] if declared else None) not in declared:
            raise invalid(f"{path}: data set identifier {node.get('DataSetIdentifier')} is not declared.")


def error_of(kind: str, message: str, path: str) -> Answer:
    """An error of a dashboard's version."""
    return {"Type": kind, "Message": message, "ViolatedEntities": [{"Path": path}]}


_DATE, _NUMBER, _TEXT = {"DATETIME"}, {"INTEGER", "DECIMAL"}, {"STRING"}
_WANTED_TYPES = {
    **dict.fromkeys(("DateDimensionField", "DateMeasureField", "TimeRangeFilter", "RelativeDatesFilter"), _DATE),
    **dict.fromkeys(("NumericalDimensionField", "NumericalMeasureField", "NumericRangeFilter"), _NUMBER),
    **dict.fromkeys(("CategoricalDimensionField", "CategoricalMeasureField", "CategoryFilter"), _TEXT),
}


def column_errors(definition: Request, used: Mapping[str, DataSet]) -> Iterator[Answer]:
    """Columns that a data set lacks, or that are of another type than their use takes."""
    calculated = {(each.get("DataSetIdentifier"), each["Name"]) for each in definition.get("CalculatedFields", ())}
    for path, holder, node in _nodes(definition):
        data_set = used.get(node.get("DataSetIdentifier", ""))
        if data_set is None:
            continue
        names = [node["ColumnName"]] if "ColumnName" in node else []
        names += re.findall(r"(?<!\$)\{([^}]+)\}", re.sub(r"'[^']*'", "", node.get("Expression", "")))
        for name in names:
            if name not in data_set.columns and (node["DataSetIdentifier"], name) not in calculated:
                message = f"Required column '{name}' is missing in data set '{data_set.arn}'"
                yield error_of("COLUMN_REPLACEMENT_MISSING", message, path)
        kind = data_set.columns.get(node.get("ColumnName", ""), {}).get("Type")
        wanted = _WANTED_TYPES.get(path.split(".")[-2]) if holder == "Column" else None
        if kind and wanted and kind not in wanted:
            message = f"Column '{node['ColumnName']}' is {kind}, expected {' or '.join(sorted(wanted))}"
            yield error_of("COLUMN_TYPE_MISMATCH", message, path)


def parameter_errors(definition: Request) -> Iterator[Answer]:
    """Parameters that are used and not declared."""
    declared = {each["Name"] for variant in definition.get("ParameterDeclarations", ()) for each in variant.values()}
    for path, _, node in _nodes(definition):
        names = [node[member] for member in ("ParameterName", "SourceParameterName") if member in node]
        names += [node["Parameter"]] if isinstance(node.get("Parameter"), str) else []
        names += re.findall(r"\$\{([^}]+)\}", node.get("Expression", ""))
        for name in names:
            if name not in declared:
                yield error_of("PARAMETER_NOT_FOUND", f"Parameter '{name}' does not exist", path)
