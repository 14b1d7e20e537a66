"""What the recorder writes down of calls by real clients: every protocol of botocore, Arrow, DuckDB."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import duckdb
import pyarrow as pa
import pyarrow.fs as pafs
import pytest
from botocore.config import Config
from werkzeug.serving import make_server

from infra.local.aws.recorder import MOST_REMEMBERED, Recorder
from infra.local.duckdb.connection import configure
from orchestration.settings import Settings
from tests.conftest import local_settings, running_aws

pytestmark = pytest.mark.slow

BUCKET = "lake"
_SIGNED = Config(signature_version="v4")  # presigned URLs too


class Recorded:
    """A local AWS that records, and clients of it for each actor."""

    def __init__(self, url: str, file: Path) -> None:
        self.url = url
        self._file = file

    def client(self, service: str, actor: str) -> Any:
        args = {"endpoint_url": self.url, "region_name": "us-east-1", "aws_access_key_id": actor, "config": _SIGNED}
        return boto3.client(service, aws_secret_access_key="local", **args)  # pyright: ignore[reportCallIssue, reportArgumentType]

    def settings(self, actor: str, folder: Path) -> Settings:
        return local_settings(self.url, folder).model_copy(update={"aws_access_key_id": actor})

    def calls(self, actor: str) -> list[tuple[str, str, dict[str, Any], int]]:
        lines = map(json.loads, self._file.read_text().splitlines())
        return [(c["service"], c["operation"], c["parameters"], c["status"]) for c in lines if c["actor"] == actor]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    folder = tmp_path_factory.mktemp("recorded")
    with running_aws(folder, "--record", str(folder / "calls.jsonl")) as url:
        found = Recorded(url, folder / "calls.jsonl")
        found.client("s3", "setup").create_bucket(Bucket=BUCKET)
        yield found


def test_a_target_header_names_the_operation_and_the_body_the_resource(recorded: Recorded) -> None:
    glue, kinesis = recorded.client("glue", "json"), recorded.client("kinesis", "json")
    glue.create_database(DatabaseInput={"Name": "lake", "Description": "not a resource"})
    glue.create_table(DatabaseName="lake", TableInput={"Name": "flights", "Parameters": {"OwnerName": "no"}})
    kinesis.create_stream(StreamName="events", ShardCount=1)
    kinesis.put_record(StreamName="events", PartitionKey="no resource", Data=b"private")
    assert recorded.calls("json") == [
        ("glue", "CreateDatabase", {"DatabaseInput.Name": "lake"}, 200),
        ("glue", "CreateTable", {"DatabaseName": "lake", "TableInput.Name": "flights"}, 200),
        ("kinesis", "CreateStream", {"StreamName": "events"}, 200),
        ("kinesis", "PutRecord", {"StreamName": "events"}, 200),
    ]


def test_a_query_action_and_a_binary_one_are_told(recorded: Recorded) -> None:
    recorded.client("sts", "query").assume_role(RoleArn="arn:aws:iam::123456789012:role/r", RoleSessionName="me")
    recorded.client("cloudwatch", "query").list_metrics()
    assert recorded.calls("query") == [
        ("sts", "AssumeRole", {"RoleArn": "arn:aws:iam::123456789012:role/r", "RoleSessionName": "me"}, 200),
        ("monitoring", "ListMetrics", {}, 200),
    ]


def test_a_method_and_a_path_name_operation_and_resource(recorded: Recorded) -> None:
    quicksight = recorded.client("quicksight", "rest-json")
    with pytest.raises(quicksight.exceptions.ResourceNotFoundException):
        quicksight.describe_data_set_permissions(AwsAccountId="123456789012", DataSetId="d")
    assert recorded.calls("rest-json") == [
        ("quicksight", "DescribeDataSetPermissions", {"AwsAccountId": "123456789012", "DataSetId": "d"}, 404)
    ]


def test_operations_of_s3_with_one_path_are_told_apart(recorded: Recorded) -> None:
    s3 = recorded.client("s3", "s3")
    s3.put_object(Bucket=BUCKET, Key="a/b c", Body=b"1", Tagging="t=1")
    s3.copy_object(Bucket=BUCKET, Key="copy", CopySource={"Bucket": BUCKET, "Key": "a/b c"})
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="parts")["UploadId"]
    part = s3.upload_part(Bucket=BUCKET, Key="parts", UploadId=upload, PartNumber=1, Body=b"1")
    parts = {"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]}
    s3.complete_multipart_upload(Bucket=BUCKET, Key="parts", UploadId=upload, MultipartUpload=parts)
    s3.get_bucket_location(Bucket=BUCKET)
    s3.list_objects_v2(Bucket=BUCKET, Prefix="a/")
    s3.list_objects(Bucket=BUCKET)
    with pytest.raises(s3.exceptions.ClientError):
        s3.head_object(Bucket=BUCKET, Key="none")
    s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "parts"}, {"Key": "copy"}]})
    of = {"Bucket": BUCKET}
    assert recorded.calls("s3") == [
        ("s3", "PutObject", {**of, "Key": "a/b c", "Tagging": "t=1"}, 200),
        ("s3", "CopyObject", {**of, "Key": "copy", "CopySource": f"{BUCKET}/a/b%20c"}, 200),
        ("s3", "CreateMultipartUpload", {**of, "Key": "parts"}, 200),
        ("s3", "UploadPart", {**of, "Key": "parts"}, 200),
        ("s3", "CompleteMultipartUpload", {**of, "Key": "parts"}, 200),
        ("s3", "GetBucketLocation", of, 200),
        ("s3", "ListObjectsV2", of, 200),
        ("s3", "ListObjects", of, 200),
        ("s3", "HeadObject", {**of, "Key": "none"}, 404),
        ("s3", "DeleteObjects", {**of, "Keys": ["copy", "parts"]}, 200),
    ]


def test_a_presigned_url_is_its_signers(recorded: Recorded) -> None:
    s3 = recorded.client("s3", "presigned")
    s3.put_object(Bucket=BUCKET, Key="shared", Body=b"content")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "shared"})
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"content"
    assert recorded.calls("presigned")[1:] == [("s3", "GetObject", {"Bucket": BUCKET, "Key": "shared"}, 200)]


def test_arrow_and_duckdb_are_seen_and_their_bodies_pass_untouched(recorded: Recorded, tmp_path: Path) -> None:
    content = bytes(range(256)) * 60_000  # more than one part
    arrow = pafs.S3FileSystem(
        access_key="arrow", secret_key="local", endpoint_override=recorded.url, region="us-east-1", scheme="http"
    )
    with arrow.open_output_stream(f"{BUCKET}/big") as stream:
        stream.write(content)
    assert arrow.open_input_file(f"{BUCKET}/big").read() == content
    operations = {operation for _, operation, parameters, _ in recorded.calls("arrow") if parameters["Key"] == "big"}
    assert operations >= {"CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "HeadObject", "GetObject"}

    with duckdb.connect() as connection:
        configure(connection, recorded.settings("duckdb", tmp_path))
        connection.register("n", pa.table({"n": [1, 2, 3]}))
        connection.execute(f"copy n to 's3://{BUCKET}/d/n.parquet'")
        assert connection.execute(f"select sum(n) from 's3://{BUCKET}/d/*.parquet'").fetchone() == (6,)
    told = {(operation, parameters.get("Key")) for _, operation, parameters, _ in recorded.calls("duckdb")}
    assert told >= {("PutObject", "d/n.parquet"), ("GetObject", "d/n.parquet"), ("ListObjectsV2", None)}


def test_a_call_is_written_once_for_each_status(recorded: Recorded) -> None:
    s3 = recorded.client("s3", "again")
    for _ in range(3):
        s3.list_objects_v2(Bucket=BUCKET)
    with pytest.raises(s3.exceptions.NoSuchBucket):
        s3.list_objects_v2(Bucket="another")
    assert [(parameters["Bucket"], status) for _, _, parameters, status in recorded.calls("again")] == [
        (BUCKET, 200),
        ("another", 404),
    ]


@contextmanager
def _served(application: Any) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, application)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_memory_is_bounded_and_what_nobody_signed_or_no_model_knows_is_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.local.aws.recorder.MOST_REMEMBERED", 2)
    assert MOST_REMEMBERED > 2

    def answer(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))]

    file = tmp_path / "calls.jsonl"
    scope = "AWS4-HMAC-SHA256 Credential=me/20260101/us-east-1/{}/aws4_request, Signature=0"
    with _served(Recorder(answer, file)) as url:
        for path in ("1", "2", "1", "3", "2", "1"):
            request = urllib.request.Request(f"{url}/{path}", headers={"Authorization": scope.format("no-service")})
            urllib.request.urlopen(request).close()
        broken = {"Authorization": scope.format("glue"), "X-Amz-Target": "AWSGlue.GetTable"}
        with urllib.request.urlopen(urllib.request.Request(url, b"not json", broken)) as echo:
            assert echo.read() == b"not json"
        urllib.request.urlopen(f"{url}/nobody").close()
    operations = [json.loads(line)["operation"] for line in file.read_text().splitlines()]
    # 2 was forgotten when 3 came, and 1 when 2 came again.
    assert operations == ["GET /1", "GET /2", "GET /3", "GET /2", "GET /1", "GetTable"]
