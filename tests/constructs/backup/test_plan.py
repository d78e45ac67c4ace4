import re
from datetime import timedelta
from typing import Any

import pytest
from aws_cdk import aws_backup as backup
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns

from aerodrome_constructs.backup import BackupFailures, BackupFailuresProps, DailyBackups, DailyBackupsProps
from tests.templates import TemplateJson, new_stack, only, properties, synthesized, text

FAR = "arn:aws:backup:us-west-2:111122223333:backup-vault:far"
DATABASE = "arn:aws:rds:eu-west-1:111122223333:db:ours"
BUCKET = "arn:aws:s3:::ours"
RUNBOOK = "runbooks/backup-failed.md"


def plan_with(copy_to: str | None) -> TemplateJson:
    stack = new_stack()
    vault = backup.BackupVault(stack, "Vault")
    props = DailyBackupsProps(
        name="ours-daily",
        vault=vault,
        keep=timedelta(days=35),
        hour=5,
        resources=[DATABASE, BUCKET],
        role=iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("backup.amazonaws.com")),
        copy_to=copy_to,
    )
    DailyBackups(stack, "Daily", props)
    topic = sns.Topic(stack, "Topic")
    BackupFailures(stack, "Failures", BackupFailuresProps(vault=vault, topic=topic, runbook=RUNBOOK, copy_to=copy_to))
    return synthesized(stack)


@pytest.fixture(scope="module")
def here() -> TemplateJson:
    return plan_with(None)


@pytest.fixture(scope="module")
def copied() -> TemplateJson:
    return plan_with(FAR)


def rule(template: TemplateJson) -> dict[str, Any]:
    (found,) = only(template, "AWS::Backup::BackupPlan")["BackupPlan"]["BackupPlanRule"]
    return dict(found)


def failures(template: TemplateJson) -> dict[str, dict[str, Any]]:
    """What people are told, by the kind of event."""
    return {
        found["EventPattern"]["detail-type"][0]: dict(found)
        for found in properties(template, "AWS::Events::Rule").values()
    }


def test_there_is_a_backup_every_day_that_is_kept_as_long_as_asked(here: TemplateJson) -> None:
    assert rule(here)["ScheduleExpression"] == "cron(0 5 * * ? *)"
    assert rule(here)["Lifecycle"] == {"DeleteAfterDays": 35}, "no cold storage, which takes neither RDS nor S3"
    assert text(rule(here)["TargetBackupVault"]).startswith("${Vault")


def test_a_job_may_wait_for_the_database_and_take_as_long_as_the_first_one_does(here: TemplateJson) -> None:
    assert rule(here)["StartWindowMinutes"] == 180
    assert rule(here)["CompletionWindowMinutes"] == 7 * 24 * 60


def test_point_in_time_recovery_is_left_to_rds(here: TemplateJson, copied: TemplateJson) -> None:
    assert not rule(here).get("EnableContinuousBackup")
    assert not rule(copied).get("EnableContinuousBackup")


def test_what_is_backed_up_is_named(here: TemplateJson) -> None:
    selection = only(here, "AWS::Backup::BackupSelection")
    assert text(selection["BackupPlanId"]).startswith("${Daily")
    assert selection["BackupSelection"]["Resources"] == [DATABASE, BUCKET]
    assert not {"ListOfTags", "Conditions"} & set(selection["BackupSelection"])
    assert text(selection["BackupSelection"]["IamRoleArn"]).startswith("${Role")


def test_nothing_is_copied_where_there_is_no_place_for_it(here: TemplateJson) -> None:
    assert "CopyActions" not in rule(here)


def test_a_copy_is_kept_as_long_as_what_it_is_of(copied: TemplateJson) -> None:
    assert rule(copied)["CopyActions"] == [{"DestinationBackupVaultArn": FAR, "Lifecycle": rule(copied)["Lifecycle"]}]


def test_people_are_told_of_a_backup_that_failed(here: TemplateJson) -> None:
    found = failures(here)["Backup Job State Change"]
    assert found["EventPattern"]["source"] == ["aws.backup"]
    assert set(found["EventPattern"]["detail"]["state"]) == {"ABORTED", "EXPIRED", "FAILED"}
    assert text(found["EventPattern"]["detail"]["backupVaultArn"][0]).startswith("${Vault"), "and of no other's"
    assert [text(target["Arn"])[:7] for target in found["Targets"]] == ["${Topic"]


def test_they_are_told_in_a_sentence_which_job_it_is_and_what_to_do(copied: TemplateJson) -> None:
    for kind, job in {"Backup Job State Change": "backupJobId", "Copy Job State Change": "copyJobId"}.items():
        (target,) = failures(copied)[kind]["Targets"]
        transformer = target["InputTransformer"]
        assert transformer["InputPathsMap"]["job"] == f"$.detail.{job}"
        assert set(re.findall("<([a-z]+)>", transformer["InputTemplate"])) == set(transformer["InputPathsMap"])
        assert re.fullmatch('"[^"]+"', transformer["InputTemplate"]), "EventBridge takes a text in quotes"
        assert RUNBOOK in transformer["InputTemplate"]


def test_people_are_told_of_a_copy_that_failed(here: TemplateJson, copied: TemplateJson) -> None:
    detail = failures(copied)["Copy Job State Change"]["EventPattern"]["detail"]
    assert detail == {"state": ["FAILED"], "destinationBackupVaultArn": [FAR]}
    assert "Copy Job State Change" not in failures(here)


def test_people_are_told_of_objects_that_a_backup_left_out(here: TemplateJson) -> None:
    told = only(here, "AWS::Backup::BackupVault")["Notifications"]
    assert told["BackupVaultEvents"] == ["S3_BACKUP_OBJECT_FAILED"]
    assert text(told["SNSTopicArn"]).startswith("${Topic")
