"""The file system of the platform, as a person with an AWS CLI sees it and as projects' jobs have it."""

from collections.abc import Sequence
from typing import Any, Final

import pytest

from aerodrome_local.batch_service import mounts
from aerodrome_stacks.batch_queues import Kind, queue_name
from aerodrome_stacks.jobs_stack import definition_name
from aerodrome_stacks.names import jobs_log_group
from ingest_load import until
from tests.local.account import Account

PATIENCE = 300.0  # far beyond what any of it takes
OURS, THEIRS = "fraud-detection", "demand-forecast"
DOMAIN: Final = "production"


@pytest.fixture
def file_system(prod: Account) -> str:
    """The ID of the file system of prod."""
    return prod.resource("file-systems", "AWS::EFS::FileSystem", "Efs")


def test_it_is_encrypted_with_the_key_of_the_data_and_reached_in_every_zone(prod: Account, file_system: str) -> None:
    efs, kms = prod.client("efs"), prod.client("kms")
    (found,) = efs.describe_file_systems(FileSystemId=file_system)["FileSystems"]
    assert (found["Encrypted"], found["ThroughputMode"]) == (True, "elastic")
    key = kms.describe_key(KeyId="alias/aerodrome-prod/data")["KeyMetadata"]["Arn"]
    assert found["KmsKeyId"] == key
    targets = efs.describe_mount_targets(FileSystemId=file_system)["MountTargets"]
    zones = {one["AvailabilityZoneName"] for one in targets}
    assert zones == set(prod.environment.network.availability_zones)


def test_each_project_has_its_own_directory(prod: Account, file_system: str) -> None:
    points = prod.client("efs").describe_access_points(FileSystemId=file_system)["AccessPoints"]
    assert {point["RootDirectory"]["Path"] for point in points} == {
        f"/{project.name}/{domain}" for project in prod.environment.projects for domain in project.domains
    }


def test_it_is_in_the_plan_that_backs_up_the_rest(prod: Account, file_system: str) -> None:
    backup = prod.client("backup")
    (plan,) = [
        one for one in backup.list_backup_plans()["BackupPlansList"] if one["BackupPlanName"] == "aerodrome-prod-daily"
    ]
    selected = [
        resource
        for one in backup.list_backup_selections(BackupPlanId=plan["BackupPlanId"])["BackupSelectionsList"]
        for resource in backup.get_backup_selection(BackupPlanId=plan["BackupPlanId"], SelectionId=one["SelectionId"])[
            "BackupSelection"
        ]["Resources"]
    ]
    assert [arn for arn in selected if arn.endswith(f"file-system/{file_system}")] != []
    assert [arn for arn in selected if ":rds:" in arn] != []


def run(prod: Account, project: str, command: Sequence[str]) -> tuple[str, list[str]]:
    """Run a command as a job of a project: how it ended, and what it wrote."""
    batch, environment = prod.client("batch"), prod.environment
    submitted = batch.submit_job(
        jobName="files",
        jobQueue=queue_name(environment, DOMAIN, Kind.SPOT),
        jobDefinition=definition_name(environment, project, DOMAIN, "train-classifier"),
        shareIdentifier=project.replace("-", ""),
        schedulingPriorityOverride=0,
        containerOverrides={"command": list(command)},
        retryStrategy={"attempts": 1},
    )

    def look() -> Any:  # noqa: ANN401 - a job as AWS describes it
        return batch.describe_jobs(jobs=[submitted["jobId"]])["jobs"][0]

    job = until(look, lambda found: found["status"] in {"SUCCEEDED", "FAILED"}, PATIENCE)
    stream = job["container"]["logStreamName"]
    events = prod.client("logs").get_log_events(
        logGroupName=jobs_log_group(environment, project, DOMAIN), logStreamName=stream
    )["events"]
    return job["status"], [event["message"] for event in events]


def test_a_projects_jobs_share_files_and_no_other_projects_do(prod: Account) -> None:
    wrote = run(prod, OURS, ["sh", "-c", "echo 0.93 > /mnt/efs/accuracy"])
    read = run(prod, OURS, ["cat", "/mnt/efs/accuracy"])
    theirs = run(prod, THEIRS, ["ls", "-A", "/mnt/efs"])
    if mounts.can_mount():
        assert (wrote, read, theirs) == (("SUCCEEDED", []), ("SUCCEEDED", ["0.93"]), ("SUCCEEDED", []))
    else:
        assert all("/mnt/efs not mounted" in lines[0] for _, lines in (wrote, read, theirs))
