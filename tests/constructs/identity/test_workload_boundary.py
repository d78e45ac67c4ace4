from collections.abc import Mapping
from typing import Any

import pytest

from aerodrome_constructs.identity import PROJECT_TAG, WorkloadBoundary, WorkloadBoundaryProps
from tests.iam.evaluator import Document, Principal, Request, is_allowed
from tests.templates import ACCOUNT, REGION, new_stack, only, synthesized

BUCKET = "arn:aws:s3:::data"
KEY, SECRETS_KEY = (f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{name}" for name in ("data", "secrets"))
FILES = f"arn:aws:elasticfilesystem:{REGION}:{ACCOUNT}:file-system/fs-1"
# IAM's limit for a managed policy, without white space.
LONGEST_MANAGED_POLICY = 6144
GENEROUS = {"Effect": "Allow", "Action": "*", "Resource": "*"}


@pytest.fixture(scope="module")
def policy() -> Mapping[str, Any]:
    """The boundary as it is deployed."""
    stack = new_stack()
    props = WorkloadBoundaryProps(
        bucket_arns=[BUCKET],
        data_key_arn=KEY,
        secrets_key_arn=SECRETS_KEY,
        log_groups=["/aerodrome/test/*"],
        file_system_arn=FILES,
        policy_name="test-workload-boundary",
        kept_objects=[f"{BUCKET}/*/kept/*"],
    )
    WorkloadBoundary(stack, "Boundary", props)
    return only(synthesized(stack), "AWS::IAM::ManagedPolicy")


@pytest.fixture(scope="module")
def boundary(policy: Mapping[str, Any]) -> list[Document]:
    """Its statements."""
    return list(policy["PolicyDocument"]["Statement"])


def may(boundary: list[Document], action: str, resource: str, **context: str) -> bool:
    """Whether a role that was given everything may do something."""
    role = Principal(
        arn=f"arn:aws:iam::{ACCOUNT}:role/trainer",
        policies=[GENEROUS],
        boundary=boundary,
        tags={PROJECT_TAG: "fraud-detection"},
    )
    keys = {"aws:RequestedRegion": REGION, **{key.replace("__", ":"): value for key, value in context.items()}}
    trusting = [{"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Principal": {"AWS": ACCOUNT}}]
    return is_allowed(role, Request(action=action, resource=resource, context=keys), trusting)


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("s3:GetObject", f"{BUCKET}/a"),
        ("s3:GetObject", f"{BUCKET}/a/kept/b"),
        ("s3:PutObject", f"{BUCKET}/a/b"),
        ("s3:ListBucket", BUCKET),
        ("elasticfilesystem:ClientMount", FILES),
        ("elasticfilesystem:ClientWrite", FILES),
        ("ecr:GetAuthorizationToken", "*"),
        ("ecr:BatchGetImage", f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/train"),
        ("logs:PutLogEvents", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aerodrome/test/batch:log-stream:a"),
    ],
)
def test_what_a_workload_needs_may_be_given(boundary: list[Document], action: str, resource: str) -> None:
    assert may(boundary, action, resource)


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("s3:GetObject", "arn:aws:s3:::elsewhere/a"),
        ("s3:PutBucketPolicy", BUCKET),
        ("s3:DeleteObjectVersion", f"{BUCKET}/a"),
        ("s3:PutObject", f"{BUCKET}/a/kept/b"),
        ("s3:DeleteObject", f"{BUCKET}/a/b/kept/c/d"),
        ("s3:BypassGovernanceRetention", f"{BUCKET}/a"),
        ("logs:PutLogEvents", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/cloudtrail:log-stream:a"),
        ("ecr:PutImage", f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/train"),
        ("elasticfilesystem:ClientRootAccess", FILES),
        ("elasticfilesystem:ClientMount", f"{FILES}0"),
        ("elasticfilesystem:DeleteFileSystemPolicy", FILES),
        ("kms:ScheduleKeyDeletion", KEY),
        ("ec2:RunInstances", "*"),
        ("batch:SubmitJob", f"arn:aws:batch:{REGION}:{ACCOUNT}:job-queue/jobs"),
        ("iam:CreateUser", f"arn:aws:iam::{ACCOUNT}:user/me"),
        ("iam:DeleteRolePermissionsBoundary", f"arn:aws:iam::{ACCOUNT}:role/trainer"),
        ("iam:CreatePolicyVersion", f"arn:aws:iam::{ACCOUNT}:policy/test-workload-boundary"),
        ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/trainer"),
        ("organizations:LeaveOrganization", "*"),
        ("account:CloseAccount", "*"),
        ("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/administrator"),
    ],
)
def test_what_a_workload_never_needs_cannot_be_given(boundary: list[Document], action: str, resource: str) -> None:
    assert not may(boundary, action, resource)


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("iam:CreateUser", f"arn:aws:iam::{ACCOUNT}:user/me"),
        ("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/other"),
        ("s3:PutObject", f"{BUCKET}/a/kept/b"),
    ],
)
def test_it_is_denied_even_to_whom_a_resource_names(boundary: list[Document], action: str, resource: str) -> None:
    request = Request(action=action, resource=resource, context={"aws:RequestedRegion": REGION})
    assert is_allowed(Principal(arn="arn:aws:iam::1:role/free", policies=[GENEROUS]), request)
    denials = [statement for statement in boundary if statement["Effect"] == "Deny"]
    bounded = Principal(arn="arn:aws:iam::1:role/bound", policies=[GENEROUS], boundary=[GENEROUS, *denials])
    assert not is_allowed(bounded, request)


def test_nobody_leaves_the_region(boundary: list[Document]) -> None:
    assert not may(boundary, "s3:GetObject", f"{BUCKET}/a", aws__RequestedRegion="eu-central-1")


@pytest.mark.parametrize(("owner", "possible"), [("fraud-detection", True), ("demand-forecast", False), ("", False)])
def test_secrets_are_those_of_the_roles_own_project(boundary: list[Document], owner: str, *, possible: bool) -> None:
    secret = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:token-AbCdEf"
    tag = {f"secretsmanager__ResourceTag/{PROJECT_TAG.replace(':', '__')}": owner} if owner else {}
    assert may(boundary, "secretsmanager:GetSecretValue", secret, **tag) is possible


@pytest.mark.parametrize(
    ("key", "service", "possible"),
    [(KEY, "s3", True), (KEY, "rds", False), (SECRETS_KEY, "secretsmanager", True), (SECRETS_KEY, "s3", False)],
)
def test_keys_are_used_through_their_service_only(
    boundary: list[Document], key: str, service: str, *, possible: bool
) -> None:
    context = {"kms__ViaService": f"{service}.{REGION}.amazonaws.com", "kms__EncryptionContext__aws__s3__arn": BUCKET}
    assert may(boundary, "kms:Decrypt", key, **context) is possible
    assert not may(boundary, "kms:Decrypt", key)


def test_it_gives_nothing_by_itself(policy: Mapping[str, Any]) -> None:
    assert not {"Roles", "Users", "Groups"} & set(policy)
    assert policy["ManagedPolicyName"] == "test-workload-boundary"
