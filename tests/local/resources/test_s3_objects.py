"""Amazon S3: objects that are written once, with metadata and versions."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aerodrome_local.testing import EmbeddedAws


@pytest.fixture
def bucket(embedded_aws: EmbeddedAws, request: pytest.FixtureRequest) -> Iterator[str]:
    """A versioned bucket of the test's own."""
    s3 = embedded_aws.client("s3")
    name = re.sub("[^a-z0-9]+", "-", request.node.name)[-60:].strip("-")
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    yield name
    for each in s3.list_object_versions(Bucket=name).get("Versions", []):
        s3.delete_object(Bucket=name, Key=each["Key"], VersionId=each["VersionId"])
    s3.delete_bucket(Bucket=name)


def write_once(s3: Any, bucket: str, writer: int) -> str:  # noqa: ANN401 - boto3 makes the class at run time
    """What comes of a write that must be the first of its key: an error's status and code, or nothing."""
    try:
        s3.put_object(Bucket=bucket, Key="output", Body=str(writer), IfNoneMatch="*", Metadata={"job-id": str(writer)})
    except ClientError as error:
        answer = error.response
        return f"{answer['ResponseMetadata']['HTTPStatusCode']} {answer['Error']['Code']}"
    return ""


def test_of_many_writers_one_writes(embedded_aws: EmbeddedAws, bucket: str) -> None:
    s3 = embedded_aws.client("s3")
    with ThreadPoolExecutor(max_workers=16) as pool:
        refused = list(pool.map(lambda writer: write_once(s3, bucket, writer), range(48)))
    assert sorted(refused) == ["", *["412 PreconditionFailed"] * 47]
    written = s3.get_object(Bucket=bucket, Key="output")
    winner = str(refused.index(""))
    assert (written["Body"].read(), written["Metadata"]) == (winner.encode(), {"job-id": winner})
    assert len(s3.list_object_versions(Bucket=bucket)["Versions"]) == 1


def test_an_upload_in_parts_is_written_once_too(embedded_aws: EmbeddedAws, bucket: str) -> None:
    s3 = embedded_aws.client("s3")
    assert not write_once(s3, bucket, 1)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="output")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="output", UploadId=upload, PartNumber=1, Body=b"parts")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.complete_multipart_upload(
            Bucket=bucket,
            Key="output",
            UploadId=upload,
            MultipartUpload={"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]},
            IfNoneMatch="*",
        )
    assert s3.get_object(Bucket=bucket, Key="output")["Body"].read() == b"1"


def test_an_old_version_is_read_by_its_id(embedded_aws: EmbeddedAws, bucket: str) -> None:
    s3 = embedded_aws.client("s3")
    first = s3.put_object(Bucket=bucket, Key="input", Body=b"first", Metadata={"of": "one"})["VersionId"]
    second = s3.put_object(Bucket=bucket, Key="input", Body=b"second")["VersionId"]
    old = s3.get_object(Bucket=bucket, Key="input", VersionId=first)
    assert (old["Body"].read(), old["VersionId"], old["Metadata"]) == (b"first", first, {"of": "one"})
    assert s3.get_object(Bucket=bucket, Key="input")["VersionId"] == second
    assert s3.head_object(Bucket=bucket, Key="input", VersionId=first)["ContentLength"] == 5
