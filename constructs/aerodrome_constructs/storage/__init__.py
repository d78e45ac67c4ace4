"""S3 buckets."""

from aerodrome_constructs.storage.bucket import AccessLogBucket, PrivateBucket, PrivateBucketProps

__all__ = ["AccessLogBucket", "PrivateBucket", "PrivateBucketProps"]
