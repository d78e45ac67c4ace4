"""What a task says of its job, and how that travels in its template."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from flytekit_aws_batch.core import spec as core
from flytekit_aws_batch.core.progress import RefusedError
from flytekit_aws_batch.core.spec import JobSpec, Kept, Part, Resources
from flytekit_aws_batch.core.words import part_at, required, said

COMMAND = "flytekit-aws-batch-execute"
"""What runs in the container of a Python function."""

MAP_OPTION = "--map-over"
"""Its option that names the inputs of which an element has one value each."""

OUTPUTS_OPTION = "--flytekit-aws-batch-outputs"
"""Stands second to last in a raw container's arguments, before the prefix that its outputs are below. propeller fills
in the prefix there and nowhere else; the connector takes both away."""

ERROR_FILE = "error.pb"
"""What flytekit writes beside the outputs when the code fails."""

OUTPUTS_VARIABLE = "FLYTE_AWS_BATCH_OUTPUTS"
"""The environment variable by which a raw container learns the same."""

LARGE_MIB = 3
"""From what size on a result is put into S3 by itself, and the outputs only name it. Within the inputs of another task
it would come to the connector whole, whose gRPC takes 4 MiB for a request."""

Kind = Literal["function", "container", "list"]
"""What a task is: a Python function, any container, or a Python function for each element of a list."""


class InWords(Part):
    """What authors write: whatever is wrong with it is told in words, all at once."""

    if not TYPE_CHECKING:  # who checks types is to see the fields

        def __init__(self, *positional: object, **values: object) -> None:
            """Take values by name only.

            Raises:
                RefusedError: There are others, or some are wrong.
            """
            if positional:
                raise RefusedError(self._misplaced(positional))
            try:
                super().__init__(**values)
            except ValidationError as error:
                # Each once: what stands where a list of it belongs is an error for each of its fields.
                problems = dict.fromkeys(self._problem(each, values) for each in error.errors())
                raise RefusedError("\n".join(problems)) from None

    @classmethod
    def _misplaced(cls, positional: Sequence[object]) -> str:
        given = ", ".join(map(repr, positional))
        first = next(iter(cls.model_fields))
        return f"{cls.__name__}({given}): it takes values by name; write {cls.__name__}({first}={positional[0]!r})"

    @classmethod
    def _problem(cls, error: ErrorDetails, values: Mapping[str, object]) -> str:
        option = str(error["loc"][0])
        part = part_at(cls, error["loc"])
        # pydantic takes a part by itself for the list of its fields.
        alone = isinstance(values.get(option), part) or error["type"] in ("tuple_type", "dict_type")
        if alone and part is not cls:
            several = '{{"NAME": {}(...)}}' if error["type"] == "dict_type" else "({}(...),)"
            told = f"write {option}={several.format(part.__name__)}"
            return f"{cls.__name__}({option}={values[option]!r}): {told}"
        place = ".".join(map(str, error["loc"]))
        given = "..." if error["type"] == "missing" else repr(error["input"])
        told = f"write {_written(part, error['input'])}" if error["type"] == "model_type" else said(error, cls)
        return f"{cls.__name__}({place}={given}): {told}"


def _written(part: type[BaseModel], value: object) -> str:
    """How a part is written; with the value, where there is no doubt what it was meant for."""
    names = required(part)
    fits = isinstance(value, str) and [part.model_fields[name].annotation for name in names] == [str]
    return f"{part.__name__}({', '.join(f'{name}={value!r}' if fits else f'{name}=...' for name in names)})"


class ExitRule(InWords, core.ExitRule):  # noqa: D101 - it is core's
    __doc__ = core.ExitRule.__doc__


class EfsMount(InWords, core.EfsMount):  # noqa: D101 - it is core's
    __doc__ = core.EfsMount.__doc__


class SecretVariable(InWords, core.SecretVariable):  # noqa: D101 - it is core's
    __doc__ = core.SecretVariable.__doc__


class AWSBatch(InWords, JobSpec):
    """Run a task as a job of AWS Batch: ``@task(task_config=AWSBatch(...), limits=Resources(...))``.

    CPU, memory, GPUs, retries, timeout, environment, image, secrets and ``interruptible`` are the task's own, as
    flytekit has them; here is what only Batch has. ``AWSBatch()`` alone is a job on a spot instance.

    Attributes:
        queue: What it runs on: ``"spot"``, ``"on-demand"``, ``"arm"``, ``"gpu"`` or ``"fargate"``; or a queue's name or
            ARN. Default: by what the task needs, GPU or arm; else on spot instances, and on-demand ones where Flyte
            says that the task is not to be interrupted.
        architecture: What the image was built for. Default: x86_64.
        share: The share identifier in a queue with fair share. Default: the project's.
        priority: The scheduling priority within the share, the higher the sooner, 0 to 9999. Default: 0.
        reclaims: How often the job is started anew after its spot instance was taken back, before it goes to on-demand
            instances; that uses up none of the task's retries. 0 to 9. Default: 4.
        on_exit: Rules for what Batch does after an attempt, at most two (:class:`ExitRule`).
        secrets: Environment variables that are secrets of Secrets Manager, by name (:class:`SecretVariable`).
        mounts: File systems of EFS (:class:`EfsMount`).
        execution_role: The ARN of the role that ECS starts the container with. Default: that of the connector's
            settings.
        platform_version: Of Fargate. Default: LATEST. Of a queue that the connector's settings do not list, it says
            that this one is on Fargate.
        ephemeral_gib: The disk of a task on Fargate, 21 to 200 GiB. Default: 20, or the task's ``ephemeral_storage``.
        shared_memory_mib: The size of ``/dev/shm``. Default: Docker's, 64 MiB, or the task's ``shared_memory``. Not on
            Fargate.
        tags: Tags beside those that say whose the job is.
        nodes: Instances of a multi-node parallel job, for distributed training. Default: 1, an ordinary job.

    Raises:
        RefusedError: A value is wrong; the message has every one.
    """


class Mapped(Part):
    """How a task runs over a list.

    Attributes:
        inputs: The inputs that are lists, of which each element gets one value. All others it gets whole.
        concurrency: How many run at once, at most. None: as many as there is room for.
        min_success_ratio: The part that has to succeed.
    """

    inputs: tuple[str, ...]
    concurrency: int | None = None
    min_success_ratio: float = 1.0


class Payload(Part):
    """What travels as the template's ``custom``.

    Attributes:
        kind: Whether it is a Python function, or any container.
        spec: What the author says of the job.
        resources: What the container gets: worked out when the task was made, as flyteadmin fills in defaults of its
            own.
        mapped: The list that it runs over. None: it runs once.
    """

    kind: Literal["function", "container"] = "function"
    spec: JobSpec
    resources: Resources
    mapped: Mapped | None = None

    def to_custom(self) -> dict[str, Any]:
        """What the template carries: only what differs from the defaults."""
        custom = self.model_dump(mode="json", exclude_defaults=True)
        return {"spec": {}, **custom}


class Expected(Kept):
    """What a run will have given when it is done.

    Attributes:
        kind: What ran.
        types: Flyte's types of the outputs, by name: a VariableMap in base64. None: they are in S3. Empty: no outputs.
        size: The length of a list. 0: nothing was submitted for it.
        below: What the outputs of a container have to lie below, with a slash at the end. Empty: anywhere.
    """

    kind: Kind = "function"
    types: str | None = ""
    size: int | None = None
    below: str = ""


def node_prefix(output_prefix: str, node: int | str) -> str:
    """Where a node of a multi-node job that is not the main one writes what nobody reads but after a failure.

    Not in the connector's own folder, in which a job's role may not write.
    """
    return f"{output_prefix}/node-{node}"
