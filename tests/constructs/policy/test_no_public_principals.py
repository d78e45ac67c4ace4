import json
from typing import Any

import pytest

from aerodrome_constructs.policy.no_public_principals import RULE
from tests.constructs.policy.findings import findings, resource


def document(**statement: object) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", **statement}]}


@pytest.mark.parametrize("principal", ["*", {"AWS": "*"}, {"AWS": ["arn:aws:iam::111122223333:root", "*"]}], ids=str)
@pytest.mark.parametrize(
    ("resource_type", "name"),
    [
        ("AWS::S3::BucketPolicy", "PolicyDocument"),
        ("AWS::KMS::Key", "KeyPolicy"),
        ("AWS::SNS::TopicPolicy", "PolicyDocument"),
        ("AWS::SQS::QueuePolicy", "PolicyDocument"),
        ("AWS::ECR::Repository", "RepositoryPolicyText"),
        ("AWS::Backup::BackupVault", "AccessPolicy"),
        ("AWS::IAM::Role", "AssumeRolePolicyDocument"),
    ],
)
def test_everybody_is_found_in_every_kind_of_policy(resource_type: str, name: str, principal: object) -> None:
    policy = resource(resource_type, **{name: document(Principal=principal)})
    assert findings(RULE, Policy=policy) == [f"Policy Properties.{name}: everybody may s3:GetObject"]


def test_everybody_is_found_in_a_trust_policy_that_stands_as_text() -> None:
    text = json.dumps(document(Principal="*", Action="sts:AssumeRole"))
    start, end = text[:20], text[20:]
    role = resource("AWS::IAM::Role", AssumeRolePolicyDocument={"Fn::Join": ["", [start, end]]})
    assert findings(RULE, Role=role) == ["Role Properties.AssumeRolePolicyDocument: everybody may sts:AssumeRole"]


@pytest.mark.parametrize(
    "statement",
    [
        {"Principal": {"AWS": "arn:aws:iam::111122223333:root"}},
        {"Principal": {"Service": "s3.amazonaws.com"}},
        {"Principal": "*", "Effect": "Deny"},
        {"Principal": "*", "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}}},
        {"Principal": "*", "Condition": {"StringEquals": {"kms:CallerAccount": "111122223333"}}},
        {"Principal": "*", "Condition": {"ArnLike": {"AWS:SourceArn": "arn:aws:s3:::mine"}}},
        {"Resource": "*"},
    ],
    ids=str,
)
def test_somebody_is_right(statement: dict[str, Any]) -> None:
    assert findings(RULE, Policy=resource("AWS::S3::BucketPolicy", PolicyDocument=document(**statement))) == []


@pytest.mark.parametrize(
    "condition",
    [
        {"Bool": {"aws:SecureTransport": "true"}},
        {"StringNotEquals": {"aws:SourceAccount": "111122223333"}},
        {"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-abcdefghij"}},
        {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}},
    ],
    ids=str,
)
def test_a_condition_that_does_not_say_who_is_no_excuse(condition: dict[str, Any]) -> None:
    policy = resource("AWS::S3::BucketPolicy", PolicyDocument=document(Principal="*", Condition=condition))
    assert len(findings(RULE, Policy=policy)) == 1


def test_everybody_but_somebody_is_found() -> None:
    policy = document(NotPrincipal={"AWS": "arn:aws:iam::111122223333:root"})
    assert len(findings(RULE, Policy=resource("AWS::S3::BucketPolicy", PolicyDocument=policy))) == 1


def test_the_policy_of_an_endpoint_gives_nothing() -> None:
    endpoint = resource("AWS::EC2::VPCEndpoint", PolicyDocument=document(Principal="*", Resource="*"))
    assert findings(RULE, Endpoint=endpoint) == []


def test_a_function_that_anybody_may_invoke_is_found() -> None:
    permission = {"Action": "lambda:InvokeFunction", "FunctionName": "f"}
    mine = resource("AWS::Lambda::Permission", **permission, Principal="*", SourceAccount="111122223333")
    service = resource("AWS::Lambda::Permission", **permission, Principal="events.amazonaws.com")
    assert findings(RULE, Mine=mine, Service=service) == []
    assert findings(RULE, Open=resource("AWS::Lambda::Permission", **permission, Principal="*")) == [
        "Open Properties.Principal: anybody may invoke the function"
    ]
