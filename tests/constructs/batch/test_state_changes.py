"""The queue with what AWS Batch says of certain jobs."""

import pytest

from aerodrome_constructs.batch import JobStateChanges, JobStateChangesProps
from tests.templates import TemplateJson, new_stack, properties, statements, synthesized, text, with_id


@pytest.fixture(scope="module")
def template() -> TemplateJson:
    stack = new_stack()
    props = JobStateChangesProps(name="changes", definition_prefix="theirs_", description="To whoever follows them")
    JobStateChanges(stack, "Changes", props)
    return synthesized(stack)


def test_it_is_about_jobs_of_their_definitions_but_not_about_elements_of_arrays(template: TemplateJson) -> None:
    (rule,) = properties(template, "AWS::Events::Rule").values()
    pattern = rule["EventPattern"]

    assert (pattern["source"], pattern["detail-type"]) == (["aws.batch"], ["Batch Job State Change"])
    (definition,) = pattern["detail"]["jobDefinition"]
    assert text(definition["prefix"]).endswith(":job-definition/theirs_")
    assert pattern["detail"]["arrayProperties"] == {"index": [{"exists": False}]}
    assert (rule["Name"], rule["Description"]) == ("changes", "To whoever follows them")
    (target,) = rule["Targets"]
    assert "ChangesQueue" in text(target["Arn"])


def test_what_nobody_reads_goes_and_what_nobody_understands_is_kept(template: TemplateJson) -> None:
    queue = with_id(template, "AWS::SQS::Queue", "ChangesQueue")
    unread = with_id(template, "AWS::SQS::Queue", "ChangesUnread")

    assert (queue["QueueName"], unread["QueueName"]) == ("changes", "changes-unread")
    assert queue["MessageRetentionPeriod"] == 15 * 60
    assert unread["MessageRetentionPeriod"] == 14 * 24 * 3600
    assert "ChangesUnread" in text(queue["RedrivePolicy"]["deadLetterTargetArn"])
    # Readers give back what is about another's jobs, some seven times within a minute.
    assert queue["RedrivePolicy"]["maxReceiveCount"] > 7 * 10


def test_messages_are_encrypted_and_only_the_rule_sends_any(template: TemplateJson) -> None:
    queues = properties(template, "AWS::SQS::Queue")
    assert len(queues) == 2
    assert all(queue["SqsManagedSseEnabled"] is True for queue in queues.values())
    (rule,) = properties(template, "AWS::Events::Rule")
    senders = [one for one in statements(template) if one.allows and "sqs:SendMessage" in one.actions]

    assert [one.principals for one in senders] == [["events.amazonaws.com"]]
    assert senders[0].conditions == {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": [rule, "Arn"]}}}
