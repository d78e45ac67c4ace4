"""Where everything ends of which nothing became: objects, events, manifests and chains, each with the reason."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from constructs import Construct

from aerodrome_constructs.ingest.arrivals import RETRIES
from aerodrome_constructs.messages import LONGEST_RETENTION, message_queue

# The whole of it: as JSON, in which every text is escaped. A part that is missing, such as the log group of a job that
# never started, or a text with a quotation mark in it, such as many a reason, would make the letter no JSON.
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
_FAILED_JOB = {"job": "$.detail"}


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestDeadLettersProps:
    """What the dead-letter queue of an ingest needs to know.

    Attributes:
        name: The queue's name: chosen, so that an alarm and people can name it.
        queue_arns: The job queues whose failed jobs end here.
        told_elsewhere: What the names of jobs begin with whose failure somebody else tells of.
        exit_codes: What it means when a job's last attempt ended with an exit status, by that status.
    """

    name: str
    queue_arns: Sequence[str]
    told_elsewhere: str
    exit_codes: Mapping[int, str]


class IngestDeadLetters(Construct):
    """A queue with a message for each thing of which nothing became, kept for two weeks.

    A job that failed is told of by AWS Batch, however it failed: also one that never started. The message has the
    event's detail as ``job``, and what the exit status means as ``meaning``. A failed child of an array has a message
    of its own, its parent none. What EventBridge could not deliver is here as the event that it was, with the error in
    the message's attributes. Messages name objects, and hold nothing of them.

    Attributes:
        queue: The queue.
    """

    def __init__(self, scope: Construct, construct_id: str, props: IngestDeadLettersProps) -> None:
        super().__init__(scope, construct_id)
        self._props = props
        self.queue = message_queue(self, "Resource", name=props.name, retention=LONGEST_RETENTION)
        self._let_rules_send()
        for status, meaning in props.exit_codes.items():
            self._tell_of_jobs(f"Exit{status}", f"with exit status {status}", [status], meaning)
        others: list[Any] = [{"anything-but": list(props.exit_codes)}] if props.exit_codes else [{"exists": True}]
        # One that never started has no exit status.
        self._tell_of_jobs("Failed", "otherwise", [*others, {"exists": False}])

    def _let_rules_send(self) -> None:
        stack = cdk.Stack.of(self)
        # CloudFormation begins the names of the stack's rules with the stack's own.
        rules = f"arn:{stack.partition}:events:{stack.region}:{stack.account}:rule/{stack.stack_name}-*"
        self.queue.add_to_resource_policy(
            iam.PolicyStatement(
                sid="RulesOfThisStack",
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[self.queue.queue_arn],
                conditions={"ArnLike": {"aws:SourceArn": rules}},
            )
        )

    def _tell_of_jobs(self, construct_id: str, how: str, exit_code: Sequence[Any], meaning: str | None = None) -> None:
        known = "" if meaning is None else f'"meaning": {json.dumps(meaning)}, '
        events.CfnRule(
            self,
            construct_id,
            description=f"Jobs that failed {how} end in {self._props.name}",
            event_pattern={
                "source": ["aws.batch"],
                "detail-type": ["Batch Job State Change"],
                "detail": {
                    "status": ["FAILED"],
                    "jobQueue": list(self._props.queue_arns),
                    "jobName": [{"anything-but": {"prefix": self._props.told_elsewhere}}],
                    "container": {"exitCode": list(exit_code)},
                    # The parent of an array, which fails with any of its children.
                    "arrayProperties": {"size": [{"exists": False}]},
                },
            },
            targets=[
                events.CfnRule.TargetProperty(
                    id="DeadLetters",
                    arn=self.queue.queue_arn,
                    input_transformer=events.CfnRule.InputTransformerProperty(
                        input_paths_map=_FAILED_JOB,
                        input_template=f'{{"problem": "a job failed", {known}"job": <job>}}',
                    ),
                    # In case the letter is refused as it is.
                    dead_letter_config=events.CfnRule.DeadLetterConfigProperty(arn=self.queue.queue_arn),
                    retry_policy=RETRIES,
                )
            ],
        )
