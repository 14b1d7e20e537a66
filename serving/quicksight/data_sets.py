"""A model as a QuickSight data set: its columns, their types, and the request that creates it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# ANSI type -> (type of an input column, type as analyses see it). SPICE promotes booleans to integers
# (QuickSight user guide, "Supported data types and values"), so a boolean is a number in a definition.
_TYPES: dict[str, tuple[str, str]] = {
    "smallint": ("INTEGER", "INTEGER"),
    "integer": ("INTEGER", "INTEGER"),
    "bigint": ("INTEGER", "INTEGER"),
    "real": ("DECIMAL", "DECIMAL"),
    "double precision": ("DECIMAL", "DECIMAL"),
    "numeric": ("DECIMAL", "DECIMAL"),
    "varchar": ("STRING", "STRING"),
    "boolean": ("BOOLEAN", "INTEGER"),
    "date": ("DATETIME", "DATETIME"),
    "timestamp": ("DATETIME", "DATETIME"),
}
_FLOATS = ("real", "double precision")
_DESCRIPTION_LIMIT = 500  # ColumnDescriptiveText in the service model.


@dataclass(frozen=True)
class Column:
    """A column of a model.

    Args:
        type: ANSI name, such as `bigint`, `numeric(4,2)` or `varchar(3)`.
        description: Shown to who builds analyses on the data set.
    """

    type: str
    description: str = ""

    @property
    def base_type(self) -> str:
        """The type without length, precision and scale."""
        return re.sub(r"\s*\(.*\)", "", self.type.strip().lower())

    @property
    def is_known(self) -> bool:
        """Whether QuickSight has a type for it."""
        return self.base_type in _TYPES

    @property
    def analysis_type(self) -> str:
        """STRING, INTEGER, DECIMAL or DATETIME: what a definition sees.

        Raises:
            KeyError: If QuickSight has no type for it.
        """
        return _TYPES[self.base_type][1]

    def input_column(self, name: str) -> dict[str, str]:
        """The column as CreateDataSet takes it.

        Raises:
            KeyError: If QuickSight has no type for it.
        """
        column = {"Name": name, "Type": _TYPES[self.base_type][0]}
        if column["Type"] == "DECIMAL":
            # SPICE keeps a fixed decimal to 4 places and a float to 16 digits.
            column["SubType"] = "FLOAT" if self.base_type in _FLOATS else "FIXED"
        return column


@dataclass(frozen=True)
class Relation:
    """A model as the warehouse holds it.

    Args:
        schema: Schema on Redshift, database in the Glue catalog for Athena.
        name: Table name. A definition names its data set by it.
        columns: By name, in the table's order.
    """

    schema: str
    name: str
    columns: Mapping[str, Column]


def data_set_request(relation: Relation, *, data_source_id: str, catalog: str | None) -> dict[str, Any]:
    """What CreateDataSet takes besides id and permissions, for a copy of the whole table in SPICE.

    `DataSourceArn` holds the data source's id: its ARN is known once it is deployed.

    Raises:
        KeyError: If a column's type is none that QuickSight has.
    """
    table_id = re.sub(r"[^0-9a-zA-Z-]", "-", relation.name)[:64]  # PhysicalTableId in the service model.
    table: dict[str, Any] = {
        "DataSourceArn": data_source_id,
        "Schema": relation.schema,
        "Name": relation.name,
        "InputColumns": [column.input_column(name) for name, column in relation.columns.items()],
    }
    if catalog:
        table["Catalog"] = catalog
    logical: dict[str, Any] = {"Alias": relation.name[:64], "Source": {"PhysicalTableId": table_id}}
    described = [_description(name, column) for name, column in relation.columns.items() if column.description.strip()]
    if described:
        logical["DataTransforms"] = described
    return {
        "Name": relation.name,
        "PhysicalTableMap": {table_id: {"RelationalTable": table}},
        "LogicalTableMap": {table_id: logical},
        "ImportMode": "SPICE",
    }


def _description(name: str, column: Column) -> dict[str, Any]:
    text = " ".join(column.description.split())
    if len(text) > _DESCRIPTION_LIMIT:
        text = text[: _DESCRIPTION_LIMIT - 1] + "…"
    return {"TagColumnOperation": {"ColumnName": name, "Tags": [{"ColumnDescription": {"Text": text}}]}}
