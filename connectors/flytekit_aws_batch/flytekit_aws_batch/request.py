"""What Flyte asks of a connector, as what is asked of AWS Batch."""

import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from flytekit.models.literals import LiteralMap
from flytekit.models.task import Container, TaskExecutionMetadata, TaskTemplate
from pydantic import ValidationError

from flytekit_aws_batch.common import LOCAL_EXECUTION, UNBUFFERED, local_place
from flytekit_aws_batch.config import LARGE_MIB, OUTPUTS_OPTION, OUTPUTS_VARIABLE, Mapped, Payload
from flytekit_aws_batch.core.job_tags import filled
from flytekit_aws_batch.core.plan import JobRequest
from flytekit_aws_batch.core.progress import RefusedError
from flytekit_aws_batch.core.settings import Settings
from flytekit_aws_batch.core.spec import MOST_CHILDREN, ArraySpec

# One for each process: what a local run starts is found by it in Batch's console.
_LOCAL_EXECUTION = f"{LOCAL_EXECUTION}{secrets.token_hex(4)}"


def payload_of(template: TaskTemplate) -> Payload:
    """What the task says of its job.

    Raises:
        RefusedError: This is none of ours, or one of another version.
    """
    try:
        return Payload.model_validate(template.custom or {})
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise RefusedError(
            f"task {template.id.name} says of its job what this connector does not know ({problems}); register it with "
            "the version of flytekit-aws-batch that the connector has"
        ) from None


def job_request(
    template: TaskTemplate, output_prefix: str, metadata: TaskExecutionMetadata | None, size: int | None
) -> JobRequest:
    """One attempt of a task.

    Args:
        template: The task, with its arguments filled in.
        output_prefix: Where its outputs go.
        metadata: Whose execution it is. None: it is run from somebody's own machine.
        size: The length of the list that it runs over. None: it runs once.

    Raises:
        RefusedError: There is no such job.
    """
    payload = payload_of(template)
    container = template.container
    if container is None:
        raise RefusedError(f"task {template.id.name} has no container; leave its pod template out")
    identity = metadata.task_execution_id if metadata else None
    node = identity.node_execution_id if identity else None
    execution = node.execution_id if node else None
    attempt = identity.retry_attempt if identity else 0
    environment = dict(container.env or {}) | dict((metadata and metadata.environment_variables) or {})
    command, outputs = _command(container)
    if outputs is not None:
        environment[OUTPUTS_VARIABLE] = outputs
    project, domain = (execution.project, execution.domain) if execution else local_place()
    name = execution.name if execution else _LOCAL_EXECUTION
    timeout = template.metadata.timeout
    retries = template.metadata.retries.retries if template.metadata.retries else 0
    array = None
    if payload.mapped is not None and size is not None:
        array = ArraySpec(
            size=size, concurrency=payload.mapped.concurrency, min_success_ratio=payload.mapped.min_success_ratio
        )
    return JobRequest(
        project=project,
        domain=domain,
        execution=name,
        # A local run's prefix is another one for each task.
        node=node.node_id if node else output_prefix.rpartition("/")[2],
        task=template.id.name,
        attempt=attempt,
        image=container.image,
        command=command,
        environment={**UNBUFFERED, **_flyte_variables(template, project, domain, name, attempt), **environment},
        resources=payload.resources,
        spec=payload.spec,
        retries=retries,
        timeout_seconds=int(timeout.total_seconds()) if isinstance(timeout, timedelta) and timeout else None,
        interruptible=_interruptible(template, metadata, attempt=attempt, retries=retries),
        job_role=(metadata.identity.iam_role if metadata and metadata.identity else None) or None,
        output_prefix=output_prefix,
        array=array,
        local=metadata is None,
    )


def placed(request: JobRequest, settings: Settings) -> tuple[JobRequest, str]:
    """A container's request, and what its outputs have to lie below: the connector may read others' places, too.

    From somebody's own machine the connector has the person's rights, and what it reads is the person's own choice.

    Returns:
        The request, with a problem where it names another place; and the beginning of all places that it may name.
    """
    if request.local or settings.raw_output_prefix is None:
        return request, ""
    below = f"{filled(settings.raw_output_prefix, request.project, request.domain).rstrip('/')}/"
    problem = misplaced(request.environment.get(OUTPUTS_VARIABLE, below), below)
    return (replace(request, problems=(problem,)) if problem else request), below


def misplaced(folder: str, below: str) -> str | None:
    """What is wrong with where a container's outputs are to be. None: nothing."""
    if f"{folder.rstrip('/')}/".startswith(below):
        return None
    return (
        f"its outputs are to be in {folder}, and the connector's settings have those of its project and domain below "
        f"{below}; leave the raw output data prefix of the execution out, or name one that is below it"
    )


def list_size(mapped: Mapped, inputs: LiteralMap | None) -> int:
    """How long the lists are that a task runs over.

    Raises:
        RefusedError: They differ, or are longer than Batch's arrays.
    """
    literals = inputs.literals if inputs else {}
    sizes: dict[str, int] = {}
    for name in mapped.inputs:
        literal = literals.get(name)
        if literal is None or literal.collection is None:
            raise RefusedError(f"input {name} is no list, and the task runs over one")
        sizes[name] = len(literal.collection.literals)
    if len(set(sizes.values())) > 1:
        said = ", ".join(f"{name} has {size:,}" for name, size in sizes.items())
        raise RefusedError(f"the task runs over lists of one length, and {said}; make them equal")
    size = next(iter(sizes.values()))
    if size > MOST_CHILDREN:
        raise RefusedError(
            f"a list of {size:,} elements: an array of AWS Batch has {MOST_CHILDREN:,} at most; split the list, or "
            "give each element more to do"
        )
    return size


def _command(container: Container) -> tuple[tuple[str, ...], str | None]:
    """The command, and the prefix of a raw container's outputs."""
    command = (*(container.command or ()), *(container.args or ()))
    if len(command) > 1 and command[-2] == OUTPUTS_OPTION:
        return command[:-2], command[-1]
    return command, None


def _interruptible(
    template: TaskTemplate, metadata: TaskExecutionMetadata | None, *, attempt: int, retries: int
) -> bool | None:
    """Whether the task may run where it is taken back, this time. None: nobody said.

    propeller labels each task with what holds for it now: the last attempt of an interruptible task is not. Where
    neither task nor execution says anything, that is false, too, which is Flyte's default rather than a wish: so the
    last attempt of such a task is told by its number.
    """
    said: bool | None = template.metadata.interruptible
    label = ((metadata and metadata.labels) or {}).get("interruptible")
    if said is None and label == "false":
        return False if attempt >= retries > 0 else None
    return said if label is None else bool(label == "true")


def _flyte_variables(
    template: TaskTemplate, project: str, domain: str, execution: str, attempt: int
) -> Mapping[str, str]:
    # What flytekit's current_context() tells by (flytekit.bin.entrypoint.setup_execution). propeller sets them in pods.
    return {
        "FLYTE_INTERNAL_EXECUTION_PROJECT": project,
        "FLYTE_INTERNAL_EXECUTION_DOMAIN": domain,
        "FLYTE_INTERNAL_EXECUTION_ID": execution,
        "FLYTE_INTERNAL_TASK_PROJECT": template.id.project or project,
        "FLYTE_INTERNAL_TASK_DOMAIN": template.id.domain or domain,
        "FLYTE_INTERNAL_TASK_NAME": template.id.name,
        "FLYTE_INTERNAL_TASK_VERSION": template.id.version or "",
        "FLYTE_ATTEMPT_NUMBER": str(attempt),
        # By this flytekit.bin.entrypoint does it.
        "_F_L_MIN_SIZE_MB": str(LARGE_MIB),
    }
