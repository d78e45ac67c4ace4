"""The Cluster stack: EKS, its nodes, its add-ons, and who may use it."""

from dataclasses import dataclass

from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from aerodrome_constructs.cluster import (
    KUBERNETES_RELEASES,
    AddOns,
    AddOnsProps,
    KubernetesCluster,
    KubernetesClusterProps,
    NodeGroups,
    NodeGroupsProps,
)
from aerodrome_constructs.identity import ServiceAccountRole, ServiceAccountRoleProps
from aerodrome_stacks.base import AerodromeStack
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.network_stack import NetworkPorts
from aerodrome_stacks.retention import log_retention
from aerodrome_stacks.service_accounts import EBS_CSI_DRIVER


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterPorts:
    """What other stacks may use of the cluster.

    Attributes:
        cluster: The cluster, for installing charts in it.
        name: The cluster's name.
        oidc_issuer: The issuer of service account tokens, without ``https://``, for roles that trust them.
        node_role_arn: The role of the nodes.
    """

    cluster: eks.ICluster
    name: str
    oidc_issuer: str
    node_role_arn: str


class ClusterStack(AerodromeStack):
    """An EKS cluster with on-demand nodes for the platform and spot nodes for work that may be interrupted."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        network: NetworkPorts,
        secrets_key: kms.IKey,
        log_key: kms.IKey,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            environment=environment,
            description="EKS cluster, node groups, add-ons, OIDC provider and access entries",
            holds_data=True,
        )
        decisions = environment.cluster
        kubernetes = KubernetesCluster(
            self,
            "Kubernetes",
            KubernetesClusterProps(
                name=self.prefix,
                release=KUBERNETES_RELEASES[decisions.kubernetes_version],
                vpc=network.vpc,
                subnets=network.node_subnets,
                secrets_key=secrets_key,
                log_key=log_key,
                log_retention=log_retention(environment),
                public_endpoint_cidrs=decisions.public_endpoint_cidrs,
                administrators=decisions.administrators,
                viewers=decisions.viewers,
            ),
        )
        nodes = NodeGroups(self, "Nodes", NodeGroupsProps(cluster=kubernetes.cluster, subnets=network.node_subnets))
        system = nodes.add_system(
            decisions.system_nodes.instance_types,
            min_size=decisions.system_nodes.min_size,
            max_size=decisions.system_nodes.max_size,
        )
        spot = [
            nodes.add_spot(group.name, group.instance_types, max_size=group.max_size) for group in decisions.spot_nodes
        ]
        disk_role = ServiceAccountRole(
            self,
            "EbsCsiDriverRole",
            ServiceAccountRoleProps(service_account=EBS_CSI_DRIVER, oidc_issuer=kubernetes.oidc_issuer),
        ).role
        disk_role.add_managed_policy(
            iam.ManagedPolicy.from_aws_managed_policy_name("service-role/AmazonEBSCSIDriverPolicy")
        )
        add_ons = AddOns(self, "AddOns", AddOnsProps(cluster=kubernetes.cluster, ebs_csi_role_arn=disk_role.role_arn))
        add_ons.surround(system, *spot)
        self.ports = ClusterPorts(
            cluster=kubernetes.cluster,
            name=self.prefix,
            oidc_issuer=kubernetes.oidc_issuer,
            node_role_arn=nodes.role.role_arn,
        )
