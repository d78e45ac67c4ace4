import re

import pytest
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns

from aerodrome_constructs.emergency import RoleWatch, RoleWatchProps
from tests.templates import TemplateJson, new_stack, only, synthesized, text

RUNBOOK = "runbooks/break-glass-used.md"


@pytest.fixture(scope="module")
def template() -> TemplateJson:
    stack = new_stack()
    role = iam.Role(stack, "Role", assumed_by=iam.AccountRootPrincipal())
    props = RoleWatchProps(name="break-glass", role=role, topic=sns.Topic(stack, "Topic"), runbook=RUNBOOK)
    RoleWatch(stack, "Watch", props)
    return synthesized(stack)


def test_every_time_that_the_role_is_taken_matches(template: TemplateJson) -> None:
    rule = only(template, "AWS::Events::Rule")
    assert rule["State"] == "ENABLED"
    pattern = rule["EventPattern"]
    assert (pattern["source"], pattern["detail-type"]) == (["aws.sts"], ["AWS API Call via CloudTrail"])
    assert pattern["detail"]["eventName"] == ["AssumeRole"]
    (role,) = pattern["detail"]["requestParameters"]["roleArn"]
    assert text(role).startswith("${Role")
    # Nothing else narrows it: neither who it was nor how it ended.
    assert set(pattern["detail"]) == {"eventSource", "eventName", "requestParameters"}


def test_the_topic_gets_a_sentence_with_all_that_is_known(template: TemplateJson) -> None:
    (target,) = only(template, "AWS::Events::Rule")["Targets"]
    assert text(target["Arn"]).startswith("${Topic")
    transformer = target["InputTransformer"]
    used = set(re.findall("<([a-z]+)>", transformer["InputTemplate"]))
    assert used == set(transformer["InputPathsMap"]) == {"person", "session", "time", "caller", "address", "id"}
    assert RUNBOOK in transformer["InputTemplate"]
    assert re.fullmatch('"[^"]+"', transformer["InputTemplate"]), "EventBridge takes a text in quotes"


def test_one_use_is_enough_for_the_alarm(template: TemplateJson) -> None:
    alarm = only(template, "AWS::CloudWatch::Alarm")
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"]) == ("AWS/Events", "MatchedEvents", "Sum")
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanOrEqualToThreshold", 1)
    assert (alarm["Period"], alarm["EvaluationPeriods"]) == (60, 1)
    (dimension,) = alarm["Dimensions"]
    assert (dimension["Name"], text(dimension["Value"])[:11]) == ("RuleName", "${WatchRule")
    assert [text(action)[:7] for action in alarm["AlarmActions"]] == ["${Topic"]
