"""The roles that AWS Backup takes: one that reads what is backed up, and one that writes what is restored.

The statements are those of the policies that AWS manages for backups and restores, for RDS and S3 alone, and bound to
the resources that are backed up here:
https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSBackupServiceRolePolicyForBackup.html,
https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSBackupServiceRolePolicyForS3Backup.html,
https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSBackupServiceRolePolicyForS3Restore.html.
"""

from collections.abc import Iterator

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from aerodrome_constructs.backup.sources import BackupSources, CopyDestination
from aerodrome_constructs.backup.vault_access import (
    attach,
    backup_role,
    key_of,
    snapshots,
    uses_keys,
    writes_to_vaults,
)
from aerodrome_constructs.identity.statements import allow


class BackupRole(Construct):
    """The role that AWS Backup reads with, and writes to vaults and to nothing else.

    AWS Backup takes it for whoever may hand it over (``iam:PassRole``), which nobody outside the account can.

    Args:
        scope: The scope.
        construct_id: The ID.
        sources: What it may read.
        vault_arn: The vault that it may write to.
        key: The vault's key.
        destination: Where it may copy to. None: nowhere.

    Attributes:
        role: The role.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        sources: BackupSources,
        vault_arn: str,
        key: kms.IKey,
        destination: CopyDestination | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.role = backup_role(self, "What AWS Backup does to back up the database and the buckets")
        statements = [
            *_backs_up_database(cdk.Stack.of(self), sources.database_arn),
            *_backs_up_buckets(cdk.Stack.of(self), sources),
            *writes_to_vaults(cdk.Stack.of(self), [vault_arn, *([destination.vault_arn] if destination else [])]),
            *uses_keys(cdk.Stack.of(self), [sources.data_key, key], destination),
        ]
        attach(
            self,
            self.role,
            statements,
            reason="Snapshots, recovery points, objects and AWS Backup's own rules get their names when they are made; "
            "what is allowed on everything looks things up; the key of the second region is known by its alias",
            wildcards=[
                "Resource::[*]",
                "Resource::<*.Arn>/[*]",
                "Resource::arn:*:kms:*:key/[*]",
                "Resource::arn:*:recovery-point:[*]",
                "Resource::arn:*:rule/AwsBackupManagedRule[*]",
                "Resource::arn:*:snapshot:awsbackup:[*]",
            ],
        )


class RestoreRole(Construct):
    """The role that AWS Backup writes restored objects with: into the buckets that they came from, or into new ones.

    A database needs none: its backups are RDS snapshots, which people restore with rights of their own.

    Args:
        scope: The scope.
        construct_id: The ID.
        name: The role's name: chosen, as whoever restores has to name it, and may have nothing left to look it up in.
        sources: What may be restored into.
        new_buckets: What the names of new buckets begin with.
        destination: Where backups were copied to, and may be restored from. None: nowhere.

    Attributes:
        role: The role.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        sources: BackupSources,
        new_buckets: str,
        destination: CopyDestination | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.role = backup_role(self, "What AWS Backup does to restore objects", name)
        stack = cdk.Stack.of(self)
        new_bucket = f"arn:{stack.partition}:s3:::{new_buckets}*"
        statements = [
            allow(
                [
                    "s3:GetBucketLocation",
                    "s3:GetBucketOwnershipControls",
                    "s3:GetBucketVersioning",
                    "s3:ListBucket",
                    "s3:ListBucketVersions",
                ],
                [*sources.bucket_arns, new_bucket],
            ),
            allow(["s3:CreateBucket", "s3:PutBucketOwnershipControls", "s3:PutBucketVersioning"], [new_bucket]),
            allow(
                [
                    "s3:DeleteObject",
                    "s3:GetObject",
                    "s3:GetObjectAcl",
                    "s3:GetObjectTagging",
                    "s3:GetObjectVersion",
                    "s3:GetObjectVersionAcl",
                    "s3:ListMultipartUploadParts",
                    "s3:PutObject",
                    "s3:PutObjectAcl",
                    "s3:PutObjectTagging",
                    "s3:PutObjectVersionAcl",
                ],
                [*sources.object_arns, f"{new_bucket}/*"],
            ),
            allow(["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"], [sources.data_key.key_arn]),
        ]
        if destination:
            statements.append(
                allow(["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"], *key_of(stack, destination))
            )
        attach(
            self,
            self.role,
            statements,
            reason="It restores any object, or into a bucket that is made for it; the key of the second region is "
            "known by its alias",
            wildcards=[
                "Resource::<*.Arn>/[*]",
                "Resource::arn:*:kms:*:key/[*]",
                f"Resource::arn:*:s3:::{new_buckets}[*]",
                f"Resource::arn:*:s3:::{new_buckets}[*]/[*]",
            ],
        )


def _backs_up_database(stack: cdk.Stack, database_arn: str) -> Iterator[iam.PolicyStatement]:
    own = snapshots(stack)
    yield allow(["rds:DescribeDBInstances", "rds:DescribeDBSnapshots"])
    yield allow(["rds:AddTagsToResource", "rds:CreateDBSnapshot", "rds:ListTagsForResource"], [database_arn, own])
    # To share one with another account (ModifyDBSnapshotAttribute) is not among them.
    yield allow(["rds:CopyDBSnapshot", "rds:DeleteDBSnapshot"], [own])


def _backs_up_buckets(stack: cdk.Stack, sources: BackupSources) -> Iterator[iam.PolicyStatement]:
    yield allow(
        [
            "s3:GetBucketAcl",
            "s3:GetBucketLocation",
            "s3:GetBucketNotification",
            "s3:GetBucketTagging",
            "s3:GetBucketVersioning",
            "s3:GetInventoryConfiguration",
            "s3:ListBucket",
            "s3:ListBucketVersions",
            "s3:PutBucketNotification",
            "s3:PutInventoryConfiguration",
        ],
        sources.bucket_arns,
    )
    yield allow(
        [
            "s3:GetObject",
            "s3:GetObjectAcl",
            "s3:GetObjectTagging",
            "s3:GetObjectVersion",
            "s3:GetObjectVersionAcl",
            "s3:GetObjectVersionTagging",
        ],
        sources.object_arns,
    )
    # It follows what changes in a bucket by rules that it makes, and names so.
    yield allow(
        [
            "events:DeleteRule",
            "events:DescribeRule",
            "events:DisableRule",
            "events:EnableRule",
            "events:ListTargetsByRule",
            "events:PutRule",
            "events:PutTargets",
            "events:RemoveTargets",
        ],
        [stack.format_arn(service="events", resource="rule", resource_name="AwsBackupManagedRule*")],
    )
    yield allow(["cloudwatch:GetMetricData", "events:ListRules", "s3:ListAllMyBuckets", "tag:GetResources"])
