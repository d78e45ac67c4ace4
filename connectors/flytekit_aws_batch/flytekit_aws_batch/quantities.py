"""Flytekit's ``Resources``, which are Kubernetes' quantities, in the units of AWS Batch."""

import math
from collections.abc import Iterator
from decimal import Decimal

from flytekit.core.resources import Resources as FlyteResources
from flytekit.core.resources import ResourceSpec

from flytekit_aws_batch.common import DEFAULT_MEMORY_MIB, DEFAULT_VCPUS
from flytekit_aws_batch.core.quantities import GIB, MIB, quantity
from flytekit_aws_batch.core.spec import Resources


class Wanted:
    """What a task's ``requests`` and ``limits`` come to.

    Attributes:
        problems: What is wrong with them, in words.
    """

    def __init__(self, spec: ResourceSpec) -> None:
        self.problems: list[str] = []
        values = dict(self._values(spec))
        cpu, memory, gpus = values.get("cpu"), values.get("mem"), values.get("gpu")
        self._vcpus = float(cpu) if cpu else DEFAULT_VCPUS
        self._memory = math.ceil(memory / MIB) if memory else DEFAULT_MEMORY_MIB * max(1, math.ceil(self._vcpus))
        self._gpus = int(gpus or 0)
        disk = values.get("ephemeral_storage")
        self.ephemeral_gib = math.ceil(disk / GIB) if disk else None
        if gpus is not None and gpus != int(gpus):
            self.problems.append(f"gpu={gpus}: a job gets whole GPUs")

    @property
    def resources(self) -> Resources:
        """The same for Batch: memory rounded up to a MiB."""
        return Resources(vcpus=self._vcpus, memory_mib=self._memory, gpus=self._gpus)

    def _values(self, spec: ResourceSpec) -> Iterator[tuple[str, Decimal]]:
        for name in ("cpu", "mem", "gpu", "ephemeral_storage"):
            given = [text for text in (_text(spec.requests, name), _text(spec.limits, name)) if text is not None]
            try:
                values = [quantity(text) for text in given]
            except ValueError as error:
                self.problems.append(f"{name}={error}")
                continue
            if len(set(values)) > 1:
                self.problems.append(
                    f"{name}: requests {given[0]} and limits {given[1]}: a job in Batch gets what it asks for and no"
                    " more; give only limits"
                )
            if values:
                yield name, values[-1]


def _text(resources: FlyteResources | None, name: str) -> str | None:
    value = getattr(resources, name, None)
    return None if value is None else str(value)
