"""Where one program leaves messages that another one sends on: a topic and its queue."""

from dataclasses import dataclass
from datetime import timedelta

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from aerodrome_constructs.alerts import Metric, MetricAlarm, MetricAlarmProps, messages_in
from aerodrome_constructs.messages import LONGEST_RETENTION, message_queue
from aerodrome_constructs.notifications.event_topic import event_topic

# How often a message is taken before it is put aside: after that many tries it is the message, not the reader.
_TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxProps:
    """What an outbox needs to know.

    Attributes:
        name: The name of the topic and of the queue. What is put aside goes to a queue ``<name>-dead-letters``.
        key: The key that encrypts the topic.
        handled_within: How long a reader has for a message before another one gets it.
        waits_at_most: How long a message may wait before somebody is told.
        topic: Who is told.
        runbook: The page that says what to do, from the root of this repository: ``runbooks/<slug>.md``.
    """

    name: str
    key: kms.IKey
    handled_within: timedelta
    waits_at_most: timedelta
    topic: sns.ITopic
    runbook: str


class Outbox(Construct):
    """A topic whose messages wait in a queue, for two weeks at most, until somebody has sent them on.

    The queue gets a message as SNS wraps it, with its topic and time (raw message delivery is off). What SNS cannot
    deliver, and what was taken five times and never deleted, is put aside. Two alarms tell of it: one when something
    is put aside, and one when messages wait as nobody reads.

    Attributes:
        messages: The topic.
        queue: The queue.
    """

    def __init__(self, scope: Construct, construct_id: str, props: OutboxProps) -> None:
        super().__init__(scope, construct_id)
        self._props = props
        dead_letters_name = f"{props.name}-dead-letters"
        dead_letters = message_queue(self, "DeadLetters", name=dead_letters_name, retention=LONGEST_RETENTION)
        self.queue = message_queue(
            self,
            "Queue",
            name=props.name,
            retention=LONGEST_RETENTION,
            visibility_timeout=cdk.Duration.seconds(int(props.handled_within.total_seconds())),
            dead_letter_queue=sqs.DeadLetterQueue(queue=dead_letters, max_receive_count=_TRIES),
        )
        self.messages = event_topic(self, "Topic", name=props.name, key=props.key)
        self.messages.add_subscription(subscriptions.SqsSubscription(self.queue, dead_letter_queue=dead_letters))
        self._alarm(
            "PutAside",
            "dead-letters",
            metric=messages_in(dead_letters_name),
            threshold=0,
            meaning=f"A message was put aside: SNS could not deliver it, or it was taken {_TRIES} times and never "
            "dealt with.",
        )
        minutes = int(props.waits_at_most.total_seconds() / 60)
        self._alarm(
            "NotRead",
            "not-read",
            metric=Metric("AWS/SQS", "ApproximateAgeOfOldestMessage", {"QueueName": props.name}, "Maximum"),
            threshold=props.waits_at_most.total_seconds(),
            meaning=f"A message has waited for more than {minutes} minutes: nobody reads the queue.",
        )

    def _alarm(self, construct_id: str, suffix: str, *, metric: Metric, threshold: float, meaning: str) -> None:
        MetricAlarm(
            self,
            construct_id,
            MetricAlarmProps(
                name=f"{self._props.name}-{suffix}",
                meaning=meaning,
                runbook=self._props.runbook,
                metric=metric,
                period=timedelta(minutes=5),
                periods=1,
                comparison="GreaterThanThreshold",
                threshold=threshold,
                topic=self._props.topic,
            ),
        )
