"""A vault of AWS Backup: encrypted with a key of its own, kept, and locked where asked for."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import aws_cdk as cdk
from aws_cdk import aws_backup as backup
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

VaultLock = Literal["none", "governance", "compliance"]
"""Who may delete a backup before its time: who has the right to; nobody, until an administrator takes the lock off;
nobody, and the lock cannot be taken off (https://docs.aws.amazon.com/aws-backup/latest/devguide/vault-lock.html)."""

# The shortest that AWS takes: so long a lock in compliance mode can still be taken off, by whoever sees a mistake.
_CHANGEABLE_FOR = cdk.Duration.days(3)

# A locked backup cannot be deleted, so a slip of the keyboard must not make one for a century, as AWS would: ten years
# are what the longest rules on keeping books ask for. It does not follow `keep`, as a lock in compliance mode cannot.
_LONGEST = timedelta(days=3653)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupVaultProps:
    """What a vault needs to know.

    Attributes:
        name: The vault's name. It is chosen, so that a plan in another region can name the vault before it is made.
        key: The key that encrypts the backups. One of RDS is a snapshot, which keeps the database's own key; copied
            from another region, it takes this one
            (https://docs.aws.amazon.com/aws-backup/latest/devguide/encryption.html).
        keep: How long backups are kept, in whole days. A locked vault takes none that would be deleted sooner.
        lock: Who may delete a backup before its time.
    """

    name: str
    key: kms.IKey
    keep: timedelta
    lock: VaultLock


class BackupVault(Construct):
    """A vault that stays, with what is in it, when its stack goes.

    Attributes:
        vault: The vault.

    Raises:
        ValueError: A locked vault would keep backups longer than ten years.
    """

    def __init__(self, scope: Construct, construct_id: str, props: BackupVaultProps) -> None:
        super().__init__(scope, construct_id)
        if props.keep > _LONGEST:
            raise ValueError(
                f"vault {props.name} would keep backups for {props.keep.days} days, and they could not be deleted "
                f"sooner; at most {_LONGEST.days} are allowed"
            )
        locked = props.lock != "none"
        self.vault = backup.BackupVault(
            self,
            "Resource",
            backup_vault_name=props.name,
            encryption_key=props.key,
            # The lock says it, too. The policy speaks where a lock was taken off: one change is then not enough.
            block_recovery_point_deletion=locked,
            lock_configuration=_lock(props) if locked else None,
            # Its name is chosen: one that is left behind by a deploy that failed would block the next.
            removal_policy=cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        _refuse_backups_of_others(props.key, cdk.Stack.of(self))


def _lock(props: BackupVaultProps) -> backup.LockConfiguration:
    return backup.LockConfiguration(
        min_retention=cdk.Duration.days(props.keep.days),
        max_retention=cdk.Duration.days(_LONGEST.days),
        # What has no date can be taken off by an administrator at any time: governance mode.
        changeable_for=_CHANGEABLE_FOR if props.lock == "compliance" else None,
    )


def _refuse_backups_of_others(key: kms.IKey, stack: cdk.Stack) -> None:
    # AWS Backup's storage acts for everybody who has a vault; here it may act for this account's vaults alone:
    # https://docs.aws.amazon.com/aws-backup/latest/devguide/cross-service-confused-deputy-prevention.html
    key.add_to_resource_policy(
        iam.PolicyStatement(
            sid="RefuseBackupsOfOthers",
            effect=iam.Effect.DENY,
            principals=[iam.ServicePrincipal("backup-storage.amazonaws.com")],
            actions=["kms:Decrypt", "kms:GenerateDataKey", "kms:RetireGrant"],
            resources=["*"],
            conditions={
                "StringNotEquals": {"aws:SourceAccount": stack.account},
                "ArnNotLike": {
                    "aws:SourceArn": f"arn:{stack.partition}:backup:{stack.region}:{stack.account}:backup-vault:*"
                },
            },
        )
    )
