import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest
from aws_cdk import aws_eks_v2 as eks

from aerodrome_constructs.cluster import AddOns, AddOnsProps, NodeGroups, NodeGroupsProps, PodNetwork
from tests.constructs.surroundings import NODE_SUBNETS, cluster_in
from tests.templates import ACCOUNT, REGION, TemplateJson, new_stack, properties, resources, synthesized

DISK_ROLE = f"arn:aws:iam::{ACCOUNT}:role/disks"
NETWORK_ROLE = f"arn:aws:iam::{ACCOUNT}:role/network"
VERSIONS = {
    "vpc-cni": "v1.2.3-eksbuild.1",
    "kube-proxy": "v1.36.0-eksbuild.2",
    "eks-pod-identity-agent": "v1.3.0-eksbuild.3",
    "coredns": "v1.14.0-eksbuild.4",
    "aws-ebs-csi-driver": "v1.60.0-eksbuild.5",
}
POD_NETWORKS = {
    f"{REGION}{letter}": PodNetwork(subnet_id=f"subnet-{letter}", security_group_ids=["sg-cluster", "sg-database"])
    for letter in "abc"
}


def props(cluster: eks.ICluster, versions: Mapping[str, str] = MappingProxyType(VERSIONS)) -> AddOnsProps:
    return AddOnsProps(
        cluster=cluster,
        versions=versions,
        pod_networks=POD_NETWORKS,
        vpc_cni_role_arn=NETWORK_ROLE,
        ebs_csi_role_arn=DISK_ROLE,
    )


@pytest.fixture(scope="module")
def template() -> TemplateJson:
    stack = new_stack()
    cluster = cluster_in(stack)
    nodes = NodeGroups(
        stack, "Nodes", NodeGroupsProps(cluster=cluster, subnets=NODE_SUBNETS, image_release="1.36.4-20260923")
    )
    system = nodes.add_system(["m7i.large"], min_size=1, max_size=1)
    spot = nodes.add_spot("general", ["m7i.large"])
    AddOns(stack, "AddOns", props(cluster)).surround(system, spot)
    return synthesized(stack)


def waits_for(template: TemplateJson, name: str) -> set[str]:
    """The names of the add-ons and node groups that one of them waits for."""
    names = {}
    for key, resource in template["Resources"].items():
        if resource["Type"] == "AWS::EKS::Addon":
            names[key] = resource["Properties"]["AddonName"]
        elif resource["Type"] == "AWS::EKS::Nodegroup":
            names[key] = resource["Properties"]["CapacityType"]
    (found,) = [key for key, value in names.items() if value == name]
    return {names[key] for key in template["Resources"][found].get("DependsOn", []) if key in names}


@pytest.mark.parametrize("nodes", ["ON_DEMAND", "SPOT"])
def test_nodes_wait_for_what_makes_a_node_ready(template: TemplateJson, nodes: str) -> None:
    assert waits_for(template, nodes) == {"vpc-cni", "kube-proxy", "eks-pod-identity-agent"}


@pytest.mark.parametrize("add_on", ["coredns", "aws-ebs-csi-driver"])
def test_what_runs_on_nodes_waits_for_those_that_are_always_there(template: TemplateJson, add_on: str) -> None:
    # Spot nodes may be none: an add-on that waits for them to hold its pods would be DEGRADED.
    assert waits_for(template, add_on) == {"ON_DEMAND"}


@pytest.mark.parametrize("add_on", ["vpc-cni", "kube-proxy", "eks-pod-identity-agent"])
def test_what_nodes_need_waits_for_none(template: TemplateJson, add_on: str) -> None:
    assert waits_for(template, add_on) == set()


def add_ons(template: TemplateJson) -> dict[str, Mapping[str, Any]]:
    return {one["AddonName"]: one for one in properties(template, "AWS::EKS::Addon").values()}


def test_network_and_disks_have_a_role_each_and_nothing_else_has(template: TemplateJson) -> None:
    roles = {name: one.get("ServiceAccountRoleArn") for name, one in add_ons(template).items()}
    having = {"vpc-cni": NETWORK_ROLE, "aws-ebs-csi-driver": DISK_ROLE}
    assert roles == {**dict.fromkeys(VERSIONS), **having}


def test_every_add_on_is_of_the_given_version(template: TemplateJson) -> None:
    assert {name: one["AddonVersion"] for name, one in add_ons(template).items()} == VERSIONS


def test_an_add_on_without_a_version_is_refused() -> None:
    stack = new_stack()
    others = {name: version for name, version in VERSIONS.items() if name != "coredns"}
    with pytest.raises(ValueError, match="no version is given for the add-on coredns, only for aws-ebs-csi-driver, "):
        AddOns(stack, "AddOns", props(cluster_in(stack), others))


def configuration(template: TemplateJson) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(add_ons(template)["vpc-cni"]["ConfigurationValues"])
    return found


def test_pods_get_prefixes_of_addresses(template: TemplateJson) -> None:
    environment = configuration(template)["env"]
    assert (environment["ENABLE_PREFIX_DELEGATION"], environment["WARM_PREFIX_TARGET"]) == ("true", "1")


def test_pods_get_their_addresses_from_subnets_of_their_own_in_their_nodes_zone(template: TemplateJson) -> None:
    found = configuration(template)
    assert found["env"]["AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG"] == "true"
    # The label's value, a zone, is the name of an ENIConfig.
    assert found["env"]["ENI_CONFIG_LABEL_DEF"] == "topology.kubernetes.io/zone"
    assert found["eniConfig"] == {
        "create": True,
        "region": REGION,
        "subnets": {
            f"{REGION}{letter}": {"id": f"subnet-{letter}", "securityGroups": ["sg-cluster", "sg-database"]}
            for letter in "abc"
        },
    }


def test_network_policies_are_kept(template: TemplateJson) -> None:
    # Otherwise the API server takes them, and they do nothing.
    assert configuration(template)["enableNetworkPolicy"] == "true"


def test_what_the_network_add_on_takes_as_text_is_text(template: TemplateJson) -> None:
    # Its schema refuses true where "true" is due; a peer's private flag was a text where a boolean was due.
    assert {type(value) for value in configuration(template)["env"].values()} == {str}


def test_an_add_on_takes_over_what_it_finds(template: TemplateJson) -> None:
    add_ons = resources(template, "AWS::EKS::Addon").values()
    assert {one["Properties"]["ResolveConflicts"] for one in add_ons} == {"OVERWRITE"}
