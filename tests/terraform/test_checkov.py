"""What checkov finds in the plan of each environment: nothing, but what is meant to be so."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from orchestration.settings import PROJECT_ROOT
from tests.terraform.conftest import Plan

pytestmark = pytest.mark.terraform

CHECKOV = PROJECT_ROOT / ".venv-infra" / "bin" / "checkov"

# Check, the resources (a regular expression) on which it is not held, and why.
NOT_HELD = [
    ("CKV_AWS_18", r'aws_s3_bucket\.this\["logs"\]', "access logs of the access logs would never end"),
    ("CKV_AWS_21", r'aws_s3_bucket\.this\["(logs|results)"\]', "nothing is overwritten there, and all of it expires"),
    ("CKV_AWS_61", r"aws_iam_role\.this", "without `trusted` a role is left to the account's own policies"),
    ("CKV_AWS_144", r"aws_s3_bucket\.this", "a second region is a decision about cost and law, not a default"),
    ("CKV_AWS_145", r'aws_s3_bucket\.this\["logs"\]', "S3 delivers access logs to its own encryption only"),
    ("CKV_AWS_158", r"aws_cloudwatch_log_group\.delivery", "errors of deliveries: no data; CloudWatch encrypts them"),
    ("CKV_AWS_338", r"aws_cloudwatch_log_group\.delivery", "errors of deliveries are of use for days, not a year"),
    ("CKV_AWS_8", r"aws_instance\.nat", "its launch template has it"),
    ("CKV_AWS_79", r"aws_instance\.nat", "its launch template has it"),
    ("CKV_AWS_88", r"aws_instance\.nat", "it is the way out, and takes in nothing"),
    ("CKV_AWS_126", r"aws_instance\.nat", "metrics by the minute cost more than the instance is worth in dev"),
    ("CKV_AWS_135", r"aws_instance\.nat", "its disk is read when it starts; instances of this kind are so anyway"),
    ("CKV_AWS_149", r"aws_secretsmanager_secret\.redshift", "QuickSight's own role reads it, and knows no other key"),
    ("CKV_AWS_158", r"search.*aws_cloudwatch_log_group", "no documents; CloudWatch encrypts them"),
    ("CKV_AWS_195", r"aws_glue_job\.this", "its bucket's key encrypts what it writes; its log names files, no records"),
    ("CKV_AWS_248", r"aws_opensearch_domain", "it has its own group: known after apply only, and so not seen here"),
    ("CKV_AWS_318", r"aws_opensearch_domain", "three masters cost more than the two nodes that they would manage"),
    ("CKV_AWS_338", r'search.*aws_cloudwatch_log_group.*"application"', "errors are of use for days; audit is kept"),
    (
        "CKV2_AWS_57",
        r"aws_secretsmanager_secret\.redshift",
        "a data source keeps what it was made with until it is updated",
    ),
    ("CKV2_AWS_59", r"aws_opensearch_domain", "see CKV_AWS_318"),
    ("CKV2_AWS_5", r"aws_security_group\.this", "for what services and tasks attach, which is not in every plan"),
    ("CKV2_AWS_11", r"aws_vpc\.this", "flow logs are billed by what flows; switch them on for a question"),
    ("CKV2_AWS_19", r"aws_eip\.nat", "it belongs to a NAT gateway, not to an instance"),
    ("CKV2_AWS_41", r"aws_instance\.nat", "it calls no service of AWS"),
    ("CKV2_AWS_62", r"aws_s3_bucket\.this", "the landing bucket has notifications; nobody waits for the others"),
]


def test_checkov_finds_nothing_but_what_is_meant(dev: Plan, production: Plan, tmp_path: Path) -> None:
    if not CHECKOV.exists():
        pytest.skip(f"{CHECKOV} is missing; `make test-infra` installs it")
    found = [finding for plan in (dev, production) for finding in findings(plan, tmp_path / "plan.json")]
    assert not [finding for finding in found if not any(meant(finding, entry) for entry in NOT_HELD)]
    assert not [entry for entry in NOT_HELD if not any(meant(finding, entry) for finding in found)]


def findings(plan: Plan, file: Path) -> list[tuple[str, str, str]]:
    """Check, resource and what is wrong with it."""
    file.write_text(json.dumps(plan.document))
    command = [str(CHECKOV), "--file", str(file), "--output", "json", "--quiet", "--compact"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)
    assert report["summary"]["resource_count"] > 40, done.stderr
    return [(check["check_id"], check["resource"], check["check_name"]) for check in report["results"]["failed_checks"]]


def meant(finding: tuple[str, str, str], entry: tuple[str, str, str]) -> bool:
    return finding[0] == entry[0] and re.search(entry[1], finding[1]) is not None
