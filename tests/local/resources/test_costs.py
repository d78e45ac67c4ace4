"""What tells of costs: monitors of anomalies, who is told, and exports."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aerodrome_local.cloudformation import DeployError
from aerodrome_local.testing import EmbeddedAws, Stack, Template

# An account that no other test uses: it can have one monitor, and the platform's would be it.
ACCOUNT = "123456789012"
THRESHOLD = {"Key": "ANOMALY_TOTAL_IMPACT_ABSOLUTE", "MatchOptions": ["GREATER_THAN_OR_EQUAL"]}


@pytest.fixture
def stack(embedded_aws: EmbeddedAws, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """A stack named after the test, deleted after it."""
    of_test = embedded_aws.stack(request.node.name, account=ACCOUNT)
    yield of_test
    of_test.delete()


@pytest.fixture
def explorer(embedded_aws: EmbeddedAws) -> Any:  # noqa: ANN401 - boto3 makes the class at run time
    return embedded_aws.client("ce", ACCOUNT)


@pytest.fixture
def exports(embedded_aws: EmbeddedAws) -> Any:  # noqa: ANN401 - boto3 makes the class at run time
    return embedded_aws.client("bcm-data-exports", ACCOUNT)


def anomalies(name: str, usd: int) -> Template:
    return {
        "Topic": {"Type": "AWS::SNS::Topic"},
        "Monitor": {
            "Type": "AWS::CE::AnomalyMonitor",
            "Properties": {"MonitorName": name, "MonitorType": "DIMENSIONAL", "MonitorDimension": "SERVICE"},
        },
        "Subscription": {
            "Type": "AWS::CE::AnomalySubscription",
            "Properties": {
                "SubscriptionName": name,
                "Frequency": "IMMEDIATE",
                "MonitorArnList": [{"Fn::GetAtt": ["Monitor", "MonitorArn"]}],
                "Subscribers": [{"Type": "SNS", "Address": {"Ref": "Topic"}}],
                "ThresholdExpression": json.dumps({"Dimensions": {**THRESHOLD, "Values": [str(usd)]}}),
            },
        },
    }


def test_anomaly_monitor_and_subscription(
    explorer: Any,  # noqa: ANN401 - boto3 makes the class at run time
    stack: Stack,
) -> None:
    outputs = stack.deploy(
        anomalies("first", 100),
        {"Monitor": {"Ref": "Monitor"}, "Subscription": {"Ref": "Subscription"}, "Topic": {"Ref": "Topic"}},
    )
    (monitor,) = explorer.get_anomaly_monitors(MonitorArnList=[outputs["Monitor"]])["AnomalyMonitors"]
    assert (monitor["MonitorName"], monitor["MonitorDimension"]) == ("first", "SERVICE")
    (found,) = explorer.get_anomaly_subscriptions(MonitorArn=outputs["Monitor"])["AnomalySubscriptions"]
    assert found["SubscriptionArn"] == outputs["Subscription"]
    assert found["Subscribers"] == [{"Address": outputs["Topic"], "Type": "SNS"}]
    assert found["ThresholdExpression"] == {"Dimensions": {**THRESHOLD, "Values": ["100"]}}
    tags = explorer.list_tags_for_resource(ResourceArn=outputs["Monitor"])["ResourceTags"]
    assert {"Key": "stack-tag", "Value": "inherited"} in tags

    stack.deploy(anomalies("second", 200))
    (monitor,) = explorer.get_anomaly_monitors()["AnomalyMonitors"]
    assert (monitor["MonitorArn"], monitor["MonitorName"]) == (outputs["Monitor"], "second")
    (found,) = explorer.get_anomaly_subscriptions()["AnomalySubscriptions"]
    assert found["ThresholdExpression"]["Dimensions"]["Values"] == ["200"]

    stack.delete()
    assert explorer.get_anomaly_monitors()["AnomalyMonitors"] == []
    assert explorer.get_anomaly_subscriptions()["AnomalySubscriptions"] == []
    with pytest.raises(ClientError, match="UnknownMonitorException"):
        explorer.get_anomaly_monitors(MonitorArnList=[outputs["Monitor"]])


def test_an_account_has_one_monitor_of_services(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    stack.deploy(anomalies("first", 100))
    second = embedded_aws.stack("a second monitor of services", account=ACCOUNT)
    with pytest.raises(DeployError, match="Limit exceeded on dimensional spend monitor creation"):
        second.deploy(anomalies("second", 100))
    second.delete()
    elsewhere = embedded_aws.stack("a monitor of another account", account="444455556666")
    elsewhere.deploy(anomalies("other", 100))
    elsewhere.delete()


def export(query: str, principal: str = "bcm-data-exports.amazonaws.com") -> Template:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": [principal]},
        "Action": ["s3:PutObject"],
        "Resource": {"Fn::Sub": "${Bucket.Arn}/*"},
    }
    return {
        "Bucket": {"Type": "AWS::S3::Bucket"},
        "Policy": {
            "Type": "AWS::S3::BucketPolicy",
            "Properties": {"Bucket": {"Ref": "Bucket"}, "PolicyDocument": {"Statement": [statement]}},
        },
        "Export": {
            "Type": "AWS::BCMDataExports::Export",
            "DependsOn": ["Policy"],
            "Properties": {
                "Export": {
                    "Name": "costs",
                    "DataQuery": {
                        "QueryStatement": query,
                        "TableConfigurations": {"COST_AND_USAGE_REPORT": {"INCLUDE_RESOURCES": "TRUE"}},
                    },
                    "DestinationConfigurations": {
                        "S3Destination": {
                            "S3Bucket": {"Ref": "Bucket"},
                            "S3Prefix": "costs",
                            "S3Region": "us-east-1",
                            "S3OutputConfigurations": {
                                "OutputType": "CUSTOM",
                                "Format": "PARQUET",
                                "Compression": "PARQUET",
                                "Overwrite": "OVERWRITE_REPORT",
                            },
                        }
                    },
                    "RefreshCadence": {"Frequency": "SYNCHRONOUS"},
                }
            },
        },
    }


def test_data_export(exports: Any, stack: Stack) -> None:  # noqa: ANN401 - boto3 makes the class at run time
    outputs = stack.deploy(export("SELECT a FROM b"), {"Arn": {"Ref": "Export"}, "Bucket": {"Ref": "Bucket"}})
    found = exports.get_export(ExportArn=outputs["Arn"])
    assert found["Export"]["DataQuery"]["QueryStatement"] == "SELECT a FROM b"
    assert found["Export"]["DestinationConfigurations"]["S3Destination"]["S3Bucket"] == outputs["Bucket"]
    assert found["ExportStatus"]["StatusCode"] == "HEALTHY"
    tags = exports.list_tags_for_resource(ResourceArn=outputs["Arn"])["ResourceTags"]
    assert {"Key": "stack-tag", "Value": "inherited"} in tags

    stack.deploy(export("SELECT c FROM b"))
    (listed,) = exports.list_exports()["Exports"]
    assert (listed["ExportArn"], listed["ExportName"]) == (outputs["Arn"], "costs")
    assert exports.get_export(ExportArn=outputs["Arn"])["Export"]["DataQuery"]["QueryStatement"] == "SELECT c FROM b"

    stack.delete()
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        exports.get_export(ExportArn=outputs["Arn"])


def test_an_export_to_a_bucket_that_does_not_let_it_in_fails(stack: Stack) -> None:
    with pytest.raises(DeployError, match=r"does not let bcm-data-exports\.amazonaws\.com put objects"):
        stack.deploy(export("SELECT a FROM b", principal="logging.s3.amazonaws.com"))


def test_an_operation_that_is_not_there_says_so(explorer: Any) -> None:  # noqa: ANN401 - boto3 makes the class
    with pytest.raises(ClientError, match="the embedded AWS does not know ce:GetCostAndUsage"):
        explorer.get_cost_and_usage(
            TimePeriod={"Start": "2026-01-01", "End": "2026-02-01"}, Granularity="MONTHLY", Metrics=["UnblendedCost"]
        )


def test_what_was_made_is_there_after_a_restart(tmp_path: Path) -> None:
    aws = EmbeddedAws.start(tmp_path / "aws")
    try:
        monitor = {"MonitorName": "kept", "MonitorType": "DIMENSIONAL", "MonitorDimension": "SERVICE"}
        arn = aws.client("ce").create_anomaly_monitor(AnomalyMonitor=monitor)["MonitorArn"]
        aws.stop()
        aws = EmbeddedAws.start(tmp_path / "aws")
        (found,) = aws.client("ce").get_anomaly_monitors()["AnomalyMonitors"]
    finally:
        aws.stop()
    assert found == {**monitor, "MonitorArn": arn}
