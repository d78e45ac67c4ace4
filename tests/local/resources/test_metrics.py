"""Amazon CloudWatch: metrics with dimensions, as values, as counts of values and as statistics."""

from datetime import UTC, datetime, timedelta
from typing import Any

from aerodrome_local.testing import EmbeddedAws, Stack

NAMESPACE = "Aerodrome/Test"
NOW = datetime.now(UTC).replace(second=0, microsecond=0)
WINDOW = {"StartTime": NOW - timedelta(minutes=5), "EndTime": NOW + timedelta(minutes=5)}


def put(aws: EmbeddedAws, queue: str, **datum: Any) -> None:  # noqa: ANN401 - as CloudWatch
    dimensions = [{"Name": "Environment", "Value": "test"}, {"Name": "Queue", "Value": queue}]
    data = [{"MetricName": "Wait", "Dimensions": dimensions, "Timestamp": NOW, "Unit": "Seconds", **datum}]
    aws.client("cloudwatch").put_metric_data(Namespace=NAMESPACE, MetricData=data)


def statistics(aws: EmbeddedAws, queue: str) -> dict[str, float]:
    (point,) = aws.client("cloudwatch").get_metric_statistics(
        Namespace=NAMESPACE,
        MetricName="Wait",
        Dimensions=[{"Name": "Environment", "Value": "test"}, {"Name": "Queue", "Value": queue}],
        Period=60,
        Statistics=["Sum", "Minimum", "Maximum", "SampleCount", "Average"],
        **WINDOW,
    )["Datapoints"]
    return {name: value for name, value in point.items() if isinstance(value, float)}


def test_a_metric_is_put_in_each_of_its_forms(embedded_aws: EmbeddedAws) -> None:
    put(embedded_aws, "values", Values=[1.0, 5.0], Counts=[3.0, 1.0])
    expected = {"Sum": 8.0, "Minimum": 1.0, "Maximum": 5.0, "SampleCount": 4.0, "Average": 2.0}
    assert statistics(embedded_aws, "values") == expected
    summary = {"SampleCount": 4.0, "Sum": 8.0, "Minimum": 1.0, "Maximum": 5.0}
    put(embedded_aws, "statistics", StatisticValues=summary)
    assert statistics(embedded_aws, "statistics") == expected
    for value in (1.0, 1.0, 1.0, 5.0):
        put(embedded_aws, "single", Value=value)
    assert statistics(embedded_aws, "single") == expected


def test_one_query_reads_several_metrics(embedded_aws: EmbeddedAws) -> None:
    put(embedded_aws, "one", Values=[1.0, 2.0])
    put(embedded_aws, "two", Values=[10.0])

    def query(name: str) -> dict[str, Any]:
        dimensions = [{"Name": "Environment", "Value": "test"}, {"Name": "Queue", "Value": name}]
        metric = {"Namespace": NAMESPACE, "MetricName": "Wait", "Dimensions": dimensions}
        return {"Id": name, "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}

    queries = [query("one"), query("two"), query("none")]
    results = embedded_aws.client("cloudwatch").get_metric_data(MetricDataQueries=queries, **WINDOW)
    values = {each["Id"]: each["Values"] for each in results["MetricDataResults"]}
    assert values == {"one": [3.0], "two": [10.0], "none": []}


def test_a_dashboard_is_kept(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    body = '{"widgets": [{"type": "text", "properties": {"markdown": "hello"}}]}'
    dashboard = {"Type": "AWS::CloudWatch::Dashboard", "Properties": {"DashboardBody": body}}
    ids = stack.deploy({"Dashboard": dashboard}, {"Name": {"Ref": "Dashboard"}})
    assert embedded_aws.client("cloudwatch").get_dashboard(DashboardName=ids["Name"])["DashboardBody"] == body
