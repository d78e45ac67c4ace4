"""What a node that Karpenter starts is to AWS and to the cluster."""

from dataclasses import dataclass

from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_iam as iam
from constructs import Construct

from aerodrome_constructs.cluster.node_role import node_role


@dataclass(frozen=True, slots=True, kw_only=True)
class KarpenterNodesProps:
    """What Karpenter's nodes need to know.

    Attributes:
        cluster: The cluster that they join.
    """

    cluster: eks.ICluster


class KarpenterNodes(Construct):
    """A role, an instance profile and an access entry for nodes that Karpenter starts.

    The role is another than that of the managed node groups, for which EKS makes an access entry by itself and would
    refuse a second one. The instance profile is made here, so that Karpenter needs no right to make any, nor a way to
    the IAM API, which has no endpoint in a private network
    (https://karpenter.sh/v1.14/getting-started/getting-started-with-karpenter/#private-clusters).

    Attributes:
        role: The role of the nodes.
        instance_profile_name: The instance profile that carries the role.
    """

    def __init__(self, scope: Construct, construct_id: str, props: KarpenterNodesProps) -> None:
        super().__init__(scope, construct_id)
        self.role = node_role(self, "Role")
        self.instance_profile_name = iam.InstanceProfile(self, "InstanceProfile", role=self.role).instance_profile_name
        eks.AccessEntry(
            self,
            "AccessEntry",
            cluster=props.cluster,
            principal=self.role.role_arn,
            # A kind with fixed rights, those of a kubelet: policies cannot be added to it.
            access_entry_type=eks.AccessEntryType.EC2_LINUX,
            access_policies=[],
        )
