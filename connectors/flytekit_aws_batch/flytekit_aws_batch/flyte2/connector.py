"""What Flyte 2 asks a connector for, answered by the core."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Self

from flyte.connectors import AsyncConnector, ConnectorRegistry, Resource, ResourceMeta
from flyteidl2.connector.connector_pb2 import (
    GetTaskLogsResponse,
    GetTaskLogsResponseBody,
    GetTaskLogsResponseHeader,
    TaskExecutionMetadata,
)
from flyteidl2.core.execution_pb2 import TaskExecution, TaskLog
from flyteidl2.core.tasks_pb2 import TaskTemplate
from flyteidl2.logs.dataplane.payload_pb2 import LogLine, LogLineOriginator
from google.protobuf.timestamp_pb2 import Timestamp

from flytekit_aws_batch.common import PHASES, TASK_TYPE
from flytekit_aws_batch.core.aws import Aws
from flytekit_aws_batch.core.plan import Handle
from flytekit_aws_batch.core.progress import Phase, RefusedError
from flytekit_aws_batch.core.runner import BatchRunner
from flytekit_aws_batch.core.settings import Settings
from flytekit_aws_batch.core.storage import Storage
from flytekit_aws_batch.flyte2.outcome import Outcomes
from flytekit_aws_batch.flyte2.request import job_request

_PHASES = {phase: TaskExecution.Phase.Value(name) for phase, name in PHASES.items()}


@dataclass
class BatchJob(ResourceMeta):
    """What finds a job again; Flyte keeps it.

    Attributes:
        handle: The core's own, as JSON.
        local: Whether Flyte's local executor asks, and no backend.
    """

    handle: str
    local: bool = False

    @classmethod
    def of(cls, handle: Handle, *, local: bool) -> Self:
        """What is kept of a run."""
        return cls(handle.model_dump_json(exclude_defaults=True), local)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """What was kept. What a newer version kept beside is left out, where Flyte's own way would raise KeyError."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in json.loads(data).items() if name in known})

    @property
    def run(self) -> Handle:
        """What the core knows it by."""
        return Handle.model_validate_json(self.handle)


class AWSBatchConnector(AsyncConnector[BatchJob]):
    """Tasks of Flyte 2 as jobs of AWS Batch."""

    name = "AWS Batch Connector"
    task_type_name = TASK_TYPE
    metadata_type = BatchJob

    async def create(
        self,
        task_template: TaskTemplate,
        output_prefix: str,
        inputs: dict[str, Any] | None = None,  # noqa: ARG002 - the job reads them itself
        task_execution_metadata: TaskExecutionMetadata | None = None,
        **_connection: str,
    ) -> BatchJob:
        """Submit the job; or find it, when the same was asked for before.

        What AWS Batch cannot do is no error here, as Flyte would try that again: :meth:`get` says that it failed.
        """
        try:
            handle = await self._runner.start(job_request(task_template, task_execution_metadata, output_prefix))
        except RefusedError as error:
            handle = Handle(output_prefix=output_prefix, name=task_template.id.name, attempt=0, refused=str(error))
        return BatchJob.of(handle, local=task_execution_metadata is None)

    async def get(self, resource_meta: BatchJob, **_connection: str) -> Resource:
        """How the job stands. Of outputs Flyte hears nothing here: it finds them where the entrypoint wrote them."""
        run = resource_meta.run
        progress = await self._runner.poll(run)
        phase, message = progress.phase, progress.message
        if phase is Phase.SUCCEEDED:
            phase, message = await self._outcomes.delivered(run, progress)
        elif phase is Phase.FAILED_RETRYABLE:
            message = await self._outcomes.explained(run, progress)
        if phase is Phase.FAILED_RETRYABLE and resource_meta.local:
            # To the local executor that is no end (is_terminal_phase, flyte/connectors/utils.py): it asks for ever.
            phase = Phase.FAILED
        return Resource(
            phase=_PHASES[phase],
            message=message,
            log_links=[TaskLog(name=link.name, uri=link.url, ShowWhilePending=True) for link in progress.links],
            custom_info={"jobs": list(progress.jobs), **progress.details},
        )

    async def delete(self, resource_meta: BatchJob, **_connection: str) -> None:
        """End the job. One that is gone, or has ended, is no error."""
        await self._runner.stop(resource_meta.run, "aborted in Flyte")

    async def get_logs(
        self, resource_meta: BatchJob, token: str = "", **_connection: str
    ) -> AsyncIterator[GetTaskLogsResponse]:
        """The job's log from where the token says, and the token of what follows."""
        page = await self._runner.logs(resource_meta.run, token)
        lines = []
        for each in page.lines:
            at = Timestamp()
            at.FromMilliseconds(round(each.at * 1000))
            lines.append(LogLine(timestamp=at, message=each.text, originator=LogLineOriginator.USER))
        yield GetTaskLogsResponse(body=GetTaskLogsResponseBody(lines=lines))
        # CloudWatch gives the same token again at the end; Flyte takes an empty one for it.
        following = "" if page.token == token else page.token
        yield GetTaskLogsResponse(header=GetTaskLogsResponseHeader(token=following))

    # Not before the first task: this module is also imported where a task runs, which asks AWS Batch for nothing.
    @cached_property
    def _settings(self) -> Settings:
        return Settings.load()

    @cached_property
    def _aws(self) -> Aws:
        return Aws(self._settings)

    @cached_property
    def _outcomes(self) -> Outcomes:
        return Outcomes(Storage(self._aws))

    @cached_property
    def _runner(self) -> BatchRunner:
        return BatchRunner(self._settings, aws=self._aws, failures=self._outcomes)


ConnectorRegistry.register(AWSBatchConnector())
