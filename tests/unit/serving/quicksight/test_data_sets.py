from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from serving.quicksight import Athena, Column, DefinitionError, Deployment, Relation
from serving.quicksight.data_sets import data_set_request


@pytest.mark.parametrize(
    ("ansi", "column", "seen_as"),
    [
        ("varchar(48)", {"Type": "STRING"}, "STRING"),
        ("integer", {"Type": "INTEGER"}, "INTEGER"),
        ("BIGINT", {"Type": "INTEGER"}, "INTEGER"),
        ("numeric(4, 2)", {"Type": "DECIMAL", "SubType": "FIXED"}, "DECIMAL"),
        ("double precision", {"Type": "DECIMAL", "SubType": "FLOAT"}, "DECIMAL"),
        ("date", {"Type": "DATETIME"}, "DATETIME"),
        ("timestamp", {"Type": "DATETIME"}, "DATETIME"),
        ("boolean", {"Type": "BOOLEAN"}, "INTEGER"),
    ],
)
def test_each_ansi_type_has_its_quicksight_type(ansi: str, column: dict[str, str], seen_as: str) -> None:
    assert Column(ansi).input_column("c") == {"Name": "c", **column}
    assert Column(ansi).analysis_type == seen_as


def test_a_data_set_is_the_whole_model_in_spice_with_its_descriptions(relations: dict[str, Relation]) -> None:
    request = data_set_request(relations["daily"], data_source_id="source", catalog=None)
    (table,) = request["PhysicalTableMap"].values()
    assert request["ImportMode"] == "SPICE"
    assert table["RelationalTable"]["Schema"] == "marts"
    assert [column["Name"] for column in table["RelationalTable"]["InputColumns"]] == list(relations["daily"].columns)
    (logical,) = request["LogicalTableMap"].values()
    assert [transform["TagColumnOperation"]["ColumnName"] for transform in logical["DataTransforms"]] == [
        "flight_date",
        "flights",
    ]


def test_a_description_longer_than_quicksight_takes_is_cut() -> None:
    relation = Relation("marts", "long", {"a": Column("date", "word " * 200)})
    request = data_set_request(relation, data_source_id="source", catalog=None)
    (logical,) = request["LogicalTableMap"].values()
    text = logical["DataTransforms"][0]["TagColumnOperation"]["Tags"][0]["ColumnDescription"]["Text"]
    assert len(text) == 500
    assert text.endswith("…")


def test_a_type_that_quicksight_lacks_is_refused_by_name(
    definition: dict[str, Any], relations: dict[str, Relation], declared: Callable[..., Deployment]
) -> None:
    columns = {**relations["daily"].columns, "payload": Column("super")}
    with pytest.raises(DefinitionError, match=r"marts\.daily\.payload: QuickSight has no type for 'super'"):
        declared(definition, relations={"daily": Relation("marts", "daily", columns)})


def test_ids_start_with_the_prefix_and_only_declared_models_become_data_sets(
    definition: dict[str, Any], declared: Callable[..., Deployment]
) -> None:
    deployment = declared(definition)
    assert [resource.id for resource in deployment.resources] == ["test-redshift", "test-daily", "test-small"]
    assert deployment.data_set_ids == {"daily": "test-daily"}


def test_on_athena_tables_are_found_in_the_glue_catalog(
    definition: dict[str, Any], declared: Callable[..., Deployment]
) -> None:
    source, data_set, _ = declared(definition, warehouse=Athena("watershed-dbt")).resources
    assert source.request["DataSourceParameters"] == {"AthenaParameters": {"WorkGroup": "watershed-dbt"}}
    (table,) = data_set.request["PhysicalTableMap"].values()
    assert table["RelationalTable"]["Catalog"] == "AwsDataCatalog"
