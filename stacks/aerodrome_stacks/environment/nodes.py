"""The groups of nodes of the EKS cluster."""

from typing import Annotated, Self

from annotated_types import Ge, Le
from pydantic import Field, field_validator, model_validator

from aerodrome_stacks.environment.aws import instance_shape
from aerodrome_stacks.environment.cron import Cron
from aerodrome_stacks.environment.domain_types import Count, Duration, GroupName, InstanceTypes, period
from aerodrome_stacks.environment.forms import refusal
from aerodrome_stacks.environment.section import Section

# The most nodes that EKS gives to one managed node group without a quota increase.
_NODES = 450
# As AWS advises for spot ("be flexible about at least 10 instance types", EC2 User Guide, best practices for Spot).
_SPOT_TYPES = 10


class NodeGroup(Section):
    """What every group of nodes has: its instance types and its ceiling."""

    instance_types: InstanceTypes = Field(
        description="EC2 instance types, all with the same vCPUs, memory and architecture. On spot 10 to 20, as the "
        "more there are, the rarer the interruptions; with GPUs at least one."
    )
    max_size: Annotated[Count, Ge(1), Le(_NODES)] = Field(description="Most nodes, 1 to 450.")

    @property
    def max_vcpus(self) -> int:
        """The vCPUs when the group has its most nodes."""
        return self.max_size * instance_shape(self.instance_types[0]).vcpus

    @property
    def max_memory_gib(self) -> int | None:
        """The memory when the group has its most nodes, or None where the instance types do not tell."""
        each = [instance_shape(instance_type).memory_gib for instance_type in self.instance_types]
        known = [memory for memory in each if memory is not None]
        return self.max_size * min(known) if len(known) == len(each) else None

    @property
    def max_gpus(self) -> int | None:
        """The NVIDIA GPUs when the group has its most nodes, or None where an instance type's number is not known."""
        each = [instance_shape(instance_type).gpus for instance_type in self.instance_types]
        known = [gpus for gpus in each if gpus is not None]
        return self.max_size * min(known) if len(known) == len(each) else None


class SystemNodes(NodeGroup):
    """The on-demand nodes that the platform's own components run on, and pods that cannot bear an interruption."""

    min_size: Annotated[Count, Ge(1), Le(_NODES)] = Field(
        description="Fewest nodes, 1 to `max_size`. Three keep one in each zone."
    )

    @model_validator(mode="after")
    def _sizes_in_order(self) -> Self:
        _in_order(self.min_size, self.max_size)
        return self


class SpotNodes(NodeGroup):
    """One group of spot nodes: interchangeable instance types of the same shape."""

    name: GroupName = Field(description="The group's name, unique in the environment.")
    min_size: Annotated[Count, Ge(0), Le(_NODES)] = Field(
        default=0,
        description="Nodes that are kept running, 0 to `max_size`, for pods that should not wait for a node to start. "
        "Karpenter adds the others when pods need them. Left out, none.",
    )

    @field_validator("instance_types", mode="after")
    @classmethod
    def _diversified(cls, instance_types: tuple[str, ...]) -> tuple[str, ...]:
        number = len(instance_types)
        # There are not ten types of one shape with GPUs; a type whose GPUs are not known is of such a family.
        if number < _SPOT_TYPES and all(instance_shape(each).gpus == 0 for each in instance_types):
            raise refusal(
                f"{number} given, and spot capacity is taken back most where few types are asked for; name at least "
                f"{_SPOT_TYPES}, over families (m, m-a, m-flex, ...) and generations"
            )
        return instance_types

    @model_validator(mode="after")
    def _sizes_in_order(self) -> Self:
        _in_order(self.min_size, self.max_size)
        return self


class MaintenanceWindow(Section):
    """When nodes that have pods may be replaced. Nodes with a running task never are."""

    starts: Cron = Field(description='When it begins, in UTC: five fields, such as "0 2 * * sun".')
    lasts: Annotated[Duration, period("1h", "24h")] = Field(description="How long it lasts, 1h to 24h.")


def _in_order(min_size: int, max_size: int) -> None:
    if min_size > max_size:
        raise refusal(f"min_size is {min_size}, above max_size, which is {max_size}; lower the one or raise the other")
