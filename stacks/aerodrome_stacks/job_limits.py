"""The most that one job of AWS Batch can have in a queue of each kind.

A job with more waits in vain, at the head of its queue, until it is cancelled: who submits it is told before instead.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aerodrome_stacks.batch_queues import Kind
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.capacity import BatchCapacity, InstanceCapacity

VIRTUAL_MACHINE_SHARE: Final = 0.075
"""Memory of which a virtual machine sees nothing: about 7.5 % of what its type has (what Karpenter reckons with,
VM_MEMORY_OVERHEAD_PERCENT)."""

_MIB_A_GIB = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLimits:
    """The most of each thing.

    Attributes:
        vcpus: vCPUs.
        memory_gib: The memory of the instance, in GiB.
        memory_mib: What of it a job may have, in MiB.
        gpus: GPUs.
    """

    vcpus: int
    memory_gib: int
    memory_mib: int
    gpus: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hardware:
    """The largest instances of the families that a compute environment chooses from (``batch/families.py``)."""

    vcpus: int
    gib_a_vcpu: int
    # By the vCPUs of the smallest instance that has them.
    gpus: Mapping[int, int]


_X86 = _Hardware(vcpus=192, gib_a_vcpu=8, gpus={})  # r7a.48xlarge, r7i.48xlarge
_ARM = _Hardware(vcpus=192, gib_a_vcpu=8, gpus={})  # r8g.48xlarge
# g5.48xlarge and g6.48xlarge; g4dn.xlarge, g5.12xlarge and its like, g4dn.metal.
_GPU = _Hardware(vcpus=192, gib_a_vcpu=4, gpus={4: 1, 48: 4, 96: 8})
# By vCPUs (https://docs.aws.amazon.com/batch/latest/APIReference/API_ResourceRequirement.html).
_FARGATE_MIB = {1: 8192, 2: 16384, 4: 30720, 8: 61440, 16: 122880, 32: 249856}


def job_limits(environment: Environment, kind: Kind) -> JobLimits:
    """The most that one job can have, with the environment's ceilings.

    Args:
        environment: What the team decided.
        kind: The kind of queue. The environment has it.
    """
    ceiling = _ceiling(environment.batch, kind)
    if kind.hardware == "fargate":
        vcpus = max((one for one in _FARGATE_MIB if one <= ceiling), default=0)
        memory = _FARGATE_MIB.get(vcpus, 0)
        return JobLimits(vcpus=vcpus, memory_gib=memory // _MIB_A_GIB, memory_mib=memory)
    hardware = {"arm": _ARM, "gpu": _GPU}.get(kind.hardware, _X86)
    vcpus = min(ceiling, hardware.vcpus)
    memory_gib = vcpus * hardware.gib_a_vcpu
    return JobLimits(
        vcpus=vcpus,
        memory_gib=memory_gib,
        memory_mib=int(memory_gib * _MIB_A_GIB * (1 - VIRTUAL_MACHINE_SHARE)),
        gpus=max((gpus for least, gpus in hardware.gpus.items() if least <= vcpus), default=0),
    )


def _ceiling(batch: BatchCapacity, kind: Kind) -> int:
    """The vCPUs of the larger of a queue's compute environments: a job that does not fit the first goes to the next."""
    match kind.hardware:
        case "fargate":
            spot, on_demand = batch.fargate_ceilings
        case "x86":
            spot, on_demand = _ceilings(batch)
        case "arm":
            spot, on_demand = _ceilings(batch.arm)
        case "gpu":
            spot, on_demand = _ceilings(batch.gpu)
    return max(spot, on_demand) if kind.has_spot else on_demand


def _ceilings(capacity: BatchCapacity | InstanceCapacity | None) -> tuple[int, int]:
    return (capacity.spot_vcpus, capacity.on_demand_vcpus) if capacity else (0, 0)
