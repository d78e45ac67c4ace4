"""The most that one task may ask for: what its project may have, and what one node or one job of AWS Batch has for it.

Each resource by itself: a task that asks for the most vCPUs of one group of nodes and the most memory of another
passes, and waits for a node that there is not.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from aerodrome_stacks.batch_queues import Kind, kinds
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.aws import InstanceShape, instance_shape
from aerodrome_stacks.environment.model import Quota
from aerodrome_stacks.job_limits import VIRTUAL_MACHINE_SHARE
from aerodrome_stacks.job_limits import job_limits as limits_of_kind

# What a node keeps for itself, so that no task fits which asks for all that the instance type has.
#
# vCPUs: the kubelet's 0.07 to 0.3, and what the daemons ask for: one in all, as tasks mostly ask for whole ones.
_DAEMONS_VCPUS = 1
# The kubelet keeps 255 MiB and 11 MiB for each pod that the node may have, and evicts at 100 MiB (nodeadm of Amazon
# Linux 2023, kubelet/config.go).
_KUBELET_MIB, _KUBELET_MIB_A_POD, _EVICTION_MIB = 255, 11, 100
# What the daemons ask for: the VPC CNI, kube-proxy, the EBS driver, Fluent Bit, the node exporter, a device plugin.
_DAEMONS_MIB = 512
# As many pods as a managed node group lets a node have (EKS User Guide, "Assign more IP addresses to Amazon EKS nodes
# with prefixes").
_MANY_VCPUS, _PODS, _PODS_OF_MANY_VCPUS = 30, 110, 250


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLimits:
    """The most of each thing.

    Attributes:
        cpu: vCPUs.
        memory_gib: Memory, in GiB.
        gpu: GPUs.
    """

    cpu: int
    memory_gib: int
    gpu: int

    def within(self, other: "TaskLimits") -> "TaskLimits":
        """The smaller of each."""
        return TaskLimits(
            cpu=min(self.cpu, other.cpu),
            memory_gib=min(self.memory_gib, other.memory_gib),
            gpu=min(self.gpu, other.gpu),
        )


def quota_limits(quota: Quota) -> TaskLimits:
    """What a quota lets one task have: all of it."""
    return TaskLimits(cpu=quota.cpu, memory_gib=quota.memory_gib, gpu=quota.gpu)


def pod_limits(environment: Environment, quota: Quota | None = None) -> TaskLimits:
    """The most that a task that runs as a pod may ask for: what fits both the quota and some node.

    Args:
        environment: What the team decided.
        quota: The quota of the project in the domain. None: the largest of all.
    """
    return quota_limits(quota or environment.largest_quota()).within(_largest_node(environment))


def registered_limits(environment: Environment, quota: Quota | None = None) -> TaskLimits:
    """The most that a task may ask for when it is registered, be it a pod's or a job's of AWS Batch.

    flyteadmin knows one limit for tasks of all types, so this is the larger of what a node and what a job may have. A
    pod that passes and fits no node is refused when it is made, by its namespace's LimitRange.

    Args:
        environment: What the team decided.
        quota: The quota of the project in the domain. None: the largest of all.
    """
    node = _largest_node(environment)
    job = (connector_job_limits if environment.flyte.batch_connector else job_limits)(environment)
    largest = TaskLimits(
        cpu=max(node.cpu, job.cpu), memory_gib=max(node.memory_gib, job.memory_gib), gpu=max(node.gpu, job.gpu)
    )
    limits = quota_limits(quota or environment.largest_quota()).within(largest)
    # A quota of no GPUs is one of pods: where nodes have none, AWS Batch may.
    return replace(limits, gpu=max(limits.gpu, job.gpu))


def job_limits(environment: Environment) -> TaskLimits:
    """The most that one job of a task with Flyte's own plugin can have: x86 instances, and no GPUs."""
    most = limits_of_kind(environment, Kind.SPOT)
    return TaskLimits(cpu=most.vcpus, memory_gib=most.memory_gib, gpu=0)


def connector_job_limits(environment: Environment) -> TaskLimits:
    """The most that one job of a task of the connector can have, of each thing in the queue that has most of it."""
    limits = [limits_of_kind(environment, kind) for kind in kinds(environment)]
    return TaskLimits(
        cpu=max(one.vcpus for one in limits),
        memory_gib=max(one.memory_gib for one in limits),
        gpu=max(one.gpus for one in limits),
    )


def _largest_node(environment: Environment) -> TaskLimits:
    """The most of each thing that some node has for a task; without a bound where an instance type does not tell."""
    types = {name for group in environment.cluster.node_groups for name in group.instance_types}
    shapes = [instance_shape(name) for name in types]
    everything = quota_limits(environment.largest_quota())
    return TaskLimits(
        cpu=max(shape.vcpus for shape in shapes) - _DAEMONS_VCPUS,
        memory_gib=_most((_memory_gib(shape) for shape in shapes), unknown=everything.memory_gib),
        gpu=_most((shape.gpus for shape in shapes), unknown=everything.gpu),
    )


def _memory_gib(shape: InstanceShape) -> int | None:
    if shape.memory_gib is None:
        return None
    pods = _PODS if shape.vcpus < _MANY_VCPUS else _PODS_OF_MANY_VCPUS
    kept = _KUBELET_MIB + _KUBELET_MIB_A_POD * pods + _EVICTION_MIB + _DAEMONS_MIB
    return int(shape.memory_gib * (1 - VIRTUAL_MACHINE_SHARE) - kept / 1024)


def _most(amounts: Iterable[int | None], *, unknown: int) -> int:
    found = list(amounts)
    known = [amount for amount in found if amount is not None]
    return max(known) if len(known) == len(found) else unknown
