"""The columns that come out of a data set's tables and transforms."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from infra.local.aws.quicksight.refusals import Answer, Request, invalid, one_of

# A boolean becomes a number (QuickSight user guide, "Supported data types and values").
_OUTPUT_TYPES = {"BIT": "INTEGER", "BOOLEAN": "INTEGER", "JSON": "STRING", "SEMISTRUCT": "STRING"}


def output_column(column: Request) -> Answer:
    """A physical table's column as an analysis sees it."""
    output = {"Name": column["Name"], "Type": _OUTPUT_TYPES.get(column["Type"], column["Type"])}
    return output | ({"SubType": column["SubType"]} if "SubType" in column else {})


def logical_columns(
    tables: Request, physical: Mapping[str, dict[str, Answer]], of_data_set: Callable[[str], dict[str, Answer]]
) -> dict[str, Answer]:
    """The columns that come out of the logical tables: those of the one that no join takes in."""
    if not tables:
        return {name: column for columns in physical.values() for name, column in columns.items()}
    joins = [table["Source"].get("JoinInstruction") for table in tables.values()]
    inner = {join[side] for join in joins if join for side in ("LeftOperand", "RightOperand")}
    outer = [table_id for table_id in tables if table_id not in inner]
    if len(outer) != 1:
        raise invalid(f"logicalTableMap: exactly one table is the result, not {len(outer)}.")

    def columns(table_id: str) -> dict[str, Answer]:
        if table_id not in tables:
            raise invalid(f"logicalTableMap: there is no logical table {table_id}.")
        source = tables[table_id]["Source"]
        if join := source.get("JoinInstruction"):
            found = columns(join["LeftOperand"]) | columns(join["RightOperand"])
        elif "DataSetArn" in source:
            found = of_data_set(source["DataSetArn"])
        elif source.get("PhysicalTableId") in physical:
            found = physical[source["PhysicalTableId"]]
        else:
            raise invalid(f"logicalTableMap.{table_id}: there is no physical table {source.get('PhysicalTableId')}.")
        for transform in tables[table_id].get("DataTransforms", ()):
            found = _transformed(found, transform, table_id)
        return found

    return columns(outer[0])


def _transformed(columns: dict[str, Answer], transform: Request, table_id: str) -> dict[str, Answer]:
    ((name, operation),) = one_of(transform, f"logicalTableMap.{table_id}.dataTransforms").items()
    named = operation.get("ProjectedColumns") or [operation["ColumnName"]] if name != "CreateColumnsOperation" else []
    if name in ("FilterOperation", "OverrideDatasetParameterOperation"):
        named = []
    for column in named:
        if column not in columns:
            raise invalid(f"logicalTableMap.{table_id}: {name} names a column {column} that does not exist.")
    if name == "ProjectOperation":
        return {column: columns[column] for column in named}
    columns = dict(columns)
    if name == "RenameColumnOperation":
        renamed = columns.pop(operation["ColumnName"])
        columns[operation["NewColumnName"]] = renamed | {"Name": operation["NewColumnName"]}
    elif name == "CastColumnTypeOperation":
        columns[operation["ColumnName"]] = columns[operation["ColumnName"]] | {"Type": operation["NewColumnType"]}
    elif name == "CreateColumnsOperation":
        # The type follows from the expression, which is not evaluated here.
        columns |= {column["ColumnName"]: {"Name": column["ColumnName"]} for column in operation["Columns"]}
    elif name == "TagColumnOperation":
        texts = [tag["ColumnDescription"]["Text"] for tag in operation["Tags"] if "ColumnDescription" in tag]
        if texts:
            columns[operation["ColumnName"]] = columns[operation["ColumnName"]] | {"Description": texts[-1]}
    return columns
