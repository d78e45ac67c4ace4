"""Deregisters, every night, the revisions of job definitions that Flyte's plugin for AWS Batch leaves behind."""

import functools
import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from aerodrome_constructs.identity import allow, deny, network_interfaces
from aerodrome_constructs.policy import acknowledge
from aerodrome_constructs.policy.known_rules import INLINE_POLICY, LAMBDA_CONCURRENCY, LAMBDA_DEAD_LETTERS, WILDCARDS

HANDLER = "aerodrome_constructs.batch.cleaner_handler.handler.handle"
"""The entry point in the asset, in which the parent packages have no ``__init__.py``: the constructs stay behind."""

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
        vpc: Where the function runs.
        subnets: Which of its subnets: private, with a way to AWS Batch.
        log_key: The key that encrypts the function's log. Its policy must let CloudWatch Logs of the region use it.
        log_retention: How long the log is kept.
        keep: How many revisions for the same image and role stay, the newest. flytepropeller has the newest in memory,
            and the one before may be in a task that it took over from the process before it. With its work divided
            among several processes, each registers its own: by default, 5 leave room for the three of Flyte's chart.
        calls_per_second: How many calls of AWS Batch there are in a second, at most. AWS takes 50 SubmitJob in a
            second from an account, and says of other calls only that they have a limit: by default, a tenth of that.
    """

    name: str
    job_queues: Sequence[str]
    job_roles: Sequence[str]
    vpc: ec2.IVpc
    subnets: ec2.SubnetSelection
    log_key: kms.IKey
    log_retention: logs.RetentionDays
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
        lambda_.CfnPermission(
            self,
            "Permission",
            action="lambda:InvokeFunction",
            function_name=function.function_arn,
            principal="events.amazonaws.com",
            source_arn=rule.attr_arn,
        )

    def _function(self, props: JobDefinitionCleanerProps) -> lambda_.Function:
        log_group = logs.LogGroup(
            self,
            "Log",
            retention=props.log_retention,
            encryption_key=props.log_key,
            # What was deregistered, and when, is asked after the function is gone, too.
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )
        function = lambda_.Function(
            self,
            "Function",
            function_name=props.name,
            description="Deregisters revisions of job definitions that Flyte has left behind",
            runtime=lambda_.Runtime.PYTHON_3_14,
            architecture=lambda_.Architecture.ARM_64,
            handler=HANDLER,
            code=lambda_.Code.from_asset(str(_asset())),
            memory_size=256,
            timeout=_TIMEOUT,
            role=self._role(log_group),
            log_group=log_group,
            vpc=props.vpc,
            vpc_subnets=props.subnets,
            security_groups=[self._security_group(props.vpc)],
        )
        acknowledge(
            function,
            LAMBDA_CONCURRENCY,
            reason="a schedule starts it once a night; a reservation would take from what the account has left, which "
            "in a new account is too little to reserve any",
        )
        acknowledge(
            function,
            LAMBDA_DEAD_LETTERS,
            reason="its event is the same every night, and the next night does what this one did not; an alarm tells",
        )
        return function

    def _security_group(self, vpc: ec2.IVpc) -> ec2.SecurityGroup:
        group = ec2.SecurityGroup(
            self,
            "SecurityGroup",
            vpc=vpc,
            description="Carried by the cleaner of job definitions",
            allow_all_outbound=False,
        )
        group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.HTTPS, "AWS Batch, over the internet or an endpoint")
        return group

    def _role(self, log_group: logs.ILogGroup) -> iam.Role:
        stack = cdk.Stack.of(self)
        definitions = f"arn:{stack.partition}:batch:{stack.region}:{stack.account}:job-definition"
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log_group.grant_write(role)
        role.add_to_policy(network_interfaces())
        # Neither takes a resource.
        role.add_to_policy(allow(["batch:DescribeJobDefinitions", "batch:ListJobs"]))
        role.add_to_policy(allow(["batch:DeregisterJobDefinition"], [f"{definitions}/*"]))
        # Whatever it is told, and whatever mistake is in it: what the platform has made, CloudFormation deregisters.
        role.add_to_policy(deny(["batch:DeregisterJobDefinition"], [f"{definitions}/aerodrome-*"]))
        acknowledge(
            role,
            WILDCARDS,
            reason="flytepropeller names its job definitions after images, whatever these are called, and those of the "
            "platform are denied; network interfaces have no name before they are made; what else is allowed on "
            "everything only looks and takes no resource",
            findings=["Resource::[*]", "Resource::arn:*:batch:*:job-definition/[*]"],
        )
        acknowledge(role, INLINE_POLICY, reason="the policy is this function's alone and goes with it")
        return role


_directories: list[tempfile.TemporaryDirectory[str]] = []


@functools.cache
def _asset() -> Path:
    """Lay the function's code out in a directory that exists until this process ends. boto3 comes with the runtime."""
    _directories.append(tempfile.TemporaryDirectory(prefix="job-definition-cleaner-"))
    root = Path(_directories[-1].name)
    package = root.joinpath(*HANDLER.split(".")[:-2])
    package.mkdir(parents=True)
    for file in sorted(Path(__file__).with_name("cleaner_handler").glob("*.py")):
        shutil.copyfile(file, package / file.name)
    return root
