"""What a role may do in buckets, down to the prefix, and with the key that encrypts them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3

from aerodrome_constructs.identity.statements import allow

EVERYTHING = "*"
"""The pattern of all objects of a bucket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketAccess:
    """Which objects of one bucket somebody may reach. Patterns are those of IAM: ``*`` stands for any characters.

    Attributes:
        bucket_arn: The bucket.
        read: Patterns of the keys of objects that may be read.
        write: Patterns of the keys of objects that may be written.
        delete: Patterns of the keys of objects that may be deleted.
        list_all: Whether all keys of the bucket may be listed. Else only those that begin with one of the patterns. S3
            tells only those who may list all that an object is missing (404); others are refused (403).
        versions: Whether what may be read may be read in each of its versions, by the version's ID.
    """

    bucket_arn: str
    read: Sequence[str] = ()
    write: Sequence[str] = ()
    delete: Sequence[str] = ()
    list_all: bool = False
    versions: bool = False


def bucket_statements(access: Sequence[BucketAccess], *, key_arn: str, region: str) -> list[iam.PolicyStatement]:
    """The rights that a set of accesses comes to.

    S3 allows what it does with the key's help only: the key is used through S3, and for these buckets. With a bucket
    key, the encryption context of every object is the bucket's ARN
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html).

    Args:
        access: What may be reached, a bucket each.
        key_arn: The key that encrypts all these buckets, which have a bucket key.
        region: The buckets' region.
    """
    granted = [
        (["s3:GetObject"], _arns((one.bucket_arn, one.read) for one in access)),
        (["s3:GetObjectVersion"], _arns((one.bucket_arn, one.read) for one in access if one.versions)),
        (["s3:AbortMultipartUpload", "s3:PutObject"], _arns((one.bucket_arn, one.write) for one in access)),
        (["s3:DeleteObject"], _arns((one.bucket_arn, one.delete) for one in access)),
    ]
    statements = [allow(actions, resources) for actions, resources in granted if resources]
    statements += [
        allow(["s3:ListBucket"], [one.bucket_arn], {"StringLike": {"s3:prefix": _prefixes(one)}})
        for one in access
        if not one.list_all
    ]
    listed = [one.bucket_arn for one in access if one.list_all]
    if listed:
        statements.append(allow(["s3:ListBucket"], listed))
    key_actions = ["kms:Decrypt", *(["kms:GenerateDataKey"] if any(one.write for one in access) else [])]
    return [*statements, key_statement(key_actions, key_arn, region, [one.bucket_arn for one in access])]


def object_wildcards(access: Sequence[BucketAccess]) -> list[str]:
    """What the security packs find in :func:`bucket_statements`: the patterns of objects, which they call wildcards.

    Args:
        access: What may be reached.
    """
    patterns = {pattern for one in access for pattern in (*one.read, *one.write, *one.delete)}
    return [f"Resource::<*.Arn>/{pattern.replace('*', '[*]')}" for pattern in sorted(patterns)]


def key_statement(actions: Sequence[str], key_arn: str, region: str, bucket_arns: Sequence[str]) -> iam.PolicyStatement:
    """The right to use a key through S3, for certain buckets.

    Args:
        actions: What may be done with the key, such as ``kms:Decrypt``.
        key_arn: The key.
        region: The buckets' region.
        bucket_arns: The buckets, which have a bucket key.
    """
    via_s3 = {"kms:ViaService": f"s3.{region}.amazonaws.com", "kms:EncryptionContext:aws:s3:arn": list(bucket_arns)}
    return allow(actions, [key_arn], {"StringEquals": via_s3})


def key_arn_of(bucket: s3.IBucket) -> str:
    """The ARN of the key that encrypts a bucket.

    Raises:
        ValueError: If the bucket has no key of its own, and so nothing that rights could be given in.
    """
    if bucket.encryption_key is None:
        raise ValueError(f"{bucket.node.path} has no customer-managed key; encrypt it with one to give rights in it")
    return bucket.encryption_key.key_arn


def _arns(patterns: Iterable[tuple[str, Sequence[str]]]) -> list[str]:
    return [f"{bucket_arn}/{pattern}" for bucket_arn, of_bucket in patterns for pattern in of_bucket]


def _prefixes(access: BucketAccess) -> list[str]:
    patterns = list(dict.fromkeys([*access.read, *access.write, *access.delete]))
    # What another one takes in would say nothing more, and a role has 10,240 characters.
    return [
        pattern
        for pattern in patterns
        if not any(other != pattern and other.endswith("*") and pattern.startswith(other[:-1]) for other in patterns)
    ]
