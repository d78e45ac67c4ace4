"""The Backup stacks: a vault with daily backups of what cannot be made again, and another one far away."""

from collections.abc import Sequence
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from aerodrome_constructs.backup import (
    BackupFailures,
    BackupFailuresProps,
    BackupRole,
    BackupSources,
    BackupVault,
    BackupVaultProps,
    CopyDestination,
    DailyBackups,
    DailyBackupsProps,
    RestoreRole,
)
from aerodrome_constructs.encryption import CustomerKey, CustomerKeyProps
from aerodrome_stacks.alerts_stack import AlertsPorts
from aerodrome_stacks.base import AerodromeStack
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.keys_stack import KeysPorts
from aerodrome_stacks.names import resource_prefix

BACKUP_HOUR = 5
"""The hour, UTC, in which the daily backups start. It is neither the hour before the database's own windows for backups
and maintenance nor in one of them, where RDS refuses a backup."""

RUNBOOK = "runbooks/backup-failed.md"
"""What those do who are told of a backup that failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupPorts:
    """What a stack needs to have something of its own backed up.

    Attributes:
        plan_id: The plan for daily backups.
        vault_arn: The vault that it writes to, with the key ``backup``.
        copied_to: Where it copies them to. None: nowhere.
    """

    plan_id: str
    vault_arn: str
    copied_to: CopyDestination | None


class BackupCopyStack(AerodromeStack):
    """A vault in the second region, with a key of its own: what is left when the first region is not."""

    def __init__(self, scope: Construct, construct_id: str, *, environment: Environment, region: str) -> None:
        super().__init__(
            scope,
            construct_id,
            environment=environment,
            description="AWS Backup: the vault that backups are copied to",
            holds_data=True,
            region=region,
        )
        key = CustomerKey(
            self,
            "Key",
            CustomerKeyProps(alias=_copy_key_alias(environment), description="Copies of backups in the vault"),
        ).key
        BackupVault(self, "Vault", _vault(environment, key))


class BackupStack(AerodromeStack):
    """Daily backups of the database and of the buckets whose objects cannot be made again.

    Raw data is not among them, as it expires, nor is what arrives for batch jobs, as whoever sent it has it.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        keys: KeysPorts,
        database_arn: str,
        buckets: Sequence[s3.IBucket],
        alerts: AlertsPorts,
        copy: BackupCopyStack | None,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            environment=environment,
            description="AWS Backup: a vault, daily backups of database and buckets, and the role that restores",
            holds_data=True,
        )
        sources = BackupSources(database_arn=database_arn, buckets=buckets, data_key=keys.data)
        vault = BackupVault(self, "Vault", _vault(environment, keys.backup)).vault
        destination = None
        if copy:
            destination = CopyDestination(
                region=copy.region,
                vault_arn=self.format_arn(
                    service="backup",
                    region=copy.region,
                    resource="backup-vault",
                    resource_name=_vault_name(environment),
                    arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
                ),
                key_alias=_copy_key_alias(environment),
            )
            # Names alone lead there: nothing but this says that a copy needs a vault to go to.
            self.add_stack_dependency(copy)
        copy_to = destination.vault_arn if destination else None
        role = BackupRole(
            self,
            "Role",
            sources=sources,
            vault_arn=vault.backup_vault_arn,
            key=keys.backup,
            destination=destination,
        ).role
        daily = DailyBackups(
            self,
            "Daily",
            DailyBackupsProps(
                name=f"{self.prefix}-daily",
                vault=vault,
                keep=environment.backup.keep,
                hour=BACKUP_HOUR,
                resources=[sources.database_arn, *sources.bucket_arns],
                role=role,
                copy_to=copy_to,
            ),
        )
        BackupFailures(
            self,
            "Failures",
            BackupFailuresProps(vault=vault, topic=alerts.topic, runbook=RUNBOOK, copy_to=copy_to),
        )
        restore = RestoreRole(
            self,
            "Restore",
            name=f"{self.prefix}-restore",
            sources=sources,
            new_buckets=f"{self.prefix}-restored-",
            destination=destination,
        ).role
        cdk.CfnOutput(self, "RestoreRoleArn", value=restore.role_arn)
        self.ports = BackupPorts(plan_id=daily.plan.ref, vault_arn=vault.backup_vault_arn, copied_to=destination)
        # Also where nothing uses them. File systems that are switched off stay deployed and keep importing these, and
        # CloudFormation refuses an update that takes an export from a stack that imports it.
        for value in (self.ports.plan_id, self.ports.vault_arn):
            self.export_value(value)


def _vault(environment: Environment, key: kms.IKey) -> BackupVaultProps:
    return BackupVaultProps(
        name=_vault_name(environment), key=key, keep=environment.backup.keep, lock=environment.backup.lock
    )


def _vault_name(environment: Environment) -> str:
    return f"{resource_prefix(environment)}-backups"


def _copy_key_alias(environment: Environment) -> str:
    return f"{resource_prefix(environment)}/backup-copy"
