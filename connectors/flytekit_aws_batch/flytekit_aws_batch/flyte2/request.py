"""One attempt of a task of Flyte 2 in the core's words: what its template and its execution's metadata say."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import ceil
from typing import Any, Self

from flyte.models import CLUSTERED_WORKER_ENV
from flyteidl2.connector.connector_pb2 import TaskExecutionMetadata
from flyteidl2.core import tasks_pb2
from google.protobuf.json_format import MessageToDict
from pydantic import ValidationError

from flytekit_aws_batch.common import DEFAULT_MEMORY_MIB, DEFAULT_VCPUS, UNBUFFERED, local_place
from flytekit_aws_batch.core.plan import JobRequest
from flytekit_aws_batch.core.progress import RefusedError
from flytekit_aws_batch.core.quantities import MIB, quantity
from flytekit_aws_batch.core.spec import JobSpec, Resources

CUSTOM = "awsBatch"
"""Where a task's settings are in the ``custom`` of its template.

Below a key of their own, and there even if empty: Flyte's backend takes ``secrets`` and ``configs`` of ``custom`` for
those of a connection, and cannot create a task that has no ``custom`` at all
(``flyteplugins/go/tasks/plugins/webapi/connector/plugin.go``, ``pluginmachinery/utils/marshal_utils.go``).
"""

_ENVIRONMENT = {CLUSTERED_WORKER_ENV: "1"}
"""How Flyte's entrypoint, ``a0``, is to behave: as in a pod of a clustered task (``flyte/_bin/runtime.py``).

Elsewhere it ends with exit code 0 when the task raised, as "the backend reads error.pb"
(``extract_download_run_upload`` in ``flyte/_internal/runtime/taskrunner.py``). The backend does so for pods; for
connectors it reads ``outputs.pb`` alone (``writeOutput`` in ``webapi/connector/plugin.go``), and AWS Batch knows the
exit code alone. As a worker of a cluster it ends with 1; it begins by removing the error of a start before it, as
Batch starts jobs anew, too; and it looks for no control plane, whose address a job does not have.
"""

_LOCAL_CODE = "/opt/flyte/"
"""Where the local executor unpacks code (``_build_and_upload_code_bundle``, ``flyte/connectors/_connector.py``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    """Whose attempt it is, and what the entrypoint is told for that.

    Attributes:
        project: The project.
        domain: The domain.
        execution: The run.
        node: The action.
        number: Which attempt it is, from 0.
        prefix: Where its outputs go, without a slash at the end.
        arguments: Those of the container.
        environment: Environment variables, which come before those of the same name that the container has.
    """

    project: str
    domain: str
    execution: str
    node: str
    number: int
    prefix: str
    arguments: Sequence[str]
    environment: Mapping[str, str]

    @classmethod
    def of_backend(cls, metadata: TaskExecutionMetadata, output_prefix: str, arguments: Sequence[str]) -> Self:
        identity = metadata.task_execution_id
        run = identity.node_execution_id.execution_id
        # Of what the entrypoint needs, the backend gives a connector the names of the run and the action; in a pod it
        # sets these three itself (flytek8s, GetExecutionEnvVars).
        environment = {
            "FLYTE_INTERNAL_EXECUTION_PROJECT": run.project,
            "FLYTE_INTERNAL_EXECUTION_DOMAIN": run.domain,
            "FLYTE_ATTEMPT_NUMBER": str(identity.retry_attempt),
            **metadata.environment_variables,
        }
        return cls(
            project=run.project,
            domain=run.domain,
            execution=run.name,
            node=identity.node_execution_id.node_id,
            number=identity.retry_attempt,
            prefix=output_prefix.rstrip("/"),
            arguments=arguments,
            environment=environment,
        )

    @classmethod
    def of_local_executor(cls, output_prefix: str, arguments: Sequence[str]) -> Self:
        prefix = _option(arguments, "--outputs-path") or f"{output_prefix.rstrip('/')}/{uuid.uuid4().hex}"
        project, domain = local_place()
        return cls(
            project=project,
            domain=domain,
            execution=_option(arguments, "--run-name") or "local",
            # The local executor calls every action a1; the folder is the only name that is the task's own.
            node=prefix.rpartition("/")[2],
            number=0,
            prefix=prefix,
            arguments=["." if each == _LOCAL_CODE else each for each in arguments],
            environment={},
        )


def job_request(
    template: tasks_pb2.TaskTemplate, metadata: TaskExecutionMetadata | None, output_prefix: str
) -> JobRequest:
    """What is to be run.

    Args:
        template: The task's template, with the container's arguments rendered.
        metadata: Of the execution. None: Flyte's local executor asks, which knows none.
        output_prefix: Where the attempt's outputs go. The local executor gives a folder that all its tasks share; the
            task's own is among the arguments of the container.

    Raises:
        RefusedError: The template says what AWS Batch cannot do.
    """
    container = template.container
    arguments = list(container.args)
    if metadata is None:
        attempt = _Attempt.of_local_executor(output_prefix, arguments)
    else:
        attempt = _Attempt.of_backend(metadata, output_prefix, arguments)
    retries = template.metadata.retries.retries
    # Flyte 1's rule, which Flyte 2's backend leaves to the connector: the last of several attempts is not interrupted.
    last = bool(retries) and attempt.number >= retries
    return JobRequest(
        project=attempt.project,
        domain=attempt.domain,
        execution=attempt.execution,
        node=attempt.node,
        task=template.id.name,
        attempt=attempt.number,
        image=container.image,
        command=(*container.command, *attempt.arguments),
        environment={
            **UNBUFFERED,
            **_ENVIRONMENT,
            **{each.key: each.value for each in container.env},
            **attempt.environment,
        },
        resources=resources_of(container.resources),
        spec=_spec(template),
        retries=retries,
        timeout_seconds=_seconds(template),
        interruptible=template.metadata.interruptible and not last,
        job_role=(metadata.identity.iam_role or None) if metadata else None,
        output_prefix=attempt.prefix,
        local=metadata is None,
    )


def resources_of(resources: tasks_pb2.Resources | None) -> Resources:
    """What a container gets: AWS Batch has one figure of each kind, and where Flyte has two it is the limit."""
    names = tasks_pb2.Resources.ResourceName
    given = {}
    for entry in (*resources.requests, *resources.limits) if resources else ():
        given[entry.name] = _amount(entry.value)
    vcpus = given.get(names.CPU, Decimal(DEFAULT_VCPUS))
    memory = given.get(names.MEMORY, DEFAULT_MEMORY_MIB * ceil(vcpus) * MIB)
    return Resources(vcpus=float(vcpus), memory_mib=ceil(memory / MIB), gpus=int(given.get(names.GPU, Decimal(0))))


def _amount(text: str) -> Decimal:
    try:
        return quantity(text)
    except ValueError as error:
        raise RefusedError(f"resources: {error}") from None


def _spec(template: tasks_pb2.TaskTemplate) -> JobSpec:
    custom: dict[str, Any] = MessageToDict(template.custom)
    try:
        return JobSpec.model_validate(custom.get(CUSTOM, {}))
    except ValidationError as error:
        problems = (
            f"{'.'.join(map(str, each['loc']))}: {each['msg']} (got {each['input']!r})" for each in error.errors()
        )
        raise RefusedError("\n".join(problems)) from error


def _seconds(template: tasks_pb2.TaskTemplate) -> int | None:
    timeout = template.metadata.timeout
    return timeout.seconds + bool(timeout.nanos) or None


def _option(arguments: Sequence[str], name: str) -> str | None:
    """The value of one of the entrypoint's options."""
    return arguments[arguments.index(name) + 1] if name in arguments else None
