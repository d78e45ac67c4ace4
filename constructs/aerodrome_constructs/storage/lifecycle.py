"""What becomes of the objects of a bucket as they grow old."""

from collections.abc import Mapping
from datetime import timedelta

import aws_cdk as cdk
from aws_cdk import aws_s3 as s3

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-to-set-lifecycle-configuration-intro.html
_MOST_RULES = 1000

# An upload that nobody finished is paid for until it is aborted, and shows in no listing.
_ABORT_UPLOADS_AFTER = cdk.Duration.days(7)


def lifecycle_rules(
    *,
    expire_objects_after: timedelta | None,
    expire_prefixes_after: Mapping[str, timedelta],
    expire_versions_after: timedelta,
    intelligent_tiering: bool,
) -> list[s3.LifecycleRule]:
    """The lifecycle rules of a bucket.

    Args:
        expire_objects_after: How long objects are kept, in whole days. None: for ever.
        expire_prefixes_after: How long objects below a prefix are kept, in whole days, by prefix.
        expire_versions_after: How long a version that was overwritten or deleted can be restored, in whole days.
        intelligent_tiering: Whether S3 moves objects that nobody reads to cheaper storage, and back when they are read.

    Raises:
        ValueError: A prefix is kept longer than the bucket's objects, or there are more prefixes than S3 takes rules.
    """
    general = [
        s3.LifecycleRule(
            id="expire",
            expiration=_days(expire_objects_after),
            noncurrent_version_expiration=_days(expire_versions_after),
            transitions=[_TIERING] if intelligent_tiering else None,
        ),
        # S3 takes the removal of delete markers that hide nothing any more in no rule that expires objects, too.
        s3.LifecycleRule(
            id="tidy", abort_incomplete_multipart_upload_after=_ABORT_UPLOADS_AFTER, expired_object_delete_marker=True
        ),
    ]
    _check(expire_objects_after, expire_prefixes_after, _MOST_RULES - len(general))
    return general + [
        s3.LifecycleRule(id=f"expire {prefix}", prefix=prefix, expiration=_days(period))
        for prefix, period in expire_prefixes_after.items()
    ]


# At once, as there is nothing to wait for: what is read stays as fast and as dear as in S3 Standard. Objects below
# 128 KB stay where they are, as S3 moves none of them unless told to. The archive tiers are not switched on: what is in
# them must be asked for hours before it is read, which no client here does.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/intelligent-tiering-overview.html
_TIERING = s3.Transition(
    storage_class=s3.StorageClass.INTELLIGENT_TIERING,
    transition_after=cdk.Duration.days(0),
)


def _days(duration: timedelta | None) -> cdk.Duration | None:
    return None if duration is None else cdk.Duration.days(duration.days)


def _check(general: timedelta | None, prefixes: Mapping[str, timedelta], most: int) -> None:
    if len(prefixes) > most:
        raise ValueError(
            f"{len(prefixes):,} prefixes with a period of their own; S3 takes {_MOST_RULES:,} lifecycle rules for a "
            f"bucket, which leaves {most:,}: give fewer prefixes, or spread them over two buckets"
        )
    # Where two rules fit an object, S3 takes the shorter period: a longer one for a prefix would do nothing.
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-conflicts.html
    for prefix, period in prefixes.items():
        if general is not None and period > general:
            raise ValueError(
                f"objects below {prefix} would be kept {period.days} days, but all objects of the bucket go after "
                f"{general.days}: let the bucket keep objects for at least {period.days} days"
            )
