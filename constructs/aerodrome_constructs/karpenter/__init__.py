"""What Karpenter needs of AWS: how it learns of interruptions, and what its nodes are."""

from aerodrome_constructs.karpenter.interruption_queue import InterruptionQueue
from aerodrome_constructs.karpenter.nodes import KarpenterNodes, KarpenterNodesProps

__all__ = ["InterruptionQueue", "KarpenterNodes", "KarpenterNodesProps"]
