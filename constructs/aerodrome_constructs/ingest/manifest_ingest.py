"""Manifests that arrive become array jobs of AWS Batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from aerodrome_constructs.identity import allow, key_arn_of, key_statement
from aerodrome_constructs.ingest.arrivals import RETRIES, arrivals, object_as_input
from aerodrome_constructs.ingest.names import filled, in_patterns, job_definition_arns
from aerodrome_constructs.policy import acknowledge
from aerodrome_constructs.policy.known_rules import INLINE_POLICY, LAMBDA_CONCURRENCY, WILDCARDS

_HANDLER = Path(__file__).with_name("manifest_handler")
# Lambda's longest. A manifest of a million lines is read in seconds, and submitted in a hundred arrays.
_TIMEOUT = cdk.Duration.minutes(15)

_NETWORK_INTERFACES = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestIngestProps:
    """What turns manifests into array jobs needs to know.

    Attributes:
        bucket: Where manifests arrive. It is versioned, encrypted with a key of its own, and sends its events to
            EventBridge.
        prefix: What the keys of manifests begin with, with ``{name}`` for a folder that decides where their jobs go,
            such as ``{project}/manifests/``.
        places: What those folders may be, such as ``[{"project": "fraud-detection"}]``.
        queue_name: The name of the job queue, with those names in it. It is first in, first out.
        job_definition_name: The name of the job definition, with those names in it. Its jobs get the parameters
            ``bucket``, ``key``, ``version`` and ``size`` of the manifest, and ``lines``: the bytes of it that hold the
            job's lines.
        vpc: Where the function runs.
        subnets: Where in it: private, with a way to S3, AWS Batch, SQS and CloudWatch Logs.
        log_key: The key that encrypts the function's log.
        log_retention: How long the log is kept.
        dead_letters: Where manifests go that make no jobs.
    """

    bucket: s3.IBucket
    prefix: str
    places: Sequence[Mapping[str, str]]
    queue_name: str
    job_definition_name: str
    vpc: ec2.IVpc
    subnets: ec2.SubnetSelection
    log_key: kms.IKey
    log_retention: logs.RetentionDays
    dead_letters: sqs.IQueue


class ManifestIngest(Construct):
    """A function that cuts each manifest into arrays of at most 10,000 jobs and submits those.

    One function for all places: which job a manifest makes is in its key. What it does with a manifest that it is given
    twice, or that is wrong, its own documentation says (``manifest_handler/handler.py``).
    """

    def __init__(self, scope: Construct, construct_id: str, props: ManifestIngestProps) -> None:
        super().__init__(scope, construct_id)
        function = self._function(props)
        for number, prefixes in enumerate(in_patterns(filled(props.prefix, props.places))):
            rule = events.CfnRule(
                self,
                f"Rule{number}",
                description="Manifests become array jobs",
                event_pattern=arrivals(props.bucket.bucket_name, prefixes),
                targets=[
                    events.CfnRule.TargetProperty(
                        id="Function",
                        arn=function.function_arn,
                        input_transformer=object_as_input(),
                        dead_letter_config=events.CfnRule.DeadLetterConfigProperty(arn=props.dead_letters.queue_arn),
                        retry_policy=RETRIES,
                    )
                ],
            )
            lambda_.CfnPermission(
                self,
                f"Permission{number}",
                action="lambda:InvokeFunction",
                function_name=function.function_arn,
                principal="events.amazonaws.com",
                source_arn=rule.attr_arn,
            )

    def _function(self, props: ManifestIngestProps) -> lambda_.Function:
        log_group = logs.LogGroup(
            self,
            "Log",
            retention=props.log_retention,
            encryption_key=props.log_key,
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )
        security_group = ec2.SecurityGroup(
            self,
            "SecurityGroup",
            vpc=props.vpc,
            description="Carried by the function that reads manifests",
            allow_all_outbound=False,
        )
        # Wherever that is: S3 has addresses outside the VPC even where it is reached over the VPC's endpoint alone.
        security_group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.HTTPS, "S3, AWS Batch, SQS and CloudWatch Logs")
        function = lambda_.Function(
            self,
            "Function",
            description="Makes array jobs of manifests",
            runtime=lambda_.Runtime.PYTHON_3_14,
            architecture=lambda_.Architecture.ARM_64,
            handler="handler.handle",
            code=lambda_.Code.from_asset(str(_HANDLER), exclude=["__pycache__"]),
            environment={
                "MANIFEST_PREFIX": props.prefix,
                "JOB_QUEUE": props.queue_name,
                "JOB_DEFINITION": props.job_definition_name,
                "DEAD_LETTER_QUEUE_URL": props.dead_letters.queue_url,
            },
            memory_size=512,
            timeout=_TIMEOUT,
            role=self._role(props, log_group),
            log_group=log_group,
            vpc=props.vpc,
            vpc_subnets=props.subnets,
            security_groups=[security_group],
            # What Lambda tried three times.
            dead_letter_queue=props.dead_letters,
        )
        acknowledge(
            function,
            LAMBDA_CONCURRENCY,
            reason="it runs once for each manifest, and Lambda keeps what it cannot run yet; a reservation would take "
            "from what the account has left, which in a new account is too little to reserve any",
        )
        return function

    def _role(self, props: ManifestIngestProps, log_group: logs.ILogGroup) -> iam.Role:
        stack = cdk.Stack.of(self)
        batch = f"arn:{stack.partition}:batch:{stack.region}:{stack.account}"
        queues = [f"{batch}:job-queue/{name}" for name in filled(props.queue_name, props.places)]
        definitions = job_definition_arns(batch, props.job_definition_name)
        bucket_arn = props.bucket.bucket_arn
        # In IAM a star takes slashes in, too: the folders that decide are those of the rules.
        below = "*/" + props.prefix.rpartition("}/")[2] + "*"
        # In place of AWSLambdaVPCAccessExecutionRole, which may write to every log group.
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log_group.grant_write(role)
        for statement in (
            allow(["s3:GetObjectVersion"], [f"{bucket_arn}/{below}"]),
            key_statement(["kms:Decrypt"], key_arn_of(props.bucket), stack.region, [bucket_arn]),
            allow(["batch:SubmitJob"], [*queues, *definitions]),
            # Knows no resource.
            allow(["batch:ListJobs"]),
            allow(["sqs:SendMessage"], [props.dead_letters.queue_arn]),
            # Lambda checks these rights without naming an interface when the function is made (Lambda developer guide,
            # "Giving Lambda functions access to resources in an Amazon VPC", required permissions).
            allow(_NETWORK_INTERFACES),
        ):
            role.add_to_policy(statement)
        acknowledge(
            role,
            WILDCARDS,
            reason="manifests get their names when they are written, and a job definition's revision its number; jobs "
            "are listed by queue, for which AWS knows no resource; and network interfaces have no name before "
            "they are made",
            findings=[
                "Resource::[*]",
                "Resource::<*.Arn>/[*]*[*]",
                "Resource::arn:*:batch:*:job-definition/*[*]*",
            ],
        )
        acknowledge(role, INLINE_POLICY, reason="the policy is this function's role's alone and goes with it")
        return role
