"""The EKS cluster, its nodes and its add-ons."""

from aerodrome_constructs.cluster.add_ons import AddOns, AddOnsProps
from aerodrome_constructs.cluster.cluster import KubernetesCluster, KubernetesClusterProps
from aerodrome_constructs.cluster.kubernetes_version import KUBERNETES_RELEASES, KubernetesRelease
from aerodrome_constructs.cluster.node_groups import NodeGroups, NodeGroupsProps
from aerodrome_constructs.cluster.scheduling import SPOT_LABEL, SPOT_TAINT, SYSTEM_LABEL, NodeLabel, NodeTaint

__all__ = [
    "KUBERNETES_RELEASES",
    "SPOT_LABEL",
    "SPOT_TAINT",
    "SYSTEM_LABEL",
    "AddOns",
    "AddOnsProps",
    "KubernetesCluster",
    "KubernetesClusterProps",
    "KubernetesRelease",
    "NodeGroups",
    "NodeGroupsProps",
    "NodeLabel",
    "NodeTaint",
]
