from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms

from aerodrome_constructs.file_systems import CLIENT_ACTIONS, ElasticFileSystem, ElasticFileSystemProps
from tests.constructs.surroundings import NODE_SUBNETS, vpc_in
from tests.iam.evaluator import Document, Principal, Request, is_allowed
from tests.templates import ACCOUNT, REGION, TemplateJson, new_stack, only, properties, resources, synthesized, text

FILE_SYSTEM = f"arn:aws:elasticfilesystem:{REGION}:{ACCOUNT}:file-system/fs-1"
ACCESS_POINT = f"arn:aws:elasticfilesystem:{REGION}:{ACCOUNT}:access-point/fsap-1"
AS_IT_SHOULD = {
    "aws:SecureTransport": "true",
    "elasticfilesystem:AccessPointArn": ACCESS_POINT,
    "elasticfilesystem:AccessedViaMountTarget": "true",
}


@pytest.fixture(scope="module")
def template() -> TemplateJson:
    stack = new_stack()
    vpc = vpc_in(stack)
    made = ElasticFileSystem(
        stack,
        "Files",
        ElasticFileSystemProps(
            vpc=vpc,
            subnets=NODE_SUBNETS,
            clients=ec2.SecurityGroup(stack, "Clients", vpc=vpc, allow_all_outbound=False),
            key=kms.Key(stack, "Key"),
            directories={"Search": "/search/staging", "Ads": "/ads/staging"},
            tags={"Search": {"team": "search"}},
        ),
    )
    assert set(made.access_points) == {"Search", "Ads"}
    return synthesized(stack)


def test_it_stays_when_its_stack_goes(template: TemplateJson) -> None:
    (made,) = resources(template, "AWS::EFS::FileSystem").values()
    assert (made["DeletionPolicy"], made["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_it_is_encrypted_with_the_key_it_is_given(template: TemplateJson) -> None:
    made = only(template, "AWS::EFS::FileSystem")
    assert made["Encrypted"] is True
    assert text(made["KmsKeyId"]).startswith("${Key")


def test_its_throughput_does_not_depend_on_its_size(template: TemplateJson) -> None:
    assert only(template, "AWS::EFS::FileSystem")["ThroughputMode"] == "elastic"


def test_what_nobody_reads_gets_cheaper_and_comes_back_when_it_is_read(template: TemplateJson) -> None:
    rules = only(template, "AWS::EFS::FileSystem")["LifecyclePolicies"]
    assert {"TransitionToIA": "AFTER_30_DAYS"} in rules
    assert {"TransitionToPrimaryStorageClass": "AFTER_1_ACCESS"} in rules


def test_it_is_reached_in_each_zone_from_the_given_subnets(template: TemplateJson) -> None:
    subnets = {text(one["SubnetId"]) for one in properties(template, "AWS::EFS::MountTarget").values()}
    assert len(subnets) == 3
    assert all(subnet.startswith("${VpcNodes") for subnet in subnets)


def test_only_clients_get_in_and_only_to_nfs(template: TemplateJson) -> None:
    (rule,) = properties(template, "AWS::EC2::SecurityGroupIngress").values()
    (target,) = {text(one["SecurityGroups"]) for one in properties(template, "AWS::EFS::MountTarget").values()}
    assert text([rule["GroupId"]]) == target
    assert text(rule["SourceSecurityGroupId"]).startswith("${Clients")
    assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == ("tcp", 2049, 2049)
    for group in properties(template, "AWS::EC2::SecurityGroup").values():
        assert "SecurityGroupIngress" not in group


def test_each_directory_has_an_access_point_with_a_root_and_a_user(template: TemplateJson) -> None:
    made = properties(template, "AWS::EFS::AccessPoint")
    assert {one["RootDirectory"]["Path"] for one in made.values()} == {"/search/staging", "/ads/staging"}
    for one in made.values():
        user = one["PosixUser"]
        assert user["Uid"] != "0"
        assert one["RootDirectory"]["CreationInfo"] == {
            "OwnerUid": user["Uid"],
            "OwnerGid": user["Gid"],
            "Permissions": "0750",
        }


def test_an_access_point_has_the_tags_of_its_directory(template: TemplateJson) -> None:
    made = properties(template, "AWS::EFS::AccessPoint").values()
    tags = {one["RootDirectory"]["Path"]: one.get("AccessPointTags", []) for one in made}
    assert tags == {"/search/staging": [{"Key": "team", "Value": "search"}], "/ads/staging": []}


@pytest.fixture(scope="module")
def policy(template: TemplateJson) -> Sequence[Document]:
    found: Sequence[Document] = only(template, "AWS::EFS::FileSystem")["FileSystemPolicy"]["Statement"]
    # A file system's policy speaks of the file system alone, and names none.
    return [{"Resource": "*", **one} for one in found]


def may(policy: Sequence[Document], action: str, context: Mapping[str, str], allowed: Any = "*") -> bool:  # noqa: ANN401 - as in policies
    """Whether somebody with rights of their own may do something."""
    policies = [{"Effect": "Allow", "Action": allowed, "Resource": "*"}] if allowed else []
    role = Principal(arn=f"arn:aws:iam::{ACCOUNT}:role/admin", policies=policies)
    return is_allowed(role, Request(action=action, resource=FILE_SYSTEM, context=dict(context)), policy)


@pytest.mark.parametrize("action", CLIENT_ACTIONS)
def test_who_may_comes_in_over_tls_and_an_access_point(policy: Sequence[Document], action: str) -> None:
    assert may(policy, action, AS_IT_SHOULD)


@pytest.mark.parametrize("action", [*CLIENT_ACTIONS, "elasticfilesystem:ClientRootAccess"])
@pytest.mark.parametrize(
    "otherwise",
    [
        {"aws:SecureTransport": "false"},
        {"elasticfilesystem:AccessedViaMountTarget": "false"},
    ],
)
def test_not_even_an_administrator_comes_in_otherwise(
    policy: Sequence[Document], action: str, otherwise: Mapping[str, str]
) -> None:
    assert not may(policy, action, {**AS_IT_SHOULD, **otherwise})


@pytest.mark.parametrize("action", [*CLIENT_ACTIONS, "elasticfilesystem:ClientRootAccess"])
def test_not_even_an_administrator_sees_all_directories(policy: Sequence[Document], action: str) -> None:
    without = {key: value for key, value in AS_IT_SHOULD.items() if not key.endswith("AccessPointArn")}
    assert not may(policy, action, without)


@pytest.mark.parametrize("action", CLIENT_ACTIONS)
def test_the_file_systems_own_policy_lets_nobody_in(policy: Sequence[Document], action: str) -> None:
    assert not may(policy, action, AS_IT_SHOULD, allowed=None)
