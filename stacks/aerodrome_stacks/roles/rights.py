"""What one role may do, as an area of the platform says it and the Identity stack makes it."""

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import aws_iam as iam

from aerodrome_constructs.identity import (
    EVERYTHING,
    BucketAccess,
    ServiceAccount,
    bucket_statements,
    object_wildcards,
)

OBJECTS = (
    "objects get their names when they are written: rights end at a bucket or a prefix in it, and name each action"
)
"""Why the policies of those who reach objects have wildcards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleRights:
    """The rights of one service account.

    Attributes:
        construct_id: The role's ID. It never changes: the role would be another one.
        service_account: Who takes the role.
        statements: What it may do.
        because: Why some of its rights have wildcards, where some do.
        wildcards: Those wildcards, as the security packs name them.
        policies: Policies beside the role's own, for what does not fit into it.
    """

    construct_id: str
    service_account: ServiceAccount
    statements: Sequence[iam.PolicyStatement]
    because: str = ""
    wildcards: Sequence[str] = ()
    policies: Sequence[iam.IManagedPolicy] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRegion:
    """Where ARNs are: each question to the CDK goes to another process, so it is asked once.

    Attributes:
        partition: The AWS partition.
        region: The region.
        account: The account's number.
    """

    partition: str
    region: str
    account: str

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource of a service in this account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataBuckets:
    """The buckets with the platform's data, which one key encrypts.

    Attributes:
        key_arn: The key.
        region: The buckets' region.
    """

    key_arn: str
    region: str

    def statements(self, access: Sequence[BucketAccess]) -> list[iam.PolicyStatement]:
        """The rights that a set of accesses comes to."""
        return bucket_statements(access, key_arn=self.key_arn, region=self.region)

    def role(self, construct_id: str, service_account: ServiceAccount, access: Sequence[BucketAccess]) -> RoleRights:
        """The rights of who reaches objects and nothing else."""
        return RoleRights(
            construct_id=construct_id,
            service_account=service_account,
            statements=self.statements(access),
            because=OBJECTS,
            wildcards=object_wildcards(access),
        )


def whole(bucket_arn: str) -> BucketAccess:
    """All objects of a bucket, to read, write, list and delete."""
    everything = (EVERYTHING,)
    return BucketAccess(bucket_arn=bucket_arn, read=everything, write=everything, delete=everything, list_all=True)
