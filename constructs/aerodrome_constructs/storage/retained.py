"""What every bucket has, whoever writes to it."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct


def retained_bucket(
    scope: Construct,
    construct_id: str,
    *,
    lifecycle_rules: Sequence[s3.LifecycleRule],
    key: kms.IKey | None = None,
    access_logs: s3.IBucket | None = None,
    access_logs_prefix: str | None = None,
) -> s3.Bucket:
    """Make a bucket that is private, TLS only, versioned, its owner's alone, and stays when its stack goes.

    Args:
        scope: What the bucket belongs to.
        construct_id: Its ID there.
        lifecycle_rules: When objects and their old versions end.
        key: The key that encrypts the objects, with a bucket key. Default: S3's own, for services that write under no
            other.
        access_logs: The bucket that records who read and wrote what. Default: nobody does.
        access_logs_prefix: What the records' names begin with.
    """
    return s3.Bucket(
        scope,
        construct_id,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        bucket_key_enabled=None if key is None else True,
        encryption=s3.BucketEncryption.S3_MANAGED if key is None else s3.BucketEncryption.KMS,
        encryption_key=key,
        enforce_ssl=True,
        lifecycle_rules=list(lifecycle_rules),
        minimum_tls_version=1.2,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        removal_policy=cdk.RemovalPolicy.RETAIN,
        server_access_logs_bucket=access_logs,
        server_access_logs_prefix=access_logs_prefix,
        versioned=True,
    )
