"""IAM, KMS and Secrets Manager."""

import json
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aerodrome_local.cloudformation import DeployError
from aerodrome_local.testing import EmbeddedAws, Stack, Template

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def document(action: str) -> Template:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}


def role(**properties: Any) -> Template:  # noqa: ANN401 - any property
    return {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST, **properties}}


def test_role_and_its_policies(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    iam = embedded_aws.client("iam")

    def resources(action: str, description: str) -> Template:
        return {
            "Role": role(
                Description=description,
                ManagedPolicyArns=["arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy", {"Ref": "Managed"}],
                Tags=[{"Key": "team", "Value": "ml"}],
            ),
            "Inline": {
                "Type": "AWS::IAM::Policy",
                "Properties": {"PolicyName": "inline", "PolicyDocument": document(action), "Roles": [{"Ref": "Role"}]},
            },
            "Managed": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": document(action)}},
            "Profile": {"Type": "AWS::IAM::InstanceProfile", "Properties": {"Roles": [{"Ref": "Role"}]}},
        }

    outputs = stack.deploy(
        resources("s3:GetObject", "reads"),
        {
            "Arn": {"Fn::GetAtt": ["Role", "Arn"]},
            "Profile": {"Ref": "Profile"},
            "ProfileArn": {"Fn::GetAtt": ["Profile", "Arn"]},
            "Managed": {"Ref": "Managed"},
        },
    )
    name = stack.physical_id("Role")

    def inline_action() -> str:
        found = iam.get_role_policy(RoleName=name, PolicyName="inline")["PolicyDocument"]
        return str(found["Statement"][0]["Action"])

    def managed_action() -> str:
        version = iam.get_policy(PolicyArn=outputs["Managed"])["Policy"]["DefaultVersionId"]
        found = iam.get_policy_version(PolicyArn=outputs["Managed"], VersionId=version)["PolicyVersion"]["Document"]
        return str(found["Statement"][0]["Action"])

    found = iam.get_role(RoleName=name)["Role"]
    assert (found["Arn"], found["Description"]) == (outputs["Arn"], "reads")
    assert {tag["Key"] for tag in found["Tags"]} >= {"team", "stack-tag"}
    attached = {item["PolicyArn"] for item in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]}
    assert attached == {"arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy", outputs["Managed"]}
    assert (inline_action(), managed_action()) == ("s3:GetObject", "s3:GetObject")
    profile = iam.get_instance_profile(InstanceProfileName=outputs["Profile"])["InstanceProfile"]
    assert (profile["Arn"], [item["RoleName"] for item in profile["Roles"]]) == (outputs["ProfileArn"], [name])

    stack.deploy(resources("s3:PutObject", "writes"))
    assert iam.get_role(RoleName=name)["Role"]["Description"] == "writes"
    assert (inline_action(), managed_action()) == ("s3:PutObject", "s3:PutObject")
    stack.delete()
    with pytest.raises(ClientError, match="NoSuchEntity"):
        iam.get_role(RoleName=name)
    with pytest.raises(ClientError, match="NoSuchEntity"):
        iam.get_instance_profile(InstanceProfileName=outputs["Profile"])
    with pytest.raises(ClientError, match="NoSuchEntity"):
        iam.get_policy(PolicyArn=outputs["Managed"])


def test_oidc_provider(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    iam = embedded_aws.client("iam")

    def provider(clients: list[str]) -> Template:
        return {
            "Type": "AWS::IAM::OIDCProvider",
            "Properties": {
                "Url": "https://oidc.eks.us-east-1.amazonaws.com/id/TEST",
                "ClientIdList": clients,
                "Tags": [{"Key": "clients", "Value": str(len(clients))}],
            },
        }

    outputs = stack.deploy(
        {"Provider": provider(["sts.amazonaws.com"])},
        {"Ref": {"Ref": "Provider"}, "Arn": {"Fn::GetAtt": ["Provider", "Arn"]}},
    )
    arn = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/TEST"
    assert outputs == {"Ref": arn, "Arn": arn}
    assert iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)["ClientIDList"] == ["sts.amazonaws.com"]
    stack.deploy({"Provider": provider(["sts.amazonaws.com", "flyte"])})
    found = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert found["ClientIDList"] == ["sts.amazonaws.com", "flyte"]
    assert {"Key": "clients", "Value": "2"} in found["Tags"]
    stack.delete()
    assert {"Arn": arn} not in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]


def test_kms_key_and_alias(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    kms = embedded_aws.client("kms")

    def resources(description: str) -> Template:
        statement = {
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": "kms:*",
            "Resource": "*",
            "Sid": description,
        }
        return {
            "Key": {
                "Type": "AWS::KMS::Key",
                "Properties": {
                    "Description": description,
                    "EnableKeyRotation": True,
                    "KeyPolicy": {"Version": "2012-10-17", "Statement": [statement]},
                    "PendingWindowInDays": 7,
                    "Tags": [{"Key": "team", "Value": "ml"}],
                },
            },
            "Alias": {
                "Type": "AWS::KMS::Alias",
                "Properties": {"AliasName": "alias/resource-test", "TargetKeyId": {"Ref": "Key"}},
            },
        }

    outputs = stack.deploy(resources("first"), {"Arn": {"Fn::GetAtt": ["Key", "Arn"]}, "Id": {"Ref": "Key"}})

    def found() -> Any:  # noqa: ANN401 - what boto3 returns
        return kms.describe_key(KeyId="alias/resource-test")["KeyMetadata"]

    assert (found()["Arn"], found()["KeyId"], found()["Description"]) == (outputs["Arn"], outputs["Id"], "first")
    assert kms.get_key_rotation_status(KeyId=outputs["Id"])["KeyRotationEnabled"] is True
    assert {"TagKey": "team", "TagValue": "ml"} in kms.list_resource_tags(KeyId=outputs["Id"])["Tags"]
    stack.deploy(resources("second"))
    assert found()["Description"] == "second"
    policy = json.loads(kms.get_key_policy(KeyId=outputs["Id"], PolicyName="default")["Policy"])
    assert policy["Statement"][0]["Sid"] == "second"
    stack.delete()
    deleted = kms.describe_key(KeyId=outputs["Id"])["KeyMetadata"]
    assert deleted["KeyState"] == "PendingDeletion"
    assert deleted["DeletionDate"] - deleted["CreationDate"] < timedelta(days=8)
    assert "alias/resource-test" not in [item["AliasName"] for item in kms.list_aliases()["Aliases"]]


@pytest.mark.parametrize("days", [6, 31])
def test_a_key_that_could_not_be_deleted_is_not_made(stack: Stack, days: int) -> None:
    key = {"Type": "AWS::KMS::Key", "Properties": {"PendingWindowInDays": days}}
    with pytest.raises(DeployError, match=f"PendingWindowInDays is {days}: AWS takes 7 to 30 days"):
        stack.deploy({"Key": key})


def test_secret_with_policy_and_rotation(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    secrets = embedded_aws.client("secretsmanager")

    def resources(description: str, days: int) -> Template:
        statement = {"Sid": description, "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}
        return {
            "Secret": {
                "Type": "AWS::SecretsManager::Secret",
                "Properties": {
                    "Description": description,
                    "GenerateSecretString": {
                        "SecretStringTemplate": '{"username": "flyteadmin"}',
                        "GenerateStringKey": "password",
                        "ExcludePunctuation": True,
                        "PasswordLength": 30,
                    },
                },
            },
            "Policy": {
                "Type": "AWS::SecretsManager::ResourcePolicy",
                "Properties": {
                    "SecretId": {"Ref": "Secret"},
                    "ResourcePolicy": {"Version": "2012-10-17", "Statement": [statement]},
                },
            },
            "Rotation": {
                "Type": "AWS::SecretsManager::RotationSchedule",
                "Properties": {
                    "SecretId": {"Ref": "Secret"},
                    "RotationLambdaARN": "arn:aws:lambda:us-east-1:111122223333:function:rotate",
                    "RotationRules": {"AutomaticallyAfterDays": days},
                    "RotateImmediatelyOnUpdate": False,
                },
            },
        }

    arn = stack.deploy(resources("first", 30), {"Arn": {"Ref": "Secret"}})["Arn"]

    def value() -> Any:  # noqa: ANN401 - any JSON value
        return json.loads(secrets.get_secret_value(SecretId=arn)["SecretString"])

    def sid() -> str:
        return str(json.loads(secrets.get_resource_policy(SecretId=arn)["ResourcePolicy"])["Statement"][0]["Sid"])

    generated = value()
    assert generated["username"] == "flyteadmin"
    assert len(generated["password"]) == 30
    assert generated["password"].isalnum()
    described = secrets.describe_secret(SecretId=arn)
    assert (described["RotationEnabled"], described["RotationRules"]) == (True, {"AutomaticallyAfterDays": 30})
    assert sid() == "first"

    stack.deploy(resources("second", 7))
    described = secrets.describe_secret(SecretId=arn)
    assert (described["Description"], described["RotationRules"]["AutomaticallyAfterDays"]) == ("second", 7)
    assert (sid(), value()) == ("second", generated)

    stack.deploy({"Secret": resources("second", 7)["Secret"]})
    assert "ResourcePolicy" not in secrets.get_resource_policy(SecretId=arn)
    assert not secrets.describe_secret(SecretId=arn).get("RotationEnabled")
    stack.delete()
    with pytest.raises(ClientError, match=r"marked for deletion|ResourceNotFound"):
        value()
