"""The instances that AWS Batch chooses from, by what they have inside.

Families, not single types: Batch picks the size that fits the jobs that wait, and EC2 has more spot pools to give from.
"""

from dataclasses import dataclass
from typing import Final

HOSTS_SINCE: Final = "2026-11"
"""When all hosts were last made anew, as year and month.

Batch takes the newest image of its type when a compute environment is made, and no newer one later (AWS Batch User
Guide, "Compute resource AMIs"). Another value here makes all of them anew: docs/how-to/renew-batch-hosts.md.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """Instances that one image of the operating system starts on, and that one container image runs on.

    Attributes:
        families: The instance families.
        image_type: Which ECS-optimized image Batch starts, as ``Ec2Configuration`` names it.
        has_gpus: Whether they have NVIDIA GPUs.
    """

    families: tuple[str, ...]
    image_type: str
    has_gpus: bool = False


X86: Final = Hardware(
    families=("m5", "m6a", "m6i", "m7a", "m7i", "c6a", "c6i", "c7a", "c7i", "r6a", "r6i", "r7a", "r7i"),
    image_type="ECS_AL2023",
)
"""Intel and AMD, for 2, 4 and 8 GiB a vCPU."""

ARM: Final = Hardware(
    families=("m6g", "m7g", "m8g", "c6g", "c7g", "c8g", "r6g", "r7g", "r8g"),
    image_type="ECS_AL2023",
)
"""Graviton 2 to 4, for 2, 4 and 8 GiB a vCPU."""

GPU: Final = Hardware(
    # The image for GPUs takes neither g3 nor p3 (AWS Batch API Reference, "Ec2Configuration").
    families=("g4dn", "g5", "g6"),
    image_type="ECS_AL2023_NVIDIA",
    has_gpus=True,
)
"""NVIDIA T4, A10G and L4, from one GPU with 4 vCPUs to eight."""
