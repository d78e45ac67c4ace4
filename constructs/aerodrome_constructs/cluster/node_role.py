"""The role of a node, whoever starts it."""

from aws_cdk import aws_iam as iam
from constructs import Construct

from aerodrome_constructs.policy import acknowledge
from aerodrome_constructs.policy.known_rules import MANAGED_POLICIES

# To join the cluster and to pull images. A node's network is the VPC CNI's business, which has a role of its own.
_POLICIES = ("AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly")


def node_role(scope: Construct, construct_id: str) -> iam.Role:
    """Make a role for nodes: it joins the cluster and pulls images, and nothing else.

    Args:
        scope: What the role belongs to.
        construct_id: Its ID there.
    """
    role = iam.Role(
        scope,
        construct_id,
        assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"),
        managed_policies=[iam.ManagedPolicy.from_aws_managed_policy_name(name) for name in _POLICIES],
    )
    acknowledge(
        role,
        MANAGED_POLICIES,
        reason="a kubelet may do what AWS lets it do in these policies, and a node without them does not join",
        findings=[f"Policy::*/{name}" for name in _POLICIES],
    )
    return role
