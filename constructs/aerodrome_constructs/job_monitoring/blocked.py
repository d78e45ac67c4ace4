"""Tells of a job that blocks its queue, with the reason that AWS Batch gives."""

from dataclasses import dataclass
from datetime import timedelta

from aws_cdk import aws_sns as sns
from constructs import Construct

from aerodrome_constructs.alerts import EventWatch, EventWatchProps
from aerodrome_constructs.job_monitoring.metrics_handler.names import BLOCKED


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockedQueuesProps:
    """What telling of blocked queues needs to know.

    Attributes:
        name: The name of the rule and of the alarm, which is the subject of a mail.
        queue_prefix: What the ARNs of the environment's job queues begin with, and no other queue's do.
        topic: Who is told. Its policy, and its key's, let EventBridge and CloudWatch publish.
        runbook: The page that says what to do, from the root of this repository.
    """

    name: str
    queue_prefix: str
    topic: sns.ITopic
    runbook: str


class BlockedQueues(EventWatch):
    """Tells, as it happens, which job blocks which queue and why; and raises an alarm.

    Batch tells when a queue is blocked, and not when it moves again
    (https://docs.aws.amazon.com/batch/latest/userguide/batch-job-queue-blocked-events.html).
    """

    def __init__(self, scope: Construct, construct_id: str, props: BlockedQueuesProps) -> None:
        super().__init__(
            scope,
            construct_id,
            EventWatchProps(
                name=props.name,
                description="Tells of a job that blocks its queue, and why",
                source="aws.batch",
                detail_type=BLOCKED,
                detail={"jobQueue": [{"prefix": props.queue_prefix}]},
                sentence=f"The job <job> (<id>) blocks the queue <queue>: <reason> What to do: {props.runbook}",
                values={
                    "job": "$.detail.jobName",
                    "id": "$.detail.jobId",
                    "queue": "$.detail.jobQueue",
                    # AWS's own words, which have no quotation marks: "Jobs stuck in a RUNNABLE status" there.
                    "reason": "$.detail.statusReason",
                },
                alarm=props.name,
                meaning="A job at the head of a queue cannot start, and all behind it wait. The mail beside this one "
                "says which, where and why.",
                period=timedelta(minutes=5),
                topic=props.topic,
                runbook=props.runbook,
            ),
        )
