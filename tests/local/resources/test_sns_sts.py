"""The key of a topic, and what is told of roles that are taken."""

import json

from aerodrome_local.testing import EmbeddedAws, Stack, Template


def test_topic_key(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    sns = embedded_aws.client("sns")

    def topic(key: str | None) -> Template:
        properties = {"TopicName": "resource-test", **({"KmsMasterKeyId": key} if key else {})}
        return {"Topic": {"Type": "AWS::SNS::Topic", "Properties": properties}}

    def used() -> str:
        attributes = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
        return str(attributes.get("KmsMasterKeyId", ""))

    arn = stack.deploy(topic("alias/first"), {"Arn": {"Ref": "Topic"}})["Arn"]
    assert used() == "alias/first"
    stack.deploy(topic("alias/second"))
    assert used() == "alias/second"
    stack.deploy(topic(None))
    assert used() == ""


def test_a_role_that_is_taken_is_told_as_cloudtrail_tells_it(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    sqs, sts = embedded_aws.client("sqs"), embedded_aws.client("sts")
    role = f"arn:aws:iam::{embedded_aws.account}:role/watched"
    allow = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:*", "Resource": "*"}
    url = stack.deploy(
        {
            "Queue": {"Type": "AWS::SQS::Queue"},
            "Policy": {
                "Type": "AWS::SQS::QueuePolicy",
                "Properties": {"Queues": [{"Ref": "Queue"}], "PolicyDocument": {"Statement": [allow]}},
            },
            "Rule": {
                "Type": "AWS::Events::Rule",
                "Properties": {
                    "EventPattern": {
                        "source": ["aws.sts"],
                        "detail-type": ["AWS API Call via CloudTrail"],
                        "detail": {"eventName": ["AssumeRole"], "requestParameters": {"roleArn": [role]}},
                    },
                    "Targets": [{"Id": "queue", "Arn": {"Fn::GetAtt": ["Queue", "Arn"]}}],
                },
            },
        },
        {"Url": {"Ref": "Queue"}},
    )["Url"]
    sts.assume_role(RoleArn=role.replace("watched", "other"), RoleSessionName="first")
    sts.assume_role(RoleArn=role, RoleSessionName="second", SourceIdentity="jane.doe")
    sts.get_caller_identity()
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5, MaxNumberOfMessages=10)["Messages"]
    detail = json.loads(message["Body"])["detail"]
    assert detail["requestParameters"] == {
        "roleArn": role,
        "roleSessionName": "second",
        "sourceIdentity": "jane.doe",
    }
    assert (detail["awsRegion"], detail["recipientAccountId"]) == (embedded_aws.region, embedded_aws.account)
    assert detail["readOnly"] is True
