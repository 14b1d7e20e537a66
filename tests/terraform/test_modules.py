"""Each module's own tests (`terraform test`, at plan), the format of all files, and that both environments validate."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.terraform.conftest import TERRAFORM_DIR, Terraform

pytestmark = pytest.mark.terraform

TESTED = sorted({path.parent.parent for path in TERRAFORM_DIR.glob("*/*/tests/*.tftest.hcl")})
MODULES = sorted({path.parent for path in TERRAFORM_DIR.glob("modules/*/*.tf")})


def test_files_are_formatted(terraform: Terraform) -> None:
    assert not terraform.run(TERRAFORM_DIR, "fmt", "-check", "-diff", "-recursive")


@pytest.mark.parametrize("environment", ["dev", "production"])
def test_the_environment_is_valid(terraform: Terraform, environment: str) -> None:
    folder = TERRAFORM_DIR / "envs" / environment
    terraform.init(folder, "-backend=false")
    terraform.run(folder, "validate", "-no-color")


@pytest.mark.parametrize("module", TESTED, ids=lambda module: module.name)
def test_the_module_plans_as_its_tests_say(terraform: Terraform, module: Path) -> None:
    terraform.init(module, "-backend=false")
    terraform.run(module, "test", "-no-color")


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_the_module_has_the_usual_files_and_tests(module: Path) -> None:
    files = {path.name for path in module.glob("*.tf")}
    assert {"main.tf", "variables.tf", "versions.tf"} <= files
    assert list(module.glob("tests/*.tftest.hcl"))
