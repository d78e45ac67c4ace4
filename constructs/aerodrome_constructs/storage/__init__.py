"""S3 buckets."""

from aerodrome_constructs.storage.bucket import (
    AccessLogBucket,
    AccessLogBucketProps,
    PrivateBucket,
    PrivateBucketProps,
)

__all__ = ["AccessLogBucket", "AccessLogBucketProps", "PrivateBucket", "PrivateBucketProps"]
