from datetime import timedelta

import pytest
from aws_cdk import aws_kms as kms

from aerodrome_constructs.backup import BackupVault, BackupVaultProps, VaultLock
from tests.templates import (
    ACCOUNT,
    REGION,
    Properties,
    TemplateJson,
    new_stack,
    only,
    resources,
    statements,
    synthesized,
)

LOCKED: list[VaultLock] = ["governance", "compliance"]


def vault_with(lock: VaultLock, keep: timedelta = timedelta(days=30)) -> TemplateJson:
    stack = new_stack()
    BackupVault(stack, "Vault", BackupVaultProps(name="ours", key=kms.Key(stack, "Key"), keep=keep, lock=lock))
    return synthesized(stack)


@pytest.fixture(scope="module")
def templates() -> dict[VaultLock, TemplateJson]:
    locks: list[VaultLock] = ["none", *LOCKED]
    return {lock: vault_with(lock) for lock in locks}


def lock_of(template: TemplateJson) -> Properties:
    found: Properties = only(template, "AWS::Backup::BackupVault")["LockConfiguration"]
    return found


def test_the_vault_is_found_by_a_chosen_name(templates: dict[VaultLock, TemplateJson]) -> None:
    for template in templates.values():
        assert only(template, "AWS::Backup::BackupVault")["BackupVaultName"] == "ours"


def test_the_vault_survives_its_stack_but_no_deploy_that_fails(templates: dict[VaultLock, TemplateJson]) -> None:
    for template in templates.values():
        (vault,) = resources(template, "AWS::Backup::BackupVault").values()
        assert (vault["DeletionPolicy"], vault["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


def test_backups_are_encrypted_with_the_given_key(templates: dict[VaultLock, TemplateJson]) -> None:
    for template in templates.values():
        assert only(template, "AWS::Backup::BackupVault")["EncryptionKeyArn"]["Fn::GetAtt"][0].startswith("Key")


def test_a_vault_without_a_lock_has_neither_lock_nor_policy(templates: dict[VaultLock, TemplateJson]) -> None:
    vault = only(templates["none"], "AWS::Backup::BackupVault")
    assert not {"LockConfiguration", "AccessPolicy"} & set(vault)


@pytest.mark.parametrize("lock", LOCKED)
def test_a_locked_vault_takes_nothing_that_goes_too_soon_or_stays_for_a_century(
    templates: dict[VaultLock, TemplateJson], lock: VaultLock
) -> None:
    assert lock_of(templates[lock])["MinRetentionDays"] == 30
    assert lock_of(templates[lock])["MaxRetentionDays"] == 3653


@pytest.mark.parametrize("lock", LOCKED)
def test_nobody_deletes_a_backup_in_a_locked_vault(templates: dict[VaultLock, TemplateJson], lock: VaultLock) -> None:
    (refusal,) = only(templates[lock], "AWS::Backup::BackupVault")["AccessPolicy"]["Statement"]
    assert (refusal["Effect"], refusal["Principal"]) == ("Deny", {"AWS": "*"})
    assert set(refusal["Action"]) == {"backup:DeleteRecoveryPoint", "backup:UpdateRecoveryPointLifecycle"}
    assert "Condition" not in refusal


def test_governance_can_be_taken_off_at_any_time_and_compliance_for_three_days(
    templates: dict[VaultLock, TemplateJson],
) -> None:
    assert "ChangeableForDays" not in lock_of(templates["governance"])
    assert lock_of(templates["compliance"])["ChangeableForDays"] == 3


def test_the_key_serves_vaults_of_this_account_only(templates: dict[VaultLock, TemplateJson]) -> None:
    for template in templates.values():
        (refusal,) = [one for one in statements(template, "Key") if not one.allows]
        assert refusal.principals == ["backup-storage.amazonaws.com"]
        assert set(refusal.actions) == {"kms:Decrypt", "kms:GenerateDataKey", "kms:RetireGrant"}
        assert refusal.conditions["StringNotEquals"] == {"aws:SourceAccount": ACCOUNT}
        vaults = refusal.conditions["ArnNotLike"]["aws:SourceArn"]
        assert vaults.endswith(f":backup:{REGION}:{ACCOUNT}:backup-vault:*")


def test_nobody_locks_something_up_for_longer_than_books_are_kept() -> None:
    with pytest.raises(ValueError, match=r"vault ours would keep backups for 4000 days, .* at most 3653 are allowed"):
        vault_with("compliance", timedelta(days=4000))
