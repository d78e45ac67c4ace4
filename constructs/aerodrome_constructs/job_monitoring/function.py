"""A Lambda function that puts metrics into CloudWatch."""

from collections.abc import Sequence
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from aerodrome_constructs.identity import allow, network_interfaces
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
class FunctionPlace:
    """Where the functions run, and how their output is kept.

    Attributes:
        vpc: The VPC.
        subnets: Which of its subnets: private, with a way to AWS Batch and CloudWatch.
        security_group: What they carry: it lets them out over HTTPS and nobody in.
        log_key: The key that encrypts their logs. Its policy must let CloudWatch Logs of the region use it.
        log_retention: How long the logs are kept.
    """

    vpc: ec2.IVpc
    subnets: ec2.SubnetSelection
    security_group: ec2.ISecurityGroup
    log_key: kms.IKey
    log_retention: logs.RetentionDays


def metrics_function(
    scope: Construct,
    *,
    name: str,
    description: str,
    handler: str,
    settings: Settings,
    place: FunctionPlace,
    timeout: cdk.Duration,
    memory_mib: int,
    statements: Sequence[iam.PolicyStatement],
    why_no_dead_letters: str,
) -> lambda_.Function:
    """Make a function of :mod:`aerodrome_constructs.job_monitoring.lambda_asset`, with its role and its log.

    Args:
        scope: The construct that it belongs to.
        name: Its name: chosen, so that alarms and people can name it.
        description: What it does, as the console shows it.
        handler: Its entry point in the asset.
        settings: What it watches.
        place: Where it runs.
        timeout: After that Lambda ends it.
        memory_mib: Its memory, which is also its share of a CPU.
        statements: What it may do besides writing its log and its metrics.
        why_no_dead_letters: Why it needs no queue of its own for events that it failed on.
    """
    log_group = logs.LogGroup(
        scope,
        "Log",
        retention=place.log_retention,
        encryption_key=place.log_key,
        removal_policy=cdk.RemovalPolicy.RETAIN,
    )
    role = iam.Role(scope, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    log_group.grant_write(role)
    role.add_to_policy(network_interfaces())
    for statement in statements:
        role.add_to_policy(statement)
    role.add_to_policy(
        allow(["cloudwatch:PutMetricData"], conditions={"StringEquals": {"cloudwatch:namespace": NAMESPACE}})
    )
    acknowledge(
        role,
        WILDCARDS,
        reason="a metric has no ARN, and a condition names the namespace; network interfaces have no name before they "
        "are made; what else is allowed on everything only looks and takes no resource",
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
        vpc=place.vpc,
        vpc_subnets=place.subnets,
        security_groups=[place.security_group],
    )
    acknowledge(
        function,
        LAMBDA_CONCURRENCY,
        reason="what calls it has a limit: the queue's mapping, or a schedule; a reservation would take from what the "
        "account has left, which in a new account is too little to reserve any",
    )
    acknowledge(function, LAMBDA_DEAD_LETTERS, reason=why_no_dead_letters)
    return function
