"""Terraform on this machine: where its AWS provider is, and plans of a copy of infra/terraform, without an account."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import pytest

from orchestration.settings import PROJECT_ROOT, Settings

TERRAFORM_DIR = PROJECT_ROOT / "infra" / "terraform"
SPARK_JOBS = PROJECT_ROOT / "ingestion" / "spark" / "jobs"
MIRROR_VARIABLE = "TERRAFORM_MIRROR"
ACCOUNT_ID = "123456789012"

UNKNOWN = "(known after apply)"

_PROVIDER = "registry.terraform.io/hashicorp/aws"
_USUAL_MIRRORS = (
    "/usr/share/terraform/plugins",
    "/usr/local/share/terraform/plugins",
    "~/.terraform.d/plugins",
    "~/.local/share/terraform/plugins",
)
_LOCAL_STATE = """
terraform {
  backend "local" {}
}
"""
# A provider that needs no account: a plan of resources that do not exist yet calls nobody.
_WITHOUT_ACCOUNT = """
provider "aws" {{
  {own}
  allowed_account_ids         = null
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = {skips}
}}
"""
# What each provider of an environment has beside that.
_PROVIDERS = ("s3_use_path_style = true", 'alias = "identity"')


@cache
def mirror() -> Path | None:
    """The folder that holds the AWS provider as a file-system mirror; None if Terraform is to ask its registry.

    It is TERRAFORM_MIRROR, else found under /opt and where Terraform looks by itself.
    """
    if named := os.environ.get(MIRROR_VARIABLE):
        if not (Path(named) / _PROVIDER).is_dir():
            pytest.fail(f"{MIRROR_VARIABLE} is {named}, where there is no {_PROVIDER}. Name the folder above it.")
        return Path(named)
    usual = [Path(path).expanduser() for path in _USUAL_MIRRORS]
    return next((path for path in [*sorted(Path("/opt").glob("*")), *usual] if (path / _PROVIDER).is_dir()), None)


@dataclass(frozen=True)
class Terraform:
    """Terraform, with its working data (providers, module list) in a folder of its own.

    `environment` says where AWS is, for commands that call it.
    """

    data: Path
    environment: Mapping[str, str] = field(default_factory=dict[str, str])

    def run(self, folder: Path, *arguments: str) -> str:
        """Run a command in a folder. Returns its output; fails the test with it if the command fails."""
        name = "-".join(folder.parts[-2:])
        own = {"TF_DATA_DIR": str(self.data / name), "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}
        done = subprocess.run(
            ["terraform", f"-chdir={folder}", *arguments],
            env={**os.environ, **self.environment, **own},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            pytest.fail(f"terraform {' '.join(arguments)} in {folder}:\n{done.stdout}\n{done.stderr}", pytrace=False)
        return done.stdout

    def init(self, folder: Path, *arguments: str) -> None:
        """Install providers and modules, from the mirror if there is one."""
        plugins = [f"-plugin-dir={mirror()}"] if mirror() else []
        self.run(folder, "init", "-input=false", "-no-color", *plugins, *arguments)


@pytest.fixture(scope="session")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    if not shutil.which("terraform"):
        pytest.skip(
            "Terraform is not on the PATH; install 1.11 or later: https://developer.hashicorp.com/terraform/install"
        )
    return Terraform(tmp_path_factory.mktemp("terraform-data"))


@dataclass(frozen=True)
class Plan:
    """What an apply to an empty account would make. `values` leaves out what is known after apply only.

    `document` is all of it: https://developer.hashicorp.com/terraform/internals/json-format
    """

    values: Mapping[str, Mapping[str, Any]]
    outputs: Mapping[str, Any]
    document: Mapping[str, Any]

    def of(self, kind: str) -> dict[str, Mapping[str, Any]]:
        """The values of each resource of a type, by address."""
        return {address: values for address, values in self.values.items() if f".{kind}." in f".{address}"}


class Planner(Protocol):
    """Plans an environment with the contracts of a folder, and a file of variables.

    `override` is laid over the environment's own code: https://developer.hashicorp.com/terraform/language/files/override
    """

    def __call__(self, environment: str, contracts: Path, variables: Path | None = None, override: str = "") -> Plan:
        """Raises pytest's failure if there is no such plan."""
        ...


def copy_of_environment(repository: Path, environment: str, *, calls: bool) -> Path:
    """The folder of an environment in a copy of infra/terraform, with a provider that needs no account.

    `calls` says that somebody answers where the provider looks for AWS: may be asked for the account, keeps the state.
    """
    tree = repository / "infra" / "terraform"
    if not tree.exists():
        shutil.copytree(TERRAFORM_DIR, tree, ignore=shutil.ignore_patterns(".terraform*"))
    folder = tree / "envs" / environment
    skips = "false" if calls else "true"
    providers = "".join(_WITHOUT_ACCOUNT.format(own=own, skips=skips) for own in _PROVIDERS)
    (folder / "account_override.tf").write_text(providers)
    if not calls:
        (folder / "state_override.tf").write_text(_LOCAL_STATE)
    return folder


@pytest.fixture(scope="session")
def plan(terraform: Terraform, tmp_path_factory: pytest.TempPathFactory) -> Planner:
    """Plans an environment with the contracts of a folder."""
    copy = tmp_path_factory.mktemp("repository")

    @cache
    def installed(environment: str) -> Path:
        folder = copy_of_environment(copy, environment, calls=False)
        terraform.init(folder)
        return folder

    @cache
    def planned(environment: str, contracts: Path, variables: Path | None = None, override: str = "") -> Plan:
        folder = installed(environment)
        (folder / "test_override.tf").write_text(override)
        shutil.rmtree(copy / "ingestion", ignore_errors=True)
        shutil.copytree(contracts, copy / "ingestion" / "contracts")
        shutil.copytree(SPARK_JOBS, copy / "ingestion" / "spark" / "jobs")
        options = ("-no-color", "-input=false", "-refresh=false", "-lock=false", f"-var=account_id={ACCOUNT_ID}")
        file = [f"-var-file={variables}"] if variables else []
        terraform.run(folder, "plan", *options, *file, "-out=plan.bin")
        document = json.loads(terraform.run(folder, "show", "-json", "plan.bin"))
        outputs = {name: _told(change) for name, change in document["output_changes"].items()}
        return Plan(dict(_resources(document["planned_values"]["root_module"])), outputs, document)

    return planned


def settings_of(plan: Plan) -> Settings:
    """The settings as a deployed process would read them from Terraform's output."""
    return Settings(**plan.outputs["settings"])


def _told(change: Mapping[str, Any]) -> Any:
    """An output's value; where part of it is known after apply only, UNKNOWN is in its place."""
    if change["after_unknown"] is True:
        return UNKNOWN
    if not change["after_unknown"]:
        return change["after"]
    return change["after"] | {name: UNKNOWN for name, unknown in change["after_unknown"].items() if unknown}


def _resources(module: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    own = [(resource["address"], resource["values"]) for resource in module.get("resources", ())]
    return own + [pair for child in module.get("child_modules", ()) for pair in _resources(child)]


@pytest.fixture(scope="session")
def dev(plan: Planner) -> Plan:
    """The plan of dev with the contracts of this repository."""
    return plan("dev", PROJECT_ROOT / "ingestion" / "contracts")


@pytest.fixture(scope="session")
def production(plan: Planner) -> Plan:
    """The plan of production with the contracts of this repository."""
    return plan("production", PROJECT_ROOT / "ingestion" / "contracts")
