from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from aws_cdk import aws_kms as kms

from aerodrome_constructs.storage import AccessLogBucket, AccessLogBucketProps, PrivateBucket, PrivateBucketProps
from aerodrome_constructs.storage.lifecycle import lifecycle_rules
from tests.constructs.storage.requests import ALGORITHM, CUSTOMER_ALGORITHM, HTTPS, KEY, OLD_TLS, PLAIN_HTTP, refused
from tests.templates import ACCOUNT, TemplateJson, new_stack, plain, resources, statements, synthesized, text, with_id

BUCKETS = ["AccessLogs", "Inbox", "Archive"]


@pytest.fixture(scope="module")
def template() -> TemplateJson:
    """A bucket that forgets, and one that keeps everything as cheaply as it can."""
    stack = new_stack()
    key = kms.Key(stack, "Key")
    access_logs = AccessLogBucket(stack, "AccessLogs", AccessLogBucketProps(expire_after=timedelta(days=90))).bucket
    inbox = PrivateBucketProps(
        key=key,
        access_logs=access_logs,
        expire_objects_after=timedelta(days=14),
        expire_prefixes_after={"ours/test/": timedelta(days=2), "theirs/test/": timedelta(days=14)},
        expire_versions_after=timedelta(days=3),
    )
    PrivateBucket(stack, "Inbox", inbox)
    archive = PrivateBucketProps(
        key=key, access_logs=access_logs, intelligent_tiering=True, refused_characters=("#", '"')
    )
    PrivateBucket(stack, "Archive", archive)
    return synthesized(stack)


def bucket(template: TemplateJson, name: str) -> Mapping[str, Any]:
    return with_id(template, "AWS::S3::Bucket", name)


def lifecycle(template: TemplateJson, name: str, rule_id: str = "expire") -> Mapping[str, Any]:
    (rule,) = [one for one in bucket(template, name)["LifecycleConfiguration"]["Rules"] if one["Id"] == rule_id]
    assert rule["Status"] == "Enabled"
    return dict(rule)


def policy(template: TemplateJson, name: str) -> list[Mapping[str, Any]]:
    """The statements of a bucket's policy, with references as text."""
    return [plain(one.document) for one in statements(template, f"{name}Policy")]


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


@pytest.mark.parametrize("name", BUCKETS)
@pytest.mark.parametrize("action", ["s3:GetObject", "s3:PutObject", "s3:ListBucket", "s3:DeleteObject"])
def test_a_request_passes_over_tls_only(template: TemplateJson, name: str, action: str) -> None:
    assert refused(policy(template, name), action, PLAIN_HTTP)
    assert refused(policy(template, name), action, OLD_TLS)
    assert not refused(policy(template, name), action, HTTPS)


@pytest.mark.parametrize("name", ["Inbox", "Archive"])
@pytest.mark.parametrize(
    "wish",
    [
        {ALGORITHM: "AES256"},
        {ALGORITHM: "aws:kms"},
        {ALGORITHM: "aws:kms:dsse", KEY: "ours"},
        {ALGORITHM: "aws:kms", KEY: "arn:aws:kms:eu-west-1:999988887777:key/another"},
        {CUSTOMER_ALGORITHM: "AES256"},
    ],
    ids=["no key", "the key of S3", "twice", "another key", "a key that the writer keeps"],
)
def test_an_object_is_encrypted_with_the_buckets_key_or_not_written(
    template: TemplateJson, name: str, wish: Mapping[str, str]
) -> None:
    ours = text(encryption(template, name)["ServerSideEncryptionByDefault"]["KMSMasterKeyID"])
    named = {key: ours if value == "ours" else value for key, value in wish.items()}
    assert refused(policy(template, name), "s3:PutObject", {**HTTPS, **named})


@pytest.mark.parametrize("name", ["Inbox", "Archive"])
def test_a_writer_may_name_the_buckets_key_or_say_nothing(template: TemplateJson, name: str) -> None:
    ours = text(encryption(template, name)["ServerSideEncryptionByDefault"]["KMSMasterKeyID"])
    assert not refused(policy(template, name), "s3:PutObject", HTTPS)
    assert not refused(policy(template, name), "s3:PutObject", {**HTTPS, ALGORITHM: "aws:kms", KEY: ours})


@pytest.mark.parametrize("name", BUCKETS)
def test_what_was_overwritten_can_be_restored(template: TemplateJson, name: str) -> None:
    assert bucket(template, name)["VersioningConfiguration"] == {"Status": "Enabled"}


@pytest.mark.parametrize(("name", "days"), [("AccessLogs", 30), ("Inbox", 3), ("Archive", 30)])
def test_old_versions_go_in_the_end(template: TemplateJson, name: str, days: int) -> None:
    assert lifecycle(template, name)["NoncurrentVersionExpiration"] == {"NoncurrentDays": days}


@pytest.mark.parametrize(("name", "days"), [("AccessLogs", 90), ("Inbox", 14), ("Archive", None)])
def test_objects_go_when_they_should_and_not_before(template: TemplateJson, name: str, days: int | None) -> None:
    assert lifecycle(template, name).get("ExpirationInDays") == days


@pytest.mark.parametrize(("prefix", "days"), [("ours/test/", 2), ("theirs/test/", 14)])
def test_a_prefix_may_have_a_shorter_life(template: TemplateJson, prefix: str, days: int) -> None:
    rule = lifecycle(template, "Inbox", f"expire {prefix}")
    assert (rule["Prefix"], rule["ExpirationInDays"]) == (prefix, days)
    assert "Prefix" not in lifecycle(template, "Inbox"), "the rule for everything else is for everything"


@pytest.mark.parametrize("name", BUCKETS)
def test_uploads_that_nobody_finished_are_aborted(template: TemplateJson, name: str) -> None:
    assert lifecycle(template, name, "tidy")["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}


@pytest.mark.parametrize("name", BUCKETS)
def test_delete_markers_that_hide_nothing_go(template: TemplateJson, name: str) -> None:
    rule = lifecycle(template, name, "tidy")
    assert rule["ExpiredObjectDeleteMarker"] is True
    assert "ExpirationInDays" not in rule, "S3 refuses the two in one rule"


@pytest.mark.parametrize(("name", "tiers"), [("AccessLogs", None), ("Inbox", None), ("Archive", "INTELLIGENT_TIERING")])
def test_what_is_kept_and_not_read_gets_cheaper_where_asked_for(
    template: TemplateJson, name: str, tiers: str | None
) -> None:
    transitions = lifecycle(template, name).get("Transitions", [])
    assert transitions == ([{"StorageClass": tiers, "TransitionInDays": 0}] if tiers else [])


def test_a_prefix_cannot_outlive_the_bucket() -> None:
    with pytest.raises(ValueError, match=r"below ours/ would be kept 30 days, but all objects .* after 14: .* 30 days"):
        lifecycle_rules(
            expire_objects_after=timedelta(days=14),
            expire_prefixes_after={"ours/": timedelta(days=30)},
            expire_versions_after=timedelta(days=1),
            intelligent_tiering=False,
        )


def test_there_are_no_more_rules_than_s3_takes() -> None:
    def rules(number: int) -> int:
        return len(
            lifecycle_rules(
                expire_objects_after=None,
                expire_prefixes_after={f"{one}/": timedelta(days=1) for one in range(number)},
                expire_versions_after=timedelta(days=1),
                intelligent_tiering=False,
            )
        )

    assert rules(998) == 1000
    with pytest.raises(ValueError, match=r"999 prefixes .* S3 takes 1,000 lifecycle rules .* leaves 998"):
        rules(999)


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


@pytest.mark.parametrize("name", ["Inbox", "Archive"])
def test_what_there_is_is_listed_every_week_beside_the_logs(template: TemplateJson, name: str) -> None:
    (inventory,) = bucket(template, name)["InventoryConfigurations"]
    assert (inventory["Enabled"], inventory["ScheduleFrequency"]) == (True, "Weekly")
    assert inventory["IncludedObjectVersions"] == "All"
    assert "EncryptionStatus" in inventory["OptionalFields"]
    destination = inventory["Destination"]
    assert text(destination["BucketArn"]).startswith("${AccessLogs")
    assert (destination["Prefix"], destination["BucketAccountId"]) == ("inventory", ACCOUNT)


@pytest.mark.parametrize("name", ["Inbox", "Archive"])
def test_s3_may_deliver_inventories_of_this_accounts_bucket_only(template: TemplateJson, name: str) -> None:
    (delivery,) = [one for one in policy(template, "AccessLogs") if one.get("Sid") == f"Inventory{name}"]
    assert (delivery["Effect"], delivery["Action"]) == ("Allow", "s3:PutObject")
    assert delivery["Principal"] == {"Service": "s3.amazonaws.com"}
    assert f"/inventory/${{{name}" in delivery["Resource"]
    assert delivery["Condition"]["ArnLike"]["aws:SourceArn"].startswith(f"${{{name}")
    assert delivery["Condition"]["StringEquals"] == {
        "aws:SourceAccount": ACCOUNT,
        "s3:x-amz-acl": "bucket-owner-full-control",
    }


@pytest.mark.parametrize("name", ["Inbox", "Archive"])
def test_eventbridge_is_told(template: TemplateJson, name: str) -> None:
    assert bucket(template, name)["NotificationConfiguration"] == {
        "EventBridgeConfiguration": {"EventBridgeEnabled": True}
    }


def test_events_are_sent_without_a_lambda_behind_cloudformations_back(template: TemplateJson) -> None:
    types = {resource["Type"] for resource in template["Resources"].values()}
    assert types == {"AWS::KMS::Key", "AWS::S3::Bucket", "AWS::S3::BucketPolicy"}


@pytest.mark.parametrize("action", ["s3:PutObject", "s3:ReplicateObject"])
@pytest.mark.parametrize(("key", "possible"), [("a/b.csv", True), ('a/"b', False), ("#", False), ("a/b#c", False)])
def test_a_key_with_a_character_that_is_not_wanted_is_refused(
    template: TemplateJson, action: str, key: str, *, possible: bool
) -> None:
    assert refused(policy(template, "Archive"), action, HTTPS, key) is not possible
    assert not refused(policy(template, "Inbox"), action, HTTPS, key), "only where it is asked for"
