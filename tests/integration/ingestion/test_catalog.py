"""What the files of a table are read and written with, where a user has no keys but a role."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingestion.catalog import glue_catalog
from orchestration.settings import Settings

CONFIG = """
[profile own]
aws_access_key_id = own-key
aws_secret_access_key = none

[profile landing]
role_arn = arn:aws:iam::123456789012:role/watershed-dev-landing
source_profile = own
"""


@pytest.fixture
def profile(local_aws: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person who takes a role by a profile."""
    (tmp_path / "config").write_text(CONFIG)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "landing")
    monkeypatch.setenv("AWS_ENDPOINT_URL", str(local_aws.aws_endpoint_url))


@pytest.mark.usefixtures("profile")
def test_the_role_of_a_profile_reads_and_writes_the_files_too() -> None:
    """Arrow's own chain does not know it, and would send its requests unsigned."""
    properties = glue_catalog(region="us-east-1").properties
    assert str(properties["s3.access-key-id"]).startswith("ASIA")
    assert properties["s3.session-token"]


@pytest.mark.usefixtures("profile")
def test_what_arrow_finds_and_renews_by_itself_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_PROFILE")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert not [
        name for name in glue_catalog(region="us-east-1").properties if name.startswith("s3.") and "key" in name
    ]
