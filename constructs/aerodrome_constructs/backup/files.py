"""Daily backups of a file system, and the roles that make and restore them.

The statements are those of the policies that AWS manages for backups and restores, for EFS alone, and bound to the one
file system: https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSBackupServiceRolePolicyForBackup.html,
https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSBackupServiceRolePolicyForRestores.html.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_backup as backup
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from aerodrome_constructs.backup.sources import CopyDestination
from aerodrome_constructs.backup.vault_access import attach, backup_role, uses_keys, writes_to_vaults
from aerodrome_constructs.identity.statements import allow


@dataclass(frozen=True, slots=True, kw_only=True)
class FileBackupsProps:
    """What the backups of a file system need to know.

    Attributes:
        name: The name of the plan's selection.
        plan_id: The plan that it is added to.
        file_system_arn: The ARN of an EFS file system.
        data_key: The key that encrypts it.
        vault_arn: The vault that the plan writes to.
        vault_key: The vault's key.
        restore_role_name: The name of the role that restores: chosen, as whoever restores has to name it.
        destination: Where the plan copies backups to. None: nowhere.
    """

    name: str
    plan_id: str
    file_system_arn: str
    data_key: kms.IKey
    vault_arn: str
    vault_key: kms.IKey
    restore_role_name: str
    destination: CopyDestination | None = None


class FileBackups(Construct):
    """A file system's place in a plan.

    It stands beside the file system, and not where the plan is made, so that whoever reads one stack sees that what is
    in it is backed up.
    """

    def __init__(self, scope: Construct, construct_id: str, props: FileBackupsProps) -> None:
        super().__init__(scope, construct_id)
        backup.CfnBackupSelection(
            self,
            "Resource",
            backup_plan_id=props.plan_id,
            backup_selection=backup.CfnBackupSelection.BackupSelectionResourceTypeProperty(
                selection_name=props.name,
                iam_role_arn=self._backup_role(props).role_arn,
                resources=[props.file_system_arn],
            ),
        )
        self._restore_role(props)

    def _backup_role(self, props: FileBackupsProps) -> iam.Role:
        scope, stack = Construct(self, "Role"), cdk.Stack.of(self)
        vaults = [props.vault_arn, *([props.destination.vault_arn] if props.destination else [])]
        role = backup_role(scope, "What AWS Backup does to back up the file system")
        attach(
            scope,
            role,
            [
                allow(["elasticfilesystem:Backup", "elasticfilesystem:DescribeTags"], [props.file_system_arn]),
                allow(["tag:GetResources"]),
                *writes_to_vaults(stack, vaults),
                *uses_keys(stack, [props.data_key, props.vault_key], props.destination),
            ],
            reason="Recovery points get their names when they are made; what is allowed on everything looks things up; "
            "the key of the second region is known by its alias",
            wildcards=[
                "Resource::[*]",
                "Resource::arn:*:kms:*:key/[*]",
                "Resource::arn:*:recovery-point:[*]",
                "Resource::arn:*:snapshot:awsbackup:[*]",
            ],
        )
        return role

    def _restore_role(self, props: FileBackupsProps) -> None:
        scope = Construct(self, "Restore")
        role = backup_role(
            scope, "What AWS Backup does to restore files, into a directory beside", props.restore_role_name
        )
        iam.ManagedPolicy(scope, "Policy", roles=[role], statements=list(_restores(scope, props)))


def _restores(scope: Construct, props: FileBackupsProps) -> Iterator[iam.PolicyStatement]:
    keys = [props.data_key.key_arn, props.vault_key.key_arn]
    # Into the file system that stands. To make another one is not among them: after a loss, a deploy makes it.
    yield allow(["elasticfilesystem:DescribeFileSystems", "elasticfilesystem:Restore"], [props.file_system_arn])
    yield allow(["kms:DescribeKey"], keys)
    yield allow(
        ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo"],
        keys,
        {"StringEquals": {"kms:ViaService": f"elasticfilesystem.{cdk.Stack.of(scope).region}.amazonaws.com"}},
    )
    yield allow(["kms:CreateGrant"], keys, {"Bool": {"kms:GrantIsForAWSResource": "true"}})
