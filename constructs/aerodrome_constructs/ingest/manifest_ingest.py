"""Manifests that arrive become array jobs of AWS Batch."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from aerodrome_constructs.functions import FunctionPlace, VpcFunctionProps, https_only, rule_may_start, vpc_function
from aerodrome_constructs.identity import allow, key_arn_of, key_statement
from aerodrome_constructs.ingest.arrivals import OBJECT_AS_INPUT, RETRIES, arrivals
from aerodrome_constructs.ingest.names import filled, in_patterns
from aerodrome_constructs.ingest.rights import submit_statements

HANDLER = "aerodrome_constructs.ingest.manifest_handler.handler.handle"
"""The function's entry point."""

# Lambda's longest. A manifest of a million lines is read in seconds, and submitted in a hundred arrays.
_TIMEOUT = cdk.Duration.minutes(15)


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
        job_tags: The tags that jobs get, whose values may have those names in them.
        place: Where the function runs: with a way to S3, AWS Batch, SQS and CloudWatch Logs.
        dead_letters: Where manifests go that make no jobs.
    """

    bucket: s3.IBucket
    prefix: str
    places: Sequence[Mapping[str, str]]
    queue_name: str
    job_definition_name: str
    job_tags: Mapping[str, str]
    place: FunctionPlace
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
                        input_path=OBJECT_AS_INPUT,
                        dead_letter_config=events.CfnRule.DeadLetterConfigProperty(arn=props.dead_letters.queue_arn),
                        retry_policy=RETRIES,
                    )
                ],
            )
            rule_may_start(self, f"Permission{number}", function=function, rule=rule)

    def _function(self, props: ManifestIngestProps) -> lambda_.Function:
        group = https_only(
            self,
            "SecurityGroup",
            vpc=props.place.vpc,
            carried_by="the function that reads manifests",
            calls="S3, AWS Batch, SQS and CloudWatch Logs",
        )
        return vpc_function(
            self,
            VpcFunctionProps(
                place=props.place,
                security_group=group,
                description="Makes array jobs of manifests",
                handler=HANDLER,
                environment={
                    "MANIFEST_PREFIX": props.prefix,
                    "JOB_QUEUE": props.queue_name,
                    "JOB_DEFINITION": props.job_definition_name,
                    "JOB_TAGS": json.dumps(dict(props.job_tags)),
                    "DEAD_LETTER_QUEUE_URL": props.dead_letters.queue_url,
                },
                memory_mib=512,
                timeout=_TIMEOUT,
                statements=self._statements(props),
                wildcards=[
                    "Resource::<*.Arn>/[*]*[*]",
                    "Resource::arn:*:batch:*:job-definition/*[*]*",
                    "Resource::arn:*:batch:*:job/[*]",
                ],
                because="manifests get their names when they are written, a job definition's revision its number and "
                "a job its ID; jobs are listed by queue, for which AWS knows no resource",
                why_unlimited="it runs once for each manifest, and Lambda keeps what it cannot run yet",
                dead_letters=props.dead_letters,
            ),
        )

    def _statements(self, props: ManifestIngestProps) -> list[iam.PolicyStatement]:
        stack = cdk.Stack.of(self)
        batch = f"arn:{stack.partition}:batch:{stack.region}:{stack.account}"
        bucket_arn = props.bucket.bucket_arn
        # In IAM a star takes slashes in, too: the folders that decide are those of the rules.
        below = "*/" + props.prefix.rpartition("}/")[2] + "*"
        return [
            allow(["s3:GetObjectVersion"], [f"{bucket_arn}/{below}"]),
            key_statement(["kms:Decrypt"], key_arn_of(props.bucket), stack.region, [bucket_arn]),
            *submit_statements(
                batch,
                queue_names=filled(props.queue_name, props.places),
                job_definition_name=props.job_definition_name,
                job_tags=props.job_tags,
            ),
            # Knows no resource.
            allow(["batch:ListJobs"]),
            allow(["sqs:SendMessage"], [props.dead_letters.queue_arn]),
        ]
