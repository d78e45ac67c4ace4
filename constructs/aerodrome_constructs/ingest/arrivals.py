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

OBJECT_AS_INPUT = "$.detail"
"""What of the event a target that takes any JSON is given: as JSON, of which no key can make anything else.

``bucket.name``, and of ``object`` the ``key``, ``version-id`` and ``size``, the last of them a number.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
"""

# EventBridge does not encode keys as S3's own notifications do.
_PATHS = {
    "bucket": "$.detail.bucket.name",
    "key": "$.detail.object.key",
    "version": "$.detail.object.version-id",
    "size": "$.detail.object.size",
}
# A text gets its quotation marks from EventBridge, and nothing in it is escaped
# (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html, "Common issues"): a key with
# a quotation mark in it would end the text there and go on with members of its own, such as another command for the
# job. A pattern cannot ask for a prefix and against a character at once, as a field's tests are alternatives. So the
# bucket's policy refuses such keys (PrivateBucketProps.refused_characters), and the key is here twice: what goes on
# after a text in an array, and what does in an object, are not JSON in the place of each other. AWS Batch leaves `Key`
# alone.
#
# The size is a number, and AWS Batch takes texts only: it gets its quotation marks here.
_PARAMETERS = (
    '{"Key": [<key>], "Parameters": {"bucket": <bucket>, "key": <key>, "version": <version>, "size": "<size>"}}'
)


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


def object_as_parameters() -> events.CfnRule.InputTransformerProperty:
    """The object for a job: parameters ``bucket``, ``key``, ``version`` and ``size``, as texts.

    An object whose key has a quotation mark in it makes no job: its event goes to the target's dead-letter queue.
    """
    return events.CfnRule.InputTransformerProperty(input_paths_map=_PATHS, input_template=_PARAMETERS)
