"""A Lambda function that works in a PostgreSQL instance with what Secrets Manager gives it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from aerodrome_constructs.database import lambda_asset
from aerodrome_constructs.identity.network_interfaces import network_interfaces
from aerodrome_constructs.identity.statements import allow
from aerodrome_constructs.policy import acknowledge
from aerodrome_constructs.policy.known_rules import (
    INLINE_POLICY,
    LAMBDA_CONCURRENCY,
    LAMBDA_DEAD_LETTERS,
    WILDCARDS,
)

# Where Lambda puts a function's code (Lambda developer guide, "Defined runtime environment variables").
_TASK_ROOT = "/var/task"


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSurroundings:
    """Where the functions of a database run, and what they write to.

    Attributes:
        vpc: The VPC of the instance.
        subnets: Where they run: private, with a way to Secrets Manager, and to S3 for the answers to CloudFormation.
        security_group: What they carry: it may reach the instance, which lets it in, and AWS over HTTPS.
        secrets_key: The key that encrypts the users' secrets. The functions may decrypt with it.
        log_key: The key that encrypts their logs. Its policy must let CloudWatch Logs of the region use it.
        log_retention: How long the logs are kept.
        ca_bundle: Certificate authorities, in PEM, that they verify the instance's certificate against. They connect to
            nothing else.
    """

    vpc: ec2.IVpc
    subnets: ec2.SubnetSelection
    security_group: ec2.ISecurityGroup
    secrets_key: kms.IKey
    log_key: kms.IKey
    log_retention: logs.RetentionDays
    ca_bundle: Path


def database_function(
    scope: Construct,
    surroundings: FunctionSurroundings,
    *,
    description: str,
    handler: str,
    timeout: cdk.Duration,
    secrets: Sequence[secretsmanager.ISecret],
    actions: Sequence[str] = ("secretsmanager:GetSecretValue",),
    key_actions: Sequence[str] = ("kms:Decrypt",),
    name: str | None = None,
) -> lambda_.Function:
    """Make a function of :mod:`aerodrome_constructs.database.lambda_asset`, with its role and its log.

    Args:
        scope: The construct that it belongs to.
        surroundings: Where it runs.
        description: What it does, as the console shows it.
        handler: Its entry point in the asset.
        timeout: After that Lambda ends it.
        secrets: The secrets that it works with.
        actions: What it may do with them. Default: read.
        key_actions: What it may do with the secrets' key, through Secrets Manager. Default: decrypt.
        name: Its name. None: CloudFormation makes one.
    """
    log_group = logs.LogGroup(
        scope,
        "Log",
        retention=surroundings.log_retention,
        encryption_key=surroundings.log_key,
        # Who got a new password, and when, is asked long after the function is gone.
        removal_policy=cdk.RemovalPolicy.RETAIN,
    )
    role = iam.Role(scope, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    log_group.grant_write(role)
    role.add_to_policy(allow(actions, [secret.secret_arn for secret in secrets]))
    # Here rather than in the key's policy, where Secret.grant_read puts it: the key belongs to another stack, which
    # would then need this one.
    secrets_manager = f"secretsmanager.{cdk.Stack.of(scope).region}.amazonaws.com"
    role.add_to_policy(
        allow(key_actions, [surroundings.secrets_key.key_arn], {"StringEquals": {"kms:ViaService": secrets_manager}})
    )
    role.add_to_policy(network_interfaces())
    acknowledge(
        role,
        WILDCARDS,
        reason="a function's network interfaces have no name before it has them, and Lambda asks for the rights on all",
        findings=["Resource::[*]"],
    )
    acknowledge(
        role,
        INLINE_POLICY,
        reason="the policy names the secrets of this function, is its role's alone and goes with it",
    )
    function = lambda_.Function(
        scope,
        "Function",
        function_name=name,
        description=description,
        runtime=lambda_.Runtime.PYTHON_3_14,
        architecture=lambda_.Architecture.ARM_64,
        handler=handler,
        code=lambda_.Code.from_asset(str(lambda_asset.build(surroundings.ca_bundle))),
        environment={"PGSSLROOTCERT": f"{_TASK_ROOT}/{lambda_asset.CA_BUNDLE}"},
        memory_size=256,
        timeout=timeout,
        role=role,
        log_group=log_group,
        vpc=surroundings.vpc,
        vpc_subnets=surroundings.subnets,
        security_groups=[surroundings.security_group],
    )
    acknowledge(
        function,
        LAMBDA_CONCURRENCY,
        reason="it runs once in a deploy, or in a rotation; a reservation would take from what the account has left, "
        "which in a new account is too little to reserve any",
    )
    acknowledge(
        function,
        LAMBDA_DEAD_LETTERS,
        reason="who invokes it hears of its failure: CloudFormation, which rolls back, or Secrets Manager, which tries "
        "again; in a queue the event would be one that nobody waits for any more",
    )
    return function
