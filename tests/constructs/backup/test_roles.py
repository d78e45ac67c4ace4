import re
from collections.abc import Iterator

import pytest
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3

from aerodrome_constructs.backup import BackupRole, BackupSources, CopyDestination, RestoreRole
from tests.templates import ACCOUNT, Statement, TemplateJson, new_stack, properties, statements, synthesized, trust

DATABASE = f"arn:aws:rds:eu-west-1:{ACCOUNT}:db:ours"
NEAR = f"arn:aws:backup:eu-west-1:{ACCOUNT}:backup-vault:near"
FAR = f"arn:aws:backup:us-west-2:{ACCOUNT}:backup-vault:far"
# What looks, and what AWS Backup needs in order to look.
LOOKS = re.compile(r"\w+:(Describe|Get|List)\w*")


def roles_with(destination: CopyDestination | None) -> TemplateJson:
    stack = new_stack()
    buckets = [s3.Bucket.from_bucket_name(stack, name, name) for name in ("models", "results")]
    sources = BackupSources(database_arn=DATABASE, buckets=buckets, data_key=kms.Key(stack, "DataKey"))
    BackupRole(
        stack, "Backup", sources=sources, vault_arn=NEAR, key=kms.Key(stack, "VaultKey"), destination=destination
    )
    RestoreRole(stack, "Restore", name="restore", sources=sources, new_buckets="restored-", destination=destination)
    return synthesized(stack)


@pytest.fixture(scope="module")
def here() -> TemplateJson:
    return roles_with(None)


@pytest.fixture(scope="module")
def copied() -> TemplateJson:
    return roles_with(CopyDestination(region="us-west-2", vault_arn=FAR, key_alias="ours/copy"))


def allowed(template: TemplateJson, role: str, action: str) -> Iterator[Statement]:
    found = [one for one in statements(template, f"{role}Policy") if action in one.actions]
    assert all(one.allows for one in found)
    return iter(found)


def where(template: TemplateJson, role: str, action: str) -> set[str]:
    """The resources that an action is allowed on."""
    return {resource for one in allowed(template, role, action) for resource in one.resources}


def test_both_roles_are_taken_by_aws_backup_alone(copied: TemplateJson) -> None:
    roles = properties(copied, "AWS::IAM::Role")
    assert len(roles) == 2
    for role in roles.values():
        (trusted,) = trust(role)
        assert trusted.principals == ["backup.amazonaws.com"]
        assert "ManagedPolicyArns" not in role


@pytest.mark.parametrize("role", ["Backup", "Restore"])
def test_what_is_allowed_on_everything_only_looks(copied: TemplateJson, role: str) -> None:
    everywhere = [
        action for one in statements(copied, f"{role}Policy") if "*" in one.resources for action in one.actions
    ]
    assert [action for action in everywhere if not LOOKS.fullmatch(action)] == []


def test_it_backs_up_the_database_and_no_other(here: TemplateJson) -> None:
    assert where(here, "Backup", "rds:CreateDBSnapshot") == {
        DATABASE,
        f"arn:aws:rds:*:{ACCOUNT}:snapshot:awsbackup:*",
    }


def test_it_reads_the_buckets_and_no_other(here: TemplateJson) -> None:
    assert {arn.rpartition(":")[2] for arn in where(here, "Backup", "s3:GetObjectVersion")} == {
        "models/*",
        "results/*",
    }


@pytest.mark.parametrize(
    "action",
    [
        "s3:PutObject",
        "s3:DeleteObject",
        "s3:DeleteObjectVersion",
        "rds:DeleteDBInstance",
        "rds:ModifyDBInstance",
        "rds:ModifyDBSnapshotAttribute",
        "backup:DeleteRecoveryPoint",
        "kms:Encrypt",
    ],
)
def test_it_neither_changes_what_it_backs_up_nor_gives_it_away(copied: TemplateJson, action: str) -> None:
    assert where(copied, "Backup", "s3:GetObject")
    assert where(copied, "Backup", action) == set()


def test_it_deletes_snapshots_of_aws_backup_only(here: TemplateJson) -> None:
    assert all(":snapshot:awsbackup:" in arn for arn in where(here, "Backup", "rds:DeleteDBSnapshot"))
    assert where(here, "Backup", "rds:DeleteDBSnapshot")


def test_it_writes_to_the_vaults_and_no_other(here: TemplateJson, copied: TemplateJson) -> None:
    assert where(here, "Backup", "backup:CopyIntoBackupVault") == {NEAR}
    assert where(copied, "Backup", "backup:CopyIntoBackupVault") == {NEAR, FAR}


@pytest.mark.parametrize(("role", "action"), [("Backup", "kms:CreateGrant"), ("Restore", "kms:GenerateDataKey")])
def test_of_the_second_regions_keys_it_uses_the_one_with_the_alias(
    here: TemplateJson, copied: TemplateJson, role: str, action: str
) -> None:
    far = [one for one in allowed(copied, role, action) if any(":us-west-2:" in arn for arn in one.resources)]
    assert len(far) == 1
    assert far[0].conditions["ForAnyValue:StringEquals"] == {"kms:ResourceAliases": "alias/ours/copy"}
    assert not any(":us-west-2:" in arn for arn in where(here, role, action))


def test_grants_are_for_aws_alone(copied: TemplateJson) -> None:
    grants = list(allowed(copied, "Backup", "kms:CreateGrant"))
    assert len(grants) == 2
    assert all(one.conditions["Bool"] == {"kms:GrantIsForAWSResource": "true"} for one in grants)


def test_restored_objects_go_where_they_were_or_into_a_new_bucket(here: TemplateJson) -> None:
    assert {arn.rpartition(":")[2] for arn in where(here, "Restore", "s3:PutObject")} == {
        "models/*",
        "results/*",
        "restored-*/*",
    }
    assert {arn.rpartition(":")[2] for arn in where(here, "Restore", "s3:CreateBucket")} == {"restored-*"}


def test_a_restore_destroys_no_version(here: TemplateJson) -> None:
    assert where(here, "Restore", "s3:DeleteObject")
    assert where(here, "Restore", "s3:DeleteObjectVersion") == set()
    assert where(here, "Restore", "s3:DeleteBucket") == set()


def test_the_role_that_restores_is_found_by_its_name(here: TemplateJson) -> None:
    assert [role["RoleName"] for role in properties(here, "AWS::IAM::Role").values() if "RoleName" in role] == [
        "restore"
    ]
