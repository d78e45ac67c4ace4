from collections.abc import Mapping
from typing import Any

import pytest
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3

from aerodrome_constructs.identity import EVERYTHING, BucketAccess, bucket_statements, key_arn_of
from tests.iam.evaluator import Principal, Request, is_allowed
from tests.templates import new_stack

MINE, OTHER = "arn:aws:s3:::mine", "arn:aws:s3:::other"
KEY = "arn:aws:kms:eu-west-1:111122223333:key/data"
# The key's policy leaves it to the account, as those of the platform do.
KEY_POLICY = [{"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Principal": {"AWS": "111122223333"}}]


def reader(*access: BucketAccess) -> Principal:
    made = bucket_statements(access, key_arn=KEY, region="eu-west-1")
    return Principal(arn="arn:aws:iam::111122223333:role/reader", policies=[one.to_statement_json() for one in made])


def may(principal: Principal, action: str, resource: str, **context: str) -> bool:
    keys: Mapping[str, Any] = {key.replace("__", ":"): value for key, value in context.items()}
    return is_allowed(principal, Request(action=action, resource=resource, context=keys))


@pytest.fixture
def project() -> Principal:
    """Somebody who reads below ``a/`` and writes below ``a/out/`` in one bucket."""
    return reader(BucketAccess(bucket_arn=MINE, read=["a/*"], write=["a/out/*"], delete=["a/out/*"]))


@pytest.mark.parametrize(
    ("action", "key", "possible"),
    [
        ("s3:GetObject", "a/data.csv", True),
        ("s3:GetObject", "ab/data.csv", False),
        ("s3:GetObject", "b/a/data.csv", False),
        ("s3:PutObject", "a/data.csv", False),
        ("s3:PutObject", "a/out/data.csv", True),
        ("s3:AbortMultipartUpload", "a/out/data.csv", True),
        ("s3:DeleteObject", "a/out/data.csv", True),
        ("s3:DeleteObject", "a/data.csv", False),
        ("s3:DeleteObjectVersion", "a/out/data.csv", False),
        ("s3:PutObjectAcl", "a/out/data.csv", False),
    ],
)
def test_objects_end_at_the_patterns(project: Principal, action: str, key: str, *, possible: bool) -> None:
    assert may(project, action, f"{MINE}/{key}") is possible
    assert not may(project, action, f"{OTHER}/{key}")


@pytest.mark.parametrize(
    ("prefix", "possible"), [("a/", True), ("a/out/x", True), ("a", False), ("b/", False), ("", False)]
)
def test_keys_are_listed_below_the_patterns_only(project: Principal, prefix: str, *, possible: bool) -> None:
    assert may(project, "s3:ListBucket", MINE, s3__prefix=prefix) is possible


def test_a_listing_without_a_prefix_is_refused(project: Principal) -> None:
    assert not may(project, "s3:ListBucket", MINE)


def test_who_may_list_all_may_list_without_a_prefix() -> None:
    everybody = reader(BucketAccess(bucket_arn=MINE, read=[EVERYTHING], list_all=True), BucketAccess(bucket_arn=OTHER))
    assert may(everybody, "s3:ListBucket", MINE)
    assert not may(everybody, "s3:ListBucket", OTHER, s3__prefix="a/")


@pytest.mark.parametrize(
    ("context", "possible"),
    [
        ({"kms:ViaService": "s3.eu-west-1.amazonaws.com", "kms:EncryptionContext:aws:s3:arn": MINE}, True),
        ({"kms:ViaService": "s3.eu-west-1.amazonaws.com", "kms:EncryptionContext:aws:s3:arn": OTHER}, False),
        ({"kms:ViaService": "s3.eu-west-1.amazonaws.com"}, False),
        ({"kms:EncryptionContext:aws:s3:arn": MINE}, False),
        ({"kms:ViaService": "rds.eu-west-1.amazonaws.com", "kms:EncryptionContext:aws:s3:arn": MINE}, False),
    ],
    ids=str,
)
def test_the_key_is_used_through_s3_and_for_the_buckets(
    project: Principal, context: Mapping[str, str], *, possible: bool
) -> None:
    for action in ("kms:Decrypt", "kms:GenerateDataKey"):
        request = Request(action=action, resource=KEY, context=context)
        assert is_allowed(project, request, KEY_POLICY) is possible


def test_who_only_reads_encrypts_nothing() -> None:
    context = {"kms:ViaService": "s3.eu-west-1.amazonaws.com", "kms:EncryptionContext:aws:s3:arn": MINE}
    request = Request(action="kms:GenerateDataKey", resource=KEY, context=context)
    assert not is_allowed(reader(BucketAccess(bucket_arn=MINE, read=["a/*"])), request, KEY_POLICY)


def test_a_bucket_without_a_key_of_its_own_is_refused_by_name() -> None:
    stack = new_stack()
    encrypted = s3.Bucket(stack, "Encrypted", encryption_key=kms.Key(stack, "Key"))
    assert key_arn_of(encrypted)
    with pytest.raises(ValueError, match="Test/Plain has no customer-managed key"):
        key_arn_of(s3.Bucket(stack, "Plain"))
