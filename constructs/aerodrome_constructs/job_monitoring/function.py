"""A Lambda function that puts metrics into CloudWatch."""

from collections.abc import Sequence
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from aerodrome_constructs.identity.statements import allow
from aerodrome_constructs.job_monitoring import lambda_asset
from aerodrome_constructs.job_monitoring.metrics_handler.names import NAMESPACE
from aerodrome_constructs.job_monitoring.metrics_handler.settings import Settings
from aerodrome_constructs.policy import acknowledge
from aerodrome_constructs.policy.known_rules import (
    INLINE_POLICY,
    LAMBDA_CONCURRENCY,
    LAMBDA_DEAD_LETTERS,
    WILDCARDS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogProps:
    """How the functions' output is kept.

    Attributes:
        key: The key that encrypts it. Its policy must let CloudWatch Logs of the region use it.
        retention: How long it is kept.
    """

    key: kms.IKey
    retention: logs.RetentionDays


def metrics_function(
    scope: Construct,
    *,
    name: str,
    description: str,
    handler: str,
    settings: Settings,
    log: LogProps,
    timeout: cdk.Duration,
    memory_mib: int,
    statements: Sequence[iam.PolicyStatement],
    why_no_dead_letters: str,
) -> lambda_.Function:
    """Make a function of :mod:`aerodrome_constructs.job_monitoring.lambda_asset`, with its role and its log.

    It runs outside of any VPC: it speaks to AWS's own services only, and no one speaks to it.

    Args:
        scope: The construct that it belongs to.
        name: Its name: chosen, so that alarms and people can name it.
        description: What it does, as the console shows it.
        handler: Its entry point in the asset.
        settings: What it watches.
        log: How its output is kept.
        timeout: After that Lambda ends it.
        memory_mib: Its memory, which is also its share of a CPU.
        statements: What it may do besides writing its log and its metrics.
        why_no_dead_letters: Why it needs no queue of its own for events that it failed on.
    """
    log_group = logs.LogGroup(
        scope,
        "Log",
        retention=log.retention,
        encryption_key=log.key,
        removal_policy=cdk.RemovalPolicy.RETAIN,
    )
    role = iam.Role(scope, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    log_group.grant_write(role)
    for statement in statements:
        role.add_to_policy(statement)
    role.add_to_policy(
        allow(["cloudwatch:PutMetricData"], conditions={"StringEquals": {"cloudwatch:namespace": NAMESPACE}})
    )
    acknowledge(
        role,
        WILDCARDS,
        reason="a metric has no ARN, and a condition names the namespace; what else is allowed on everything only "
        "looks and takes no resource",
        findings=["Resource::[*]"],
    )
    acknowledge(role, INLINE_POLICY, reason="the policy is this function's alone and goes with it")
    function = lambda_.Function(
        scope,
        "Function",
        function_name=name,
        description=description,
        runtime=lambda_.Runtime.PYTHON_3_14,
        architecture=lambda_.Architecture.ARM_64,
        handler=handler,
        code=lambda_.Code.from_asset(str(lambda_asset.build())),
        environment=settings.variables(),
        memory_size=memory_mib,
        timeout=timeout,
        role=role,
        log_group=log_group,
    )
    acknowledge(
        function,
        LAMBDA_CONCURRENCY,
        reason="what calls it has a limit: the queue's mapping, or a schedule; a reservation would take from what the "
        "account has left, which in a new account is too little to reserve any",
    )
    acknowledge(function, LAMBDA_DEAD_LETTERS, reason=why_no_dead_letters)
    return function
