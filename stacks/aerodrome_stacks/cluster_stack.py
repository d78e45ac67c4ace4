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
    PodNetwork,
)
from aerodrome_constructs.identity import ServiceAccount, ServiceAccountRole, ServiceAccountRoleProps
from aerodrome_constructs.karpenter import InterruptionQueue, KarpenterNodes, KarpenterNodesProps
from aerodrome_constructs.policy import acknowledge
from aerodrome_constructs.policy.known_rules import KUBECTL_WITHOUT_INTERNET, MANAGED_POLICIES
from aerodrome_constructs.registry import let_fill_caches
from aerodrome_stacks.base import AerodromeStack
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.image_list import PULL_THROUGH, cache_prefix
from aerodrome_stacks.network_stack import NetworkPorts
from aerodrome_stacks.retention import log_retention
from aerodrome_stacks.service_accounts import EBS_CSI_DRIVER, VPC_CNI


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterPorts:
    """What other stacks may use of the cluster.

    Attributes:
        cluster: The cluster, for installing charts in it.
        name: The cluster's name.
        oidc_issuer: The issuer of service account tokens, without ``https://``, for roles that trust them.
        security_group_id: What nodes carry, and what lets them, the control plane and pods talk to each other.
        node_role_arn: The role of the nodes that Karpenter starts. Those of the managed groups have their own.
        node_instance_profile: The name of the instance profile that carries that role.
        interruption_queue_name: The queue from which Karpenter learns that a node is about to go.
        interruption_queue_arn: The same queue's ARN.
    """

    cluster: eks.ICluster
    name: str
    oidc_issuer: str
    security_group_id: str
    node_role_arn: str
    node_instance_profile: str
    interruption_queue_name: str
    interruption_queue_arn: str


class ClusterStack(AerodromeStack):
    """An EKS cluster with on-demand nodes for the platform and spot nodes for work that may be interrupted.

    Managed groups are the nodes that always run; what Karpenter needs to add the others is here, too.
    """

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
            description="EKS cluster, node groups, add-ons, OIDC provider, access entries, Karpenter's queue and roles",
            holds_data=True,
        )
        decisions = environment.cluster
        release = KUBERNETES_RELEASES[decisions.kubernetes_version]
        kubernetes = KubernetesCluster(
            self,
            "Kubernetes",
            KubernetesClusterProps(
                name=self.prefix,
                release=release,
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
        if environment.network.private:
            acknowledge(
                kubernetes,
                KUBECTL_WITHOUT_INTERNET,
                reason="a private network has an endpoint for each of the services that kubectl and helm need",
            )
        self.tag_by_hand(kubernetes.node.find_child("Resource"), "KubectlReadyBarrier")
        self._oidc_issuer = kubernetes.oidc_issuer
        security_group_id = kubernetes.cluster.cluster_security_group_id
        nodes = NodeGroups(
            self,
            "Nodes",
            NodeGroupsProps(
                cluster=kubernetes.cluster, subnets=network.node_subnets, image_release=release.node_image_release
            ),
        )
        system = nodes.add_system(
            decisions.system_nodes.instance_types,
            min_size=decisions.system_nodes.min_size,
            max_size=decisions.system_nodes.max_size,
        )
        spot = [
            nodes.add_spot(group.name, group.instance_types, min_size=group.min_size) for group in decisions.spot_nodes
        ]
        add_ons = AddOns(
            self,
            "AddOns",
            AddOnsProps(
                cluster=kubernetes.cluster,
                versions=release.add_ons,
                pod_networks={
                    zone: PodNetwork(
                        subnet_id=subnet.subnet_id,
                        # The cluster's own first: with it, a pod is to the control plane what a node is.
                        security_group_ids=[security_group_id, network.database_clients.security_group_id],
                    )
                    for zone, subnet in network.pod_subnets.items()
                },
                vpc_cni_role_arn=self._add_on_role("VpcCniRole", VPC_CNI, "AmazonEKS_CNI_Policy"),
                ebs_csi_role_arn=self._add_on_role(
                    "EbsCsiDriverRole", EBS_CSI_DRIVER, "service-role/AmazonEBSCSIDriverPolicy"
                ),
            ),
        )
        add_ons.surround(system, *spot)
        karpenter_nodes = KarpenterNodes(self, "KarpenterNodes", KarpenterNodesProps(cluster=kubernetes.cluster))
        if environment.images == "pull-through":
            let_fill_caches(
                self,
                "FillImageCaches",
                roles=[nodes.role, karpenter_nodes.role],
                repositories=[
                    self.format_arn(service="ecr", resource="repository", resource_name=f"{prefix}/*")
                    for prefix in (cache_prefix(environment, registry) for registry in PULL_THROUGH)
                ],
            )
        interruptions = InterruptionQueue(
            self, "Interruptions", unhandled_name=f"{self.prefix}-interruptions-unhandled"
        ).queue
        self.ports = ClusterPorts(
            cluster=kubernetes.cluster,
            name=self.prefix,
            oidc_issuer=kubernetes.oidc_issuer,
            security_group_id=security_group_id,
            node_role_arn=karpenter_nodes.role.role_arn,
            node_instance_profile=karpenter_nodes.instance_profile_name,
            interruption_queue_name=interruptions.queue_name,
            interruption_queue_arn=interruptions.queue_arn,
        )

    def _add_on_role(self, construct_id: str, service_account: ServiceAccount, policy: str) -> str:
        props = ServiceAccountRoleProps(service_account=service_account, oidc_issuer=self._oidc_issuer)
        role = ServiceAccountRole(self, construct_id, props).role
        role.add_managed_policy(iam.ManagedPolicy.from_aws_managed_policy_name(policy))
        acknowledge(
            role,
            MANAGED_POLICIES,
            reason="what the add-on may do is what AWS lets it do in this policy, which changes with the add-on",
            findings=[f"Policy::*/{policy}"],
        )
        return role.role_arn
