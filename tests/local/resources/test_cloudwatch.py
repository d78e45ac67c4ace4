import json
from collections.abc import Mapping
from typing import Any

import pytest

from aerodrome_local.testing import EmbeddedAws, Stack

EXPRESSION: Mapping[str, Any] = {
    "AlarmName": "test-rate",
    "Metrics": [
        {"Id": "rate", "Expression": "100 * failed / ended", "Label": "%", "ReturnData": "true"},
        *(
            {
                "Id": name,
                "ReturnData": False,
                "MetricStat": {
                    "Metric": {
                        "Namespace": "Test/Cw",
                        "MetricName": name,
                        "Dimensions": [{"Name": "Queue", "Value": "a"}],
                    },
                    "Period": "300",
                    "Stat": "Sum",
                },
            }
            for name in ("failed", "ended")
        ),
    ],
    "EvaluationPeriods": 1,
    "ComparisonOperator": "GreaterThanThreshold",
    "Threshold": 20,
    "TreatMissingData": "missing",
}


def described(embedded_aws: EmbeddedAws, name: str) -> Mapping[str, Any]:
    (alarm,) = embedded_aws.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return dict(alarm)


def test_an_alarm_on_an_expression_is_kept_updated_and_deleted(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    stack.deploy({"Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": dict(EXPRESSION)}})
    alarm = described(embedded_aws, "test-rate")
    rate, failed, _ = alarm["Metrics"]
    assert (rate["Expression"], rate["ReturnData"]) == ("100 * failed / ended", True)
    assert failed["MetricStat"]["Period"] == 300
    assert failed["MetricStat"]["Metric"]["Dimensions"] == [{"Name": "Queue", "Value": "a"}]
    assert (alarm["Threshold"], alarm["StateValue"]) == (20, "INSUFFICIENT_DATA")
    assert "MetricName" not in alarm
    stack.deploy({"Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": {**EXPRESSION, "Threshold": 30}}})
    assert described(embedded_aws, "test-rate")["Threshold"] == 30
    stack.delete()
    assert embedded_aws.client("cloudwatch").describe_alarms(AlarmNames=["test-rate"])["MetricAlarms"] == []


@pytest.mark.parametrize(("queue", "state"), [("mine", "ALARM"), ("another", "INSUFFICIENT_DATA")])
def test_an_alarm_looks_at_the_metric_with_its_dimensions(
    embedded_aws: EmbeddedAws, stack: Stack, queue: str, state: str
) -> None:
    name = f"test-dimensions-{queue}"
    properties = {
        "AlarmName": name,
        "Namespace": "Test/Cw",
        "MetricName": name,
        "Dimensions": [{"Name": "Queue", "Value": "mine"}],
        "Statistic": "Sum",
        "Period": 300,
        "EvaluationPeriods": 1,
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 2,
    }
    stack.deploy({"Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": properties}})
    datum = {"MetricName": name, "Dimensions": [{"Name": "Queue", "Value": queue}], "Value": 3}
    embedded_aws.client("cloudwatch").put_metric_data(Namespace="Test/Cw", MetricData=[datum])
    assert described(embedded_aws, name)["StateValue"] == state


def test_a_dashboard_is_kept_updated_and_deleted(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    cloudwatch = embedded_aws.client("cloudwatch")
    for title in ("one", "two"):
        body = {"widgets": [{"type": "text", "properties": {"markdown": title}}]}
        properties = {"DashboardName": "test-dashboard", "DashboardBody": json.dumps(body)}
        stack.deploy({"Dashboard": {"Type": "AWS::CloudWatch::Dashboard", "Properties": properties}})
        assert json.loads(cloudwatch.get_dashboard(DashboardName="test-dashboard")["DashboardBody"]) == body
    stack.delete()
    assert [one["DashboardName"] for one in cloudwatch.list_dashboards()["DashboardEntries"]] == []
