import pytest
from aws_cdk import aws_kms as kms

from aerodrome_constructs.backup import CopyDestination, FileBackups, FileBackupsProps
from tests.templates import ACCOUNT, TemplateJson, new_stack, only, properties, statements, synthesized, text, trust

FILES = f"arn:aws:elasticfilesystem:eu-west-1:{ACCOUNT}:file-system/fs-1"
NEAR = f"arn:aws:backup:eu-west-1:{ACCOUNT}:backup-vault:near"
FAR = f"arn:aws:backup:us-west-2:{ACCOUNT}:backup-vault:far"
DESTINATIONS = {
    "here": None,
    "copied": CopyDestination(region="us-west-2", vault_arn=FAR, key_alias="ours/copy"),
}


@pytest.fixture(scope="module", params=DESTINATIONS)
def template(request: pytest.FixtureRequest) -> TemplateJson:
    stack = new_stack()
    FileBackups(
        stack,
        "Files",
        FileBackupsProps(
            name="files",
            plan_id="plan-1",
            file_system_arn=FILES,
            data_key=kms.Key(stack, "DataKey"),
            vault_arn=NEAR,
            vault_key=kms.Key(stack, "VaultKey"),
            restore_role_name="restore-files",
            destination=DESTINATIONS[request.param],
        ),
    )
    return synthesized(stack)


def where(template: TemplateJson, role: str, action: str) -> set[str]:
    """The resources that an action is allowed on."""
    found = [one for one in statements(template, f"Files{role}Policy") if action in one.actions]
    return {resource for one in found for resource in one.resources}


def test_the_plan_gets_the_file_system_and_nothing_else(template: TemplateJson) -> None:
    made = only(template, "AWS::Backup::BackupSelection")
    assert made["BackupPlanId"] == "plan-1"
    assert made["BackupSelection"]["Resources"] == [FILES]
    assert text(made["BackupSelection"]["IamRoleArn"]).startswith("${FilesRole")


def test_both_roles_are_taken_by_aws_backup_alone(template: TemplateJson) -> None:
    roles = properties(template, "AWS::IAM::Role")
    assert len(roles) == 2
    assert [one.principals for role in roles.values() for one in trust(role)] == [["backup.amazonaws.com"]] * 2


def test_it_backs_up_this_file_system_and_changes_none(template: TemplateJson) -> None:
    assert where(template, "Role", "elasticfilesystem:Backup") == {FILES}
    own = {action for one in statements(template, "FilesRolePolicy") for action in one.actions}
    assert {one for one in own if one.startswith("elasticfilesystem:")} == {
        "elasticfilesystem:Backup",
        "elasticfilesystem:DescribeTags",
    }


def test_it_restores_into_this_file_system_and_takes_nothing_out_of_it(template: TemplateJson) -> None:
    assert where(template, "Restore", "elasticfilesystem:Restore") == {FILES}
    own = {action for one in statements(template, "FilesRestorePolicy") for action in one.actions}
    assert not {one for one in own if "Delete" in one or "Client" in one or "CreateFile" in one}


def test_it_writes_to_the_vaults_of_the_plan(template: TemplateJson) -> None:
    copied = any(FAR in one.resources for one in statements(template, "FilesRolePolicy"))
    assert where(template, "Role", "backup:CopyIntoBackupVault") == ({NEAR, FAR} if copied else {NEAR})


@pytest.mark.parametrize("role", ["Role", "Restore"])
def test_each_uses_the_key_of_the_data_and_that_of_the_vault(template: TemplateJson, role: str) -> None:
    assert {one[:6] for one in where(template, role, "kms:Decrypt")} == {"${Data", "${Vaul"}
    for one in statements(template, f"Files{role}Policy"):
        if "kms:CreateGrant" in one.actions:
            assert one.conditions["Bool"] == {"kms:GrantIsForAWSResource": "true"}


def test_who_restores_is_found_by_the_chosen_name(template: TemplateJson) -> None:
    names = [role["RoleName"] for role in properties(template, "AWS::IAM::Role").values() if "RoleName" in role]
    assert names == ["restore-files"]
