"""Metrics of what happens to jobs, made of the events that AWS Batch sends."""

from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from aerodrome_constructs.functions import FunctionPlace
from aerodrome_constructs.identity import allow
from aerodrome_constructs.job_monitoring.function import COUNTER, metrics_function
from aerodrome_constructs.job_monitoring.metrics_handler import names
from aerodrome_constructs.job_monitoring.metrics_handler.settings import Settings
from aerodrome_constructs.messages import LONGEST_RETENTION, message_queue

_TIMEOUT = cdk.Duration.seconds(60)
# AWS asks for six times the function's timeout, and the window (Lambda Developer Guide, "Creating and configuring an
# Amazon SQS event source mapping"): a message that comes again while it is counted is counted twice.
_VISIBILITY = cdk.Duration.minutes(7)
_WINDOW_SECONDS = 60
# The most of a standard queue. Lambda ends a batch at 6 MB, some 2,000 events, before that.
_MOST_MESSAGES = 10_000
# Two functions at once count some 4,000 events a second, five times the peak of 40 million containers a month.
_MOST_AT_ONCE = 2
_TRIES = 5
# CloudWatch takes data points of the last two weeks: what a person mends within four days still counts on its day.
_RETENTION = cdk.Duration.days(4)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEventsProps:
    """What counting needs to know.

    Attributes:
        name: The function's name. Queues and rules are named after it.
        settings: What is counted.
        queue_prefix: What the ARNs of the environment's job queues begin with, and no other queue's do. The function
            knows each of them: a pattern with all their ARNs could be longer than the 2,048 characters of a rule.
        place: Where the function runs.
        security_group: What it carries: it lets it out over HTTPS and nobody in.
    """

    name: str
    settings: Settings
    queue_prefix: str
    place: FunctionPlace
    security_group: ec2.ISecurityGroup


class JobEvents(Construct):
    """Events of AWS Batch → a rule → a queue → a function → metrics, without a call of Batch's API.

    **What it costs.** Five events a job: RUNNABLE, STARTING, RUNNING, the end, and now and then another round. AWS
    charges nothing for its own services' events and their delivery. SQS takes 40 cents a million requests: one to send
    each event, one to fetch and one to delete every ten. Lambda's five pollers wait up to a minute for a batch of up to
    6 MB, some 2,000 events: 216,000 runs a month at most, at either load, each of which calls CloudWatch once.

    ====================================  ==========  ===========
    containers a month                    1 million   40 million
    ====================================  ==========  ===========
    events                                5 million   200 million
    SQS, $0.48 a million events           $2.40       $96
    PutMetricData, $0.01 a 1,000 calls    $2.16       $2.16
    Lambda, 20 ms a run, 0.1 ms an event  $0.08       $0.21
    ====================================  ==========  ===========

    The metrics themselves, 30 cents each and month, do not grow with the jobs: docs/explanation/job-monitoring.md.

    **What a double does.** EventBridge and SQS deliver at least once. Of the events of one change (job, state, attempts
    that have ended) in one batch, one counts. A double in a later batch counts again: AWS calls it rare, and no alarm
    turns on a single job. To be exact would take a table that 200 million keys a month are written to: $125.

    **Instead**: metric filters on a log group as the rule's target need neither queue nor function, but a filter takes
    its values from an event as it stands, so there would be no waiting time and no cost, and logs take 50 cents a GB,
    $300 for 200 million events of 3 KB. Asking DescribeJobs on a schedule takes calls that jobs need themselves, and
    misses what is quicker than the schedule.

    Attributes:
        function: The function that counts.
        queue: Where events wait for it.
        dead_letters: Where those are kept, for two weeks, that it failed on five times.
    """

    def __init__(self, scope: Construct, construct_id: str, props: JobEventsProps) -> None:
        super().__init__(scope, construct_id)
        self.dead_letters = message_queue(
            self, "Uncounted", name=f"{props.name}-uncounted", retention=LONGEST_RETENTION
        )
        self.queue = message_queue(
            self,
            "Queue",
            name=props.name,
            retention=_RETENTION,
            visibility_timeout=_VISIBILITY,
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead_letters, max_receive_count=_TRIES),
        )
        self._route(props)
        self.function = self._function(props)
        mapping = lambda_.CfnEventSourceMapping(
            self,
            "Mapping",
            function_name=self.function.function_arn,
            event_source_arn=self.queue.queue_arn,
            batch_size=_MOST_MESSAGES,
            maximum_batching_window_in_seconds=_WINDOW_SECONDS,
            function_response_types=["ReportBatchItemFailures"],
            scaling_config=lambda_.CfnEventSourceMapping.ScalingConfigProperty(maximum_concurrency=_MOST_AT_ONCE),
        )
        # Lambda asks at once whether the role may read the queue.
        mapping.node.add_dependency(self.function)

    def _route(self, props: JobEventsProps) -> None:
        of_ours = {"jobQueue": [{"prefix": props.queue_prefix}]}
        patterns = {
            "Changes": (names.STATE_CHANGE, {**of_ours, "status": list(names.STATES)}),
            "Blocked": (names.BLOCKED, of_ours),
        }
        rules = [
            events.CfnRule(
                self,
                construct_id,
                name=f"{props.name}-{construct_id.lower()}",
                description=f"{detail_type}: to be counted",
                event_pattern={"source": ["aws.batch"], "detail-type": [detail_type], "detail": detail},
                targets=[events.CfnRule.TargetProperty(id="Queue", arn=self.queue.queue_arn)],
            )
            for construct_id, (detail_type, detail) in patterns.items()
        ]
        self.queue.add_to_resource_policy(
            iam.PolicyStatement(
                sid="SendEvents",
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[self.queue.queue_arn],
                conditions={"ArnEquals": {"aws:SourceArn": [rule.attr_arn for rule in rules]}},
            )
        )

    def _function(self, props: JobEventsProps) -> lambda_.Function:
        return metrics_function(
            self,
            name=props.name,
            description="Counts what happens to AWS Batch jobs, and puts it into CloudWatch",
            handler=COUNTER,
            settings=props.settings,
            place=props.place,
            security_group=props.security_group,
            timeout=_TIMEOUT,
            memory_mib=512,  # a batch of 6 MB is some 60 MB of Python objects, and boto3 takes 80 MB
            statements=[
                allow(
                    ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"],
                    [self.queue.queue_arn],
                )
            ],
            why_no_dead_letters="the queue that it reads has one, to which SQS moves what it failed on five times",
        )
