import pytest

from aerodrome_constructs.cluster import AddOns, AddOnsProps, NodeGroups, NodeGroupsProps
from tests.constructs.surroundings import NODE_SUBNETS, cluster_in
from tests.templates import ACCOUNT, TemplateJson, new_stack, resources, synthesized

DISK_ROLE = f"arn:aws:iam::{ACCOUNT}:role/disks"


@pytest.fixture(scope="module")
def template() -> TemplateJson:
    stack = new_stack()
    cluster = cluster_in(stack)
    nodes = NodeGroups(stack, "Nodes", NodeGroupsProps(cluster=cluster, subnets=NODE_SUBNETS))
    system = nodes.add_system(["m7i.large"], min_size=1, max_size=1)
    spot = nodes.add_spot("general", ["m7i.large"], max_size=1)
    AddOns(stack, "AddOns", AddOnsProps(cluster=cluster, ebs_csi_role_arn=DISK_ROLE)).surround(system, spot)
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
    assert waits_for(template, nodes) == {"vpc-cni", "kube-proxy"}


@pytest.mark.parametrize("add_on", ["coredns", "aws-ebs-csi-driver"])
def test_what_runs_on_nodes_waits_for_those_that_are_always_there(template: TemplateJson, add_on: str) -> None:
    # Spot nodes may be none: an add-on that waits for them to hold its pods would be DEGRADED.
    assert waits_for(template, add_on) == {"ON_DEMAND"}


@pytest.mark.parametrize("add_on", ["vpc-cni", "kube-proxy"])
def test_what_nodes_need_waits_for_none(template: TemplateJson, add_on: str) -> None:
    assert waits_for(template, add_on) == set()


def test_only_the_disk_driver_has_a_role(template: TemplateJson) -> None:
    add_ons = [resource["Properties"] for resource in resources(template, "AWS::EKS::Addon").values()]
    roles = {one["AddonName"]: one.get("ServiceAccountRoleArn") for one in add_ons}
    assert roles == {"vpc-cni": None, "kube-proxy": None, "coredns": None, "aws-ebs-csi-driver": DISK_ROLE}


def test_an_add_on_takes_over_what_it_finds(template: TemplateJson) -> None:
    add_ons = resources(template, "AWS::EKS::Addon").values()
    assert {one["Properties"]["ResolveConflicts"] for one in add_ons} == {"OVERWRITE"}
