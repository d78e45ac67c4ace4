"""The connector: what propeller asks, put to AWS Batch."""

import asyncio
import functools
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from flyteidl.admin.agent_pb2 import GetTaskLogsResponse, GetTaskLogsResponseBody
from flyteidl.core.execution_pb2 import TaskExecution, TaskLog
from flytekit.extend.backend.base_connector import AsyncConnectorBase, ConnectorRegistry, Resource, ResourceMeta
from flytekit.models.literals import LiteralMap
from flytekit.models.task import TaskExecutionMetadata, TaskTemplate

from flytekit_aws_batch.common import PHASES, TASK_TYPE
from flytekit_aws_batch.config import Expected
from flytekit_aws_batch.core.plan import Handle
from flytekit_aws_batch.core.progress import Phase, RefusedError
from flytekit_aws_batch.core.settings import Settings
from flytekit_aws_batch.request import job_request, list_size, payload_of, placed

if TYPE_CHECKING:
    from flytekit_aws_batch.service import Service

_PHASES = {phase: TaskExecution.Phase.Value(name) for phase, name in PHASES.items()}


@dataclass
class BatchJob(ResourceMeta):
    """What propeller keeps of a task, and gives back with each question.

    Attributes:
        handle: What finds the run again.
        expected: What it will have given when it is done.
    """

    handle: Handle
    expected: Expected = field(default_factory=Expected)

    def encode(self) -> bytes:
        """As JSON, and only what is not the default: it is part of the workflow's record in Kubernetes."""
        parts = {"handle": self.handle, "expected": self.expected}
        return json.dumps(
            {name: part.model_dump(mode="json", exclude_defaults=True) for name, part in parts.items()}
        ).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """What :meth:`encode` wrote."""
        parts = json.loads(data)
        return cls(handle=Handle.model_validate(parts["handle"]), expected=Expected.model_validate(parts["expected"]))


class AWSBatchConnector(AsyncConnectorBase):
    """Runs tasks as jobs of AWS Batch.

    No answer of its is an error that Flyte counts, but for one (:meth:`create`): a create that is refused is a task
    that fails when it is asked after, and what passes, as throttling does, is told as what the task waits for.
    """

    name = "AWS Batch Connector"

    def __init__(self, settings: Settings | None = None, *, version: int = 0) -> None:
        super().__init__(task_type_name=TASK_TYPE, task_type_version=version, metadata_type=BatchJob)
        self._settings = settings

    async def create(
        self,
        task_template: TaskTemplate,
        output_prefix: str,
        inputs: LiteralMap | None = None,
        task_execution_metadata: TaskExecutionMetadata | None = None,
        **_: object,
    ) -> BatchJob:
        """Submit a task, or find that it is submitted already, or refuse it. All of it within the settings' patience.

        Raises:
            CallError: S3 does not give now the list that the task runs over, which lies there as it is large: nobody
                knows how many jobs it is.
        """
        prefix, below = output_prefix.rstrip("/"), ""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._service.settings.patience_seconds
        try:
            payload = payload_of(task_template)
            literals = await self._service.unwrapped(inputs, payload.mapped)
            size = list_size(payload.mapped, literals) if payload.mapped else None
            request = None if size == 0 else job_request(task_template, prefix, task_execution_metadata, size)
            if request is not None and payload.kind == "container":
                request, below = placed(request, self._service.settings)
        except RefusedError as error:
            return BatchJob(handle=Handle(output_prefix=prefix, name="refused", attempt=0, refused=str(error)))
        kind = "list" if payload.mapped else payload.kind
        expected = await self._service.outputs.expect(task_template, kind, prefix, size, below)
        if request is None:
            return BatchJob(handle=Handle(output_prefix=prefix, name="empty", attempt=0), expected=expected)
        handle = await self._service.runner.start(request, max(until - loop.time(), 0))
        return BatchJob(handle=handle, expected=expected)

    async def get(self, resource_meta: BatchJob, **_: object) -> Resource:
        """How a task stands."""
        handle, expected = resource_meta.handle, resource_meta.expected
        if expected.size == 0:
            return Resource(phase=TaskExecution.SUCCEEDED, outputs=self._service.outputs.of_nothing(expected))
        progress = await self._service.runner.poll(handle)
        outputs = None
        if progress.phase is Phase.SUCCEEDED:
            delivery = await self._service.outputs.deliver(expected, handle, progress)
            outputs = delivery.outputs
            if delivery.waits is not None:
                progress = replace(progress, phase=Phase.RUNNING, message=delivery.waits)
            if delivery.problem is not None:
                progress = replace(progress, phase=Phase.FAILED, message=delivery.problem)
        elif progress.phase is Phase.FAILED_RETRYABLE and handle.refused is None:
            words = await self._service.words(progress.output_prefix or handle.output_prefix)
            if words is not None:
                progress = replace(progress, message=f"{words}\n{progress.message}")
        return Resource(
            phase=_PHASES[progress.phase],
            message=progress.message,
            log_links=[
                # flyteadmin shows no other links while a task is queued or initializes.
                TaskLog(name=link.name, uri=link.url, message_format=TaskLog.JSON, ShowWhilePending=True)
                for link in progress.links
            ],
            outputs=outputs,
            custom_info={"jobs": list(progress.jobs), **progress.details}
            if progress.jobs or progress.details
            else None,
        )

    async def delete(self, resource_meta: BatchJob, *, reason: str = "Flyte aborted the task", **_: object) -> None:
        """End a task's jobs, with a reason for whoever looks at them. A task that has none left is done already."""
        if resource_meta.handle.refused is None and resource_meta.expected.size != 0:
            await self._service.runner.stop(resource_meta.handle, reason)

    async def get_logs(self, resource_meta: BatchJob, token: str = "", **_: object) -> GetTaskLogsResponse:
        """A page of what the containers have printed.

        flytekit 1.16 asks for no token, and its service drops the answer on the way.
        """
        page = await self._service.runner.logs(resource_meta.handle, token)
        return GetTaskLogsResponse(body=GetTaskLogsResponseBody(results=[line.text for line in page.lines]))

    @functools.cached_property
    def _service(self) -> "Service":
        return _service_of_process() if self._settings is None else _service(self._settings)


def _service(settings: Settings) -> "Service":
    # When it is first needed: this module is loaded with flytekit, in every container, too.
    from flytekit_aws_batch.service import Service  # noqa: PLC0415 - loads botocore

    return Service(settings)


@functools.cache
def _service_of_process() -> "Service":
    return _service(Settings.load())


ConnectorRegistry.register(AWSBatchConnector())
# flytekit's own map_task gives the template that it makes of any task this version; each element is a task for Flyte.
ConnectorRegistry.register(AWSBatchConnector(version=1))
