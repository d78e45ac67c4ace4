"""A job with a directory of an EFS file system, as CloudFormation makes both."""

from typing import Any

import pytest

from aerodrome_local.batch_service import mounts
from aerodrome_local.testing import EmbeddedAws, Stack, Template
from tests.local.batch.test_batch_embedded import compute_environment, deploy, ended, job_definition, job_queue


@pytest.fixture
def batch(embedded_aws: EmbeddedAws) -> Any:  # noqa: ANN401 - boto3 makes the class at run time
    return embedded_aws.client("batch")


def access_point(path: str) -> Template:
    owner = {"OwnerUid": "1000", "OwnerGid": "1000", "Permissions": "0750"}
    return {
        "Type": "AWS::EFS::AccessPoint",
        "Properties": {
            "FileSystemId": {"Ref": "Files"},
            "PosixUser": {"Uid": "1000", "Gid": "1000"},
            "RootDirectory": {"Path": path, "CreationInfo": owner},
        },
    }


def with_files(point: str, *command: str) -> Template:
    volume = {
        "Name": "efs",
        "EfsVolumeConfiguration": {
            "FileSystemId": {"Ref": "Files"},
            "TransitEncryption": "ENABLED",
            "AuthorizationConfig": {"AccessPointId": {"Ref": point}, "Iam": "ENABLED"},
        },
    }
    mounted = {"Volumes": [volume], "MountPoints": [{"SourceVolume": "efs", "ContainerPath": "/mnt/efs"}]}
    return job_definition(*command, container=mounted)


def test_a_projects_jobs_share_its_directory_and_anothers_do_not(
    embedded_aws: EmbeddedAws,
    batch: Any,  # noqa: ANN401 - boto3 makes the class at run time
    stack: Stack,
) -> None:
    ids = deploy(
        stack,
        Environment=compute_environment(),
        Queue=job_queue("Environment"),
        Files={"Type": "AWS::EFS::FileSystem", "DeletionPolicy": "Delete", "Properties": {"Encrypted": True}},
        Search=access_point("/search/staging"),
        Ads=access_point("/ads/staging"),
        Write=with_files("Search", "sh", "-c", "echo 0.93 > /mnt/efs/accuracy"),
        Read=with_files("Search", "cat", "/mnt/efs/accuracy"),
        Other=with_files("Ads", "cat", "/mnt/efs/accuracy"),
    )

    def run(definition: str) -> dict[str, Any]:
        submitted = batch.submit_job(jobName="files", jobQueue=ids["Queue"], jobDefinition=ids[definition])
        return ended(batch, submitted["jobId"])

    statuses = {name: run(name)["status"] for name in ("Write", "Read", "Other")}
    shared = "SUCCEEDED" if mounts.can_mount() else "FAILED"
    assert statuses == {"Write": shared, "Read": shared, "Other": "FAILED"}
    logs = embedded_aws.client("logs")
    events = logs.get_log_events(logGroupName="/aws/batch/job", logStreamName=run("Read")["container"]["logStreamName"])
    lines = [event["message"] for event in events["events"]]
    assert lines == ["0.93"] if mounts.can_mount() else "not mounted" in lines[0]


def test_a_job_whose_access_point_is_gone_does_not_start(batch: Any, stack: Stack) -> None:  # noqa: ANN401 - boto3 makes the class at run time
    gone = with_files("Files", "true")
    ids = deploy(
        stack,
        Environment=compute_environment(),
        Queue=job_queue("Environment"),
        Files={"Type": "AWS::EFS::FileSystem", "DeletionPolicy": "Delete", "Properties": {"Encrypted": True}},
        Definition=gone,
    )
    submitted = batch.submit_job(jobName="files", jobQueue=ids["Queue"], jobDefinition=ids["Definition"])
    job = ended(batch, submitted["jobId"])
    assert job["status"] == "FAILED"
    assert "ResourceInitializationError: no access point" in job["attempts"][0]["container"]["reason"]
