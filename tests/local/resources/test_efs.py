"""EFS: file systems, mount targets and access points, as the platform's templates make them."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aerodrome_local.testing import EmbeddedAws, Stack, Template

KEY = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-0000-0000-000000000000"
REFUSAL = {
    "Effect": "Deny",
    "Principal": {"AWS": "*"},
    "Action": "*",
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
POLICY = {"Version": "2012-10-17", "Statement": [REFUSAL]}


def files(path: str = "/search/staging", team: str = "search") -> Template:
    return {
        "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.9.0.0/16"}},
        "Subnet": {
            "Type": "AWS::EC2::Subnet",
            "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.9.0.0/20", "AvailabilityZone": "us-east-1a"},
        },
        "Group": {
            "Type": "AWS::EC2::SecurityGroup",
            "Properties": {"VpcId": {"Ref": "Vpc"}, "GroupDescription": "files"},
        },
        "Files": {
            "Type": "AWS::EFS::FileSystem",
            "DeletionPolicy": "Delete",
            "Properties": {
                "Encrypted": True,
                "KmsKeyId": KEY,
                "ThroughputMode": "elastic",
                "LifecyclePolicies": [
                    {"TransitionToIA": "AFTER_30_DAYS"},
                    {"TransitionToPrimaryStorageClass": "AFTER_1_ACCESS"},
                ],
                "FileSystemPolicy": POLICY,
                "FileSystemTags": [{"Key": "team", "Value": team}],
            },
        },
        "Target": {
            "Type": "AWS::EFS::MountTarget",
            "Properties": {
                "FileSystemId": {"Ref": "Files"},
                "SubnetId": {"Ref": "Subnet"},
                "SecurityGroups": [{"Fn::GetAtt": ["Group", "GroupId"]}],
            },
        },
        "Point": {
            "Type": "AWS::EFS::AccessPoint",
            "Properties": {
                "FileSystemId": {"Ref": "Files"},
                "PosixUser": {"Uid": "1000", "Gid": "1000"},
                "RootDirectory": {
                    "Path": path,
                    "CreationInfo": {"OwnerUid": "1000", "OwnerGid": "1000", "Permissions": "0750"},
                },
                "AccessPointTags": [{"Key": "team", "Value": team}],
            },
        },
    }


OUTPUTS = {
    "Id": {"Ref": "Files"},
    "Arn": {"Fn::GetAtt": ["Files", "Arn"]},
    "Subnet": {"Ref": "Subnet"},
    "Group": {"Fn::GetAtt": ["Group", "GroupId"]},
    "Point": {"Fn::GetAtt": ["Point", "AccessPointId"]},
    "PointArn": {"Fn::GetAtt": ["Point", "Arn"]},
}


@pytest.fixture
def efs(embedded_aws: EmbeddedAws) -> Any:  # noqa: ANN401 - boto3 makes the class at run time
    return embedded_aws.client("efs")


def test_a_file_system_has_the_key_the_throughput_and_the_policies_of_its_template(efs: Any, stack: Stack) -> None:  # noqa: ANN401 - as above
    made = stack.deploy(files(), outputs=OUTPUTS)
    (found,) = efs.describe_file_systems(FileSystemId=made["Id"])["FileSystems"]
    assert (found["Encrypted"], found["KmsKeyId"], found["ThroughputMode"]) == (True, KEY, "elastic")
    assert found["FileSystemArn"] == made["Arn"]
    assert {"Key": "team", "Value": "search"} in found["Tags"]
    (statement,) = json.loads(efs.describe_file_system_policy(FileSystemId=made["Id"])["Policy"])["Statement"]
    assert statement == {**statement, **REFUSAL}
    rules = efs.describe_lifecycle_configuration(FileSystemId=made["Id"])["LifecyclePolicies"]
    assert {"TransitionToIA": "AFTER_30_DAYS"} in rules


def test_it_is_reached_in_its_subnet_by_who_the_group_lets_in(efs: Any, stack: Stack) -> None:  # noqa: ANN401 - as above
    made = stack.deploy(files(), outputs=OUTPUTS)
    (target,) = efs.describe_mount_targets(FileSystemId=made["Id"])["MountTargets"]
    assert (target["SubnetId"], target["LifeCycleState"]) == (made["Subnet"], "available")
    groups = efs.describe_mount_target_security_groups(MountTargetId=target["MountTargetId"])
    assert groups["SecurityGroups"] == [made["Group"]]


def test_an_access_point_leads_to_its_directory_as_its_user(efs: Any, stack: Stack) -> None:  # noqa: ANN401 - as above
    made = stack.deploy(files(), outputs=OUTPUTS)
    (point,) = efs.describe_access_points(AccessPointId=made["Point"])["AccessPoints"]
    assert point["AccessPointArn"] == made["PointArn"]
    assert point["PosixUser"] == {"Uid": 1000, "Gid": 1000}
    assert point["RootDirectory"] == {
        "Path": "/search/staging",
        "CreationInfo": {"OwnerUid": 1000, "OwnerGid": 1000, "Permissions": "0750"},
    }
    assert {"Key": "team", "Value": "search"} in point["Tags"]


def test_another_directory_is_another_access_point_of_the_same_file_system(efs: Any, stack: Stack) -> None:  # noqa: ANN401 - as above
    made = stack.deploy(files(), outputs=OUTPUTS)
    changed = stack.deploy(files("/search/production", team="ads"), outputs=OUTPUTS)
    assert changed["Id"] == made["Id"]
    assert changed["Point"] != made["Point"]
    (point,) = efs.describe_access_points(FileSystemId=made["Id"])["AccessPoints"]
    assert point["RootDirectory"]["Path"] == "/search/production"
    (found,) = efs.describe_file_systems(FileSystemId=made["Id"])["FileSystems"]
    assert {"Key": "team", "Value": "ads"} in found["Tags"]


def test_it_goes_with_its_stack_where_it_is_not_retained(efs: Any, stack: Stack) -> None:  # noqa: ANN401 - as above
    made = stack.deploy(files(), outputs=OUTPUTS)
    stack.delete()
    with pytest.raises(ClientError) as failure:
        efs.describe_file_systems(FileSystemId=made["Id"])
    assert failure.value.response["Error"]["Code"] == "FileSystemNotFound"
