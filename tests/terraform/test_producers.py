"""Producers of other accounts: what docs/deploy.md has them write on their side is let in on this one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestration.settings import CONTRACTS_DIR
from tests.pages import blocks
from tests.terraform.conftest import UNKNOWN, Planner
from tests.terraform.following import PAGE
from tests.terraform.privileges.evaluation import several

pytestmark = pytest.mark.terraform


def test_the_policy_of_the_page_asks_for_what_stream_and_key_allow(plan: Planner, tmp_path: Path) -> None:
    """A call between two accounts is allowed by both."""
    variables = tmp_path / "page.tfvars"
    hcl = [block for block in blocks(PAGE) if block.language == "hcl"]
    variables.write_text("".join(block.text for block in hcl if block.heading.startswith("3.")))
    planned = plan("dev", CONTRACTS_DIR, variables)
    (page,) = [block.text for block in blocks(PAGE) if block.language == "json"]
    putting, encrypting = json.loads(page)["Statement"]
    (stream,) = planned.of("aws_kinesis_resource_policy").values()
    (let_in,) = json.loads(stream["policy"])["Statement"]
    assert putting["Resource"] == let_in["Resource"]
    assert set(several(putting["Action"])) <= set(several(let_in["Action"]))
    key = planned.values["module.platform.module.stream.module.key.aws_kms_key.this"]["policy"]
    (using,) = [it for it in json.loads(key)["Statement"] if it["Principal"] == let_in["Principal"]]
    assert set(several(encrypting["Action"])) <= set(several(using["Action"]))
    # AWS makes it: whoever deploys looks it up.
    assert planned.outputs["stream_key_arn"] == UNKNOWN
