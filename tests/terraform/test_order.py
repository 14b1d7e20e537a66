"""What Terraform makes before what, and destroys after it: ARNs are built from names, so that no reference says it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping

import pytest

from tests.terraform.conftest import Terraform, copy_of_environment

pytestmark = pytest.mark.terraform

_EDGE = re.compile(r'"(?P<later>[^"]+)" -> "(?P<before>[^"]+)";')

BUCKET = tuple(
    f"lake.aws_s3_bucket{kind}.this"
    for kind in ("", "_policy", "_public_access_block", "_server_side_encryption_configuration", "_versioning")
)
# What is made later => what stands before it. A bucket's name is the world's: what is written to one that is not there
# yet may come to somebody else. Without the bucket's encryption an object is stored under S3's own key, and stays so. A
# role's policy names a key by its alias.
ORDER = {
    "stream.aws_kinesis_firehose_delivery_stream.this": (
        *BUCKET,
        "lake.module.landing_key.aws_kms_alias.this",
        "stream.module.key.aws_kms_alias.this",
        "access.aws_iam_role_policy.this",
    ),
    "stream.aws_kinesis_stream.this": ("stream.module.key.aws_kms_alias.this",),
    "stream.aws_s3_bucket_notification.landing": BUCKET,
    "compute.aws_s3_object.script": (*BUCKET, "lake.module.lake_key.aws_kms_alias.this"),
    "sharing.aws_lakeformation_resource.models": (*BUCKET, "access.aws_iam_role_policy.this"),
    # A bucket that is not empty stays, and the key that its objects are encrypted with stays with it.
    "lake.aws_s3_bucket.this": (
        "lake.module.lake_key.aws_kms_alias.this",
        "lake.module.landing_key.aws_kms_alias.this",
    ),
    "alarms.aws_sns_topic.alarms": ("alarms.module.key.aws_kms_alias.this",),
    "warehouse.aws_redshiftserverless_namespace.this": ("warehouse.module.key.aws_kms_alias.this",),
    "search.aws_opensearch_domain.this": ("search.module.key.aws_kms_alias.this",),
}


@pytest.fixture(scope="module")
def before(terraform: Terraform, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, set[str]]:
    """Resource => those that it waits for by itself, as Terraform's graph has them."""
    folder = copy_of_environment(tmp_path_factory.mktemp("order"), "production", calls=False)
    terraform.init(folder)
    edges: dict[str, set[str]] = defaultdict(set)
    for edge in _EDGE.finditer(terraform.run(folder, "graph")):
        edges[edge["later"]].add(edge["before"])
    return edges


@pytest.mark.parametrize("later", ORDER)
def test_what_is_needed_stands_before_and_goes_after(before: Mapping[str, set[str]], later: str) -> None:
    waiting, waited_for = [f"module.platform.module.{later}"], set[str]()
    assert before[waiting[0]], "there is no such resource"
    while waiting:
        new = before.get(waiting.pop(), set()) - waited_for
        waited_for |= new
        waiting += new
    assert {f"module.platform.module.{resource}" for resource in ORDER[later]} - waited_for == set()
