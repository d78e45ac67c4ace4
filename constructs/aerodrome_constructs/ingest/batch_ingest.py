"""Objects that arrive below a prefix become jobs of AWS Batch."""

from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from aerodrome_constructs.identity import service_role
from aerodrome_constructs.ingest.arrivals import RETRIES, arrivals, object_as_parameters
from aerodrome_constructs.ingest.rights import submit_statements


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchIngestProps:
    """What turns objects into jobs needs to know.

    Attributes:
        bucket: Where objects arrive. It is versioned, and sends its events to EventBridge.
        prefix: What the keys of the objects begin with.
        queue_name: The job queue, first in, first out: EventBridge cannot name the share of a fair-share queue.
        job_definition_name: The job definition, of which the newest revision runs. Its jobs get the parameters
            ``bucket``, ``key``, ``version`` and ``size`` of the object.
        job_name: What the jobs are called.
        dead_letters: Where the events go of which no job could be made.
    """

    bucket: s3.IBucket
    prefix: str
    queue_name: str
    job_definition_name: str
    job_name: str
    dead_letters: sqs.IQueue


class BatchIngest(Construct):
    """Each object that arrives below a prefix is given to a job, without a line of code in between.

    EventBridge delivers an event at least once: the job must bear to be given the same version of an object twice. The
    definition's own retry strategy holds: one in the rule would replace it, and with it the difference between a host
    that was taken away and code that fails. The jobs have no tags: EventBridge can give them none.
    """

    def __init__(self, scope: Construct, construct_id: str, props: BatchIngestProps) -> None:
        super().__init__(scope, construct_id)
        stack = cdk.Stack.of(self)
        batch = f"arn:{stack.partition}:batch:{stack.region}:{stack.account}"
        role = service_role(
            self,
            "Role",
            service="events.amazonaws.com",
            statements=submit_statements(
                batch, queue_names=[props.queue_name], job_definition_name=props.job_definition_name
            ),
            wildcards=["Resource::arn:*:batch:*:job-definition/*:[*]", "Resource::arn:*:batch:*:job/[*]"],
            because="a revision of the job definition has its number when it is made, and a job its ID; the definition "
            "is named",
        )
        events.CfnRule(
            self,
            "Rule",
            description=f"Objects below {props.prefix} become jobs of {props.job_definition_name}",
            event_pattern=arrivals(props.bucket.bucket_name, [props.prefix]),
            targets=[
                events.CfnRule.TargetProperty(
                    id="Queue",
                    arn=f"{batch}:job-queue/{props.queue_name}",
                    role_arn=role.role_arn,
                    batch_parameters=events.CfnRule.BatchParametersProperty(
                        job_definition=props.job_definition_name, job_name=props.job_name
                    ),
                    input_transformer=object_as_parameters(),
                    dead_letter_config=events.CfnRule.DeadLetterConfigProperty(arn=props.dead_letters.queue_arn),
                    retry_policy=RETRIES,
                )
            ],
        )
