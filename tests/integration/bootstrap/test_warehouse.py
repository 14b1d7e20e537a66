"""`watershed bootstrap --only warehouse`, from settings to what each user may do; PostgreSQL is in Redshift's place."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import boto3
import psycopg2
import pytest
from psycopg2.errors import InsufficientPrivilege
from rich.console import Console

from infra.bootstrap.data_api import DataApi, Patience, find_workgroup
from infra.bootstrap.errors import BootstrapError, SecretError, StatementError
from infra.bootstrap.steps import Step, load_steps
from orchestration.settings import Settings
from tests.integration.bootstrap.redshift import (
    ADMIN_SECRET,
    QUICKSIGHT_SECRET,
    UNLOAD_ROLE,
    Redshift,
    running_postgres,
    serving,
)
from watershed.bootstrap import run, show, wanted

pytestmark = pytest.mark.slow


def of_dashboards(step: Step) -> bool:
    return step.needs == "dashboards" or step.name == "role of those who read"


def of_the_lake(step: Step) -> bool:
    return step.name == "schema of the lake"


DBT, SERVING, QUICKSIGHT = "IAMR:watershed-dev-dbt", "IAMR:watershed-dev-serving", "quicksight"


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Redshift, str]]:
    with running_postgres() as redshift, serving(redshift) as url:
        yield redshift, url


@pytest.fixture
def redshift(served: tuple[Redshift, str]) -> Redshift:
    """A warehouse as Redshift makes it, in which somebody made a table before."""
    served[0].empty()
    return served[0]


@pytest.fixture
def config(served: tuple[Redshift, str], redshift: Redshift) -> Settings:
    return _settings(served[1])


def _settings(url: str, **more: object) -> Settings:
    values: dict[str, object] = {
        "environment": "dev",
        "account_id": "123456789012",
        "aws_endpoint_url": url,
        "aws_access_key_id": "none",
        "aws_secret_access_key": "none",
        "redshift_unload_role_arn": UNLOAD_ROLE,
        "quicksight_secret_arn": QUICKSIGHT_SECRET,
    }
    return Settings(**(values | more))  # pyright: ignore[reportArgumentType]  pydantic checks them


def bootstrap(config: Settings, *, rotate: bool = False, some: Callable[[Step], bool] = lambda _: True) -> str:
    """Run the command, or some of its steps alone, which is quicker. Returns what it printed."""
    printed, found = io.StringIO(), wanted(config, [], "warehouse")
    found = replace(found, steps=tuple(filter(some, found.steps or ())))
    try:
        run(
            Console(file=printed, width=200),
            found,
            rotate=rotate,
            patience=Patience(first_pause=0.02, retry_pause=0.02),
        )
    finally:
        assert "sha256|" not in printed.getvalue().replace("sha256|...", "")
    return printed.getvalue()


def test_each_user_may_do_what_it_is_for_and_no_more(redshift: Redshift, config: Settings) -> None:
    redshift.sql("create schema marts; create table marts.dim_before (n int)")
    # That schema, and the password of the user that was just made with it.
    assert f"{len(load_steps()) - 2} done, 2 unchanged" in bootstrap(config)

    # dbt makes a mart and replaces it, and reads the lake; whoever reads may do so at once.
    redshift.sql("create table lake.int_flights as select 1 as n")  # Spectrum has no grants on tables
    redshift.sql("grant select on lake.int_flights to public")
    redshift.sql("create table marts.fct__tmp as select n from lake.int_flights", DBT)
    redshift.sql("alter table marts.fct__tmp rename to fct", DBT)
    redshift.sql("create temporary table t (n int)", DBT)
    for reader in (SERVING, QUICKSIGHT):
        assert redshift.sql("select * from marts.fct", reader) == [(1,)]
        assert redshift.sql("select * from marts.dim_before", reader) == []

    refused = {
        DBT: ["create schema mine", "create table public.t (n int)", "create table lake.t (n int)"],
        SERVING: ["create table marts.t (n int)", "select * from lake.int_flights", "delete from marts.fct"],
        QUICKSIGHT: ["create table marts.t (n int)", "select * from lake.int_flights", "drop table marts.fct"],
    }
    everywhere = ["create user u", "create role r"]
    no_temp = "create temporary table t (n int)"
    for user, statements in refused.items():
        for statement in [*statements, *everywhere, *([no_temp] if user != DBT else [])]:
            with pytest.raises(InsufficientPrivilege):
                redshift.sql(statement, user)
    unloads = [
        redshift.sql(f"select has_assumerole_privilege('{user}', '{UNLOAD_ROLE}', 'unload')") for user in refused
    ]
    assert unloads == [[(False,)], [(True,)], [(False,)]]


def test_a_second_run_changes_nothing_and_a_grant_that_is_gone_comes_back(redshift: Redshift, config: Settings) -> None:
    bootstrap(config)
    secret = redshift.secrets[QUICKSIGHT_SECRET]
    before = len(redshift.ran)
    assert f"0 done, {len(load_steps())} unchanged" in bootstrap(config)
    assert [sql for sql in redshift.ran[before:] if not sql.startswith(("select", "(select"))] == []
    assert redshift.secrets[QUICKSIGHT_SECRET] == secret

    redshift.sql("create table marts.fct (n int)", DBT)
    for sql in (
        "revoke select on marts.fct from marts_reader",
        "revoke marts_reader from quicksight",
        "revoke usage on schema lake from marts_builder",
        f'alter default privileges for role "{DBT}" in schema marts revoke select on tables from marts_reader',
        "grant create on schema public to public",
    ):
        redshift.sql(sql)
    printed = bootstrap(config)
    mended = [line.removeprefix("done").strip() for line in printed.splitlines() if line.startswith("done")]
    assert mended == [
        "nothing for everybody in the schema public",
        "builders read the lake",
        "readers read the marts that are there",
        "readers read the marts to come",
        "QuickSight reads",
    ]
    assert "0 done" in bootstrap(config)


def test_quicksights_password_is_told_to_nobody_and_changes_only_when_asked(
    redshift: Redshift, config: Settings
) -> None:
    def password() -> str:
        return json.loads(redshift.secrets[QUICKSIGHT_SECRET] or "")["password"]

    printed = bootstrap(config, some=of_dashboards)
    first = password()
    printed += bootstrap(config, rotate=True, some=of_dashboards)
    second = password()
    assert first != second
    assert not any(word in text for word in (first, second) for text in [printed, *redshift.ran])
    # Redshift lets in who has the secret; `quicksight signs in` is the look of a step.
    assert "unchanged  QuickSight's password is that of its secret" in bootstrap(config, some=of_dashboards)

    # A run broke off when the secret was written and Redshift was not told; or somebody wrote the secret by hand.
    redshift.secrets[QUICKSIGHT_SECRET] = json.dumps({"username": QUICKSIGHT, "password": "Another1Password"})
    printed = bootstrap(config, some=of_dashboards)
    assert "done       QuickSight's password is that of its secret" in printed
    assert password() == "Another1Password"
    assert "0 done" in bootstrap(config, some=of_dashboards)

    for wrong in ("no json", json.dumps({"username": "ana", "password": "Secret1Secret"}), json.dumps(["x"])):
        redshift.secrets[QUICKSIGHT_SECRET] = wrong
        with pytest.raises(SecretError, match="--rotate") as raised:
            bootstrap(config, some=of_dashboards)
        assert "Secret1Secret" not in str(raised.value)
        assert redshift.secrets[QUICKSIGHT_SECRET] == wrong
    bootstrap(config, rotate=True, some=of_dashboards)
    assert json.loads(redshift.secrets[QUICKSIGHT_SECRET] or "")["username"] == QUICKSIGHT


@pytest.mark.parametrize("breaks_at", ["create role", 'create user "quicksight"'])
def test_a_run_that_breaks_off_is_ended_by_the_next(redshift: Redshift, config: Settings, breaks_at: str) -> None:
    """The statement has run, and nobody was left to hear so."""

    class BrokenOff(Exception):
        pass

    statements = DataApi.run

    def run_and_break(api: DataApi, sql: str) -> list[tuple[str | None, ...]]:
        rows = statements(api, sql)
        if sql.startswith(breaks_at):
            raise BrokenOff
        return rows

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DataApi, "run", run_and_break)
        with pytest.raises(BrokenOff):
            bootstrap(config, some=of_dashboards)
    printed = bootstrap(config, some=of_dashboards)
    assert "unchanged  role of those who read" in printed
    assert "0 done" in bootstrap(config, some=of_dashboards)
    assert redshift.sql("select 1", QUICKSIGHT) == [(1,)]


def test_what_redshift_refuses_names_the_step_the_statement_and_its_words(redshift: Redshift, config: Settings) -> None:
    redshift.fails = [('create user "quicksight"', "ERROR: password 'sha256|ab|cd' is no good")]
    with pytest.raises(StatementError) as raised:
        bootstrap(config, some=of_dashboards)
    said = str(raised.value)
    assert "step 'user of QuickSight', run" in said
    assert "is no good" in said
    assert "create user \"quicksight\" password 'sha256|...'" in said
    assert "ab|cd" not in said
    # What is over by itself is tried again.
    redshift.fails = [("user_grants", "ERROR: 1023 Serializable isolation violation on table")]
    redshift.lost = ["create user"]
    printed = bootstrap(config, some=of_dashboards)
    assert "done       user of QuickSight" in printed
    assert "2 done, 2 unchanged" in printed


def test_a_step_without_effect_is_told(redshift: Redshift, config: Settings) -> None:
    redshift.sql("create schema lake")
    redshift.sql("insert into redshift.external_schemas values ('lake', 'another_database')")
    redshift.after = lambda sql: redshift.sql("delete from redshift.external_schemas where databasename = 'lake'")
    with pytest.raises(StatementError, match=r"schema of the lake \(lake\)"):
        bootstrap(config, some=of_the_lake)


def test_a_workgroup_that_is_not_ready_is_waited_for(redshift: Redshift, config: Settings) -> None:
    redshift.workgroup_states = ["CREATING", "MODIFYING", "MODIFYING"]
    redshift.refuses = [("ExecuteStatement", "DatabaseConnectionException")] * 2
    printed = bootstrap(config, some=of_the_lake)
    assert "is CREATING; waiting" in printed
    assert printed.count("MODIFYING") == 1
    assert "Redshift is not ready (DatabaseConnectionException)" in printed

    client = boto3.client("redshift-serverless", **config.client_args())
    redshift.workgroup_states = ["DELETING"]
    with pytest.raises(BootstrapError, match="is being deleted"):
        find_workgroup(client, "watershed")
    redshift.workgroup_states = ["MODIFYING"] * 3
    with pytest.raises(BootstrapError, match="still MODIFYING"):
        find_workgroup(client, "watershed", Patience(most=0))


def test_a_statement_that_does_not_end_is_cancelled(redshift: Redshift, config: Settings) -> None:
    told: list[str] = []
    client = boto3.client("redshift-data", **config.client_args())
    waking = DataApi(
        client, "watershed", "watershed", ADMIN_SECRET, Patience(first_pause=0.01, tell_after=0), told.append
    )
    redshift.still_running = 3
    assert waking.run("select 1") == [("1",)]
    assert told == ["Redshift takes its time (STARTED); it may be waking up"]
    redshift.still_running = 3
    with pytest.raises(BootstrapError, match="is STARTED after 0 s and was cancelled"):
        replace(waking, patience=Patience(most=0)).run("select 1")
    assert "redshift-data:CancelStatement" in redshift.called
    redshift.still_running, redshift.refuses = 0, [("DescribeStatement", "ExpiredTokenException")]
    with pytest.raises(BootstrapError, match=r"ExpiredTokenException.*Log in again"):
        waking.run("select 1")


def test_what_is_wrong_outside_redshift_is_told_with_its_cure(redshift: Redshift, config: Settings) -> None:
    url = str(config.aws_endpoint_url)
    with pytest.raises(BootstrapError, match=r"workgroup nope: ResourceNotFoundException.*Apply infra/terraform"):
        bootstrap(_settings(url, redshift_workgroup="nope"), some=of_the_lake)
    redshift.refuses = [("ExecuteStatement", "AccessDeniedException")]
    with pytest.raises(BootstrapError, match=r"AccessDeniedException.*role bootstrap"):
        bootstrap(config, some=of_the_lake)
    # The administrator's password is another than the secret says.
    redshift.secrets[redshift.namespace["adminPasswordSecretArn"]] = json.dumps({"username": "admin", "password": "x"})
    with pytest.raises(StatementError, match=r"step 'schema of the lake', missing: Redshift says: .*password"):
        bootstrap(config, some=of_the_lake)
    redshift.namespace["adminPasswordSecretArn"] = ""
    with pytest.raises(BootstrapError, match="lacks a secret with its administrator's password"):
        bootstrap(config, some=of_the_lake)
    redshift.empty()
    del redshift.secrets[QUICKSIGHT_SECRET]
    with pytest.raises(BootstrapError, match=r"Secret .*quicksight.*: ResourceNotFoundException"):
        bootstrap(config, some=of_dashboards)


def test_without_dashboards_there_is_no_user_of_quicksight(redshift: Redshift, config: Settings) -> None:
    printed = bootstrap(_settings(str(config.aws_endpoint_url), quicksight_secret_arn=None))
    assert "skipped    user of QuickSight" in printed
    with pytest.raises(psycopg2.Error, match="does not exist"):
        redshift.sql("select 1", QUICKSIGHT)


def test_a_plan_asks_nobody(redshift: Redshift, config: Settings) -> None:
    printed = io.StringIO()
    show(Console(file=printed, width=200), wanted(_settings("http://127.0.0.1:9"), [], "warehouse"))
    assert printed.getvalue().count("\n    ") == len(load_steps())
    assert redshift.ran == []
