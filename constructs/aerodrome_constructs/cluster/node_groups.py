"""Managed node groups: on-demand ones for the platform itself, spot ones for work that may be interrupted."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_iam as iam
from constructs import Construct

from aerodrome_constructs.cluster.scheduling import SPOT_LABEL, SPOT_TAINT, SYSTEM_LABEL
from aerodrome_constructs.instances import hardened_launch_template

_NODE_POLICIES = ("AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryReadOnly")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGroupsProps:
    """What the node groups of one cluster share.

    Attributes:
        cluster: The cluster that the nodes join.
        subnets: Where the nodes are.
        disk_gib: The size of each node's encrypted gp3 disk, in GiB. Images of ML frameworks take 5 to 15 GiB each.
    """

    cluster: eks.ICluster
    subnets: ec2.SubnetSelection
    disk_gib: int = 100


class NodeGroups(Construct):
    """The node groups of a cluster, on one role and one launch template.

    Every node has IMDSv2 with a hop limit of 1, so that a pod cannot take the node's role, and no SSH.

    Attributes:
        role: The role of the nodes.
    """

    def __init__(self, scope: Construct, construct_id: str, props: NodeGroupsProps) -> None:
        super().__init__(scope, construct_id)
        self._props = props
        self._spot = Construct(self, "Spot")
        self.role = iam.Role(
            self,
            "NodeRole",
            assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"),
            managed_policies=[iam.ManagedPolicy.from_aws_managed_policy_name(name) for name in _NODE_POLICIES],
        )
        self._launch_template = hardened_launch_template(self, "LaunchTemplate", disk_gib=props.disk_gib)

    def add_system(self, instance_types: Sequence[str], *, min_size: int, max_size: int) -> eks.Nodegroup:
        """Add the on-demand group that the platform's own components run on."""
        return self._add(
            self,
            "System",
            instance_types,
            capacity_type=eks.CapacityType.ON_DEMAND,
            min_size=min_size,
            max_size=max_size,
            labels=SYSTEM_LABEL.selector,
        )

    def add_spot(self, name: str, instance_types: Sequence[str], *, max_size: int) -> eks.Nodegroup:
        """Add a spot group that starts empty. Its taint keeps everything away that does not ask for it.

        Args:
            name: The group's name. It is the ID, too: two names never make one ID.
            instance_types: Types of the same shape. EC2 takes the ones that are least likely to be interrupted.
            max_size: The most nodes that it may have.
        """
        return self._add(
            self._spot,
            name,
            instance_types,
            capacity_type=eks.CapacityType.SPOT,
            min_size=0,
            max_size=max_size,
            labels=SPOT_LABEL.selector,
            taints=[
                eks.TaintSpec(key=SPOT_TAINT.key, value=SPOT_TAINT.value, effect=eks.TaintEffect[SPOT_TAINT.effect])
            ],
        )

    def _add(
        self,
        scope: Construct,
        construct_id: str,
        instance_types: Sequence[str],
        *,
        capacity_type: eks.CapacityType,
        min_size: int,
        max_size: int,
        labels: dict[str, str],
        taints: Sequence[eks.TaintSpec] = (),
    ) -> eks.Nodegroup:
        return eks.Nodegroup(
            scope,
            construct_id,
            cluster=self._props.cluster,
            ami_type=_ami_type(instance_types[0]),
            capacity_type=capacity_type,
            instance_types=[ec2.InstanceType(instance_type) for instance_type in instance_types],
            min_size=min_size,
            max_size=max_size,
            desired_size=min_size,
            labels=labels,
            taints=list(taints),
            launch_template_spec=eks.LaunchTemplateSpec(
                id=self._launch_template.launch_template_id or "", version=self._launch_template.latest_version_number
            ),
            node_role=self.role,
            subnets=self._props.subnets,
            enable_node_auto_repair=True,
        )


def _ami_type(instance_type: str) -> eks.NodegroupAmiType:
    # The CDK chooses by itself only for a group without a launch template. Images for GPUs bring NVIDIA's driver.
    graviton = ec2.InstanceType(instance_type).architecture == ec2.InstanceArchitecture.ARM_64
    gpus = re.match("(?:gr?|p)[0-9]", instance_type) is not None
    if gpus:
        images = eks.NodegroupAmiType.AL2023_X86_64_NVIDIA, eks.NodegroupAmiType.AL2023_ARM_64_NVIDIA
    else:
        images = eks.NodegroupAmiType.AL2023_X86_64_STANDARD, eks.NodegroupAmiType.AL2023_ARM_64_STANDARD
    return images[graviton]
