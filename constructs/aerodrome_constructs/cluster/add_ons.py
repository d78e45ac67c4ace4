"""The add-ons that EKS manages: networking, DNS, and disks."""

from dataclasses import dataclass

from aws_cdk import aws_eks_v2 as eks
from constructs import Construct


@dataclass(frozen=True, slots=True, kw_only=True)
class AddOnsProps:
    """What the add-ons of one cluster need to know.

    Attributes:
        cluster: The cluster.
        ebs_csi_role_arn: The IAM role of the EBS CSI driver's controller, which makes and attaches disks.
    """

    cluster: eks.ICluster
    ebs_csi_role_arn: str


class AddOns(Construct):
    """The EKS add-ons, in the order in which a new cluster can take them.

    A node is not ready without ``vpc-cni`` and ``kube-proxy``, so these come before the nodes; ``coredns`` and the EBS
    CSI driver have pods that need a node to run on, so they come after: EKS calls an add-on whose pods cannot start
    DEGRADED, and CloudFormation fails the stack for it.
    """

    def __init__(self, scope: Construct, construct_id: str, props: AddOnsProps) -> None:
        super().__init__(scope, construct_id)
        self._before_nodes = [
            self._add(props.cluster, "VpcCni", "vpc-cni"),
            self._add(props.cluster, "KubeProxy", "kube-proxy"),
        ]
        self._after_nodes = [
            self._add(props.cluster, "CoreDns", "coredns"),
            self._add(props.cluster, "EbsCsiDriver", "aws-ebs-csi-driver", role_arn=props.ebs_csi_role_arn),
        ]

    def surround(self, first_nodes: eks.Nodegroup, *other_nodes: eks.Nodegroup) -> None:
        """Put the nodes between the add-ons that they need and those that need them.

        Args:
            first_nodes: The node group that is there from the start: DNS and the disk driver run on it.
            other_nodes: The other node groups. They may be empty, so nothing waits for them.
        """
        for nodes in (first_nodes, *other_nodes):
            for add_on in self._before_nodes:
                nodes.node.add_dependency(add_on)
        for add_on in self._after_nodes:
            add_on.node.add_dependency(first_nodes)

    def _add(self, cluster: eks.ICluster, construct_id: str, name: str, *, role_arn: str | None = None) -> eks.CfnAddon:
        return eks.CfnAddon(
            self,
            construct_id,
            addon_name=name,
            cluster_name=cluster.cluster_name,
            # An add-on takes over what an earlier hand left, rather than failing on it.
            resolve_conflicts="OVERWRITE",
            service_account_role_arn=role_arn,
        )
