"""S3 buckets as the platform wants them: private, TLS only, encrypted, versioned, and retained."""

from dataclasses import dataclass
from datetime import timedelta

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from aerodrome_constructs.escape_hatch import resource_of

# An upload that nobody finished is paid for until it is aborted, and shows in no listing.
_ABORT_UPLOADS_AFTER = cdk.Duration.days(7)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateBucketProps:
    """What a private bucket needs to know.

    Attributes:
        key: The key that encrypts the objects. A bucket key keeps the number of calls to KMS, and their price, low.
        access_logs: The bucket that records who read and wrote what, below a prefix named after this bucket.
        expire_objects_after: How long objects are kept, in whole days. None: for ever.
        expire_versions_after: How long a version that was overwritten or deleted can still be restored, in whole days.
        send_events: Whether EventBridge is told of every new and deleted object.
    """

    key: kms.IKey
    access_logs: s3.IBucket
    expire_objects_after: timedelta | None = None
    expire_versions_after: timedelta = timedelta(days=30)
    send_events: bool = False


class PrivateBucket(Construct):
    """A private bucket for data that must not be lost. It stays when its stack goes.

    Attributes:
        bucket: The bucket.
    """

    def __init__(self, scope: Construct, construct_id: str, props: PrivateBucketProps) -> None:
        super().__init__(scope, construct_id)
        self.bucket = s3.Bucket(
            self,
            "Resource",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            bucket_key_enabled=True,
            encryption=s3.BucketEncryption.KMS,
            encryption_key=props.key,
            enforce_ssl=True,
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="expire",
                    abort_incomplete_multipart_upload_after=_ABORT_UPLOADS_AFTER,
                    expiration=_days(props.expire_objects_after),
                    noncurrent_version_expiration=_days(props.expire_versions_after),
                )
            ],
            minimum_tls_version=1.2,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            removal_policy=cdk.RemovalPolicy.RETAIN,
            server_access_logs_bucket=props.access_logs,
            server_access_logs_prefix=f"{construct_id}/",
            versioned=True,
        )
        if props.send_events:
            _send_events(self.bucket)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessLogBucketProps:
    """What a bucket for access logs needs to know.

    Attributes:
        expire_after: How long the logs are kept, in whole days.
    """

    expire_after: timedelta


class AccessLogBucket(Construct):
    """The bucket that other buckets write their access logs to.

    Encrypted with S3's own key: S3 does not deliver access logs to a bucket whose default is a customer-managed key
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html).

    Attributes:
        bucket: The bucket.
    """

    def __init__(self, scope: Construct, construct_id: str, props: AccessLogBucketProps) -> None:
        super().__init__(scope, construct_id)
        self.bucket = s3.Bucket(
            self,
            "Resource",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            lifecycle_rules=[s3.LifecycleRule(id="expire", expiration=_days(props.expire_after))],
            minimum_tls_version=1.2,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )


def _days(duration: timedelta | None) -> cdk.Duration | None:
    return None if duration is None else cdk.Duration.days(duration.days)


def _send_events(bucket: s3.Bucket) -> None:
    # The L2's `event_bridge_enabled` goes through a Lambda that edits the bucket's notifications behind
    # CloudFormation's back; the property itself does the same in the template, where a reader sees it.
    resource_of(bucket, s3.CfnBucket).add_property_override(
        "NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled", value=True
    )
