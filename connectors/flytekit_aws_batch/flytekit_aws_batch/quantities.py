"""Flytekit's ``Resources``, which are Kubernetes' quantities, in the units of AWS Batch."""

import math
import re
from collections.abc import Iterator
from decimal import Decimal

from flytekit.core.resources import Resources as FlyteResources
from flytekit.core.resources import ResourceSpec

from flytekit_aws_batch.core.spec import Resources

DEFAULT_VCPUS = 1.0
DEFAULT_MEMORY_MIB = 2048
"""What a task gets that says nothing: a size that Fargate has, too, and so for each further vCPU."""

# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
_QUANTITY = re.compile(r"(?P<number>\d+(\.\d*)?|\.\d+)(?P<unit>[eE][+-]?\d+|[mkMGTPE]|[KMGTPE]i)?")
_UNITS = {
    "m": Decimal("0.001"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", 1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)},
}
_MIB = Decimal(1024) ** 2
_GIB = Decimal(1024) ** 3


def quantity(text: str) -> Decimal:
    """A quantity as Kubernetes writes it: ``500m``, ``14Gi``, ``2e3``.

    Raises:
        ValueError: It is none.
    """
    match = _QUANTITY.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no quantity: write such as 2, 500m, 512Mi or 14Gi")
    number, unit = Decimal(match["number"]), match["unit"]
    if unit is None:
        return number
    return number * (_UNITS[unit] if unit in _UNITS else Decimal(f"1{unit}"))


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
        self._memory = math.ceil(memory / _MIB) if memory else DEFAULT_MEMORY_MIB * max(1, math.ceil(self._vcpus))
        self._gpus = int(gpus or 0)
        disk = values.get("ephemeral_storage")
        self.ephemeral_gib = math.ceil(disk / _GIB) if disk else None
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
