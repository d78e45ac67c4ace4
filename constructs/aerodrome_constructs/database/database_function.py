"""A Lambda function that works in a PostgreSQL instance with what Secrets Manager gives it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from aerodrome_constructs.database import lambda_asset
from aerodrome_constructs.functions import FunctionPlace, VpcFunctionProps, vpc_function
from aerodrome_constructs.identity.statements import allow

# Where Lambda puts a function's code (Lambda developer guide, "Defined runtime environment variables").
_TASK_ROOT = "/var/task"


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSurroundings:
    """Where the functions of a database run, and what they write to.

    Attributes:
        place: Where they run: with a way to the instance and Secrets Manager, and to S3 for the answers to
            CloudFormation.
        security_group: What they carry: it may reach the instance, which lets it in, and AWS over HTTPS.
        secrets_key: The key that encrypts the users' secrets. The functions may decrypt with it.
        ca_bundle: Certificate authorities, in PEM, that they verify the instance's certificate against. They connect to
            nothing else.
    """

    place: FunctionPlace
    security_group: ec2.ISecurityGroup
    secrets_key: kms.IKey
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
    # Here rather than in the key's policy, where Secret.grant_read puts it: the key belongs to another stack, which
    # would then need this one.
    secrets_manager = f"secretsmanager.{cdk.Stack.of(scope).region}.amazonaws.com"
    return vpc_function(
        scope,
        VpcFunctionProps(
            place=surroundings.place,
            security_group=surroundings.security_group,
            name=name,
            description=description,
            handler=handler,
            code=lambda_asset.build(surroundings.ca_bundle),
            environment={"PGSSLROOTCERT": f"{_TASK_ROOT}/{lambda_asset.CA_BUNDLE}"},
            timeout=timeout,
            statements=[
                allow(actions, [secret.secret_arn for secret in secrets]),
                allow(
                    key_actions,
                    [surroundings.secrets_key.key_arn],
                    {"StringEquals": {"kms:ViaService": secrets_manager}},
                ),
            ],
            why_unlimited="it runs once in a deploy, or in a rotation",
            dead_letters="who invokes it hears of its failure: CloudFormation, which rolls back, or Secrets Manager, "
            "which tries again; in a queue the event would be one that nobody waits for any more",
        ),
    )
