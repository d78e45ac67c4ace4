"""The node labels and taints that say where a pod may run. Node groups set them, charts select and tolerate them."""

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
    def toleration(self) -> dict[str, str]:
        """The taint's counterpart in a pod's ``tolerations``."""
        return {"key": self.key, "operator": "Equal", "value": self.value, "effect": _KUBERNETES_EFFECT[self.effect]}


SYSTEM_LABEL = NodeLabel("aerodrome.io/capacity", "system")
"""The on-demand nodes of the platform's own components. They carry no taint: whatever names no place lands there."""

SPOT_LABEL = NodeLabel("aerodrome.io/capacity", "spot")
"""The spot nodes, which EC2 may take back with two minutes' notice."""

SPOT_TAINT = NodeTaint("aerodrome.io/capacity", "spot", "NO_SCHEDULE")
"""Keeps pods off the spot nodes unless they say that they can bear an interruption."""
