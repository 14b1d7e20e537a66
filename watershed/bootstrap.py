"""`watershed bootstrap`: sets up what is inside Redshift and OpenSearch on AWS, from the settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import boto3
import yaml
from botocore.config import Config
from rich.console import Console

from infra.bootstrap import password, search, warehouse
from infra.bootstrap.data_api import DataApi, Patience, Workgroup, find_workgroup
from infra.bootstrap.errors import BootstrapError
from infra.bootstrap.steps import Step, WarehouseNames, database_user, load_steps
from orchestration.settings import DBT_PROJECT_DIR, Settings

Part = Literal["warehouse", "search"]
# The client repeats what was throttled or got no answer; a statement has a token, so that it runs once.
_RETRYING = Config(retries={"mode": "standard", "max_attempts": 8})
_PATIENCE = Patience()
_NOT_MADE_YET = "sha256|0|0"


@dataclass(frozen=True)
class Wanted:
    """What there shall be in an environment; None for what it does not have, `skipped` says why."""

    config: Settings
    names: WarehouseNames
    steps: tuple[Step, ...] | None
    roles: search.Roles | None
    skipped: tuple[str, ...]


def wanted(config: Settings, indexes: Sequence[str], only: Part | None, *, rotate: bool = False) -> Wanted:
    """What the settings ask for. Calls nobody.

    Args:
        config: The settings of an environment on AWS.
        indexes: The names of the indexes that exposures declare.
        only: Leave out the other part.
        rotate: Whether the password of QuickSight's user shall be another.

    Raises:
        BootstrapError: If the environment is none on AWS, a setting is missing, or there is no password to rotate.
    """
    require_aws(config)
    if rotate and (only == "search" or config.quicksight_secret_arn is None):
        raise BootstrapError(
            "--rotate is about the password of QuickSight's user in Redshift: WATERSHED_QUICKSIGHT_SECRET_ARN has to "
            "be set, and --only search leaves Redshift out."
        )
    names, skipped = warehouse_names(config), []
    steps, roles = None, None
    if only != "search":
        steps, without = warehouse.chosen(load_steps(), dashboards=config.quicksight_secret_arn is not None)
        if without:
            names_of = ", ".join(step.name for step in without)
            skipped.append(f"{names_of}: there are no dashboards (WATERSHED_QUICKSIGHT_SECRET_ARN is not set)")
    if only != "warehouse":
        if config.opensearch_url:
            roles = search.load_roles().of_indexes(indexes)
        elif config.opensearch_required or only == "search":
            raise BootstrapError(_NO_SETTING.format(name="WATERSHED_OPENSEARCH_URL"))
        else:
            skipped.append("OpenSearch: the environment has none (WATERSHED_OPENSEARCH_URL is empty)")
    return Wanted(config, names, steps, roles, tuple(skipped))


_NO_SETTING = "{name} is not set. Source what docs/deploy.md makes of Terraform's output `settings`."


def require_aws(config: Settings) -> None:
    """Raises BootstrapError if the settings are not those of an environment on AWS."""
    if config.warehouse_target != "redshift" or config.environment in ("local", "rehearsal"):
        raise BootstrapError(
            f"WATERSHED_ENVIRONMENT is {config.environment}, where there is no Redshift and no role to set up. "
            f"Source the settings of an environment on AWS."
        )
    if not config.redshift_unload_role_arn:
        raise BootstrapError(_NO_SETTING.format(name="WATERSHED_REDSHIFT_UNLOAD_ROLE_ARN"))


def role_name(config: Settings, actor: str) -> str:
    """The name of an actor's IAM role, as `infra/terraform/modules/names` gives it."""
    return f"{config.prefix}-{actor}"


def role_arns(config: Settings) -> dict[str, str]:
    """ARNs of the IAM roles that have a role of OpenSearch's own, by actor."""
    partition = boto3.Session().get_partition_for_region(config.region)
    return {
        actor: f"arn:{partition}:iam::{config.account_id}:role/{role_name(config, actor)}"
        for actor in ("bootstrap", "serving")
    }


def warehouse_names(config: Settings) -> WarehouseNames:
    """The names of the warehouse's steps."""
    project = yaml.safe_load((DBT_PROJECT_DIR / "dbt_project.yml").read_text(encoding="utf-8"))
    return WarehouseNames(
        database=config.redshift_database,
        lake_schema=project["vars"]["spectrum_schema"],
        lake_database=config.lake_database,
        marts=config.warehouse_schema,
        dbt_user=database_user(role_name(config, "dbt")),
        serving_user=database_user(role_name(config, "serving")),
        unload_role=config.redshift_unload_role_arn,
    )


def declared_indexes() -> list[str]:
    """The names of the indexes that the project's exposures declare."""
    from orchestration.dbt import LAKE, manifest
    from orchestration.exposures import served_by

    exposures = manifest(LAKE)["exposures"].values()
    return sorted(told["index"] for each in exposures if (told := served_by(each, "opensearch")) is not None)


def show(console: Console, found: Wanted) -> None:
    """Print what a run would make where it is missing. Calls nobody."""
    if found.steps is not None:
        _say(console, f"Redshift, workgroup {found.config.redshift_workgroup}, as its administrator", "bold")
        names = {**found.names.model_dump(), "password_digest": _NOT_MADE_YET}
        for number, step in enumerate(found.steps, 1):
            _say(console, f"{number:>2}. {step.name}")
            console.print(
                f"    {warehouse.shown(step.with_names(names))}", markup=False, highlight=False, soft_wrap=True
            )
    if found.roles is not None:
        _say(console, f"OpenSearch, {found.config.opensearch_url}, as the role bootstrap", "bold")
        arns = role_arns(found.config)
        for role in found.roles.roles:
            held = arns[role.mapped_to] if role.mapped_to else "nobody, until you map somebody"
            patterns = ", ".join(pattern for each in role.index_permissions for pattern in each.index_patterns)
            _say(console, f"    role {role.name} on {patterns}; has it: {held}")
        for holder in found.roles.mappings:
            _say(console, f"    {holder.role}: {arns[holder.also]} has it too")
    _say_skipped(console, found)
    _say(console, "Nothing was asked, nothing was changed.")


def run(console: Console, found: Wanted, *, rotate: bool, patience: Patience = _PATIENCE) -> None:
    """Make what is missing, and tell of each thing. `patience` is with Redshift.

    Raises:
        BootstrapError: At the first thing that cannot be made. What came before stays, and the next run goes on there.
    """
    config = found.config
    if found.steps is not None:

        def client(service: Any) -> Any:
            return boto3.client(service, config=_RETRYING, **config.client_args())

        _set_up_warehouse(console, found, client, patience, rotate=rotate)
    if found.roles is not None:
        _set_up_search(console, found)
    _say_skipped(console, found)


def _set_up_warehouse(
    console: Console, found: Wanted, client: Callable[[str], Any], patience: Patience, *, rotate: bool
) -> None:
    config, steps = found.config, found.steps or ()

    def tell(sentence: str) -> None:
        _say(console, sentence, "dim")

    workgroup = find_workgroup(client("redshift-serverless"), config.redshift_workgroup, patience, tell)
    _say(console, f"Redshift, workgroup {workgroup.name}, {len(steps)} steps", "bold")
    access = _access(found, client, workgroup, patience, tell)
    done = 0

    def do(some: Sequence[Step], digest: str) -> None:
        nonlocal done
        names = {**found.names.model_dump(), "password_digest": digest}
        for outcome in warehouse.set_up(access, [step.with_names(names) for step in some]):
            done += outcome.did == "done"
            _say(console, f"{outcome.did:<9}  {outcome.step.name}")

    do([step for step in steps if step.needs is None], "")
    # A new password is made once all else is well: from here on until Redshift knows it, QuickSight is locked out.
    if of_dashboards := [step for step in steps if step.needs is not None]:
        do(of_dashboards, _password(console, found, client, rotate=rotate))
    _say(console, f"Redshift: {done} done, {len(steps) - done} unchanged")


def _access(
    found: Wanted,
    client: Callable[[str], Any],
    workgroup: Workgroup,
    patience: Patience,
    tell: Callable[[str], object],
) -> warehouse.Access:
    database = found.config.redshift_database
    admin = DataApi(client("redshift-data"), workgroup.name, database, workgroup.admin_secret_arn, patience, tell)
    secret = found.config.quicksight_secret_arn
    return warehouse.Access(admin, replace(admin, secret_arn=secret) if secret else None)


def _password(console: Console, found: Wanted, client: Callable[[str], Any], *, rotate: bool) -> str:
    """The digest of QuickSight's password."""
    secret = found.config.quicksight_secret_arn
    assert secret is not None, "without it the steps that need dashboards were left out"
    held = password.credentials(client("secretsmanager"), secret, found.names.quicksight_user, rotate=rotate)
    _say(console, f"{'done' if held.fresh else 'unchanged':<9}  password of {held.user}, in QuickSight's secret")
    return password.digest(held.password)


def _set_up_search(console: Console, found: Wanted) -> None:
    from serving.opensearch.client import connect

    assert found.roles is not None
    config = found.config
    try:
        client = connect(config.opensearch_url, config.region)
    except ValueError as error:
        raise BootstrapError(f"WATERSHED_OPENSEARCH_URL: {error}") from error
    _say(console, f"OpenSearch, {config.opensearch_url}", "bold")
    changed = 0
    for change in search.set_up(client, found.roles, role_arns(config)):
        changed += change.did != "unchanged"
        _say(console, f"{change.did:<9}  {change.what}")
    _say(console, f"OpenSearch: {changed} changed")


def _say_skipped(console: Console, found: Wanted) -> None:
    for reason in found.skipped:
        _say(console, f"skipped    {reason}", "yellow")


def _say(console: Console, line: str, style: str | None = None) -> None:
    # Not as markup: what AWS says may have brackets.
    console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)


def described() -> str:
    """What there is afterwards, as Markdown, from the data. `<...>` stands for what an environment names."""
    names = WarehouseNames(
        database="watershed",
        lake_schema="lake",
        lake_database="lake",
        marts="marts",
        dbt_user=database_user("<prefix>-dbt"),
        serving_user=database_user("<prefix>-serving"),
        unload_role="arn:aws:iam::<account>:role/<prefix>-redshift",
    ).model_dump()
    lines = ["## Redshift", "", "| what | why | statement |", "|---|---|---|"]
    for step in load_steps():
        filled = step.with_names({**names, "password_digest": _NOT_MADE_YET})
        statement = " ".join(warehouse.shown(filled).split()).replace("|", "\\|")
        lines.append(f"| {step.name} | {step.why}{' Only with dashboards.' if step.needs else ''} | `{statement}` |")
    lines += ["", "## OpenSearch", "", "| role | why | what it may | who has it |", "|---|---|---|---|"]
    roles = search.load_roles().of_indexes(["<index>"])
    for role in roles.roles:
        parts = [_code(role.cluster_permissions)]
        parts += [f"on {_code(each.index_patterns)}: {_code(each.allowed_actions)}" for each in role.index_permissions]
        lines.append(f"| `{role.name}` | {role.why} | {'; '.join(parts)} | {role.mapped_to or 'nobody'} |")
    lines += [f"| `{held.role}` | {held.why} | all | {held.also}, beside who has it |" for held in roles.mappings]
    return "\n".join(lines) + "\n"


def _code(words: Sequence[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)
