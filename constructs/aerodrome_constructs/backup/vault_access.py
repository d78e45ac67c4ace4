"""What the roles of AWS Backup have in common: who takes them, the vaults, and the keys."""

from collections.abc import Iterator, Sequence

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from aerodrome_constructs.backup.sources import CopyDestination
from aerodrome_constructs.identity.statements import allow
from aerodrome_constructs.policy import acknowledge
from aerodrome_constructs.policy.known_rules import WILDCARDS


def backup_role(scope: Construct, description: str, name: str | None = None) -> iam.Role:
    """A role that AWS Backup takes, and nobody else.

    Args:
        scope: The construct that the role is the resource of.
        description: What it is for.
        name: Its name, where it is chosen. Default: generated.
    """
    return iam.Role(
        scope,
        "Resource",
        assumed_by=iam.ServicePrincipal("backup.amazonaws.com"),
        description=description,
        role_name=name,
    )


def attach(
    scope: Construct,
    role: iam.Role,
    statements: Sequence[iam.PolicyStatement],
    *,
    reason: str,
    wildcards: Sequence[str],
) -> None:
    """Give a role its rights in a policy of its own, with the reason for what they leave open.

    Args:
        scope: The construct that the policy goes to.
        role: The role.
        statements: The rights.
        reason: Why there are wildcards among them.
        wildcards: Which those are, as the security packs find them.
    """
    policy = iam.ManagedPolicy(scope, "Policy", roles=[role], statements=list(statements))
    acknowledge(policy, WILDCARDS, reason=reason, findings=wildcards)


def snapshots(stack: cdk.Stack) -> str:
    """The ARN of all snapshots that AWS Backup made of databases.

    Args:
        stack: Where the role is.
    """
    # Of both regions: a copy is made where it goes to.
    return f"arn:{stack.partition}:rds:*:{stack.account}:snapshot:awsbackup:*"


def writes_to_vaults(stack: cdk.Stack, vault_arns: Sequence[str]) -> Iterator[iam.PolicyStatement]:
    """The right to put backups into vaults, and to copy what is in one.

    Args:
        stack: Where the role is.
        vault_arns: The vaults.
    """
    recovery_points = f"arn:{stack.partition}:backup:*:{stack.account}:recovery-point:*"
    yield allow(["backup:CopyIntoBackupVault", "backup:DescribeBackupVault"], vault_arns)
    # The recovery point of a database is a snapshot, also by its ARN.
    yield allow(["backup:CopyFromBackupVault", "backup:TagResource"], [recovery_points, snapshots(stack)])


def uses_keys(
    stack: cdk.Stack, keys: Sequence[kms.IKey], destination: CopyDestination | None
) -> Iterator[iam.PolicyStatement]:
    """The right to read with keys, and to let AWS write with them.

    Args:
        stack: Where the role is.
        keys: The keys of what is backed up, and of the vault.
        destination: Where backups are copied to, with a key there. None: nowhere.
    """
    arns = [key.key_arn for key in keys]
    for_aws = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    yield allow(["kms:Decrypt", "kms:DescribeKey"], arns)
    yield allow(["kms:CreateGrant"], arns, for_aws)
    if destination:
        resources, conditions = key_of(stack, destination)
        yield allow(["kms:DescribeKey"], resources, conditions)
        yield allow(["kms:CreateGrant"], resources, {**conditions, **for_aws})


def key_of(
    stack: cdk.Stack, destination: CopyDestination
) -> tuple[list[str], dict[str, dict[str, str | Sequence[str]]]]:
    """The key of the second region, by its alias: resources and conditions of a statement.

    Args:
        stack: Where the role is.
        destination: Where backups are copied to.
    """
    keys = f"arn:{stack.partition}:kms:{destination.region}:{stack.account}:key/*"
    return [keys], {"ForAnyValue:StringEquals": {"kms:ResourceAliases": f"alias/{destination.key_alias}"}}
