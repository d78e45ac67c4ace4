"""The EKS cluster, its nodes and its add-ons."""

from aerodrome_constructs.cluster.add_ons import AddOns, AddOnsProps, PodNetwork
from aerodrome_constructs.cluster.cluster import KubernetesCluster, KubernetesClusterProps
from aerodrome_constructs.cluster.kubernetes_version import KUBERNETES_RELEASES, KubernetesRelease
from aerodrome_constructs.cluster.node_groups import NodeGroups, NodeGroupsProps
from aerodrome_constructs.cluster.scheduling import (
    GPU_LABEL,
    GPU_TAINT,
    INTERRUPTIBLE_LABEL,
    INTERRUPTIBLE_TAINT,
    ON_DEMAND_LABEL,
    SYSTEM_LABEL,
    TASK_TAINT,
    NodeLabel,
    NodeTaint,
)

__all__ = [
    "GPU_LABEL",
    "GPU_TAINT",
    "INTERRUPTIBLE_LABEL",
    "INTERRUPTIBLE_TAINT",
    "KUBERNETES_RELEASES",
    "ON_DEMAND_LABEL",
    "SYSTEM_LABEL",
    "TASK_TAINT",
    "AddOns",
    "AddOnsProps",
    "KubernetesCluster",
    "KubernetesClusterProps",
    "KubernetesRelease",
    "NodeGroups",
    "NodeGroupsProps",
    "NodeLabel",
    "NodeTaint",
    "PodNetwork",
]
