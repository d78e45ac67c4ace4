"""A Lambda function that puts metrics into CloudWatch."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from aerodrome_constructs.functions import FunctionPlace, VpcFunctionProps, vpc_function
from aerodrome_constructs.identity import allow
from aerodrome_constructs.job_monitoring.metrics_handler.names import NAMESPACE
from aerodrome_constructs.job_monitoring.metrics_handler.settings import Settings

COUNTER = "aerodrome_constructs.job_monitoring.metrics_handler.handler.handle"
"""The entry point of the function that counts."""

WATCH = "aerodrome_constructs.job_monitoring.metrics_handler.watch.handle"
"""The entry point of the function that looks."""


def metrics_function(
    scope: Construct,
    *,
    name: str,
    description: str,
    handler: str,
    settings: Settings,
    place: FunctionPlace,
    security_group: ec2.ISecurityGroup,
    timeout: cdk.Duration,
    memory_mib: int,
    statements: Sequence[iam.PolicyStatement],
    why_no_dead_letters: str,
) -> lambda_.Function:
    """Make a function that may put metrics, with its role and its log.

    Args:
        scope: The construct that it belongs to.
        name: Its name: chosen, so that alarms and people can name it.
        description: What it does, as the console shows it.
        handler: Its entry point.
        settings: What it watches.
        place: Where it runs.
        security_group: What it carries: it lets it out over HTTPS and nobody in.
        timeout: After that Lambda ends it.
        memory_mib: Its memory, which is also its share of a CPU.
        statements: What it may do besides writing its log and its metrics.
        why_no_dead_letters: Why it needs no queue of its own for events that it failed on.
    """
    put_metrics = allow(["cloudwatch:PutMetricData"], conditions={"StringEquals": {"cloudwatch:namespace": NAMESPACE}})
    return vpc_function(
        scope,
        VpcFunctionProps(
            place=place,
            security_group=security_group,
            name=name,
            description=description,
            handler=handler,
            environment=settings.variables(),
            memory_mib=memory_mib,
            timeout=timeout,
            statements=[*statements, put_metrics],
            because="a metric has no ARN, and a condition names the namespace; what else is allowed on everything only "
            "looks and takes no resource",
            why_unlimited="what calls it has a limit: the queue's mapping, or a schedule",
            dead_letters=why_no_dead_letters,
        ),
    )
