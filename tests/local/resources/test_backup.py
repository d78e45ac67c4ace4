"""AWS Backup: vaults with locks, policies and notifications, plans with copies, and selections."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aerodrome_local.cloudformation import DeployError
from aerodrome_local.testing import EmbeddedAws, Stack, Template

DENY = {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "backup:DeleteRecoveryPoint", "Resource": "*"}
TOPIC = "arn:aws:sns:us-east-1:111122223333:alarms"


def vault(**properties: Any) -> Template:  # noqa: ANN401 - any property
    return {
        "Type": "AWS::Backup::BackupVault",
        "DeletionPolicy": "Delete",
        "Properties": {"BackupVaultName": "resource-test", "BackupVaultTags": {"team": "ml"}, **properties},
    }


def plan(keep: int) -> Template:
    return {
        "Type": "AWS::Backup::BackupPlan",
        "Properties": {
            "BackupPlan": {
                "BackupPlanName": "resource-test",
                "BackupPlanRule": [
                    {
                        "RuleName": "daily",
                        "TargetBackupVault": {"Ref": "Vault"},
                        "ScheduleExpression": "cron(0 2 * * ? *)",
                        "StartWindowMinutes": 60,
                        "Lifecycle": {"DeleteAfterDays": keep},
                        "CopyActions": [
                            {
                                "DestinationBackupVaultArn": "arn:aws:backup:us-west-2:111122223333:backup-vault:far",
                                "Lifecycle": {"DeleteAfterDays": keep},
                            }
                        ],
                    }
                ],
            }
        },
    }


def selection(*resources: str) -> Template:
    return {
        "Type": "AWS::Backup::BackupSelection",
        "Properties": {
            "BackupPlanId": {"Ref": "Plan"},
            "BackupSelection": {
                "SelectionName": "everything",
                "IamRoleArn": "arn:aws:iam::111122223333:role/backup",
                "Resources": list(resources),
            },
        },
    }


def test_a_vault_has_the_lock_the_policy_and_the_notifications_of_its_template(
    embedded_aws: EmbeddedAws, stack: Stack
) -> None:
    backup = embedded_aws.client("backup")
    stack.deploy(
        {
            "Vault": vault(
                AccessPolicy={"Version": "2012-10-17", "Statement": [DENY]},
                LockConfiguration={"MinRetentionDays": 30, "MaxRetentionDays": 3653},
                Notifications={"SNSTopicArn": TOPIC, "BackupVaultEvents": ["BACKUP_JOB_FAILED"]},
            )
        }
    )
    found = backup.describe_backup_vault(BackupVaultName="resource-test")
    assert (found["Locked"], found["MinRetentionDays"], found["MaxRetentionDays"]) == (True, 30, 3653)
    assert "LockDate" not in found, "a lock in governance mode can be taken off at any time"
    policy = backup.get_backup_vault_access_policy(BackupVaultName="resource-test")["Policy"]
    assert json.loads(policy)["Statement"] == [DENY]
    told = backup.get_backup_vault_notifications(BackupVaultName="resource-test")
    assert (told["SNSTopicArn"], told["BackupVaultEvents"]) == (TOPIC, ["BACKUP_JOB_FAILED"])
    tags = backup.list_tags(ResourceArn=found["BackupVaultArn"])["Tags"]
    assert (tags["team"], tags["stack-tag"]) == ("ml", "inherited")

    stack.deploy({"Vault": vault()})
    bare = backup.describe_backup_vault(BackupVaultName="resource-test")
    assert bare["Locked"] is False
    assert "MinRetentionDays" not in bare
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        backup.get_backup_vault_access_policy(BackupVaultName="resource-test")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        backup.get_backup_vault_notifications(BackupVaultName="resource-test")

    stack.delete()
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        backup.describe_backup_vault(BackupVaultName="resource-test")


def test_a_lock_in_compliance_mode_has_a_date_until_which_it_can_be_taken_off(
    embedded_aws: EmbeddedAws, stack: Stack
) -> None:
    backup = embedded_aws.client("backup")
    stack.deploy({"Vault": vault(LockConfiguration={"ChangeableForDays": 3, "MinRetentionDays": 7})})
    found = backup.describe_backup_vault(BackupVaultName="resource-test")
    assert timedelta(days=2) < found["LockDate"] - datetime.now(UTC) < timedelta(days=4)

    # The day is reached at once, as nothing here can wait for it.
    backup.put_backup_vault_lock_configuration(BackupVaultName="resource-test", ChangeableForDays=0, MinRetentionDays=7)
    with pytest.raises(ClientError, match="can no longer be taken off"):
        backup.delete_backup_vault_lock_configuration(BackupVaultName="resource-test")
    with pytest.raises(ClientError, match="can no longer be changed"):
        backup.put_backup_vault_lock_configuration(BackupVaultName="resource-test", MinRetentionDays=1)
    assert backup.describe_backup_vault(BackupVaultName="resource-test")["MinRetentionDays"] == 7


def test_a_lock_that_is_not_understood_fails_and_leaves_no_vault(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    with pytest.raises(DeployError, match="does not know ShortestDays"):
        stack.deploy({"Vault": vault(LockConfiguration={"ShortestDays": 3})})
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        embedded_aws.client("backup").describe_backup_vault(BackupVaultName="resource-test")


def test_a_plan_copies_and_what_is_selected_follows_the_template(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    backup = embedded_aws.client("backup")
    resources = {"Vault": vault(), "Plan": plan(30), "Selection": selection("arn:aws:s3:::one", "arn:aws:s3:::two")}
    outputs = {
        "Plan": {"Ref": "Plan"},
        "Selection": {"Fn::GetAtt": ["Selection", "SelectionId"]},
        "SelectedBy": {"Fn::GetAtt": ["Selection", "BackupPlanId"]},
    }
    made = stack.deploy(resources, outputs)
    assert made["SelectedBy"] == made["Plan"]

    def selected(selection_id: str) -> list[str]:
        found = backup.get_backup_selection(BackupPlanId=made["Plan"], SelectionId=selection_id)
        return list(found["BackupSelection"]["Resources"])

    (rule,) = backup.get_backup_plan(BackupPlanId=made["Plan"])["BackupPlan"]["Rules"]
    assert (rule["TargetBackupVaultName"], rule["Lifecycle"]) == ("resource-test", {"DeleteAfterDays": 30})
    assert rule["CopyActions"][0]["DestinationBackupVaultArn"].endswith(":backup-vault:far")
    assert selected(made["Selection"]) == ["arn:aws:s3:::one", "arn:aws:s3:::two"]

    again = stack.deploy({**resources, "Plan": plan(60), "Selection": selection("arn:aws:s3:::one")}, outputs)
    assert again["Plan"] == made["Plan"], "a plan is changed in place"
    (rule,) = backup.get_backup_plan(BackupPlanId=made["Plan"])["BackupPlan"]["Rules"]
    assert rule["Lifecycle"] == {"DeleteAfterDays": 60}
    assert again["Selection"] != made["Selection"], "a selection is made anew"
    assert selected(again["Selection"]) == ["arn:aws:s3:::one"]
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        selected(made["Selection"])

    stack.delete()
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        backup.get_backup_plan(BackupPlanId=made["Plan"])
