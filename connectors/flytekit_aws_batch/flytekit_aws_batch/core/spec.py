"""What a task asks of AWS Batch, as its author writes it and as it travels with the task."""

from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, MaxLen
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Architecture = Literal["x86_64", "arm64"]
Kind = Literal["spot", "on-demand", "arm", "gpu", "fargate"]
KINDS: tuple[Kind, ...] = ("spot", "on-demand", "arm", "gpu", "fargate")
"""What a queue's jobs run on: a queue may be asked for by kind instead of by its name."""

MOST_CHILDREN = 10_000
"""The most jobs of an array (https://docs.aws.amazon.com/batch/latest/userguide/array_jobs.html)."""


class Part(BaseModel):
    """Part of what is asked for: nothing unknown is taken, nothing changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Kept(Part):
    """What the connector writes and reads again: what a newer one wrote beside, one that was rolled back leaves out."""

    model_config = ConfigDict(extra="ignore")


class SecretVariable(Part):
    """A secret of AWS Secrets Manager, which the container finds in an environment variable.

    Attributes:
        secret: The secret's name or ARN. A name is below the project's own prefix where the settings have one.
        field: The field of the secret's JSON. Default: the whole text.
    """

    secret: str
    field: str | None = None


class EfsMount(Part):
    """A file system of EFS that the container mounts.

    Attributes:
        path: Where in the container.
        file_system: The file system's ID; or a name that the connector's settings give to one.
        access_point: The access point's ID. Default: that of the settings, or none.
        root: The directory that is mounted. Default: the root. Not together with an access point.
        read_only: Whether the container may not write there. Default: it may.
    """

    path: str
    file_system: str
    access_point: str | None = None
    root: str | None = None
    read_only: bool = False


def _text(value: object) -> object:
    """A number as its digits: an exit code is one to everybody but Batch."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class ExitRule(Part):
    """What Batch does after an attempt that ended in a certain way; the first rule that matches decides.

    Patterns may end in an asterisk (https://docs.aws.amazon.com/batch/latest/APIReference/API_EvaluateOnExit.html).

    Attributes:
        action: Whether to try again, or to let the job fail.
        exit_code: A pattern of the container's exit code, such as ``"137"`` for a process that SIGKILL ended, and 143
            for SIGTERM: 128 and the signal's number. A Flyte 1 task that travels with its code (``pyflyte run``, or
            ``register`` without ``--copy none``) ends with 256 less the number instead, 247 and 241: a rule for the
            former is one for the latter, too. Of two rules that name signals only the first is, as Batch takes
            five in all.
        reason: A pattern of the container's reason.
        status_reason: A pattern of the attempt's status reason.
    """

    action: Literal["retry", "exit"]
    exit_code: Annotated[str | None, BeforeValidator(_text)] = None
    reason: str | None = None
    status_reason: str | None = None


class JobSpec(Part):
    """What a task says of its job beside image, command, resources, retries and timeout, which every task has.

    Attributes:
        queue: A kind of queue, or a queue's name or ARN. Default: by what the task needs, GPU or arm; else on spot
            instances, and on-demand ones where Flyte says that the task is not to be interrupted.
        architecture: What the image was built for. Default: x86_64.
        share: The share identifier in a queue with fair share. Default: the project's, where the settings have one.
        priority: The scheduling priority within the share, the higher the sooner, 0 to 9999. Default: 0.
        reclaims: How often a job is started anew after its spot instance was taken back, before it goes to on-demand
            instances; that uses up none of the task's retries. 0 to 9. Default: 4.
        on_exit: Rules of the author's own, which come before those about spot instances. At most two, as Batch takes
            five. A ``retry`` of theirs shares the attempts with ``reclaims``.
        secrets: Environment variables that are secrets, by name.
        mounts: File systems.
        execution_role: The ARN of the role that ECS starts the container with. Default: that of the settings, which
            Fargate and secrets need.
        platform_version: Of Fargate. Default: LATEST. Of a queue that the connector's settings do not list, it says
            that this one is on Fargate.
        ephemeral_gib: The disk of a task on Fargate, 21 to 200 GiB. Default: 20.
        shared_memory_mib: The size of ``/dev/shm``. Default: Docker's, 64 MiB. Not on Fargate.
        tags: Tags beside those that say whose the job is.
        nodes: Instances of a multi-node parallel job. Default: 1, an ordinary job.
    """

    queue: str | None = None
    architecture: Architecture = "x86_64"
    share: str | None = None
    priority: Annotated[int, Ge(0), Le(9999)] = 0
    reclaims: Annotated[int, Ge(0), Le(9)] = 4
    on_exit: Annotated[tuple[ExitRule, ...], MaxLen(2)] = ()
    secrets: dict[str, SecretVariable] = Field(default_factory=dict)
    mounts: tuple[EfsMount, ...] = ()
    execution_role: str | None = None
    platform_version: str | None = None
    ephemeral_gib: Annotated[int, Ge(21), Le(200)] | None = None
    shared_memory_mib: Annotated[int, Ge(1)] | None = None
    tags: dict[str, str] = Field(default_factory=dict)
    nodes: Annotated[int, Ge(1), Le(1000)] = 1

    def to_custom(self) -> dict[str, Any]:
        """What travels with the task: only what differs from the defaults."""
        return self.model_dump(mode="json", exclude_defaults=True)


class Resources(Part):
    """What a container gets.

    Attributes:
        vcpus: vCPUs. On instances a whole number; on Fargate 0.25, 0.5, 1, 2, 4, 8, 16 or 32.
        memory_mib: Memory, in MiB. Whoever needs more is killed.
        gpus: GPUs. Default: none.
    """

    vcpus: float
    memory_mib: int
    gpus: int = 0


class ArraySpec(Part):
    """A list of jobs that differ in their index alone.

    Attributes:
        size: How many. 1 is run as an ordinary job, as Batch's arrays begin at 2.
        concurrency: How many run at once, at most. Default: as many as there is room for.
        min_success_ratio: The part, above 0 to 1, that has to succeed for the whole to succeed. Default: all.
    """

    size: Annotated[int, Ge(1), Le(MOST_CHILDREN)]
    concurrency: Annotated[int, Ge(1)] | None = None
    min_success_ratio: Annotated[float, Le(1.0)] = 1.0
