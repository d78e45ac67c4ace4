"""What Fargate offers: memory goes with vCPUs, and only certain sizes of both."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

MEMORY_MIB: Final[Mapping[float, Sequence[int]]] = MappingProxyType(
    {
        0.25: (512, 1024, 2048),
        0.5: range(1024, 4096 + 1, 1024),
        1: range(2048, 8192 + 1, 1024),
        2: range(4096, 16384 + 1, 1024),
        4: range(8192, 30720 + 1, 1024),
        8: range(16384, 61440 + 1, 4096),
        16: range(32768, 122880 + 1, 8192),
        32: (61440, 122880, 249856),
    }
)
"""The sizes of memory, in MiB, that each number of vCPUs goes with
(https://docs.aws.amazon.com/batch/latest/APIReference/API_ResourceRequirement.html)."""

EPHEMERAL_GIB: Final = range(21, 200 + 1)
"""The sizes of a task's own disk, in GiB; it has 20 if it says nothing
(https://docs.aws.amazon.com/batch/latest/APIReference/API_EphemeralStorage.html)."""

LONGEST_DAYS: Final = 14
"""Fargate may end a job that runs longer (https://docs.aws.amazon.com/batch/latest/userguide/job_timeouts.html)."""


def size_problem(vcpus: float, memory_mib: int) -> str | None:
    """What is wrong with a size on Fargate, and what would be right. None: nothing.

    Args:
        vcpus: The vCPUs.
        memory_mib: The memory, in MiB.
    """
    sizes = MEMORY_MIB.get(vcpus)
    if sizes is None:
        return f"vcpus={vcpus:g}: Fargate has {', '.join(f'{one:g}' for one in MEMORY_MIB)}"
    if memory_mib in sizes:
        return None
    wished = f"memory_mib={memory_mib} with {vcpus:g} vCPUs: Fargate has {_listed(sizes)}"
    *fitting, last = [f"{other:g}" for other, offered in MEMORY_MIB.items() if memory_mib in offered] or [""]
    others = f"{', '.join(fitting)} or {last}" if fitting else last
    return f"{wished}; {memory_mib} goes with {others} vCPUs" if others else wished


def _listed(sizes: Sequence[int]) -> str:
    if isinstance(sizes, range):
        return f"{sizes[0]} to {sizes[-1]} in steps of {sizes.step}"
    return ", ".join(map(str, sizes))
