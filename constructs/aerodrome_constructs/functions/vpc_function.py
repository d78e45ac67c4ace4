"""A Lambda function in a VPC, with a role and a log of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from aerodrome_constructs.functions.asset import package_asset
from aerodrome_constructs.identity import network_interfaces
from aerodrome_constructs.policy import acknowledge
from aerodrome_constructs.policy.known_rules import (
    INLINE_POLICY,
    LAMBDA_CONCURRENCY,
    LAMBDA_DEAD_LETTERS,
    WILDCARDS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionPlace:
    """Where functions run, and how their output is kept.

    Attributes:
        vpc: The VPC.
        subnets: Which of its subnets: private, with a way to what the functions call.
        log_key: The key that encrypts their logs. Its policy must let CloudWatch Logs of the region use it.
        log_retention: How long the logs are kept.
    """

    vpc: ec2.IVpc
    subnets: ec2.SubnetSelection
    log_key: kms.IKey
    log_retention: logs.RetentionDays


@dataclass(frozen=True, slots=True, kw_only=True)
class VpcFunctionProps:
    """What a function needs to know.

    Attributes:
        place: Where it runs.
        security_group: What it carries.
        description: What it does, as the console shows it.
        handler: Its entry point, such as ``aerodrome_constructs.batch.cleaner_handler.handler.handle``.
        timeout: After that Lambda ends it.
        statements: What it may do besides writing its log.
        why_unlimited: Why it needs no limit of its own on how many of it run at once.
        dead_letters: Where events go that it failed on three times, or why there is no such place.
        code: The folder that becomes its code. Default: the package that the entry point is in, and nothing else.
        environment: Its environment variables. Default: none.
        memory_mib: Its memory, which is also its share of a CPU. Default: 256, of which boto3 takes 80.
        name: Its name, where alarms and people have to name it. Default: one that CloudFormation makes.
        wildcards: What the security packs find in ``statements``, beside what is allowed on everything, as
            :func:`acknowledge` takes it. Default: nothing.
        because: Why both are right. Default: ``statements`` have neither.
    """

    place: FunctionPlace
    security_group: ec2.ISecurityGroup
    description: str
    handler: str
    timeout: cdk.Duration
    statements: Sequence[iam.PolicyStatement]
    why_unlimited: str
    dead_letters: sqs.IQueue | str
    code: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    memory_mib: int = 256
    name: str | None = None
    wildcards: Sequence[str] = ()
    because: str = ""


def vpc_function(scope: Construct, props: VpcFunctionProps) -> lambda_.Function:
    """Make a function, its role and its log, which stays when the function goes.

    They are ``Function``, ``Role`` and ``Log`` of the construct that they belong to, which is about the one function.

    Args:
        scope: That construct.
        props: What the function needs to know.

    Raises:
        ValueError: The entry point is in no package.
    """
    log_group = logs.LogGroup(
        scope,
        "Log",
        retention=props.place.log_retention,
        encryption_key=props.place.log_key,
        # What a function did, and when, is asked long after it is gone.
        removal_policy=cdk.RemovalPolicy.RETAIN,
    )
    code = props.code or package_asset(props.handler.rsplit(".", 2)[0])
    told = None if isinstance(props.dead_letters, str) else props.dead_letters
    function = lambda_.Function(
        scope,
        "Function",
        function_name=props.name,
        description=props.description,
        runtime=lambda_.Runtime.PYTHON_3_14,
        architecture=lambda_.Architecture.ARM_64,
        handler=props.handler,
        code=lambda_.Code.from_asset(str(code)),
        environment=dict(props.environment) or None,
        memory_size=props.memory_mib,
        timeout=props.timeout,
        role=_role(scope, props, log_group),
        log_group=log_group,
        vpc=props.place.vpc,
        vpc_subnets=props.place.subnets,
        security_groups=[props.security_group],
        dead_letter_queue=told,
    )
    acknowledge(
        function,
        LAMBDA_CONCURRENCY,
        reason=f"{props.why_unlimited}; a reservation would take from what the account has left, which in a new "
        "account is too little to reserve any",
    )
    if isinstance(props.dead_letters, str):
        acknowledge(function, LAMBDA_DEAD_LETTERS, reason=props.dead_letters)
    return function


def _role(scope: Construct, props: VpcFunctionProps, log_group: logs.ILogGroup) -> iam.Role:
    role = iam.Role(scope, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    log_group.grant_write(role)
    for statement in (*props.statements, network_interfaces()):
        role.add_to_policy(statement)
    interfaces = "network interfaces have no name before they are made, and Lambda asks for the rights on all"
    acknowledge(
        role,
        WILDCARDS,
        reason="; ".join([*([props.because] if props.because else []), interfaces]),
        findings=["Resource::[*]", *props.wildcards],
    )
    acknowledge(role, INLINE_POLICY, reason="the policy is this function's alone and goes with it")
    return role
