"""What the name of an EC2 instance type tells of what is inside."""

import math
import re
from dataclasses import dataclass

_SIZE = re.compile(r"(\d*)(xlarge|large|medium|small|micro|nano)")
_VCPUS = {"xlarge": 4, "large": 2}
_GPU_FAMILIES = re.compile(r"(?:gr?|p)\d")
_MOST_GPUS = 8
_UNKNOWN = math.inf

# GiB for a vCPU, and the vCPUs of the largest size.
# https://docs.aws.amazon.com/ec2/latest/instancetypes/gp.html, co.html, mo.html and ac.html
_FAMILIES: dict[str, tuple[float, int]] = {
    **dict.fromkeys(("c5", "c5d"), (2, 96)),
    **dict.fromkeys(("c6i", "c6id"), (2, 128)),
    **dict.fromkeys(("c6a", "c7a", "c7i", "c8g"), (2, 192)),
    **dict.fromkeys(("c6g", "c6gd", "c7g", "c7gd"), (2, 64)),
    **dict.fromkeys(("m5", "m5a", "m5d"), (4, 96)),
    **dict.fromkeys(("m6i", "m6id"), (4, 128)),
    **dict.fromkeys(("m6a", "m7a", "m7i", "m8g"), (4, 192)),
    **dict.fromkeys(("m6g", "m6gd", "m7g", "m7gd"), (4, 64)),
    **dict.fromkeys(("r5", "r5a", "r5d"), (8, 96)),
    **dict.fromkeys(("r6i", "r6id"), (8, 128)),
    **dict.fromkeys(("r6a", "r7a", "r7i", "r8g"), (8, 192)),
    **dict.fromkeys(("r6g", "r6gd", "r7g", "r7gd"), (8, 64)),
    "g4dn": (4, 96),
    "g5": (4, 192),
    "g6": (4, 192),
}


@dataclass(frozen=True, slots=True)
class Demand:
    """What one container asks of the instance that it runs on.

    Attributes:
        vcpus: Virtual CPUs.
        memory_mib: Memory, MiB.
        gpus: NVIDIA GPUs.
    """

    vcpus: float
    memory_mib: float
    gpus: int


def can_hold(instance_type: str, demand: Demand) -> bool:
    """Whether an instance type, or the largest one of a family, is large enough, so far as its name tells.

    Args:
        instance_type: A type such as ``c6i.xlarge``, a family such as ``c6i``, or ``optimal``, which has every size.
        demand: What a container asks for. All of an instance's memory is too much: its system and the ECS agent need
            some (AWS Batch User Guide, "Compute resource memory management").
    """
    if demand.gpus and (demand.gpus > _MOST_GPUS or _GPU_FAMILIES.match(instance_type) is None):
        return False
    vcpus, memory_gib = _inside(instance_type)
    return vcpus >= demand.vcpus and memory_gib * 1024 > demand.memory_mib


def _inside(instance_type: str) -> tuple[float, float]:
    """The vCPUs and GiB of a type, or of a family's largest; infinite where the name does not tell."""
    family, _, size = instance_type.partition(".")
    gib_per_vcpu, most_vcpus = _FAMILIES.get(family, (_UNKNOWN, _UNKNOWN))
    match = _SIZE.fullmatch(size)
    vcpus = float(most_vcpus if match is None else _VCPUS.get(match.group(2), 1) * int(match.group(1) or 1))
    return vcpus, vcpus * gib_per_vcpu
