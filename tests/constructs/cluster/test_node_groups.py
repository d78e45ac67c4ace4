from collections.abc import Mapping
from typing import Any

import pytest

from aerodrome_constructs.cluster import (
    GPU_LABEL,
    GPU_TAINT,
    INTERRUPTIBLE_LABEL,
    INTERRUPTIBLE_TAINT,
    SYSTEM_LABEL,
    NodeGroups,
    NodeGroupsProps,
    NodeTaint,
)
from tests.constructs.surroundings import NODE_SUBNETS, cluster_in
from tests.templates import TemplateJson, new_stack, only, properties, resources, statements, synthesized, text, with_id

RELEASE = "1.36.4-20260923"
SPOT_TYPES = ["m7i.2xlarge", "m7a.2xlarge", "m6i.2xlarge", "m6a.2xlarge", "m5.2xlarge"]


@pytest.fixture(scope="module")
def template() -> TemplateJson:
    """A system group, and a spot group of each kind of image."""
    stack = new_stack()
    props = NodeGroupsProps(cluster=cluster_in(stack), subnets=NODE_SUBNETS, image_release=RELEASE)
    nodes = NodeGroups(stack, "Nodes", props)
    nodes.add_system(["m7i.large", "m6i.large"], min_size=3, max_size=6)
    nodes.add_spot("general", SPOT_TYPES)
    nodes.add_spot("kept", SPOT_TYPES, min_size=3)
    nodes.add_spot("gpu", ["g6.2xlarge", "g5.2xlarge"])
    nodes.add_spot("graviton", ["m7g.2xlarge", "m6g.2xlarge"])
    nodes.add_spot("gpu-graviton", ["g5g.2xlarge"])
    # Names that differ only in where a hyphen stands.
    nodes.add_spot("a-1", SPOT_TYPES, min_size=7)
    nodes.add_spot("a1", SPOT_TYPES, min_size=7)
    return synthesized(stack)


def group(template: TemplateJson, name: str) -> Mapping[str, Any]:
    # On its way to the template an ID loses its hyphens and gains eight digits.
    found = {key[:-8]: value for key, value in properties(template, "AWS::EKS::Nodegroup").items()}
    return found[f"Nodes{name}"]


def launch_template(template: TemplateJson) -> Mapping[str, Any]:
    data: Mapping[str, Any] = only(template, "AWS::EC2::LaunchTemplate")["LaunchTemplateData"]
    return data


def spot_groups(template: TemplateJson) -> list[Mapping[str, Any]]:
    return [value for key, value in properties(template, "AWS::EKS::Nodegroup").items() if key.startswith("NodesSpot")]


def test_the_platforms_own_nodes_are_not_taken_back(template: TemplateJson) -> None:
    assert group(template, "System")["CapacityType"] == "ON_DEMAND"


def test_the_platforms_own_nodes_take_whatever_names_no_place(template: TemplateJson) -> None:
    system = group(template, "System")
    assert system["Taints"] == []
    assert system["Labels"] == SYSTEM_LABEL.selector


def test_spot_nodes_are_spot(template: TemplateJson) -> None:
    assert {one["CapacityType"] for one in spot_groups(template)} == {"SPOT"}


def taint(of: NodeTaint) -> dict[str, str]:
    return {"Key": of.key, "Value": of.value, "Effect": of.effect}


def test_spot_nodes_take_only_pods_that_bear_an_interruption(template: TemplateJson) -> None:
    for one in spot_groups(template):
        assert taint(INTERRUPTIBLE_TAINT) in one["Taints"]
        assert INTERRUPTIBLE_LABEL.selector.items() <= one["Labels"].items()


def test_nodes_with_gpus_take_only_pods_that_need_one_and_others_know_of_none(template: TemplateJson) -> None:
    for name in ("Spotgpu", "Spotgpugraviton"):
        assert taint(GPU_TAINT) in group(template, name)["Taints"]
        assert GPU_LABEL.selector.items() <= group(template, name)["Labels"].items()
    for name in ("Spotgeneral", "Spotgraviton"):
        assert group(template, name)["Taints"] == [taint(INTERRUPTIBLE_TAINT)]
        assert group(template, name)["Labels"] == INTERRUPTIBLE_LABEL.selector


def test_spot_is_taken_from_every_given_instance_type(template: TemplateJson) -> None:
    assert group(template, "Spotgeneral")["InstanceTypes"] == SPOT_TYPES


@pytest.mark.parametrize(
    ("name", "sizes"), [("System", (3, 3, 6)), ("Spotgeneral", (0, 0, 1)), ("Spotkept", (3, 3, 3))]
)
def test_a_group_has_the_nodes_that_always_run(template: TemplateJson, name: str, sizes: tuple[int, int, int]) -> None:
    scaling = group(template, name)["ScalingConfig"]
    assert (scaling["MinSize"], scaling["DesiredSize"], scaling["MaxSize"]) == sizes


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("System", "AL2023_x86_64_STANDARD"),
        ("Spotgeneral", "AL2023_x86_64_STANDARD"),
        ("Spotgpu", "AL2023_x86_64_NVIDIA"),
        ("Spotgraviton", "AL2023_ARM_64_STANDARD"),
        ("Spotgpugraviton", "AL2023_ARM_64_NVIDIA"),
    ],
)
def test_the_image_fits_the_instances(template: TemplateJson, name: str, image: str) -> None:
    assert group(template, name)["AmiType"] == image


def test_groups_whose_names_are_alike_are_still_two(template: TemplateJson) -> None:
    assert len([one for one in spot_groups(template) if one["ScalingConfig"]["MaxSize"] == 7]) == 2


def test_nodes_live_in_the_given_subnets(template: TemplateJson) -> None:
    for one in properties(template, "AWS::EKS::Nodegroup").values():
        assert len(one["Subnets"]) == 3
        assert all(text(subnet).startswith("${VpcNodes") for subnet in one["Subnets"])


def test_the_image_is_the_given_one_and_not_the_newest_of_the_day(template: TemplateJson) -> None:
    assert {one["ReleaseVersion"] for one in properties(template, "AWS::EKS::Nodegroup").values()} == {RELEASE}


def test_a_groups_version_moves_together_with_its_image(template: TemplateJson) -> None:
    # EKS refuses an image of another version than the group's.
    assert {one["Version"] for one in properties(template, "AWS::EKS::Nodegroup").values()} == {"1.36"}


def test_an_update_takes_a_third_of_a_group_at_a_time_and_kills_no_pod_that_must_stay(template: TemplateJson) -> None:
    for one in properties(template, "AWS::EKS::Nodegroup").values():
        assert one["UpdateConfig"] == {"MaxUnavailablePercentage": 33}
        assert one["ForceUpdateEnabled"] is False


def test_every_group_uses_the_newest_launch_template(template: TemplateJson) -> None:
    (launch,) = resources(template, "AWS::EC2::LaunchTemplate")
    for one in properties(template, "AWS::EKS::Nodegroup").values():
        assert text(one["LaunchTemplate"]["Id"]) == f"${{{launch}}}"
        assert text(one["LaunchTemplate"]["Version"]) == f"${{{launch}.LatestVersionNumber}}"


def test_a_pod_cannot_take_the_nodes_role(template: TemplateJson) -> None:
    # A container is one hop further than the node: with two, it would get there.
    assert launch_template(template)["MetadataOptions"] == {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}


def test_disks_are_encrypted(template: TemplateJson) -> None:
    disks = [mapping["Ebs"] for mapping in launch_template(template)["BlockDeviceMappings"]]
    assert disks == [{"Encrypted": True, "VolumeSize": 100, "VolumeType": "gp3"}]


def test_nobody_logs_in_to_a_node(template: TemplateJson) -> None:
    assert "KeyName" not in launch_template(template)
    assert all("RemoteAccess" not in one for one in properties(template, "AWS::EKS::Nodegroup").values())


def test_broken_nodes_are_replaced(template: TemplateJson) -> None:
    assert all(
        one["NodeRepairConfig"] == {"Enabled": True} for one in properties(template, "AWS::EKS::Nodegroup").values()
    )


def test_the_nodes_role_can_join_and_pull_and_nothing_more(template: TemplateJson) -> None:
    role = with_id(template, "AWS::IAM::Role", "NodeRole")
    assert {text(arn).rpartition("/")[2] for arn in role["ManagedPolicyArns"]} == {
        "AmazonEKSWorkerNodePolicy",
        "AmazonEC2ContainerRegistryPullOnly",
    }
    assert [one.principals for one in statements(template, "NodeRole")] == [["ec2.amazonaws.com"]], "no own policy"
