"""What EventBridge tells of an object that arrives in a bucket, and how it is handed on."""

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import aws_events as events

# A day is EventBridge's longest. What a target refuses for another reason than being busy is not tried again at all.
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
_OLDEST_SECONDS = 24 * 3600
_MOST_ATTEMPTS = 185

RETRIES = events.CfnRule.RetryPolicyProperty(
    maximum_event_age_in_seconds=_OLDEST_SECONDS, maximum_retry_attempts=_MOST_ATTEMPTS
)
"""How long a target that is busy is asked again: for a day."""

# EventBridge does not encode keys as S3's own notifications do:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
_PATHS = {
    "bucket": "$.detail.bucket.name",
    "key": "$.detail.object.key",
    "version": "$.detail.object.version-id",
    "size": "$.detail.object.size",
}
# A text gets its quotation marks from EventBridge. The size is a number, and AWS Batch takes texts only: it gets them
# here.
_OBJECT = '{"bucket": <bucket>, "key": <key>, "version": <version>, "size": "<size>"}'


def arrivals(bucket: str, prefixes: Sequence[str]) -> Mapping[str, Any]:
    """The pattern of the events of objects that arrive below one of some prefixes.

    Args:
        bucket: The bucket's name. It sends its events to EventBridge.
        prefixes: What keys begin with.
    """
    return {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [bucket]}, "object": {"key": [{"prefix": prefix} for prefix in prefixes]}},
    }


def object_as_input() -> events.CfnRule.InputTransformerProperty:
    """The object for a target that takes any JSON: its ``bucket``, ``key``, ``version`` and ``size``, as texts."""
    return events.CfnRule.InputTransformerProperty(input_paths_map=_PATHS, input_template=_OBJECT)


def object_as_parameters() -> events.CfnRule.InputTransformerProperty:
    """The object as the parameters of a job, of the same names."""
    return events.CfnRule.InputTransformerProperty(
        input_paths_map=_PATHS, input_template=f'{{"Parameters": {_OBJECT}}}'
    )
