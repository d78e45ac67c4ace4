"""A queue with what AWS Batch says of certain jobs, for a program that follows them instead of asking."""

from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from aerodrome_constructs.messages import LONGEST_RETENTION, message_queue

# Who follows asks for a job's state all the same, less often. What it has not taken by then, it has asked for.
_RETENTION = cdk.Duration.minutes(15)
# A reader gives back what is about another reader's jobs: with twenty of them, each has had it five times by then.
_TRIES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStateChangesProps:
    """What the queue needs to know.

    Attributes:
        name: The name of the queue and the rule.
        definition_prefix: What the names of the job definitions begin with whose jobs it is about.
        description: What it is for, as the EventBridge console shows it.
    """

    name: str
    definition_prefix: str
    description: str


class JobStateChanges(Construct):
    """Events of AWS Batch about jobs of certain definitions → a rule → a queue.

    An event costs a hundredth of a cent in a hundred (SQS, 40 cents a million requests), and a call of DescribeJobs
    that is not made is one that others may make. Elements of arrays are left out: an array of 10,000 would send 40,000
    events, and its own come with how many of them are where.

    What nobody took within a quarter of an hour is about a state that somebody has asked for since, and goes. What was
    taken a hundred times and never dealt with is kept for two weeks beside the queue, as evidence of a reader's fault.

    Attributes:
        queue: The queue.
    """

    def __init__(self, scope: Construct, construct_id: str, props: JobStateChangesProps) -> None:
        super().__init__(scope, construct_id)
        stack = cdk.Stack.of(self)
        unread = message_queue(self, "Unread", name=f"{props.name}-unread", retention=LONGEST_RETENTION)
        self.queue = message_queue(
            self,
            "Queue",
            name=props.name,
            retention=_RETENTION,
            dead_letter_queue=sqs.DeadLetterQueue(queue=unread, max_receive_count=_TRIES),
        )
        definitions = f"arn:{stack.partition}:batch:{stack.region}:{stack.account}:job-definition"
        rule = events.CfnRule(
            self,
            "Rule",
            name=props.name,
            description=props.description,
            event_pattern={
                "source": ["aws.batch"],
                "detail-type": ["Batch Job State Change"],
                "detail": {
                    "jobDefinition": [{"prefix": f"{definitions}/{props.definition_prefix}"}],
                    "arrayProperties": {"index": [{"exists": False}]},
                },
            },
            targets=[events.CfnRule.TargetProperty(id="Queue", arn=self.queue.queue_arn)],
        )
        self.queue.add_to_resource_policy(
            iam.PolicyStatement(
                sid="SendEvents",
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[self.queue.queue_arn],
                conditions={"ArnEquals": {"aws:SourceArn": rule.attr_arn}},
            )
        )
