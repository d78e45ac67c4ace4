import json

import pytest
from aws_cdk import aws_sns as sns

from aerodrome_constructs.costs import CostAnomalies, CostAnomaliesProps
from tests.templates import TemplateJson, new_stack, only, synthesized, text


@pytest.fixture(scope="module")
def template() -> TemplateJson:
    stack = new_stack()
    CostAnomalies(stack, "Anomalies", CostAnomaliesProps(name="team", from_usd=100, topic=sns.Topic(stack, "Topic")))
    return synthesized(stack)


def test_every_service_is_watched(template: TemplateJson) -> None:
    monitor = only(template, "AWS::CE::AnomalyMonitor")
    # A monitor of a tag could be made in an organization's management account alone.
    assert (monitor["MonitorType"], monitor["MonitorDimension"]) == ("DIMENSIONAL", "SERVICE")
    assert "MonitorSpecification" not in monitor


def test_an_anomaly_is_told_at_once_to_the_topic(template: TemplateJson) -> None:
    subscription = only(template, "AWS::CE::AnomalySubscription")
    assert subscription["Frequency"] == "IMMEDIATE"
    (subscriber,) = subscription["Subscribers"]
    assert subscriber["Type"] == "SNS"
    assert text(subscriber["Address"]).startswith("${Topic")
    assert [text(monitor)[:10] for monitor in subscription["MonitorArnList"]] == ["${Anomalie"]


def test_the_monitor_that_an_account_has_is_told_on(template: TemplateJson) -> None:
    stack = new_stack()
    arn = "arn:aws:ce::111122223333:anomalymonitor/4a5e9f4e-0f3c-4b7e-9d5e-2c1f3a6b7c8d"
    props = CostAnomaliesProps(name="team", from_usd=100, monitor_arn=arn, topic=sns.Topic(stack, "Topic"))
    CostAnomalies(stack, "Anomalies", props)
    other = synthesized(stack)
    assert only(other, "AWS::CE::AnomalySubscription")["MonitorArnList"] == [arn]
    types = {resource["Type"] for resource in other["Resources"].values()}
    assert "AWS::CE::AnomalyMonitor" not in types, "an account takes one"
    assert "AWS::CE::AnomalyMonitor" in {resource["Type"] for resource in template["Resources"].values()}


def test_what_costs_less_than_the_threshold_is_not_told(template: TemplateJson) -> None:
    subscription = only(template, "AWS::CE::AnomalySubscription")
    assert json.loads(subscription["ThresholdExpression"]) == {
        "Dimensions": {
            "Key": "ANOMALY_TOTAL_IMPACT_ABSOLUTE",
            "MatchOptions": ["GREATER_THAN_OR_EQUAL"],
            "Values": ["100"],
        }
    }
    assert "Threshold" not in subscription, "the API takes one of the two"
