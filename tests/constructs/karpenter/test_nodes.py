import pytest

from aerodrome_constructs.karpenter import KarpenterNodes, KarpenterNodesProps
from tests.constructs.surroundings import cluster_in
from tests.templates import TemplateJson, new_stack, only, properties, resources, statements, synthesized, text


@pytest.fixture(scope="module")
def template() -> TemplateJson:
    stack = new_stack()
    KarpenterNodes(stack, "KarpenterNodes", KarpenterNodesProps(cluster=cluster_in(stack)))
    return synthesized(stack)


def test_a_node_can_join_and_pull_and_nothing_more(template: TemplateJson) -> None:
    (role,) = [one for key, one in properties(template, "AWS::IAM::Role").items() if key.startswith("Karpenter")]
    assert {text(arn).rpartition("/")[2] for arn in role["ManagedPolicyArns"]} == {
        "AmazonEKSWorkerNodePolicy",
        "AmazonEC2ContainerRegistryPullOnly",
    }
    assert [one.principals for one in statements(template, "KarpenterNodesRole")] == [["ec2.amazonaws.com"]]


def test_the_instance_profile_carries_the_role(template: TemplateJson) -> None:
    (role,) = [key for key in resources(template, "AWS::IAM::Role") if key.startswith("Karpenter")]
    assert [text(one) for one in only(template, "AWS::IAM::InstanceProfile")["Roles"]] == [f"${{{role}}}"]


def test_the_cluster_takes_it_for_a_node(template: TemplateJson) -> None:
    entry = only(template, "AWS::EKS::AccessEntry")
    assert entry["Type"] == "EC2_LINUX"
    assert entry["AccessPolicies"] == [], "EKS refuses a policy on an entry of a node"
    assert text(entry["PrincipalArn"]).startswith("${KarpenterNodesRole")
