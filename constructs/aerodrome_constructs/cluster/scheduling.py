"""The node labels and taints that say where a pod may run. Node groups set them, charts select and tolerate them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

type _Effect = Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


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
    def selector(self) -> Mapping[str, str]:
        """The label as a pod's ``nodeSelector``."""
        return {self.key: self.value}
