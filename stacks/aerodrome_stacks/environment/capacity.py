"""AWS Batch: how far it may grow, what jobs share there, and what a project may spend."""

from typing import Annotated

from annotated_types import Ge, Le
from pydantic import AfterValidator, Field, Strict

from aerodrome_stacks.environment.domain_types import Count
from aerodrome_stacks.environment.forms import refusal
from aerodrome_stacks.environment.section import Section

MOST_VCPUS = 20_000
"""Beyond what a team asks for by intention, so that a slip of the keyboard is not a bill: 208 of the largest common
instances (96 vCPUs)."""

_SMALLEST_WITH_GPU = 4  # a g4dn.xlarge, g5.xlarge or g6.xlarge
_LUSTRE_STEP = 2_400
_FARGATE = "Fargate"


def _lustre_size(gib: int) -> int:
    """The sizes of a Lustre file system on SSD: 1,200 GiB, or a multiple of 2,400.

    https://docs.aws.amazon.com/fsx/latest/APIReference/API_CreateFileSystem.html
    """
    if gib != _LUSTRE_STEP // 2 and gib % _LUSTRE_STEP:
        below = max(gib // _LUSTRE_STEP * _LUSTRE_STEP, _LUSTRE_STEP // 2)
        above = (gib // _LUSTRE_STEP + 1) * _LUSTRE_STEP
        raise refusal(f"{gib:,} is no size of FSx for Lustre: write 1200, or a multiple of 2400: {below} or {above}")
    return gib


class InstanceCapacity(Section):
    """Ceilings of instances of one kind: spot first, on-demand where spot has nothing to give."""

    spot_vcpus: Annotated[Count, Ge(_SMALLEST_WITH_GPU), Le(MOST_VCPUS)] = Field(
        description="Most vCPUs on spot instances of this kind, 4 or more, which jobs get first."
    )
    on_demand_vcpus: Annotated[Count, Ge(_SMALLEST_WITH_GPU), Le(MOST_VCPUS)] = Field(
        description="Most vCPUs on on-demand instances of this kind, 4 or more."
    )


class BatchCapacity(Section):
    """Ceilings, in vCPUs, of the AWS Batch compute environments, and what jobs share. All shrink to zero when idle."""

    spot_vcpus: Annotated[Count, Ge(1), Le(MOST_VCPUS)] = Field(
        description="Most vCPUs on x86 spot instances, which jobs get first."
    )
    on_demand_vcpus: Annotated[Count, Ge(1), Le(MOST_VCPUS)] = Field(
        description="Most vCPUs on x86 on-demand instances, which jobs get where spot has nothing to give."
    )
    fargate_spot_vcpus: Annotated[Count, Ge(1), Le(MOST_VCPUS)] = Field(
        description="Most vCPUs of tasks on Fargate Spot, which jobs of the Fargate queues get first."
    )
    fargate_vcpus: Annotated[Count, Ge(1), Le(MOST_VCPUS)] = Field(
        description="Most vCPUs of tasks on Fargate, for short jobs that should not wait for an instance to start."
    )
    arm: InstanceCapacity | None = Field(
        default=None,
        description="Instances with Graviton processors, for images built for arm64, with queues of their own. Left "
        "out, none.",
    )
    gpu: InstanceCapacity | None = Field(
        default=None, description="Instances with NVIDIA GPUs, with queues of their own. Left out, none."
    )
    reserved_percent: Annotated[Count, Ge(0), Le(99)] = Field(
        default=0,
        description="How much of the fair-share queues' capacity is kept for projects that have no job there yet, in "
        "percent: R % while one project has jobs, R² % while two have, and so on. Left out, nothing.",
    )
    efs: Annotated[bool, Strict()] = Field(
        default=False,
        description="Whether jobs have an EFS file system at /mnt/efs: each project and domain its own directory. Left "
        "out, no.",
    )
    lustre_gib: Annotated[Count, Ge(_LUSTRE_STEP // 2), AfterValidator(_lustre_size)] | None = Field(
        default=None,
        description="The size, in GiB, of an FSx for Lustre file system that jobs on instances have at /mnt/lustre: "
        "1200, or a multiple of 2400. All projects share it. Left out, none.",
    )

    @property
    def ceilings(self) -> dict[str, int]:
        """The ceiling of each compute environment, in vCPUs, by the name that the Batch stack gives it."""
        instances = {"": self, "Arm": self.arm, "Gpu": self.gpu}
        found: dict[str, int] = {}
        for hardware, capacity in instances.items():
            if capacity:
                found |= {f"{hardware}Spot": capacity.spot_vcpus, f"{hardware}OnDemand": capacity.on_demand_vcpus}
        return {**found, f"{_FARGATE}Spot": self.fargate_spot_vcpus, _FARGATE: self.fargate_vcpus}

    @property
    def instance_ceilings(self) -> tuple[int, ...]:
        """The ceiling of each compute environment of instances, in vCPUs."""
        return tuple(vcpus for name, vcpus in self.ceilings.items() if not name.startswith(_FARGATE))

    @property
    def queues_of_a_domain(self) -> int:
        """How many job queues a domain has: people's, Flyte's for the kinds that it can use, and one of ingest."""
        # With spot capacity first and without it, on each kind of hardware.
        people = 2 * (2 + bool(self.arm) + bool(self.gpu))
        flyte = 2 + bool(self.gpu)
        return people + flyte + 1

    @property
    def fargate_ceilings(self) -> tuple[int, int]:
        """The ceiling of each compute environment of Fargate tasks, in vCPUs."""
        return self.fargate_spot_vcpus, self.fargate_vcpus


class BatchShare(Section):
    """What a project has of AWS Batch."""

    share: Annotated[Count, Ge(1), Le(100)] = Field(
        default=1,
        description="The project's weight in the fair-share queues, 1 to 100: with 2 it gets twice as many vCPUs as a "
        "project with 1 while both have jobs waiting. Left out, 1.",
    )
    daily_usd: Annotated[Count, Ge(1), Le(1_000_000)] = Field(
        description="What the project's jobs may cost in a day, in US dollars by estimate. Above it, people are told."
    )
