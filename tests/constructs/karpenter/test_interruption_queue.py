from collections.abc import Mapping
from typing import Any

import pytest

from aerodrome_constructs.karpenter import InterruptionQueue
from tests.templates import TemplateJson, new_stack, properties, statements, synthesized, text, with_id


@pytest.fixture(scope="module")
def template() -> TemplateJson:
    stack = new_stack()
    InterruptionQueue(stack, "Interruptions", unhandled_name="unhandled")
    return synthesized(stack)


@pytest.fixture(scope="module")
def queue(template: TemplateJson) -> Mapping[str, Any]:
    """The queue that Karpenter reads."""
    (found,) = [one for one in properties(template, "AWS::SQS::Queue").values() if "RedrivePolicy" in one]
    return found


def test_what_is_older_than_an_interruption_takes_is_forgotten(queue: Mapping[str, Any]) -> None:
    assert queue["MessageRetentionPeriod"] == 300


def test_what_nobody_could_deal_with_is_kept_for_two_weeks(template: TemplateJson, queue: Mapping[str, Any]) -> None:
    unhandled = with_id(template, "AWS::SQS::Queue", "Unhandled")
    assert unhandled["QueueName"] == "unhandled"
    assert unhandled["MessageRetentionPeriod"] == 14 * 24 * 3600
    assert "Unhandled" in text(queue["RedrivePolicy"]["deadLetterTargetArn"])
    # Karpenter hides a message for 20 s: the last try is before the message expires.
    assert queue["RedrivePolicy"]["maxReceiveCount"] * 20 < queue["MessageRetentionPeriod"]


def test_messages_are_encrypted(template: TemplateJson) -> None:
    assert all(one["SqsManagedSseEnabled"] is True for one in properties(template, "AWS::SQS::Queue").values())


def test_nobody_speaks_to_a_queue_without_tls(template: TemplateJson) -> None:
    refused = {
        resource
        for statement in statements(template)
        if not statement.allows
        and statement.principals == ["*"]
        and statement.actions == ["sqs:*"]
        and statement.conditions == {"Bool": {"aws:SecureTransport": "false"}}
        for resource in statement.resources
    }
    assert refused == {f"${{{key}.Arn}}" for key in properties(template, "AWS::SQS::Queue")}


def test_only_our_rules_may_send(template: TemplateJson) -> None:
    rules = {f"${{{key}.Arn}}" for key in properties(template, "AWS::Events::Rule")}
    senders = set()
    for statement in statements(template):
        if statement.allows and "sqs:SendMessage" in statement.actions:
            assert statement.principals == ["events.amazonaws.com"]
            assert set(statement.conditions) == {"ArnEquals"}
            senders.add(text(statement.conditions["ArnEquals"]["aws:SourceArn"]))
    assert senders == rules


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("aws.ec2", "EC2 Spot Instance Interruption Warning"),
        ("aws.ec2", "EC2 Instance Rebalance Recommendation"),
        ("aws.ec2", "EC2 Instance State-change Notification"),
        ("aws.ec2", "EC2 Capacity Reservation Instance Interruption Warning"),
        ("aws.health", "AWS Health Event"),
    ],
)
def test_everything_that_karpenter_understands_reaches_it(template: TemplateJson, source: str, kind: str) -> None:
    matching = [
        rule
        for rule in properties(template, "AWS::Events::Rule").values()
        if rule["EventPattern"]["source"] == [source] and kind in rule["EventPattern"]["detail-type"]
    ]
    assert len(matching) == 1
    assert matching[0]["State"] == "ENABLED"
    assert len(matching[0]["Targets"]) == 1


def test_of_aws_health_only_maintenance_of_instances_does(template: TemplateJson) -> None:
    rule = with_id(template, "AWS::Events::Rule", "ScheduledChanges")
    assert rule["EventPattern"]["detail"] == {"service": ["EC2"], "eventTypeCategory": ["scheduledChange"]}
