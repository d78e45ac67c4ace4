"""References are resolved, across stacks too, and every role has the rights that templates give it."""

import json
from typing import Any

import pytest

from tests.iam.account import Account, UnknownIntrinsicError
from tests.iam.evaluator import Request, is_allowed

TRUST = {"Version": "2012-10-17", "Statement": []}
EXPORTED = "storage:ExportsBucketArn"


def document(action: str, resource: object) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}]}


def role(**properties: object) -> dict[str, Any]:
    return {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST, **properties}}


def account(**identity: dict[str, Any]) -> Account:
    """An account with a bucket in one stack and whatever in another."""
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {}}
    policy = {
        "Type": "AWS::S3::BucketPolicy",
        "Properties": {"Bucket": {"Ref": "Data"}, "PolicyDocument": document("s3:*", "*")},
    }
    output = {"Value": {"Fn::GetAtt": ["Data", "Arn"]}, "Export": {"Name": EXPORTED}}
    storage = {"Resources": {"Data": bucket, "Policy": policy}, "Outputs": {"Bucket": output}}
    return Account({"storage": storage, "identity": {"Resources": identity}}, "111122223333", "eu-west-1")


def value_of(value: object) -> Any:  # noqa: ANN401 - any JSON value
    """What a value comes to in the stack that imports."""
    return account(Key={"Type": "AWS::KMS::Key", "Properties": {}}, Named=role(RoleName="named")).resolve(
        "identity", value
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"Ref": "AWS::AccountId"}, "111122223333"),
        ({"Fn::ImportValue": EXPORTED}, "arn:aws:s3:::storage-data"),
        ({"Fn::Join": ["", [{"Fn::ImportValue": EXPORTED}, "/*"]]}, "arn:aws:s3:::storage-data/*"),
        ({"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}, "arn:aws:iam::111122223333:root"),
        ({"Fn::Sub": "${Named.Arn}-${Named}"}, "arn:aws:iam::111122223333:role/named-named"),
        ({"Fn::GetAtt": ["Key", "Arn"]}, "arn:aws:kms:eu-west-1:111122223333:key/identity-key"),
        ({"Fn::Select": [1, {"Fn::Split": ["//", "https://issuer"]}]}, "issuer"),
        ({"Fn::If": ["Condition", "yes", {"Ref": "AWS::NoValue"}]}, "yes"),
        ([{"Ref": "AWS::NoValue"}, "a"], ["a"]),
        ({"Statement": {"Resource": {"Ref": "AWS::Region"}}}, {"Statement": {"Resource": "eu-west-1"}}),
    ],
    ids=str,
)
def test_references_become_text(value: object, text: object) -> None:
    assert value_of(value) == text


def test_a_function_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(UnknownIntrinsicError, match="Fn::Cidr"):
        value_of({"Fn::Cidr": ["10.0.0.0/16", 4, 8]})


INLINE = {
    "Policies": [{"PolicyName": "Rights", "PolicyDocument": document("s3:GetObject", {"Fn::ImportValue": EXPORTED})}]
}
OWN = {
    "Type": "AWS::IAM::Policy",
    "Properties": {
        "PolicyDocument": document("s3:GetObject", {"Fn::ImportValue": EXPORTED}),
        "Roles": [{"Ref": "Reader"}],
    },
}
MANAGED = {
    "Type": "AWS::IAM::ManagedPolicy",
    "Properties": {"PolicyDocument": document("s3:GetObject", {"Fn::ImportValue": EXPORTED})},
}


@pytest.mark.parametrize(
    "resources",
    [
        {"Reader": role(**INLINE)},
        {"Reader": role(), "Own": OWN},
        {"Reader": role(ManagedPolicyArns=[{"Ref": "Managed"}]), "Managed": MANAGED},
    ],
    ids=["in the role", "beside the role", "attached to the role"],
)
def test_a_role_has_its_rights_wherever_they_stand(resources: dict[str, Any]) -> None:
    (reader,) = account(**resources).principals.values()
    assert is_allowed(reader, Request(action="s3:GetObject", resource="arn:aws:s3:::storage-data"))
    assert not is_allowed(reader, Request(action="s3:PutObject", resource="arn:aws:s3:::storage-data"))


def test_a_role_has_its_boundary_and_its_tags() -> None:
    tags = [{"Key": "project", "Value": "a"}]
    (reader,) = account(
        Reader=role(PermissionsBoundary={"Ref": "Managed"}, Tags=tags), Managed=MANAGED
    ).principals.values()
    assert [statement["Action"] for statement in reader.boundary or ()] == ["s3:GetObject"]
    assert reader.tags == {"project": "a"}


def test_the_policy_of_a_bucket_belongs_to_the_bucket() -> None:
    (statement,) = account(Reader=role()).resource_policy("arn:aws:s3:::storage-data")
    assert statement["Action"] == "s3:*"
    assert account(Reader=role()).resource_policy("arn:aws:s3:::another") == []


def test_a_key_has_its_policy_which_may_stand_as_text() -> None:
    key = {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": json.dumps(document("kms:*", "*"))}}
    found = account(Key=key, Reader=role())
    assert [one["Action"] for one in found.resource_policy(found.one("identity", "AWS::KMS::Key", "Key").arn)] == [
        "kms:*"
    ]
