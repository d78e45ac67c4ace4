"""Deregisters, every night, the revisions of job definitions that Flyte's plugin for AWS Batch leaves behind."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from aerodrome_constructs.functions import FunctionPlace, VpcFunctionProps, https_only, rule_may_start, vpc_function
from aerodrome_constructs.identity import allow, deny

HANDLER = "aerodrome_constructs.batch.cleaner_handler.handler.handle"
"""The function's entry point."""

# Half an hour after the hour in which backups begin and passwords change.
_EVERY_NIGHT = "cron(30 3 * * ? *)"
# Lambda's longest. At the pace below it is enough for 4,000 revisions; more are left for the next night.
_TIMEOUT = cdk.Duration.minutes(15)
# EventBridge's limit for what a rule sends: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Target.html
_LONGEST_INPUT = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDefinitionCleanerProps:
    """What a cleaner of job definitions needs to know.

    Attributes:
        name: The function's name.
        job_queues: The names of the queues whose jobs keep what they use until they have ended.
        job_roles: The names of the roles whose job definitions are cleaned up, where flytepropeller has made them.
        place: Where the function runs: with a way to AWS Batch.
        keep: How many revisions for the same image and role stay, the newest. flytepropeller has the newest in memory,
            and the one before may be in a task that it took over from the process before it. With its work divided
            among several processes, each registers its own: by default, 5 leave room for the three of Flyte's chart.
        calls_per_second: How many calls of AWS Batch there are in a second, at most. AWS takes 50 SubmitJob in a
            second from an account, and says of other calls only that they have a limit: by default, a tenth of that.
    """

    name: str
    job_queues: Sequence[str]
    job_roles: Sequence[str]
    place: FunctionPlace
    keep: int = 5
    calls_per_second: int = 5


class JobDefinitionCleaner(Construct):
    """A Lambda function on a schedule that keeps the newest revisions of what Flyte registers, and all that are in use.

    Raises:
        ValueError: The names of queues and roles are more than EventBridge sends.
    """

    def __init__(self, scope: Construct, construct_id: str, props: JobDefinitionCleanerProps) -> None:
        super().__init__(scope, construct_id)
        order = json.dumps(
            {
                "jobQueues": sorted(props.job_queues),
                "jobRoles": sorted(props.job_roles),
                "keep": props.keep,
                "callsPerSecond": props.calls_per_second,
            }
        )
        if len(order) > _LONGEST_INPUT:
            raise ValueError(
                f"{props.name} would be sent {len(order):,} characters, with {len(props.job_queues)} queues and "
                f"{len(props.job_roles)} roles, and EventBridge sends {_LONGEST_INPUT:,}: make a cleaner for each half"
            )
        function = self._function(props)
        rule = events.CfnRule(
            self,
            "Schedule",
            description="Deregisters revisions of job definitions that Flyte has left behind",
            schedule_expression=_EVERY_NIGHT,
            targets=[events.CfnRule.TargetProperty(arn=function.function_arn, id="Cleaner", input=order)],
        )
        rule_may_start(self, "Permission", function=function, rule=rule)

    def _function(self, props: JobDefinitionCleanerProps) -> lambda_.Function:
        group = https_only(
            self,
            "SecurityGroup",
            vpc=props.place.vpc,
            carried_by="the cleaner of job definitions",
            calls="AWS Batch, over the internet or an endpoint",
        )
        return vpc_function(
            self,
            VpcFunctionProps(
                place=props.place,
                security_group=group,
                name=props.name,
                description="Deregisters revisions of job definitions that Flyte has left behind",
                handler=HANDLER,
                timeout=_TIMEOUT,
                statements=self._statements(),
                wildcards=["Resource::arn:*:batch:*:job-definition/[*]"],
                because="flytepropeller names its job definitions after images, whatever these are called, and those "
                "of the platform are denied; what else is allowed on everything only looks and takes no resource",
                why_unlimited="a schedule starts it once a night",
                dead_letters="its event is the same every night, and the next night does what this one did not; an "
                "alarm tells",
            ),
        )

    def _statements(self) -> list[iam.PolicyStatement]:
        stack = cdk.Stack.of(self)
        definitions = f"arn:{stack.partition}:batch:{stack.region}:{stack.account}:job-definition"
        return [
            # Neither takes a resource.
            allow(["batch:DescribeJobDefinitions", "batch:ListJobs"]),
            allow(["batch:DeregisterJobDefinition"], [f"{definitions}/*"]),
            # Whatever it is told, and whatever is wrong in it: what the platform has made, CloudFormation deregisters.
            deny(["batch:DeregisterJobDefinition"], [f"{definitions}/aerodrome-*"]),
        ]
