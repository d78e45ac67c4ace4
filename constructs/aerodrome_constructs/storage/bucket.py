"""S3 buckets as the platform wants them: private, TLS only, encrypted, versioned, and retained."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from aerodrome_constructs.escape_hatch import resource_of
from aerodrome_constructs.policy import acknowledge
from aerodrome_constructs.policy.known_rules import BUCKET_KMS, BUCKET_REPLICATION
from aerodrome_constructs.storage.encryption import refuse_other_encryption
from aerodrome_constructs.storage.lifecycle import lifecycle_rules
from aerodrome_constructs.storage.retained import retained_bucket

# How long somebody has to notice that an object was overwritten or deleted by mistake.
_EXPIRE_VERSIONS_AFTER = timedelta(days=30)

_INVENTORY_PREFIX = "inventory"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateBucketProps:
    """What a private bucket needs to know.

    Attributes:
        key: The key that encrypts the objects. A bucket key keeps the number of calls to KMS, and their price, low.
        access_logs: The bucket that records who read and wrote what, below a prefix named after this bucket, and once
            a week which objects there are, below ``inventory/``.
        expire_objects_after: How long objects are kept, in whole days. None: for ever.
        expire_prefixes_after: How long objects below a prefix are kept, in whole days, by prefix; at most
            ``expire_objects_after``. Default: as all others.
        expire_versions_after: How long a version that was overwritten or deleted can still be restored, in whole days.
        intelligent_tiering: Whether S3 moves objects that nobody reads to cheaper storage, and back when they are
            read. It is worth its fee for objects above 128 KB that are kept for months and seldom read.
        refused_characters: What the key of no object may have in it. Default: S3's own rules alone.
    """

    key: kms.IKey
    access_logs: s3.IBucket
    expire_objects_after: timedelta | None = None
    expire_prefixes_after: Mapping[str, timedelta] = field(default_factory=dict)
    expire_versions_after: timedelta = _EXPIRE_VERSIONS_AFTER
    intelligent_tiering: bool = False
    refused_characters: Collection[str] = ()


class PrivateBucket(Construct):
    """A private bucket for data that must not be lost. It stays when its stack goes.

    EventBridge is told of every new and deleted object: jobs start by it, and AWS Backup needs it
    (https://docs.aws.amazon.com/aws-backup/latest/devguide/s3-backups.html).

    Attributes:
        bucket: The bucket.

    Raises:
        ValueError: A prefix is kept longer than the bucket's objects, or there are too many prefixes.
    """

    def __init__(self, scope: Construct, construct_id: str, props: PrivateBucketProps) -> None:
        super().__init__(scope, construct_id)
        self.bucket = retained_bucket(
            self,
            "Resource",
            key=props.key,
            lifecycle_rules=lifecycle_rules(
                expire_objects_after=props.expire_objects_after,
                expire_prefixes_after=props.expire_prefixes_after,
                expire_versions_after=props.expire_versions_after,
                intelligent_tiering=props.intelligent_tiering,
            ),
            access_logs=props.access_logs,
            access_logs_prefix=f"{construct_id}/",
        )
        acknowledge(
            self.bucket,
            BUCKET_REPLICATION,
            reason="S3 keeps objects in three zones, and versions bring back what is overwritten or deleted; what must "
            "outlive the region is copied to another by AWS Backup, into a vault that can be locked",
        )
        refuse_other_encryption(self.bucket, props.key)
        if props.refused_characters:
            _refuse_keys(self.bucket, props.refused_characters)
        _send_events(self.bucket)
        _take_inventory(self.bucket, construct_id, props.access_logs)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessLogBucketProps:
    """What a bucket for access logs needs to know.

    Attributes:
        expire_after: How long the logs are kept, in whole days.
    """

    expire_after: timedelta


class AccessLogBucket(Construct):
    """The bucket that other buckets write their access logs and inventories to.

    Encrypted with S3's own key: S3 does not deliver access logs to a bucket whose default is a customer-managed key
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html). Versioned, so that a log
    that somebody deletes to hide their tracks can still be read.

    Attributes:
        bucket: The bucket.
    """

    def __init__(self, scope: Construct, construct_id: str, props: AccessLogBucketProps) -> None:
        super().__init__(scope, construct_id)
        self.bucket = retained_bucket(
            self,
            "Resource",
            lifecycle_rules=lifecycle_rules(
                expire_objects_after=props.expire_after,
                expire_prefixes_after={},
                expire_versions_after=_EXPIRE_VERSIONS_AFTER,
                intelligent_tiering=False,
            ),
        )
        acknowledge(
            self.bucket,
            BUCKET_KMS,
            reason="S3 delivers no access logs to a bucket whose default is a customer-managed key",
        )
        acknowledge(
            self.bucket,
            BUCKET_REPLICATION,
            reason="S3 keeps the logs in three zones, and versions bring back what is deleted; they end after their "
            "retention, and nothing here is promised to outlive the region",
        )


def _refuse_keys(bucket: s3.Bucket, characters: Collection[str]) -> None:
    # Copies and uploads in parts are PutObject, too.
    bucket.add_to_resource_policy(
        iam.PolicyStatement(
            sid="RefuseKeys",
            effect=iam.Effect.DENY,
            principals=[iam.AnyPrincipal()],
            actions=["s3:PutObject", "s3:ReplicateObject"],
            resources=[bucket.arn_for_objects(f"*{character}*") for character in characters],
        )
    )


def _send_events(bucket: s3.Bucket) -> None:
    # The L2's `event_bridge_enabled` goes through a Lambda that edits the bucket's notifications behind
    # CloudFormation's back; the property itself does the same in the template, where a reader sees it.
    resource_of(bucket, s3.CfnBucket).add_property_override(
        "NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled", value=True
    )


def _take_inventory(bucket: s3.Bucket, name: str, destination: s3.IBucket) -> None:
    """List all objects and versions once a week: what there is, how large, encrypted how, in which tier.

    The statement is the one of
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/example-bucket-policies.html#example-bucket-policies-s3-inventory-1
    bound to the inventory's own prefix. The L2's `inventories` would leave out the account and the owner's rights.
    """
    account = cdk.Stack.of(bucket).account
    resource_of(bucket, s3.CfnBucket).inventory_configurations = [
        s3.CfnBucket.InventoryConfigurationProperty(
            id="weekly",
            enabled=True,
            destination=s3.CfnBucket.DestinationProperty(
                bucket_arn=destination.bucket_arn,
                bucket_account_id=account,
                format="Parquet",
                prefix=_INVENTORY_PREFIX,
            ),
            included_object_versions="All",
            schedule_frequency="Weekly",
            optional_fields=[
                "BucketKeyStatus",
                "EncryptionStatus",
                "IntelligentTieringAccessTier",
                "LastModifiedDate",
                "Size",
                "StorageClass",
            ],
        )
    ]
    destination.add_to_resource_policy(
        iam.PolicyStatement(
            sid=f"Inventory{name}",
            principals=[iam.ServicePrincipal("s3.amazonaws.com")],
            actions=["s3:PutObject"],
            resources=[destination.arn_for_objects(f"{_INVENTORY_PREFIX}/{bucket.bucket_name}/*")],
            conditions={
                "ArnLike": {"aws:SourceArn": bucket.bucket_arn},
                "StringEquals": {"aws:SourceAccount": account, "s3:x-amz-acl": "bucket-owner-full-control"},
            },
        )
    )
