"""What a job runs: a container, its size, and how long and how often it may run."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Final

from aerodrome_constructs.batch import fargate

# https://docs.aws.amazon.com/batch/latest/userguide/service_limits.html
_ATTEMPTS: Final = range(1, 10 + 1)
_SHORTEST_SECONDS: Final = 60
_LEAST_MEMORY_MIB: Final = 4
# https://docs.aws.amazon.com/batch/latest/userguide/job_env_vars.html
_OF_BATCH: Final = "AWS_BATCH"
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REFERENCE: Final = re.compile(r"Ref::([A-Za-z0-9_-]+)")
_PINNED: Final = re.compile(r".+(@sha256:[0-9a-f]{64}|:[A-Za-z0-9_][A-Za-z0-9_.-]*)")


class InvalidJobError(ValueError):
    """A job that AWS Batch would refuse, or that could not run. The text is for whoever wrote it down: all problems."""


class Platform(StrEnum):
    """Where a job runs, as a job definition says it."""

    EC2 = "EC2"
    """On instances that jobs share."""
    FARGATE = "FARGATE"
    """On a host of its own that AWS keeps: no instance has to start, and there are no GPUs."""


class Architecture(StrEnum):
    """What an image is built for."""

    X86_64 = "X86_64"
    ARM64 = "ARM64"


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container as a job runs it.

    Attributes:
        image: The image, with a tag other than ``latest``, or a digest.
        command: What runs in it, at least one word. ``Ref::name`` stands for the parameter of that name.
        vcpus: How many vCPUs it gets: whole ones on instances, a size of Fargate's there.
        memory_mib: How much memory it gets, in MiB. It is killed when it takes more.
        timeout: How long one attempt may run, at least a minute.
        parameters: The defaults of parameters. A submission may give others, and has to give those that have none.
        environment: Environment variables.
        platform: Where it runs. Default: on instances.
        architecture: What the image is built for. Default: x86.
        gpus: How many GPUs it gets, whole ones that no other job has. Default: none.
        attempts: How often it is begun at most, 1 to 10, counting those that a host that went away ended. Default: 5.
        ephemeral_gib: The size of a Fargate task's disk, 21 to 200 GiB. Default: 20 GiB on Fargate; on instances the
            disk is the instance's.
        user: The user that it runs as, such as ``1000``; never root. Default: the image's own.
        read_only_root: Whether the image's files can be read only. Default: no, as most images write somewhere.
        tmp_mib: The size of a ``/tmp`` in memory, in MiB, on instances. It counts towards ``memory_mib``, and is where
            a read-only container writes. Default: the image's own ``/tmp``.
    """

    image: str
    command: Sequence[str]
    vcpus: float
    memory_mib: int
    timeout: timedelta
    parameters: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    platform: Platform = Platform.EC2
    architecture: Architecture = Architecture.X86_64
    gpus: int = 0
    attempts: int = 5
    ephemeral_gib: int | None = None
    user: str | None = None
    read_only_root: bool = False
    tmp_mib: int | None = None

    def problems(self) -> Iterator[str]:
        """Everything that AWS Batch would refuse, now or when the job runs: the value, what is allowed, how to mend."""
        yield from self._problems_of_what_runs()
        yield from self._problems_of_size()
        if self.attempts not in _ATTEMPTS:
            yield f"attempts={self.attempts}: Batch takes {_ATTEMPTS.start} to {_ATTEMPTS.stop - 1}"
        seconds = self.timeout.total_seconds()
        if seconds < _SHORTEST_SECONDS:
            yield f"timeout={seconds:g} s: Batch takes {_SHORTEST_SECONDS} s or more"
        if self.platform is Platform.FARGATE:
            yield from self._problems_on_fargate()
        elif self.ephemeral_gib is not None:
            yield f"ephemeral_gib={self.ephemeral_gib}: only a Fargate task has a disk of its own; leave it out"

    def _problems_of_what_runs(self) -> Iterator[str]:
        tag = self.image.rpartition(":")[2]
        if not _PINNED.fullmatch(self.image) or tag == "latest":
            yield (
                f"image={self.image!r}: name a version, such as python:3.13.1 or python@sha256:..., so that a job is "
                "the same tomorrow"
            )
        if not self.command:
            yield "command is empty: say what runs in the image, word by word"
        known = {name for word in self.command for name in _REFERENCE.findall(word)}
        for name in sorted(self.parameters.keys() - known):
            yield f"parameters: nothing reads {name!r}; write Ref::{name} into the command, or take the parameter out"
        for name in sorted(self.environment):
            if not _VARIABLE.fullmatch(name) or name.startswith(_OF_BATCH):
                yield (
                    f"environment: {name!r} is no name for a variable; letters, digits and underscores, not beginning "
                    f"with a digit or {_OF_BATCH}"
                )
        if self.user is not None and self.user.partition(":")[0] in {"", "0", "root"}:
            yield f"user={self.user!r}: a job is not root; give another user of the image, such as 1000"

    def _problems_of_size(self) -> Iterator[str]:
        if self.platform is Platform.EC2:
            if self.vcpus < 1 or self.vcpus != int(self.vcpus):
                yield f"vcpus={self.vcpus:g}: on instances whole ones, 1 or more; parts of one only on Fargate"
            if self.memory_mib < _LEAST_MEMORY_MIB:
                yield f"memory_mib={self.memory_mib}: Batch takes {_LEAST_MEMORY_MIB} or more"
        if self.gpus < 0:
            yield f"gpus={self.gpus}: 0 or more"
        if self.tmp_mib is not None and not 0 < self.tmp_mib < self.memory_mib:
            yield f"tmp_mib={self.tmp_mib}: it is part of memory_mib={self.memory_mib}; choose 1 to less than that"

    def _problems_on_fargate(self) -> Iterator[str]:
        if problem := fargate.size_problem(self.vcpus, self.memory_mib):
            yield problem
        if self.gpus:
            yield f"gpus={self.gpus}: Fargate has none; run the job on instances (platform=Platform.EC2)"
        if self.ephemeral_gib is not None and self.ephemeral_gib not in fargate.EPHEMERAL_GIB:
            sizes = fargate.EPHEMERAL_GIB
            yield f"ephemeral_gib={self.ephemeral_gib}: Fargate takes {sizes[0]} to {sizes[-1]}; left out, 20"
        if self.tmp_mib is not None:
            yield f"tmp_mib={self.tmp_mib}: Fargate mounts no memory; leave it out, and the root writable"
        if self.timeout > timedelta(days=fargate.LONGEST_DAYS):
            days = self.timeout / timedelta(days=1)
            yield f"timeout={days:g} days: Fargate may end a job after {fargate.LONGEST_DAYS}; run it on instances"
