import re

import pytest
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns

from aerodrome_constructs.encryption import KeyWatch, KeyWatchProps
from tests.templates import TemplateJson, new_stack, only, synthesized, text

RUNBOOK = "runbooks/key-about-to-go.md"


@pytest.fixture(scope="module")
def template() -> TemplateJson:
    stack = new_stack()
    keys = [kms.Key(stack, name) for name in ("Data", "Logs")]
    KeyWatch(
        stack, "Watch", KeyWatchProps(name="key-gone", keys=keys, topic=sns.Topic(stack, "Topic"), runbook=RUNBOOK)
    )
    return synthesized(stack)


def test_every_call_that_makes_a_key_useless_matches(template: TemplateJson) -> None:
    rule = only(template, "AWS::Events::Rule")
    assert rule["State"] == "ENABLED"
    pattern = rule["EventPattern"]
    assert (pattern["source"], pattern["detail-type"]) == (["aws.kms"], ["AWS API Call via CloudTrail"])
    assert pattern["detail"]["eventName"] == ["DisableKey", "ScheduleKeyDeletion"]
    arns = [text(arn) for arn in pattern["detail"]["resources"]["ARN"]]
    assert [re.sub("[0-9A-F]{8}", "", arn) for arn in arns] == ["${Data.Arn}", "${Logs.Arn}"]
    # Nothing else narrows it: neither who it was nor whether AWS refused.
    assert set(pattern["detail"]) == {"eventSource", "eventName", "resources"}


def test_the_topic_gets_a_sentence_with_all_that_is_known(template: TemplateJson) -> None:
    (target,) = only(template, "AWS::Events::Rule")["Targets"]
    assert text(target["Arn"]).startswith("${Topic")
    transformer = target["InputTransformer"]
    used = set(re.findall("<([a-z]+)>", transformer["InputTemplate"]))
    assert used == set(transformer["InputPathsMap"]) == {"caller", "call", "key", "time", "address", "id"}
    assert RUNBOOK in transformer["InputTemplate"]
    assert re.fullmatch('"[^"]+"', transformer["InputTemplate"]), "EventBridge takes a text in quotes"


def test_one_call_is_enough_for_the_alarm(template: TemplateJson) -> None:
    alarm = only(template, "AWS::CloudWatch::Alarm")
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"]) == ("AWS/Events", "MatchedEvents", "Sum")
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanOrEqualToThreshold", 1)
    (dimension,) = alarm["Dimensions"]
    assert (dimension["Name"], text(dimension["Value"])[:11]) == ("RuleName", "${WatchRule")
    assert [text(action)[:7] for action in alarm["AlarmActions"]] == ["${Topic"]
    assert "OKActions" not in alarm
