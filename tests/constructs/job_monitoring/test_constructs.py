"""What the constructs make, in a stack of five lines: somebody else's app could use them."""

import json

import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_sns as sns

from aerodrome_constructs.job_monitoring import (
    BatchWatch,
    BatchWatchProps,
    BlockedQueues,
    BlockedQueuesProps,
    JobEvents,
    JobEventsProps,
)
from tests.constructs.job_monitoring.samples import QUEUES, SETTINGS, SPOT
from tests.constructs.surroundings import place_in
from tests.templates import TemplateJson, new_stack, only, properties, statements, synthesized, text, with_id

PREFIX = f"{QUEUES}aerodrome-dev-"


@pytest.fixture(scope="module")
def template() -> TemplateJson:
    stack = new_stack()
    place = place_in(stack)
    group = ec2.SecurityGroup(stack, "Group", vpc=place.vpc)
    JobEvents(
        stack,
        "Events",
        JobEventsProps(name="counter", settings=SETTINGS, queue_prefix=PREFIX, place=place, security_group=group),
    )
    BatchWatch(
        stack,
        "Watch",
        BatchWatchProps(
            name="watch", settings=SETTINGS, queue_arns=[f"{QUEUES}{SPOT}"], place=place, security_group=group
        ),
    )
    topic = sns.Topic(stack, "Topic")
    BlockedQueues(
        stack,
        "Blocked",
        BlockedQueuesProps(name="blocked", queue_prefix=PREFIX, topic=topic, runbook="runbooks/batch-queue-blocked.md"),
    )
    return synthesized(stack)


def test_changes_that_are_counted_and_blocked_queues_go_to_the_queue(template: TemplateJson) -> None:
    for name, detail_type in (("EventsChanges", "State Change"), ("EventsBlocked", "Queue Blocked")):
        rule = with_id(template, "AWS::Events::Rule", name)
        assert rule["EventPattern"]["detail-type"] == [f"Batch Job {detail_type}"]
        assert rule["EventPattern"]["detail"]["jobQueue"] == [{"prefix": PREFIX}]
        assert [text(target["Arn"])[:13] for target in rule["Targets"]] == ["${EventsQueue"]
    states = with_id(template, "AWS::Events::Rule", "EventsChanges")["EventPattern"]["detail"]["status"]
    assert states == ["RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED"]


def test_only_these_two_rules_may_send_and_nobody_without_tls(template: TemplateJson) -> None:
    found = statements(template, "EventsQueuePolicy")
    (sending,) = [one for one in found if one.allows]
    assert sending.principals == ["events.amazonaws.com"]
    senders = [text(arn) for arn in sending.conditions["ArnEquals"]["aws:SourceArn"]]
    assert [sender[:14] for sender in senders] == ["${EventsChange", "${EventsBlocke"]
    assert [one.conditions for one in found if not one.allows] == [{"Bool": {"aws:SecureTransport": "false"}}]


def test_a_message_comes_again_only_after_the_function_has_certainly_ended(template: TemplateJson) -> None:
    queue = with_id(template, "AWS::SQS::Queue", "EventsQueue")
    function = with_id(template, "AWS::Lambda::Function", "EventsFunction")
    mapping = only(template, "AWS::Lambda::EventSourceMapping")
    # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
    assert queue["VisibilityTimeout"] >= 6 * function["Timeout"] + mapping["MaximumBatchingWindowInSeconds"]
    assert queue["RedrivePolicy"]["maxReceiveCount"] == 5
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


@pytest.mark.parametrize("name", ["EventsRole", "WatchRole"])
def test_a_function_may_put_metrics_into_our_namespace_only(template: TemplateJson, name: str) -> None:
    (putting,) = [one for one in statements(template, name) if "cloudwatch:PutMetricData" in one.actions]
    assert putting.conditions == {"StringEquals": {"cloudwatch:namespace": "Aerodrome/Batch"}}


def test_the_watch_may_look_and_do_nothing(template: TemplateJson) -> None:
    found = {action for one in statements(template, "WatchRoleDefaultPolicy") for action in one.actions}
    assert {action for action in found if not action.startswith("ec2:")} == {
        "batch:DescribeComputeEnvironments",
        "batch:DescribeJobQueues",
        "batch:GetJobQueueSnapshot",
        "cloudwatch:PutMetricData",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    }


def test_the_watch_looks_every_five_minutes(template: TemplateJson) -> None:
    rule = with_id(template, "AWS::Events::Rule", "WatchSchedule")
    assert rule["ScheduleExpression"] == "rate(5 minutes)"
    permission = only(template, "AWS::Lambda::Permission")
    assert text(permission["SourceArn"]).startswith("${WatchSchedule")


def test_who_is_told_of_a_blocked_queue_reads_the_reason(template: TemplateJson) -> None:
    (target,) = with_id(template, "AWS::Events::Rule", "BlockedRule")["Targets"]
    transformer = target["InputTransformer"]
    assert transformer["InputPathsMap"]["reason"] == "$.detail.statusReason"
    sentence = json.loads(transformer["InputTemplate"])
    assert "blocks the queue <queue>: <reason>" in sentence
    assert all(f"<{name}>" in sentence for name in transformer["InputPathsMap"])
    assert sentence.endswith("runbooks/batch-queue-blocked.md")


def test_functions_keep_their_output_encrypted_and_for_a_while(template: TemplateJson) -> None:
    groups = properties(template, "AWS::Logs::LogGroup").values()
    assert [(group["RetentionInDays"], "KmsKeyId" in group) for group in groups] == [(30, True)] * 2
