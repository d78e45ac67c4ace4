"""What flyteadmin may do so that people and programs hear of executions."""

from aws_cdk import aws_iam as iam

from aerodrome_constructs.identity import allow
from aerodrome_stacks.notifications_stack import NotificationsPorts


def notification_statements(ports: NotificationsPorts | None) -> list[iam.PolicyStatement]:
    """Publish to the topics, take from the queue of emails, and send emails from one address.

    Args:
        ports: The topics, the queue and the address. None: flyteadmin tells nobody, and gets no rights.
    """
    if ports is None:
        return []
    emails = ports.emails
    topics = [arn for arn in (emails.topic_arn if emails else None, ports.events_topic_arn) if arn]
    statements = [
        allow(["sns:Publish"], topics),
        # SNS asks for the key on its behalf, and names the topic.
        allow(
            ["kms:Decrypt", "kms:GenerateDataKey"],
            [ports.key_arn],
            {"StringEquals": {"kms:EncryptionContext:aws:sns:topicArn": topics}},
        ),
    ]
    if emails:
        statements += [
            allow(["sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:ReceiveMessage"], [emails.queue_arn]),
            allow(
                ["ses:SendEmail"],
                [emails.identity_arn, emails.configuration_set_arn],
                {"StringEquals": {"ses:FromAddress": emails.sender}},
            ),
        ]
    return statements
