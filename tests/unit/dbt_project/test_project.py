"""The rules of the dbt project, held over its manifest: for each target, with no server."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2
import pytest
import yaml
from sqlglot import exp, parse_one

from orchestration.settings import DBT_PROJECT_DIR, DEFAULTS, Environment, Settings
from tests.unit.dbt_project.conftest import Parsed

# Spelled alike, and meaning the same, on Athena, Redshift and DuckDB.
ANSI_TYPE = re.compile(
    r"bigint|integer|double precision|boolean|date|timestamp"
    r"|numeric\((?P<precision>\d+),(?P<scale>\d+)\)|varchar\((?P<length>\d+)\)"
)
# Redshift Spectrum cuts longer strings of an Iceberg table.
LONGEST_STRING = 16_384


def test_parses_without_server_environment_or_warning(project: Parsed) -> None:
    assert project.warnings == []


def test_a_model_has_the_same_name_on_every_target(parsed: dict[str, Parsed]) -> None:
    names = {t: {(m["schema"], m["alias"]) for m in p.models.values()} for t, p in parsed.items()}
    assert names["local"] == names["athena"] == names["redshift"]
    assert {schema for schema, _ in names["local"]} == {"lake", "marts"}


def test_a_mart_on_redshift_reads_the_lake_through_the_external_schema(parsed: dict[str, Parsed]) -> None:
    sql = (parsed["redshift"].compiled / "models/warehouse/marts/fct_flights.sql").read_text(encoding="utf-8")
    tables = [table.sql() for table in parse_one(sql, dialect="redshift").find_all(exp.Table)]
    assert '"watershed"."lake"."int_flights"' in tables


def test_marts_compile_to_sql_that_redshift_reads(parsed: dict[str, Parsed]) -> None:
    files = sorted((parsed["redshift"].compiled / "models/warehouse").rglob("*.sql"))
    assert len(files) >= 4
    for path in files:
        assert isinstance(parse_one(path.read_text(encoding="utf-8"), dialect="redshift"), exp.Select), path


def test_only_tables_of_safe_types_cross_from_lake_to_warehouse(parsed: dict[str, Parsed]) -> None:
    crossing = parsed["redshift"].lake_models_that_marts_read()
    assert {"int_flights", "int_airlines", "int_airports"} <= set(crossing)
    for name, model in crossing.items():
        assert model["config"]["materialized"] in ("table", "incremental"), f"Spectrum does not read views: {name}"
        for column in model["columns"].values():
            match = ANSI_TYPE.fullmatch(column["data_type"])
            assert match, f"{name}.{column['name']}: {column['data_type']} does not cross to Redshift"
            assert int(match["length"] or 0) <= LONGEST_STRING, f"{name}.{column['name']} is cut by Spectrum"


def test_what_athena_builds_as_a_table_is_an_iceberg_table(parsed: dict[str, Parsed]) -> None:
    """Its workgroup decides where results go: a table of Hive's kind would lie among them, and expire with them."""
    models = parsed["athena"].models.values()
    tables = [m for m in models if m["config"]["meta"]["layer"] == "lake" and m["config"]["materialized"] != "view"]
    assert tables
    assert not [m["name"] for m in tables if m["config"].get("table_type") != "iceberg"]


def test_every_column_is_described_and_has_an_ansi_type(project: Parsed) -> None:
    for name, model in project.models.items():
        assert model["columns"], f"{name} has no columns"
        for column in model["columns"].values():
            assert column["description"], f"{name}.{column['name']} is not described"
            assert ANSI_TYPE.fullmatch(column["data_type"] or ""), f"{name}.{column['name']}: {column['data_type']}"


def test_no_model_casts_to_a_type_without_length() -> None:
    for path in DBT_PROJECT_DIR.rglob("*.sql"):
        bare = re.search(r"\bas (varchar|numeric|decimal|char)\b(?!\()", path.read_text(encoding="utf-8"))
        assert not bare, f"{path}: Redshift reads {bare[0]!r} as numeric(18,0) or varchar(256)"


def test_every_model_tells_its_grain(project: Parsed) -> None:
    for name, model in project.models.items():
        assert re.search(r"\bOne row for each\b", model["description"]), f"{name} does not say what a row is"


def test_a_layer_has_its_tag_its_owner_and_its_cadence(project: Parsed) -> None:
    for name, model in project.models.items():
        layer = model["fqn"][1]
        assert layer in model["config"]["tags"], name
        assert model["config"]["meta"]["layer"] == layer, name
        assert model["config"]["meta"]["cadence"], name
        group = project.manifest["groups"][f"group.watershed.{model['group']}"]
        assert group["owner"]["email"], name


def test_staging_is_private_and_marts_have_contracts(project: Parsed) -> None:
    for name, model in project.models.items():
        if "staging" in model["fqn"]:
            assert model["access"] == "private", name
        if "marts" in model["fqn"]:
            assert model["config"]["contract"]["enforced"], name


@pytest.mark.parametrize(
    ("target", "with_sources", "layers"),
    [("local", True, {"lake", "warehouse"}), ("athena", True, {"lake"}), ("redshift", False, {"warehouse"})],
)
def test_a_target_takes_its_own_layer_by_default(
    parsed: dict[str, Parsed], target: str, with_sources: bool, layers: set[str]
) -> None:
    selected = parsed[target].selected
    names = {m["name"]: m["config"]["meta"]["layer"] for m in parsed[target].models.values()}
    assert {names[name] for name in (each.rpartition(".")[2] for each in selected) if name in names} == layers
    assert any("source_not_null_landing" in each for each in selected) is with_sources


def test_every_test_is_taken_by_the_default_of_one_target(parsed: dict[str, Parsed]) -> None:
    kinds = ("data_test", "test", "unit_test")
    nodes = [*parsed["local"].manifest["nodes"].values(), *parsed["local"].manifest["unit_tests"].values()]
    tests = {node["name"] for node in nodes if node["resource_type"] in kinds}
    taken = {each.replace(":", ".").rpartition(".")[2] for t in ("athena", "redshift") for each in parsed[t].selected}
    assert tests - taken == set()


def test_exposures_read_what_they_declare(project: Parsed) -> None:
    for exposure in project.manifest["exposures"].values():
        assert exposure["owner"]["email"], exposure["name"]
        assert exposure["description"], exposure["name"]
        reads = {unique_id.rpartition(".")[2] for unique_id in exposure["depends_on"]["nodes"]}
        meta = exposure["config"]["meta"]
        if "opensearch" in meta:
            assert reads == {meta["opensearch"]["model"]}
            assert meta["opensearch"]["id"] in project.models[meta["opensearch"]["model"]]["columns"]
        else:
            folder = DBT_PROJECT_DIR / Path(exposure["original_file_path"]).parent
            definition = yaml.safe_load((folder / meta["quicksight"]["definition"]).read_text(encoding="utf-8"))
            declared = {each["Identifier"] for each in definition["DataSetIdentifierDeclarations"]}
            assert reads == declared


class CompilationError(Exception):
    """What dbt raises for raise_compiler_error."""


def _built_only_on(target_type: str) -> str:
    def fail(message: str) -> None:
        raise CompilationError(message)

    environment = jinja2.Environment(extensions=["jinja2.ext.do"])
    environment.globals.update(
        execute=True,
        target=SimpleNamespace(type=target_type, name=target_type),
        model=SimpleNamespace(name="int_flights"),
        exceptions=SimpleNamespace(raise_compiler_error=fail),
    )
    source = (DBT_PROJECT_DIR / "macros/built_only_on.sql").read_text(encoding="utf-8")
    macro: Any = environment.from_string(source).module.built_only_on  # pyright: ignore[reportAttributeAccessIssue]
    return str(macro(["athena", "duckdb"]))


def test_a_lake_model_is_not_built_on_redshift(project: Parsed) -> None:
    for model in project.models.values():
        engines = {"lake": "'athena', 'duckdb'", "warehouse": "'redshift', 'duckdb'"}[model["fqn"][1]]
        assert [hook["sql"] for hook in model["config"]["pre-hook"]] == ["{{ built_only_on([" + engines + "]) }}"]
    assert _built_only_on("athena") == ""
    with pytest.raises(CompilationError, match="int_flights is built on athena or duckdb, and the target redshift"):
        _built_only_on("redshift")


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"prefix": "acme"},
        {"lake_bucket": "acme-lake-7", "results_bucket": "acme-results-7"},
        {"environment": "rehearsal", "region": "eu-central-1", "redshift_port": "5440", "athena_workgroup": "dbt"},
        {"state_dir": "/tmp/elsewhere", "redshift_database": "flights", "redshift_host": "example.com"},
    ],
)
def test_profiles_and_settings_agree(changed: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in changed.items():
        monkeypatch.setenv(f"WATERSHED_{name.upper()}", value)
    settings = Settings()  # pyright: ignore[reportCallIssue]  the environment supplies what is required
    local, athena, redshift = (_profile(changed)["outputs"][t] for t in ("local", "athena", "redshift"))

    assert (DBT_PROJECT_DIR / local["path"]).resolve() == settings.duckdb_path
    assert athena["s3_data_dir"] == f"s3://{settings.lake_bucket}/lake/"
    assert athena["s3_staging_dir"] == f"s3://{settings.results_bucket}/dbt/"
    assert (athena["region_name"], athena["work_group"]) == (settings.region, settings.athena_workgroup)
    assert athena["schema"] == settings.lake_database
    assert redshift["host"] == (settings.redshift_host or DEFAULTS[Environment.LOCAL]["redshift_host"])
    assert (int(redshift["port"]), redshift["dbname"]) == (settings.redshift_port, settings.redshift_database)
    assert (redshift["schema"], redshift["region"]) == (settings.warehouse_schema, settings.region)
    assert redshift["serverless_work_group"] == settings.redshift_workgroup
    on_aws = settings.environment != Environment.REHEARSAL
    assert (redshift["method"], redshift["sslmode"]) == (
        ("iam_role", "verify-full") if on_aws else ("database", "disable")
    )


def _profile(changed: dict[str, str]) -> dict[str, Any]:
    """profiles.yml as dbt renders it: each string is a template."""
    environment = jinja2.Environment()
    environment.filters |= {"as_number": int, "as_bool": bool}
    values = {f"WATERSHED_{name.upper()}": value for name, value in changed.items()}
    environment.globals["env_var"] = values.get

    def render(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: render(value) for key, value in node.items()}
        if isinstance(node, list):
            return [render(each) for each in node]
        return environment.from_string(node).render() if isinstance(node, str) else node

    return render(yaml.safe_load((DBT_PROJECT_DIR / "profiles.yml").read_text(encoding="utf-8"))["watershed"])
