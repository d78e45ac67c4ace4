"""Amazon S3: buckets with everything that MiniStack drops, and bucket policies."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aerodrome_local.cloudformation import DeployError
from aerodrome_local.testing import EmbeddedAws, Stack, Template

LIFECYCLE = {
    "Rules": [
        {
            "Id": "expire",
            "Status": "Enabled",
            "Prefix": "tmp/",
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
            "ExpirationInDays": 30,
            "NoncurrentVersionExpiration": {"NoncurrentDays": 14, "NewerNoncurrentVersions": 2},
            "Transitions": [{"StorageClass": "INTELLIGENT_TIERING", "TransitionInDays": 3}],
        },
        {
            "Id": "large",
            "Status": "Enabled",
            "TagFilters": [{"Key": "kind", "Value": "scratch"}],
            "ObjectSizeGreaterThan": "1048576",
            "ExpirationInDays": 1,
        },
    ]
}


def bucket(**properties: Any) -> Template:  # noqa: ANN401 - any property
    return {"Type": "AWS::S3::Bucket", "Properties": properties}


def test_bucket_keeps_its_configuration(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    s3 = embedded_aws.client("s3")
    encryption = {
        "ServerSideEncryptionConfiguration": [
            {
                "BucketKeyEnabled": True,
                "ServerSideEncryptionByDefault": {
                    "SSEAlgorithm": "aws:kms",
                    "KMSMasterKeyID": {"Fn::GetAtt": ["Key", "Arn"]},
                },
            }
        ]
    }
    resources = {
        "Key": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": {"Version": "2012-10-17", "Statement": []}}},
        "Logs": bucket(OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}),
        "Data": bucket(
            BucketEncryption=encryption,
            LifecycleConfiguration=LIFECYCLE,
            LoggingConfiguration={"DestinationBucketName": {"Ref": "Logs"}, "LogFilePrefix": "data/"},
            NotificationConfiguration={"EventBridgeConfiguration": {"EventBridgeEnabled": True}},
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": True,
                "BlockPublicPolicy": True,
                "IgnorePublicAcls": True,
                "RestrictPublicBuckets": True,
            },
            Tags=[{"Key": "team", "Value": "ml"}],
            VersioningConfiguration={"Status": "Enabled"},
        ),
    }
    outputs = stack.deploy(
        resources,
        {"Name": {"Ref": "Data"}, "Arn": {"Fn::GetAtt": ["Data", "Arn"]}, "Key": {"Fn::GetAtt": ["Key", "Arn"]}},
    )
    name = outputs["Name"]
    assert outputs["Arn"] == f"arn:aws:s3:::{name}"
    first, second = s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    assert first["ID"] == "expire"
    assert first["Filter"] == {"Prefix": "tmp/"}
    assert first["Expiration"] == {"Days": 30}
    assert first["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    assert first["NoncurrentVersionExpiration"] == {"NoncurrentDays": 14, "NewerNoncurrentVersions": 2}
    assert first["Transitions"] == [{"Days": 3, "StorageClass": "INTELLIGENT_TIERING"}]
    assert second["Filter"]["And"]["ObjectSizeGreaterThan"] == 1048576
    assert second["Filter"]["And"]["Tags"] == [{"Key": "kind", "Value": "scratch"}]
    rule = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": outputs["Key"]}
    assert rule["BucketKeyEnabled"] is True
    logging = s3.get_bucket_logging(Bucket=name)["LoggingEnabled"]
    assert (logging["TargetBucket"], logging["TargetPrefix"]) == (stack.physical_id("Logs"), "data/")
    assert "EventBridgeConfiguration" in s3.get_bucket_notification_configuration(Bucket=name)
    assert set(s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"].values()) == {True}
    tags = {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket=name)["TagSet"]}
    assert (tags["team"], tags["stack-tag"]) == ("ml", "inherited")
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    ownership = s3.get_bucket_ownership_controls(Bucket=stack.physical_id("Logs"))["OwnershipControls"]
    assert ownership["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]

    s3.put_object(Bucket=name, Key="tmp/a", Body=b"1")
    assert s3.head_object(Bucket=name, Key="tmp/a")["ServerSideEncryption"] == "aws:kms"

    stack.deploy({**resources, "Data": bucket()})
    with pytest.raises(ClientError, match="NoSuchLifecycleConfiguration"):
        s3.get_bucket_lifecycle_configuration(Bucket=name)
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=name)
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Suspended"
    assert s3.get_object(Bucket=name, Key="tmp/a")["Body"].read() == b"1"

    stack.delete()
    with pytest.raises(ClientError, match="404"):
        s3.head_bucket(Bucket=name)


def test_a_rule_that_is_not_understood_fails_and_leaves_no_bucket(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    rule = {"Id": "tiers", "Status": "Enabled", "ExpirationInHours": 1}
    named = bucket(BucketName="never-there", LifecycleConfiguration={"Rules": [rule]})
    with pytest.raises(DeployError, match="does not know ExpirationInHours"):
        stack.deploy({"Bucket": named})
    assert "never-there" not in [item["Name"] for item in embedded_aws.client("s3").list_buckets()["Buckets"]]


def test_encryption_with_the_key_that_aws_manages(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    s3 = embedded_aws.client("s3")
    encryption = {"ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]}
    stack.deploy({"Bucket": bucket(BucketEncryption=encryption)})
    name = stack.physical_id("Bucket")
    s3.put_object(Bucket=name, Key="a", Body=b"1")
    assert s3.get_object(Bucket=name, Key="a")["Body"].read() == b"1"


def test_bucket_policy(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    s3 = embedded_aws.client("s3")

    def policy(sid: str) -> Template:
        statement = {
            "Sid": sid,
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": {"Fn::GetAtt": ["Bucket", "Arn"]},
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
        document = {"Version": "2012-10-17", "Statement": [statement]}
        properties = {"Bucket": {"Ref": "Bucket"}, "PolicyDocument": document}
        return {"Type": "AWS::S3::BucketPolicy", "Properties": properties}

    def found() -> Any:  # noqa: ANN401 - any JSON value
        return json.loads(s3.get_bucket_policy(Bucket=stack.physical_id("Bucket"))["Policy"])["Statement"][0]

    stack.deploy({"Bucket": bucket(), "Policy": policy("TlsOnly")})
    assert (found()["Sid"], found()["Effect"]) == ("TlsOnly", "Deny")
    stack.deploy({"Bucket": bucket(), "Policy": policy("StillTlsOnly")})
    assert found()["Sid"] == "StillTlsOnly"
    stack.deploy({"Bucket": bucket()})
    with pytest.raises(ClientError, match="NoSuchBucketPolicy"):
        found()
