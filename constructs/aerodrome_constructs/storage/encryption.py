"""Holds writers to a bucket's own key."""

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3

_ALGORITHM = "s3:x-amz-server-side-encryption"
_KEY = "s3:x-amz-server-side-encryption-aws-kms-key-id"
_CUSTOMER_ALGORITHM = "s3:x-amz-server-side-encryption-customer-algorithm"


def refuse_other_encryption(bucket: s3.Bucket, key: kms.IKey) -> None:
    """Refuse objects that a writer wants encrypted otherwise than with the bucket's key.

    A request that says nothing of encryption gets the bucket's default, and passes. One that names another key could
    take an object out of the reach of those who may read the bucket; with a key that only the writer has (SSE-C),
    out of the reach of everybody else, which extortionists have done.

    The conditions see what a request says, not what the bucket makes of it. An operator that negates is also true
    where the request does not name the thing, hence ``Null`` beside it
    (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html).

    Args:
        bucket: The bucket.
        key: The bucket's key.
    """
    refused: dict[str, dict[str, dict[str, str]]] = {
        "RefuseOtherKeys": {"StringNotEquals": {_KEY: key.key_arn}, "Null": {_KEY: "false"}},
        "RefuseOtherAlgorithms": {"StringNotEquals": {_ALGORITHM: "aws:kms"}, "Null": {_ALGORITHM: "false"}},
        # S3 would take its own key, aws/s3, and not the bucket's.
        "RefuseKmsWithoutKey": {"StringEquals": {_ALGORITHM: "aws:kms"}, "Null": {_KEY: "true"}},
        "RefuseKeysOfTheWriter": {"Null": {_CUSTOMER_ALGORITHM: "false"}},
    }
    for sid, conditions in refused.items():
        bucket.add_to_resource_policy(
            iam.PolicyStatement(
                sid=sid,
                effect=iam.Effect.DENY,
                principals=[iam.AnyPrincipal()],
                actions=["s3:PutObject"],
                resources=[bucket.arn_for_objects("*")],
                conditions=conditions,
            )
        )
