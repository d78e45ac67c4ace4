"""The node labels and taints that say where a pod may run. Nodes get them, charts select and tolerate them.

Managed node groups, Karpenter's node pools and Flyte's configuration all take them from here: a label that one of them
spelt differently would leave pods Pending with nobody to blame.
"""

from dataclasses import dataclass
from typing import Literal

_KUBERNETES_EFFECT = {
    "NO_SCHEDULE": "NoSchedule",
    "PREFER_NO_SCHEDULE": "PreferNoSchedule",
    "NO_EXECUTE": "NoExecute",
}


@dataclass(frozen=True, slots=True)
class NodeLabel:
    """A label on nodes.

    Attributes:
        key: The label's key.
        value: The value that the nodes of one kind have.
    """

    key: str
    value: str

    @property
    def selector(self) -> dict[str, str]:
        """The label as a pod's ``nodeSelector``."""
        return {self.key: self.value}


@dataclass(frozen=True, slots=True)
class NodeTaint:
    """A taint on nodes: pods that do not tolerate it stay away.

    Attributes:
        key: The taint's key.
        value: The value that the nodes of one kind have.
        effect: What happens to a pod that does not tolerate the taint, as the EKS API spells it. Kubernetes spells the
            same effects ``NoSchedule``, ``PreferNoSchedule`` and ``NoExecute``.
    """

    key: str
    value: str
    effect: Literal["NO_SCHEDULE", "PREFER_NO_SCHEDULE", "NO_EXECUTE"]

    @property
    def manifest(self) -> dict[str, str]:
        """The taint as Kubernetes writes it."""
        return {"key": self.key, "value": self.value, "effect": _KUBERNETES_EFFECT[self.effect]}

    @property
    def toleration(self) -> dict[str, str]:
        """The taint's counterpart in a pod's ``tolerations``."""
        return {"key": self.key, "operator": "Equal", "value": self.value, "effect": _KUBERNETES_EFFECT[self.effect]}


SYSTEM_LABEL = NodeLabel("aerodrome.io/capacity", "system")
"""The on-demand nodes of the platform's own components. They carry no taint: whatever names no place lands there."""

INTERRUPTIBLE_LABEL = NodeLabel("aerodrome.io/capacity", "interruptible")
"""The nodes of interruptible work: spot ones, which EC2 may take back with two minutes' notice, and the on-demand ones
that stand in for them where spot has nothing to give."""

INTERRUPTIBLE_TAINT = NodeTaint("aerodrome.io/capacity", "interruptible", "NO_SCHEDULE")
"""Keeps pods off spot nodes unless they say that they can bear an interruption."""

ON_DEMAND_LABEL = NodeLabel("aerodrome.io/capacity", "on-demand")
"""The on-demand nodes of tasks that cannot bear an interruption."""

TASK_TAINT = NodeTaint("aerodrome.io/tasks", "only", "NO_SCHEDULE")
"""Keeps everything that is no task of Flyte's off the on-demand nodes for tasks, which are to go when no task runs."""

GPU_LABEL = NodeLabel("nvidia.com/gpu.present", "true")
"""The nodes with NVIDIA GPUs. NVIDIA's device plugin runs where it finds this label (its chart's default affinity)."""

GPU_TAINT = NodeTaint("nvidia.com/gpu", "present", "NO_SCHEDULE")
"""Keeps pods that need no GPU off the nodes that have some, and cost tenfold."""
