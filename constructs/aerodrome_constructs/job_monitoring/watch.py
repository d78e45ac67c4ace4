"""Metrics of what AWS Batch sends no event for: how long jobs wait, and compute environments that start nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_events as events
from constructs import Construct

from aerodrome_constructs.functions import FunctionPlace, rule_may_start
from aerodrome_constructs.identity import allow
from aerodrome_constructs.job_monitoring.function import WATCH, metrics_function
from aerodrome_constructs.job_monitoring.metrics_handler.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchWatchProps:
    """What the watch needs to know.

    Attributes:
        name: The name of the function, and of the rule that starts it.
        settings: What it watches.
        queue_arns: The ARNs of the job queues.
        place: Where the function runs.
        security_group: What it carries: it lets it out over HTTPS and nobody in.
    """

    name: str
    settings: Settings
    queue_arns: Sequence[str]
    place: FunctionPlace
    security_group: ec2.ISecurityGroup


class BatchWatch(Construct):
    """A function that looks every five minutes; ``metrics_handler/watch.py`` says how many calls that is.

    It knows queues by name and finds their compute environments through them. An ARN from another stack would be in
    the way when CloudFormation replaces a compute environment: it changes no export that somebody imports.

    Attributes:
        function: The function.
    """

    def __init__(self, scope: Construct, construct_id: str, props: BatchWatchProps) -> None:
        super().__init__(scope, construct_id)
        self.function = metrics_function(
            self,
            name=props.name,
            description="Looks how long AWS Batch jobs wait, and for compute environments that are INVALID",
            handler=WATCH,
            settings=props.settings,
            place=props.place,
            security_group=props.security_group,
            timeout=cdk.Duration.minutes(2),
            memory_mib=256,
            statements=[
                allow(["batch:DescribeComputeEnvironments", "batch:DescribeJobQueues"]),
                allow(["batch:GetJobQueueSnapshot"], props.queue_arns),
            ],
            why_no_dead_letters="five minutes later it looks again; an alarm tells of its errors",
        )
        rule = events.CfnRule(
            self,
            "Schedule",
            name=props.name,
            description="Starts the look at AWS Batch's queues and compute environments",
            schedule_expression="rate(5 minutes)",
            targets=[
                events.CfnRule.TargetProperty(
                    id="Function",
                    arn=self.function.function_arn,
                    # A look that is late says what the next one says.
                    retry_policy=events.CfnRule.RetryPolicyProperty(
                        maximum_event_age_in_seconds=300, maximum_retry_attempts=1
                    ),
                )
            ],
        )
        rule_may_start(self, "MayStart", function=self.function, rule=rule)
