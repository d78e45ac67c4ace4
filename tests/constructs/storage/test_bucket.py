from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from aws_cdk import aws_kms as kms

from aerodrome_constructs.storage import AccessLogBucket, AccessLogBucketProps, PrivateBucket, PrivateBucketProps
from tests.templates import ACCOUNT, TemplateJson, new_stack, resources, statements, synthesized, text, with_id

BUCKETS = ["AccessLogs", "Inbox", "Archive"]


@pytest.fixture(scope="module")
def template() -> TemplateJson:
    """A bucket that forgets and tells, and one that does neither."""
    stack = new_stack()
    key = kms.Key(stack, "Key")
    access_logs = AccessLogBucket(stack, "AccessLogs", AccessLogBucketProps(expire_after=timedelta(days=90))).bucket
    inbox = PrivateBucketProps(
        key=key,
        access_logs=access_logs,
        expire_objects_after=timedelta(days=14),
        expire_versions_after=timedelta(days=3),
        send_events=True,
    )
    PrivateBucket(stack, "Inbox", inbox)
    PrivateBucket(stack, "Archive", PrivateBucketProps(key=key, access_logs=access_logs))
    return synthesized(stack)


def bucket(template: TemplateJson, name: str) -> Mapping[str, Any]:
    return with_id(template, "AWS::S3::Bucket", name)


def lifecycle(template: TemplateJson, name: str) -> Mapping[str, Any]:
    (rule,) = bucket(template, name)["LifecycleConfiguration"]["Rules"]
    assert rule["Status"] == "Enabled"
    return dict(rule)


def encryption(template: TemplateJson, name: str) -> Mapping[str, Any]:
    (rule,) = bucket(template, name)["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    return dict(rule)


@pytest.mark.parametrize("name", BUCKETS)
def test_nothing_in_a_bucket_can_be_public(template: TemplateJson, name: str) -> None:
    assert bucket(template, name)["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True,
        "BlockPublicPolicy": True,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": True,
    }


@pytest.mark.parametrize("name", BUCKETS)
def test_acls_count_for_nothing(template: TemplateJson, name: str) -> None:
    assert bucket(template, name)["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]


@pytest.mark.parametrize("name", BUCKETS)
def test_a_bucket_survives_its_stack_and_its_replacement(template: TemplateJson, name: str) -> None:
    (found,) = [value for key, value in resources(template, "AWS::S3::Bucket").items() if key.startswith(name)]
    assert (found["DeletionPolicy"], found["UpdateReplacePolicy"]) == ("Retain", "Retain")


@pytest.mark.parametrize("name", BUCKETS)
@pytest.mark.parametrize(
    "without",
    [{"Bool": {"aws:SecureTransport": "false"}}, {"NumericLessThan": {"s3:TlsVersion": 1.2}}],
    ids=["tls", "tls-1.2"],
)
def test_everybody_is_refused_without(template: TemplateJson, name: str, without: Mapping[str, Any]) -> None:
    (refusal,) = [one for one in statements(template, f"{name}Policy") if one.conditions == without]
    assert not refusal.allows
    assert (refusal.actions, refusal.principals) == (["s3:*"], ["*"])
    assert len(refusal.resources) == 2, "the bucket and the objects in it"


@pytest.mark.parametrize("name", ["Inbox", "Archive"])
def test_objects_are_encrypted_with_the_given_key_at_the_price_of_one_call(template: TemplateJson, name: str) -> None:
    rule = encryption(template, name)
    assert rule["BucketKeyEnabled"] is True
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert text(rule["ServerSideEncryptionByDefault"]["KMSMasterKeyID"]).startswith("${Key")


def test_access_logs_are_encrypted_with_the_only_key_that_s3_delivers_them_under(template: TemplateJson) -> None:
    assert encryption(template, "AccessLogs") == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}


@pytest.mark.parametrize("name", ["Inbox", "Archive"])
def test_what_was_overwritten_can_be_restored(template: TemplateJson, name: str) -> None:
    assert bucket(template, name)["VersioningConfiguration"] == {"Status": "Enabled"}


@pytest.mark.parametrize(("name", "days"), [("Inbox", 3), ("Archive", 30)])
def test_old_versions_go_in_the_end(template: TemplateJson, name: str, days: int) -> None:
    assert lifecycle(template, name)["NoncurrentVersionExpiration"] == {"NoncurrentDays": days}


@pytest.mark.parametrize(("name", "days"), [("AccessLogs", 90), ("Inbox", 14), ("Archive", None)])
def test_objects_go_when_they_should_and_not_before(template: TemplateJson, name: str, days: int | None) -> None:
    assert lifecycle(template, name).get("ExpirationInDays") == days


@pytest.mark.parametrize("name", ["Inbox", "Archive"])
def test_uploads_that_nobody_finished_are_aborted(template: TemplateJson, name: str) -> None:
    assert lifecycle(template, name)["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}


@pytest.mark.parametrize("name", ["Inbox", "Archive"])
def test_who_reads_and_writes_is_on_record_below_the_buckets_name(template: TemplateJson, name: str) -> None:
    log = bucket(template, name)["LoggingConfiguration"]
    assert text(log["DestinationBucketName"]).startswith("${AccessLogs")
    assert log["LogFilePrefix"] == f"{name}/"


@pytest.mark.parametrize("name", ["Inbox", "Archive"])
def test_s3_may_deliver_logs_of_this_accounts_bucket_below_its_name_only(template: TemplateJson, name: str) -> None:
    (delivery,) = [one for one in statements(template, "AccessLogsPolicy") if one.resources[0].endswith(f"/{name}/*")]
    assert delivery.allows
    assert (delivery.actions, delivery.principals) == (["s3:PutObject"], ["logging.s3.amazonaws.com"])
    assert text(delivery.conditions["ArnLike"]["aws:SourceArn"]).startswith(f"${{{name}")
    assert delivery.conditions["StringEquals"] == {"aws:SourceAccount": ACCOUNT}


@pytest.mark.parametrize(("name", "told"), [("Inbox", True), ("Archive", False)])
def test_eventbridge_is_told_where_that_was_asked_for(template: TemplateJson, name: str, told: bool) -> None:  # noqa: FBT001 - pytest passes parameters by name
    notification = {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}
    assert bucket(template, name).get("NotificationConfiguration") == (notification if told else None)


def test_events_are_sent_without_a_lambda_behind_cloudformations_back(template: TemplateJson) -> None:
    types = {resource["Type"] for resource in template["Resources"].values()}
    assert types == {"AWS::KMS::Key", "AWS::S3::Bucket", "AWS::S3::BucketPolicy"}
