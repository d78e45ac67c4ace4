"""What operations stand on: logs, parameters, queues, topics, rules, alarms, budgets, and the CDK's own small types."""

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aerodrome_local.testing import EmbeddedAws, Stack, Template


def test_log_group(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    logs = embedded_aws.client("logs")

    def group(days: int) -> Template:
        return {
            "Type": "AWS::Logs::LogGroup",
            "Properties": {
                "LogGroupName": "/resource-test",
                "RetentionInDays": days,
                "KmsKeyId": "arn:aws:kms:us-east-1:111122223333:key/1",
                "Tags": [{"Key": "team", "Value": "ml"}],
            },
        }

    def found() -> list[Any]:
        return list(logs.describe_log_groups(logGroupNamePrefix="/resource-test")["logGroups"])

    arn = stack.deploy({"Group": group(30)}, {"Arn": {"Fn::GetAtt": ["Group", "Arn"]}})["Arn"]
    assert found()[0]["arn"] == arn
    assert found()[0]["retentionInDays"] == 30
    assert found()[0]["kmsKeyId"] == "arn:aws:kms:us-east-1:111122223333:key/1"
    assert logs.list_tags_for_resource(resourceArn=arn.removesuffix(":*"))["tags"]["team"] == "ml"
    stack.deploy({"Group": group(90)})
    assert found()[0]["retentionInDays"] == 90
    stack.delete()
    assert found() == []


def test_parameter(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    ssm = embedded_aws.client("ssm")

    def parameter(value: str) -> Template:
        properties = {"Type": "String", "Name": "/resource-test", "Value": value, "Description": "a test's"}
        return {"Type": "AWS::SSM::Parameter", "Properties": properties}

    outputs = stack.deploy(
        {"Parameter": parameter("1")},
        {"Name": {"Ref": "Parameter"}, "Value": {"Fn::GetAtt": ["Parameter", "Value"]}},
    )
    assert outputs == {"Name": "/resource-test", "Value": "1"}
    assert ssm.get_parameter(Name="/resource-test")["Parameter"]["Value"] == "1"
    stack.deploy({"Parameter": parameter("2")})
    assert ssm.get_parameter(Name="/resource-test")["Parameter"]["Value"] == "2"
    stack.delete()
    with pytest.raises(ClientError, match="ParameterNotFound"):
        ssm.get_parameter(Name="/resource-test")


def test_events_reach_a_queue_over_a_topic(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    sqs, events = embedded_aws.client("sqs"), embedded_aws.client("events")

    def allow(service: str, action: str) -> Template:
        statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": action, "Resource": "*"}
        return {"Version": "2012-10-17", "Statement": [statement]}

    def resources(source: str) -> Template:
        return {
            "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"MessageRetentionPeriod": 3600}},
            "QueuePolicy": {
                "Type": "AWS::SQS::QueuePolicy",
                "Properties": {"Queues": [{"Ref": "Queue"}], "PolicyDocument": allow("sns.amazonaws.com", "sqs:*")},
            },
            "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": source}},
            "TopicPolicy": {
                "Type": "AWS::SNS::TopicPolicy",
                "Properties": {
                    "Topics": [{"Ref": "Topic"}],
                    "PolicyDocument": allow("events.amazonaws.com", "sns:Publish"),
                },
            },
            "Subscription": {
                "Type": "AWS::SNS::Subscription",
                "Properties": {
                    "TopicArn": {"Ref": "Topic"},
                    "Protocol": "sqs",
                    "Endpoint": {"Fn::GetAtt": ["Queue", "Arn"]},
                    "RawMessageDelivery": True,
                },
            },
            "Rule": {
                "Type": "AWS::Events::Rule",
                "Properties": {
                    "EventPattern": {"source": [source]},
                    "Targets": [{"Id": "topic", "Arn": {"Ref": "Topic"}}],
                },
            },
        }

    def received() -> list[str]:
        """The sources of the events in the queue; waits for at most one."""
        answer = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1, MaxNumberOfMessages=10)
        return [json.loads(message["Body"])["source"] for message in answer.get("Messages", [])]

    outputs = stack.deploy(resources("test.first"), {"Url": {"Ref": "Queue"}, "Topic": {"Ref": "Topic"}})
    url = outputs["Url"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert attributes["MessageRetentionPeriod"] == "3600"
    assert "sns.amazonaws.com" in attributes["Policy"]
    entry = {"Source": "test.first", "DetailType": "test", "Detail": "{}"}
    events.put_events(Entries=[entry])
    assert received() == ["test.first"]
    stack.deploy(resources("test.second"))
    events.put_events(Entries=[{**entry, "Source": "test.second"}, entry])
    assert received() == ["test.second"]
    stack.delete()
    assert url not in sqs.list_queues().get("QueueUrls", [])
    assert {"TopicArn": outputs["Topic"]} not in embedded_aws.client("sns").list_topics()["Topics"]


def test_alarm(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    cloudwatch = embedded_aws.client("cloudwatch")

    def alarm(threshold: float) -> Template:
        return {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "AlarmName": "resource-test",
                "AlarmDescription": "runbook: disk-full",
                "ComparisonOperator": "LessThanThreshold",
                "EvaluationPeriods": 3,
                "MetricName": "FreeStorageSpace",
                "Namespace": "AWS/RDS",
                "Period": 300,
                "Statistic": "Minimum",
                "Threshold": threshold,
                "TreatMissingData": "breaching",
                "Dimensions": [{"Name": "DBInstanceIdentifier", "Value": "platform"}],
            },
        }

    def found() -> list[Any]:
        return list(cloudwatch.describe_alarms(AlarmNames=["resource-test"])["MetricAlarms"])

    arn = stack.deploy({"Alarm": alarm(10)}, {"Arn": {"Fn::GetAtt": ["Alarm", "Arn"]}})["Arn"]
    assert (found()[0]["AlarmArn"], found()[0]["Threshold"]) == (arn, 10)
    assert found()[0]["TreatMissingData"] == "breaching"
    assert found()[0]["Dimensions"] == [{"Name": "DBInstanceIdentifier", "Value": "platform"}]
    stack.deploy({"Alarm": alarm(20)})
    assert found()[0]["Threshold"] == 20
    stack.delete()
    assert found() == []


def test_budget(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    budgets = embedded_aws.client("budgets")
    account = embedded_aws.account

    def budget(amount: int, percent: int) -> Template:
        return {
            "Type": "AWS::Budgets::Budget",
            "Properties": {
                "Budget": {
                    "BudgetName": "resource-test",
                    "BudgetLimit": {"Amount": amount, "Unit": "USD"},
                    "BudgetType": "COST",
                    "TimeUnit": "MONTHLY",
                },
                "NotificationsWithSubscribers": [
                    {
                        "Notification": {
                            "ComparisonOperator": "GREATER_THAN",
                            "NotificationType": "ACTUAL",
                            "Threshold": percent,
                        },
                        "Subscribers": [{"Address": "ml@example.com", "SubscriptionType": "EMAIL"}],
                    }
                ],
            },
        }

    def found() -> tuple[float, float]:
        limit = budgets.describe_budget(AccountId=account, BudgetName="resource-test")["Budget"]["BudgetLimit"]
        notifications = budgets.describe_notifications_for_budget(AccountId=account, BudgetName="resource-test")
        return float(limit["Amount"]), notifications["Notifications"][0]["Threshold"]

    assert stack.deploy({"Budget": budget(1000, 80)}, {"Name": {"Ref": "Budget"}}) == {"Name": "resource-test"}
    assert found() == (1000, 80)
    stack.deploy({"Budget": budget(2000, 90)})
    assert found() == (2000, 90)
    stack.delete()
    with pytest.raises(ClientError, match="NotFoundException"):
        found()


def test_wait_condition_handle_and_cdk_types(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    ssm = embedded_aws.client("ssm")

    def resources(value: str) -> Template:
        return {
            "Metadata": {"Type": "AWS::CDK::Metadata", "Properties": {"Analytics": "v2:deflate64:"}},
            "Json": {"Type": "Custom::AWSCDKCfnJson", "Properties": {"ServiceToken": "none", "Value": value}},
            "Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
            "Parameter": {
                "Type": "AWS::SSM::Parameter",
                "Properties": {
                    "Type": "String",
                    "Name": "/resource-test-json",
                    "Value": {"Fn::Join": ["", ["", {"Fn::Select": [1, {"Fn::GetAtt": ["Json", "Value"]}]}]]},
                },
            },
        }

    started = time.monotonic()
    stack.deploy(resources('["a", "b"]'))
    assert ssm.get_parameter(Name="/resource-test-json")["Parameter"]["Value"] == "b"
    assert stack.physical_id("Handle").startswith("http")
    stack.deploy(resources('["a", "c"]'))
    assert ssm.get_parameter(Name="/resource-test-json")["Parameter"]["Value"] == "c"
    assert time.monotonic() - started < 30, "a handle waits for nothing"
