import pytest
from aws_cdk import aws_s3 as s3

from aerodrome_constructs.escape_hatch import resource_of
from tests.templates import new_stack


def test_the_resource_below_a_construct_is_found() -> None:
    bucket = s3.Bucket(new_stack(), "Inbox")
    assert isinstance(resource_of(bucket, s3.CfnBucket), s3.CfnBucket)


def test_fails_where_the_cdk_has_put_another_resource_than_expected() -> None:
    bucket = s3.Bucket(new_stack(), "Inbox")
    with pytest.raises(TypeError, match="expected Test/Inbox/Resource to be a CfnAccessPoint, got a CfnBucket"):
        resource_of(bucket, s3.CfnAccessPoint)
