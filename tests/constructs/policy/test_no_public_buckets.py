import pytest

from aerodrome_constructs.policy.no_public_buckets import RULE
from tests.constructs.policy.findings import findings, resource

BLOCK = {
    "BlockPublicAcls": True,
    "BlockPublicPolicy": True,
    "IgnorePublicAcls": True,
    "RestrictPublicBuckets": True,
}


def test_a_bucket_that_blocks_all_is_right() -> None:
    assert findings(RULE, Data=resource("AWS::S3::Bucket", PublicAccessBlockConfiguration=BLOCK)) == []


@pytest.mark.parametrize("name", BLOCK)
def test_three_blocks_of_four_are_not_enough(name: str) -> None:
    bucket = resource("AWS::S3::Bucket", PublicAccessBlockConfiguration={**BLOCK, name: False})
    assert findings(RULE, Data=bucket) == [f"Data Properties.PublicAccessBlockConfiguration: not true: {name}"]


def test_a_bucket_that_says_nothing_is_found() -> None:
    (finding,) = findings(RULE, Data=resource("AWS::S3::Bucket"))
    assert all(name in finding for name in BLOCK)


@pytest.mark.parametrize("acl", ["PublicRead", "PublicReadWrite", "AuthenticatedRead"])
def test_a_public_acl_is_found(acl: str) -> None:
    bucket = resource("AWS::S3::Bucket", PublicAccessBlockConfiguration=BLOCK, AccessControl=acl)
    assert findings(RULE, Data=bucket) == [f"Data Properties.AccessControl: AccessControl is {acl}"]


def test_a_website_is_found() -> None:
    website = {"IndexDocument": "index.html"}
    bucket = resource("AWS::S3::Bucket", PublicAccessBlockConfiguration=BLOCK, WebsiteConfiguration=website)
    assert len(findings(RULE, Data=bucket)) == 1
