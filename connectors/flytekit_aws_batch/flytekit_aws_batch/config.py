"""What a task says of its job, and how that travels in its template."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import ErrorDetails

from flytekit_aws_batch.core import spec as core
from flytekit_aws_batch.core.progress import RefusedError
from flytekit_aws_batch.core.spec import JobSpec, Kept, Part, Resources

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

    def __new__(cls, *positional: object, **_: object) -> Self:
        """Take values by name only."""
        if positional:
            given = ", ".join(map(repr, positional))
            first = next(iter(cls.model_fields))
            raise RefusedError(
                f"{cls.__name__}({given}): it takes values by name; write {cls.__name__}({first}={positional[0]!r})"
            )
        return super().__new__(cls)

    @model_validator(mode="wrap")
    @classmethod
    def _in_words(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:  # noqa: ANN401 - as pydantic has it
        try:
            return handler(values)
        except ValidationError as error:
            raise RefusedError("\n".join(cls._problem(each) for each in error.errors())) from None

    @classmethod
    def _problem(cls, error: ErrorDetails) -> str:
        place = ".".join(map(str, error["loc"]))
        if error["type"] == "missing":
            return f"{cls.__name__}({place}=...): it is left out, and needed"
        said = error["msg"]
        if error["type"] == "extra_forbidden":
            *above, name = error["loc"]
            part = _PARTS.get(str(above[0])) if above else cls
            said = no_such(str(name), tuple(part.model_fields)) if part else "there is no such option"
        return f"{cls.__name__}({place}={error['input']!r}): {said}"


def no_such(name: str, known: Sequence[str]) -> str:
    """What to say of an option that there is none of: the one that may be meant, or else all."""
    near = difflib.get_close_matches(name, known, 1)
    instead = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
    return f"there is no such option; {instead}"


class ExitRule(InWords, core.ExitRule):  # noqa: D101 - it is core's
    __doc__ = core.ExitRule.__doc__


class EfsMount(InWords, core.EfsMount):  # noqa: D101 - it is core's
    __doc__ = core.EfsMount.__doc__


class SecretVariable(InWords, core.SecretVariable):  # noqa: D101 - it is core's
    __doc__ = core.SecretVariable.__doc__


_PARTS: Mapping[str, type[Part]] = {"on_exit": ExitRule, "mounts": EfsMount, "secrets": SecretVariable}


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
