"""No bucket can be read or listed from outside, whatever a later policy or ACL says."""

from collections.abc import Iterator

from aerodrome_constructs.policy.rule import Finding, Rule, found
from aerodrome_constructs.policy.template import Stacks

_BLOCKS = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")


def _check(stacks: Stacks) -> Iterator[Finding]:
    for stack in stacks:
        for bucket in stack.of_type("AWS::S3::Bucket"):
            block = bucket.properties.get("PublicAccessBlockConfiguration", {})
            missing = [name for name in _BLOCKS if block.get(name) is not True]
            if missing:
                yield found(bucket, f"not true: {', '.join(missing)}", "PublicAccessBlockConfiguration")
            acl = bucket.properties.get("AccessControl", "Private")
            if acl.startswith(("PublicRead", "AuthenticatedRead")):
                yield found(bucket, f"AccessControl is {acl}", "AccessControl")
            if "WebsiteConfiguration" in bucket.properties:
                yield found(bucket, "the bucket is a website, which anybody may read", "WebsiteConfiguration")


RULE = Rule(
    name="no-public-buckets",
    asks="Every bucket blocks public ACLs and public policies, all four ways.",
    mend="make it a PrivateBucket, or set block_public_access=BlockPublicAccess.BLOCK_ALL",
    check=_check,
)
