"""The queue from which Karpenter learns that a node is about to go."""

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from aerodrome_constructs.messages import LONGEST_RETENTION, message_queue

# A spot instance goes two minutes after the warning: what is older than five is history.
_RETENTION = cdk.Duration.minutes(5)
# Karpenter hides a message for 20 s while it acts on it: five tries are over long before the retention is.
_TRIES = 5

# The events that Karpenter 1.13 understands (pkg/controllers/interruption/messages), as its getting-started template
# routes them: website/content/en/v1.13/getting-started/getting-started-with-karpenter/cloudformation.yaml
_INSTANCE_EVENTS = (
    "EC2 Spot Instance Interruption Warning",
    "EC2 Instance Rebalance Recommendation",
    "EC2 Instance State-change Notification",
    "EC2 Capacity Reservation Instance Interruption Warning",
)


class InterruptionQueue(Construct):
    """A queue with what EC2 and AWS Health say of instances, so that pods move before their node is gone.

    Messages name instances and nothing else. One that Karpenter took five times and could not deal with is kept for two
    weeks beside it, as evidence of an interruption that nobody handled.

    Args:
        scope: The scope.
        construct_id: The ID.
        unhandled_name: The name of the queue for those: chosen, so that an alarm and people can name it.

    Attributes:
        queue: The queue.
    """

    def __init__(self, scope: Construct, construct_id: str, *, unhandled_name: str) -> None:
        super().__init__(scope, construct_id)
        unhandled = message_queue(self, "Unhandled", retention=LONGEST_RETENTION, name=unhandled_name)
        self.queue = message_queue(
            self,
            "Resource",
            retention=_RETENTION,
            dead_letter_queue=sqs.DeadLetterQueue(queue=unhandled, max_receive_count=_TRIES),
        )
        self._route(
            "InstanceEvents",
            "Spot interruptions, rebalance recommendations and state changes of instances",
            events.EventPattern(source=["aws.ec2"], detail_type=list(_INSTANCE_EVENTS)),
        )
        self._route(
            "ScheduledChanges",
            "Maintenance that AWS Health announces for instances",
            # Karpenter drops every other event of AWS Health unread.
            events.EventPattern(
                source=["aws.health"],
                detail_type=["AWS Health Event"],
                detail={"service": ["EC2"], "eventTypeCategory": ["scheduledChange"]},
            ),
        )

    def _route(self, construct_id: str, description: str, pattern: events.EventPattern) -> None:
        events.Rule(
            self,
            construct_id,
            description=description,
            event_pattern=pattern,
            targets=[targets.SqsQueue(self.queue)],
        )
