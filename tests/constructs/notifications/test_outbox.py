from datetime import timedelta

import pytest
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns

from aerodrome_constructs.notifications import Outbox, OutboxProps
from tests.templates import TemplateJson, new_stack, properties, statements, synthesized, text, with_id

RUNBOOK = "runbooks/flyte-emails-not-sent.md"


@pytest.fixture(scope="module")
def template() -> TemplateJson:
    stack = new_stack()
    Outbox(
        stack,
        "Mail",
        OutboxProps(
            name="mail",
            key=kms.Key(stack, "Key"),
            handled_within=timedelta(minutes=5),
            waits_at_most=timedelta(minutes=15),
            topic=sns.Topic(stack, "Alerts"),
            runbook=RUNBOOK,
        ),
    )
    return synthesized(stack)


def test_the_topic_is_encrypted_with_the_key_and_hears_nobody_without_tls(template: TemplateJson) -> None:
    topic = with_id(template, "AWS::SNS::Topic", "MailTopic")
    assert (topic["TopicName"], text(topic["KmsMasterKeyId"]).startswith("${Key")) == ("mail", True)
    # Flyte's code knows no other: a name in .fifo would be the first message lost.
    assert "FifoTopic" not in topic
    (refusal,) = statements(template, "MailTopicPolicy")
    assert (refusal.allows, refusal.actions) == (False, ["sns:Publish"])
    assert refusal.conditions == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_queue_gets_messages_as_sns_wraps_them(template: TemplateJson) -> None:
    (subscription,) = properties(template, "AWS::SNS::Subscription").values()
    assert subscription["Protocol"] == "sqs"
    assert text(subscription["Endpoint"]).startswith("${MailQueue")
    # The reader decodes the wrapping first: with raw delivery it finds none, and drops the message.
    assert "RawMessageDelivery" not in subscription


def test_what_cannot_be_dealt_with_is_put_aside_and_kept_for_two_weeks(template: TemplateJson) -> None:
    queue = with_id(template, "AWS::SQS::Queue", "MailQueue")
    aside = with_id(template, "AWS::SQS::Queue", "DeadLetters")
    (subscription,) = properties(template, "AWS::SNS::Subscription").values()
    assert (queue["QueueName"], aside["QueueName"]) == ("mail", "mail-dead-letters")
    assert (queue["VisibilityTimeout"], queue["RedrivePolicy"]["maxReceiveCount"]) == (300, 5)
    for source in (queue, subscription):
        assert text(source["RedrivePolicy"]["deadLetterTargetArn"]).startswith("${MailDeadLetters")
    assert queue["MessageRetentionPeriod"] == aside["MessageRetentionPeriod"] == 14 * 24 * 3600


def test_queues_are_encrypted_and_take_messages_of_the_topic_alone(template: TemplateJson) -> None:
    for queue in properties(template, "AWS::SQS::Queue").values():
        assert queue["SqsManagedSseEnabled"] is True
    for owner in ("MailQueuePolicy", "MailDeadLettersPolicy"):
        (allowed,) = [one for one in statements(template, owner) if one.allows]
        assert (allowed.principals, allowed.actions) == (["sns.amazonaws.com"], ["sqs:SendMessage"])
        assert text(allowed.conditions["ArnEquals"]["aws:SourceArn"]).startswith("${MailTopic")


def test_somebody_is_told_of_what_is_put_aside_and_of_what_nobody_reads(template: TemplateJson) -> None:
    alarms = {one["AlarmName"]: one for one in properties(template, "AWS::CloudWatch::Alarm").values()}
    watched = {
        name: (one["MetricName"], one["Dimensions"][0]["Value"], one["Threshold"]) for name, one in alarms.items()
    }
    assert watched == {
        "mail-dead-letters": ("ApproximateNumberOfMessagesVisible", "mail-dead-letters", 0),
        "mail-not-read": ("ApproximateAgeOfOldestMessage", "mail", 900),
    }
    for one in alarms.values():
        assert one["AlarmDescription"].endswith(RUNBOOK)
        assert text(one["AlarmActions"]).startswith('["${Alerts')
