"""An SQS queue to which other AWS services send."""

import aws_cdk as cdk
from aws_cdk import aws_sqs as sqs
from constructs import Construct

LONGEST_RETENTION = cdk.Duration.days(14)
"""SQS's longest, for what a person has to look at: a fortnight's holiday loses nothing."""


def message_queue(
    scope: Construct,
    construct_id: str,
    *,
    retention: cdk.Duration,
    name: str | None = None,
    visibility_timeout: cdk.Duration | None = None,
    dead_letter_queue: sqs.DeadLetterQueue | None = None,
) -> sqs.Queue:
    """Make a queue that is encrypted, and refuses whoever speaks to it without TLS.

    It is encrypted with SQS's own key: a key of ours would need a word in its policy for each service that sends, such
    as EventBridge.

    Args:
        scope: The construct that it belongs to.
        construct_id: Its ID.
        retention: How long a message is kept, at most two weeks.
        name: Its name, where alarms and people have to name it. Default: one that CloudFormation makes.
        visibility_timeout: How long a message that somebody took is hidden from others. Default: SQS's 30 seconds.
        dead_letter_queue: Where a message goes that was taken too often, and how often that is. Default: nowhere.
    """
    return sqs.Queue(
        scope,
        construct_id,
        queue_name=name,
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        retention_period=retention,
        visibility_timeout=visibility_timeout,
        dead_letter_queue=dead_letter_queue,
    )
