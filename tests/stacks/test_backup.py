import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from aerodrome_stacks.environment import Environment
from tests.stacks.conftest import StackArtifact
from tests.templates import ROOT, Properties, TemplateJson, only, properties, text

# The hour before a window, too: https://docs.aws.amazon.com/aws-backup/latest/devguide/troubleshooting.html
CLOSED_BEFORE = timedelta(hours=1)


@pytest.fixture
def backup(stacks: Mapping[str, TemplateJson]) -> TemplateJson:
    return stacks["Backup"]


def daily(backup: TemplateJson) -> Mapping[str, Any]:
    (rule,) = only(backup, "AWS::Backup::BackupPlan")["BackupPlan"]["BackupPlanRule"]
    return dict(rule)


def vaults(stacks: Mapping[str, TemplateJson]) -> dict[str, Properties]:
    """Every vault by its stack."""
    found = {
        stack: resource["Properties"]
        for stack, template in stacks.items()
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::Backup::BackupVault"
    }
    assert found
    return found


def test_what_cannot_be_made_again_is_backed_up(backup: TemplateJson) -> None:
    selected = " ".join(map(text, only(backup, "AWS::Backup::BackupSelection")["BackupSelection"]["Resources"]))
    assert len(re.findall("arn:aws:rds|storage:Exports", selected)) == 4
    for name in ("database:Exports", "Metadata", "MlflowArtifacts", "BatchOutput"):
        assert name in selected
    assert not re.search("RawData|BatchInput|AccessLogs", selected)


def test_every_backup_is_kept_as_long_as_the_environment_says(backup: TemplateJson, environment: Environment) -> None:
    keep = {"DeleteAfterDays": environment.backup.keep.days}
    assert daily(backup)["Lifecycle"] == keep
    assert [copy["Lifecycle"] for copy in daily(backup).get("CopyActions", [])] in ([], [keep])


def test_the_vaults_are_locked_as_the_environment_says(
    stacks: Mapping[str, TemplateJson], environment: Environment
) -> None:
    for stack, vault in vaults(stacks).items():
        lock = vault.get("LockConfiguration")
        assert (lock is None) == (environment.backup.lock == "none"), stack
        if lock is not None:
            assert lock["MinRetentionDays"] == environment.backup.keep.days, stack
            assert ("ChangeableForDays" in lock) == (environment.backup.lock == "compliance"), stack
            assert "backup:DeleteRecoveryPoint" in text(vault["AccessPolicy"]), stack


def test_prod_has_a_lock(stacks: Mapping[str, TemplateJson], environment: Environment) -> None:
    open_vaults = [stack for stack, vault in vaults(stacks).items() if "LockConfiguration" not in vault]
    assert open_vaults == [] or environment.name != "prod"


def test_backups_have_a_key_of_their_own(stacks: Mapping[str, TemplateJson]) -> None:
    key = text(vaults(stacks)["Backup"]["EncryptionKeyArn"])
    assert "keys:ExportsOutputFnGetAttBackup" in key


def test_each_backup_is_copied_where_the_environment_says(
    stacks: Mapping[str, TemplateJson], artifacts: Mapping[str, StackArtifact], environment: Environment
) -> None:
    copies = daily(stacks["Backup"]).get("CopyActions", [])
    region = environment.backup.copy_region
    assert ("BackupCopy" in stacks) == (region is not None)
    if region is None:
        assert copies == []
        return
    vault = vaults(stacks)["BackupCopy"]
    assert [copy["DestinationBackupVaultArn"] for copy in copies] == [
        f"arn:aws:backup:{region}:{environment.account}:backup-vault:{vault['BackupVaultName']}"
    ]
    assert artifacts["BackupCopy"].place == f"aws://{environment.account}/{region}"
    assert artifacts["BackupCopy"].protected
    assert artifacts["BackupCopy"].name == f"aerodrome-{environment.name}-backup-copy"


def test_a_copy_has_a_key_of_its_own_region(stacks: Mapping[str, TemplateJson], environment: Environment) -> None:
    if environment.backup.copy_region is None:
        assert "BackupCopy" not in stacks
        return
    copy = stacks["BackupCopy"]
    assert only(copy, "AWS::KMS::Key")["EnableKeyRotation"] is True
    alias = only(copy, "AWS::KMS::Alias")["AliasName"]
    assert vaults(stacks)["BackupCopy"]["EncryptionKeyArn"]["Fn::GetAtt"][0].startswith("Key")
    # Both roles know the key by its alias.
    roles = [one for one in properties(stacks["Backup"], "AWS::IAM::ManagedPolicy").values() if alias in text(one)]
    assert len(roles) == 2
    assert "Fn::ImportValue" not in text(dict(copy["Resources"])), "nothing crosses the regions but names"


def test_backups_start_while_the_database_takes_them(stacks: Mapping[str, TemplateJson], backup: TemplateJson) -> None:
    hour = re.fullmatch(r"cron\(0 (\d+) \* \* \? \*\)", daily(backup)["ScheduleExpression"])
    assert hour is not None
    start = timedelta(hours=int(hour[1]))
    database = only(stacks["Database"], "AWS::RDS::DBInstance")
    windows = [database["PreferredBackupWindow"], re.sub("[a-z]{3}:", "", database["PreferredMaintenanceWindow"])]
    for window in windows:
        opens, closes = (clock(time) for time in window.split("-"))
        assert opens < closes, "a window over midnight needs more than this"
        assert not opens - CLOSED_BEFORE <= start < closes, window


def test_the_database_keeps_its_own_point_in_time_recovery(stacks: Mapping[str, TemplateJson]) -> None:
    assert "EnableContinuousBackup" not in daily(stacks["Backup"])
    assert only(stacks["Database"], "AWS::RDS::DBInstance")["BackupRetentionPeriod"] >= 7


def test_people_are_told_of_what_failed(backup: TemplateJson, environment: Environment) -> None:
    told = {one["EventPattern"]["detail-type"][0]: one for one in properties(backup, "AWS::Events::Rule").values()}
    copied = {"Copy Job State Change"} if environment.backup.copy_region else set()
    assert set(told) == {"Backup Job State Change"} | copied
    topics = {text(target["Arn"]) for rule in told.values() for target in rule["Targets"]}
    topics.add(text(only(backup, "AWS::Backup::BackupVault")["Notifications"]["SNSTopicArn"]))
    assert len(topics) == 1
    assert "alerts:ExportsOutputRefTopic" in topics.pop()
    for rule in told.values():
        (target,) = rule["Targets"]
        page = re.search(r"What to do: (\S+)\"$", target["InputTransformer"]["InputTemplate"])
        assert page
        assert (ROOT / page[1]).is_file(), page[1]


def clock(time: str) -> timedelta:
    hours, minutes = time.split(":")
    return timedelta(hours=int(hours), minutes=int(minutes))
