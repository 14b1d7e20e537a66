"""docs/deploy.md, followed to the letter in a copy of infra/terraform, against the local AWS."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from orchestration.settings import CONTRACTS_DIR
from tests.pages import Block, blocks
from tests.terraform.conftest import SPARK_JOBS, copy_of_environment, mirror

PAGE = "docs/deploy.md"
STATE_BUCKET = "acme-dev-terraform"

# Commands of the page that this machine cannot answer, by how their block begins, and why.
NOT_FOLLOWED = {
    "AWS_PROFILE=watershed-bootstrap .venv/bin/watershed bootstrap --only": "the local AWS has no Redshift",
    "cd infra/terraform/envs/production": "what is applied here is dev, which test_apply destroys so as well",
    "terraform state push -force ~/production.tfstate": "as above",
    "cd infra/terraform/layers/quicksight": "the local AWS has no CreateAccountSubscription",
    "aws lakeformation get-data-lake-settings": "it names a role of the reader's own",
}

# Whoever deploys has an administrator's profile.
_ADMINISTRATOR = """
[profile watershed-dev]
aws_access_key_id = administrator
aws_secret_access_key = none
region = us-east-1
"""

# The local AWS holds no search domain: tests.terraform.test_apply.
_WITHOUT_SEARCH = """
module "platform" {
  search = null
}
"""


@dataclass(frozen=True)
class Reader:
    """Somebody who follows the page: where they are and what they have exported stays from block to block."""

    home: Path
    repository: Path
    aws: str

    @property
    def environment(self) -> Path:
        """The folder of the environment that is deployed."""
        return self.repository / "infra" / "terraform" / "envs" / "dev"

    @property
    def without_search(self) -> Path:
        """The file that leaves out what the local AWS does not have."""
        return self.environment / "search_override.tf"

    def follow(self, block: Block) -> str:
        """Run a block's commands, or write the file that it is. Returns what was printed; fails if a command does."""
        if block.title is None:
            return self.run(block.text)
        home = block.title.startswith("~/")
        file = self.home / block.title.removeprefix("~/") if home else self.repository / block.title
        with file.open("a") as written:
            written.write(block.text)
        return ""

    def run(self, commands: str) -> str:
        """What some lines of shell print. They must all succeed."""
        shell = self.home / "shell"
        keeping = f"{{ printf 'cd %q\\n' \"$PWD\"; export -p; }} > {shell}"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f"source {shell}\n{commands}\n{keeping}"],
            cwd=self.repository,
            env=self._variables(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout}"
        return done.stdout

    def _variables(self) -> dict[str, str]:
        plugins = f"-plugin-dir={mirror()}" if mirror() else ""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "AWS_ENDPOINT_URL": self.aws,
            "WATERSHED_AWS_ENDPOINT_URL": self.aws,
            "CHECKPOINT_DISABLE": "1",
            # A question is answered by yes. Most of an apply is waiting.
            "TF_CLI_ARGS_init": f"-input=false -no-color -backend-config=use_path_style=true {plugins}",
            "TF_CLI_ARGS_plan": "-input=false -no-color -parallelism=40",
            "TF_CLI_ARGS_apply": "-input=false -no-color -parallelism=40",
            "TF_CLI_ARGS_destroy": "-input=false -no-color -parallelism=40 -auto-approve",
        }


def reader(folder: Path, aws: str) -> Reader:
    """Somebody with an empty account and a copy of the project.

    Args:
        folder: An empty one, for the copy and for their home.
        aws: The URL of the local AWS.
    """
    repository, home = folder / "repository", folder / "home"
    (home / ".aws").mkdir(parents=True)
    (home / ".aws" / "config").write_text(_ADMINISTRATOR)
    (home / "shell").touch()
    shutil.copytree(CONTRACTS_DIR, repository / "ingestion" / "contracts")
    shutil.copytree(SPARK_JOBS, repository / "ingestion" / "spark" / "jobs")
    (repository / ".venv").symlink_to(Path(sys.prefix))
    copy_of_environment(repository, "dev", calls=True)
    found = Reader(home, repository, aws)
    found.without_search.write_text(_WITHOUT_SEARCH)
    return found


def commands() -> list[Block]:
    """The blocks of the page that are commands or files, in order, without those that cannot be followed here."""
    followed = [block for block in blocks(PAGE) if block.title or block.language == "sh"]
    return [block for block in followed if not block.text.startswith(tuple(NOT_FOLLOWED))]
