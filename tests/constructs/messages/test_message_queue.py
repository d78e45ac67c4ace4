from datetime import timedelta

import aws_cdk as cdk
import pytest
from aws_cdk import aws_sqs as sqs

from aerodrome_constructs.messages import LONGEST_RETENTION, message_queue
from tests.templates import TemplateJson, new_stack, properties, statements, synthesized, text, with_id


@pytest.fixture(scope="module")
def template() -> TemplateJson:
    stack = new_stack()
    unhandled = message_queue(stack, "Unhandled", retention=LONGEST_RETENTION, name="unhandled")
    message_queue(
        stack,
        "Events",
        retention=cdk.Duration.minutes(5),
        visibility_timeout=cdk.Duration.minutes(2),
        dead_letter_queue=sqs.DeadLetterQueue(queue=unhandled, max_receive_count=3),
    )
    return synthesized(stack)


def test_messages_are_encrypted(template: TemplateJson) -> None:
    queues = properties(template, "AWS::SQS::Queue").values()
    assert [queue["SqsManagedSseEnabled"] for queue in queues] == [True, True]


@pytest.mark.parametrize("queue", ["Unhandled", "Events"])
def test_nobody_speaks_to_a_queue_without_tls(template: TemplateJson, queue: str) -> None:
    (only,) = statements(template, queue)
    assert (only.allows, only.principals, only.actions) == (False, ["*"], ["sqs:*"])
    assert only.conditions == {"Bool": {"aws:SecureTransport": "false"}}
    assert [resource.startswith(f"${{{queue}") for resource in only.resources] == [True]


def test_what_was_taken_too_often_goes_to_the_queue_beside_it(template: TemplateJson) -> None:
    redrive = with_id(template, "AWS::SQS::Queue", "Events")["RedrivePolicy"]
    assert text(redrive["deadLetterTargetArn"]).startswith("${Unhandled")
    assert redrive["maxReceiveCount"] == 3


def test_a_queue_keeps_and_hides_messages_as_long_as_it_is_told(template: TemplateJson) -> None:
    events = with_id(template, "AWS::SQS::Queue", "Events")
    assert (events["MessageRetentionPeriod"], events["VisibilityTimeout"]) == (300, 120)
    assert "QueueName" not in events
    unhandled = with_id(template, "AWS::SQS::Queue", "Unhandled")
    assert unhandled["MessageRetentionPeriod"] == timedelta(days=14).total_seconds()
    assert unhandled["QueueName"] == "unhandled"
    assert "VisibilityTimeout" not in unhandled
