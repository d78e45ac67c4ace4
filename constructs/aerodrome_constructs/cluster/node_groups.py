"""Managed node groups: on-demand ones for the platform itself, spot ones for work that may be interrupted."""

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_eks_v2 as eks
from constructs import Construct

from aerodrome_constructs.cluster.node_role import node_role
from aerodrome_constructs.cluster.scheduling import (
    GPU_LABEL,
    GPU_TAINT,
    INTERRUPTIBLE_LABEL,
    INTERRUPTIBLE_TAINT,
    SYSTEM_LABEL,
    NodeTaint,
)
from aerodrome_constructs.escape_hatch import resource_of
from aerodrome_constructs.instances import hardened_launch_template, has_nvidia_gpus

# A third of a group at a time: with a node in each zone, an update leaves two zones standing.
_UNAVAILABLE_PERCENT = 33


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGroupsProps:
    """What the node groups of one cluster share.

    Attributes:
        cluster: The cluster that the nodes join.
        subnets: Where the nodes are.
        image_release: The release of the EKS-optimized Amazon Linux 2023 images, such as ``1.36.4-20260923``. A newer
            one is a change of this, and not whatever is newest on the day that a node starts.
        disk_gib: The size of each node's encrypted gp3 disk, in GiB. Images of ML frameworks take 5 to 15 GiB each.
    """

    cluster: eks.ICluster
    subnets: ec2.SubnetSelection
    image_release: str
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
        self.role = node_role(self, "NodeRole")
        self._launch_template = hardened_launch_template(self, "LaunchTemplate", disk_gib=props.disk_gib)

    def add_system(self, instance_types: Sequence[str], *, min_size: int, max_size: int) -> eks.Nodegroup:
        """Add the on-demand group that the platform's own components run on.

        Args:
            instance_types: Types of the same shape.
            min_size: The nodes that are kept running. Nothing scales the group: Karpenter adds the others.
            max_size: The most nodes, for somebody who sizes the group by hand.
        """
        return self._add(
            self,
            "System",
            instance_types,
            capacity_type=eks.CapacityType.ON_DEMAND,
            min_size=min_size,
            max_size=max_size,
            labels=SYSTEM_LABEL.selector,
        )

    def add_spot(self, name: str, instance_types: Sequence[str], *, min_size: int = 0) -> eks.Nodegroup:
        """Add a spot group. Its taints keep everything away that does not ask for it.

        Nothing scales the group: it is what always runs, and Karpenter adds the other nodes. One that keeps none
        running is there all the same, for a day without Karpenter on which somebody sizes it by hand.

        Args:
            name: The group's name. It is the ID, too: two names never make one ID.
            instance_types: Types of the same shape. EC2 takes the ones that are least likely to be interrupted.
            min_size: The nodes that are kept running. Default: none.
        """
        gpus = has_nvidia_gpus(instance_types[0])
        return self._add(
            self._spot,
            name,
            instance_types,
            capacity_type=eks.CapacityType.SPOT,
            min_size=min_size,
            max_size=max(min_size, 1),  # EKS takes no group whose most is none
            labels={**INTERRUPTIBLE_LABEL.selector, **(GPU_LABEL.selector if gpus else {})},
            taints=[INTERRUPTIBLE_TAINT, GPU_TAINT] if gpus else [INTERRUPTIBLE_TAINT],
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
        taints: Sequence[NodeTaint] = (),
    ) -> eks.Nodegroup:
        group = eks.Nodegroup(
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
            taints=[
                eks.TaintSpec(key=taint.key, value=taint.value, effect=eks.TaintEffect[taint.effect])
                for taint in taints
            ],
            release_version=self._props.image_release,
            max_unavailable_percentage=_UNAVAILABLE_PERCENT,
            launch_template_spec=eks.LaunchTemplateSpec(
                id=self._launch_template.launch_template_id or "", version=self._launch_template.latest_version_number
            ),
            node_role=self.role,
            subnets=self._props.subnets,
            # A node whose pods a PodDisruptionBudget holds fails the update, rather than losing them.
            force_update=False,
            enable_node_auto_repair=True,
        )
        # EKS holds a release against the group's own version, which without this would still be the old one in the
        # update that moves both. eks_v2.NodegroupProps has no such property in 2.275.0.
        resource_of(group, eks.CfnNodegroup).version = ".".join(self._props.image_release.split(".")[:2])
        return group


def _ami_type(instance_type: str) -> eks.NodegroupAmiType:
    # The CDK chooses by itself only for a group without a launch template. Images for GPUs bring NVIDIA's driver.
    graviton = ec2.InstanceType(instance_type).architecture == ec2.InstanceArchitecture.ARM_64
    if has_nvidia_gpus(instance_type):
        images = eks.NodegroupAmiType.AL2023_X86_64_NVIDIA, eks.NodegroupAmiType.AL2023_ARM_64_NVIDIA
    else:
        images = eks.NodegroupAmiType.AL2023_X86_64_STANDARD, eks.NodegroupAmiType.AL2023_ARM_64_STANDARD
    return images[graviton]
