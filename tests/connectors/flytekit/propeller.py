"""What propeller does with a task of a connector: it fills in templates, creates, asks, and reads what was given."""

import asyncio
import itertools
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from flyteidl.core.errors_pb2 import ErrorDocument
from flyteidl.core.execution_pb2 import TaskExecution
from flyteidl.core.literals_pb2 import LiteralMap as LiteralMapMessage
from flytekit.configuration import Image, ImageConfig, SerializationSettings
from flytekit.core.context_manager import FlyteContextManager
from flytekit.core.type_engine import TypeEngine
from flytekit.extend.backend.base_connector import Resource
from flytekit.models.core.identifier import (
    Identifier,
    NodeExecutionIdentifier,
    ResourceType,
    TaskExecutionIdentifier,
    WorkflowExecutionIdentifier,
)
from flytekit.models.literals import LiteralMap
from flytekit.models.security import Identity
from flytekit.models.task import TaskExecutionMetadata, TaskTemplate
from flytekit.tools.translator import get_serializable

from flytekit_aws_batch.connector import AWSBatchConnector, BatchJob
from flytekit_aws_batch.local_run import rendered
from tests.connectors.flytekit.laptop import BUCKET, Account

SETTINGS = SerializationSettings(
    image_config=ImageConfig(Image("default", "tests/default", "7")),
    project="fraud",
    domain="development",
    version="v1",
)
ENDED = (TaskExecution.SUCCEEDED, TaskExecution.FAILED, TaskExecution.RETRYABLE_FAILED)
_SECONDS = 120.0

_executions = itertools.count(1)


@dataclass
class Attempt:
    """One attempt of a task.

    Attributes:
        task: The task.
        template: What the connector gets.
        inputs: Its inputs.
        metadata: Whose it is.
        prefix: Where its outputs go.
        meta: What the connector answered. It is passed on as bytes, as it is through Flyte.
        seen: All answers.
    """

    task: Any
    template: TaskTemplate
    inputs: LiteralMap
    metadata: TaskExecutionMetadata
    prefix: str
    meta: bytes = b""
    seen: list[Resource] = field(default_factory=list)

    @property
    def last(self) -> Resource:
        return self.seen[-1]

    @property
    def jobs(self) -> list[str]:
        """The IDs of its jobs in Batch, as the last answer has them."""
        jobs = (self.last.custom_info or {})["jobs"]
        assert isinstance(jobs, list)
        return jobs

    @property
    def message(self) -> str:
        return self.last.message or ""


def metadata_of(template: TaskTemplate, execution: str, retry: int = 0) -> TaskExecutionMetadata:
    """Whose an attempt is, as propeller says it."""
    return TaskExecutionMetadata(
        task_execution_id=TaskExecutionIdentifier(
            Identifier(ResourceType.TASK, "fraud", "development", template.id.name, "v1"),
            NodeExecutionIdentifier("n0", WorkflowExecutionIdentifier("fraud", "development", execution)),
            retry,
        ),
        namespace="fraud-development",
        labels={"interruptible": "true"},
        annotations={},
        k8s_service_account="default",
        environment_variables={},
        identity=Identity(),
    )


class Propeller:
    """Asks a connector."""

    def __init__(self, account: Account, connector: AWSBatchConnector) -> None:
        self._s3 = account.client("s3")
        self.connector = connector

    def attempt(
        self,
        task: Any,  # noqa: ANN401 - flytekit's
        execution: str = "",
        retry: int = 0,
        /,
        **inputs: Any,  # noqa: ANN401 - flytekit's
    ) -> Attempt:
        """An attempt of a task, not created yet."""
        execution = execution or f"run{next(_executions)}"
        prefix = f"s3://{BUCKET}/metadata/{execution}/n0/data/{retry}"
        context = FlyteContextManager.current_context()
        # What functools.partial gives is bound when a workflow is made.
        inputs = {**getattr(task, "_given", {}), **inputs}
        literals = TypeEngine.dict_to_literal_map(context, inputs, task.get_input_types())
        self.put(f"{prefix}/inputs.pb", literals.to_flyte_idl().SerializeToString())
        template = get_serializable(OrderedDict(), SETTINGS, task).template
        template.container._args = rendered(  # noqa: SLF001 - as flytekit's translator does
            template.container.args, prefix, literals
        )
        metadata = metadata_of(template, execution, retry)
        # As it comes through gRPC: numbers of a Struct are floats.
        return Attempt(task, TaskTemplate.from_flyte_idl(template.to_flyte_idl()), literals, metadata, prefix)

    def create(self, attempt: Attempt) -> Attempt:
        """CreateTask."""
        made = asyncio.run(
            self.connector.create(
                task_template=attempt.template,
                output_prefix=attempt.prefix,
                inputs=attempt.inputs,
                task_execution_metadata=attempt.metadata,
            )
        )
        attempt.meta = made.encode()
        return attempt

    def get(self, attempt: Attempt) -> Resource:
        """GetTask."""
        resource = asyncio.run(self.connector.get(resource_meta=BatchJob.decode(attempt.meta)))
        attempt.seen.append(resource)
        return resource

    def delete(self, attempt: Attempt) -> None:
        """DeleteTask."""
        asyncio.run(self.connector.delete(resource_meta=BatchJob.decode(attempt.meta)))

    def logs(self, attempt: Attempt) -> list[str]:
        """GetTaskLogs."""
        page = asyncio.run(self.connector.get_logs(resource_meta=BatchJob.decode(attempt.meta)))
        return list(page.body.results)

    def until(self, attempt: Attempt, *phases: int) -> Attempt:
        """Ask until a task is in one of some phases. Default: until it has ended."""
        deadline = time.monotonic() + _SECONDS
        while self.get(attempt).phase not in (phases or ENDED):
            assert time.monotonic() < deadline, f"still {attempt.last}"
            time.sleep(0.05)
        return attempt

    def run(self, task: Any, /, **inputs: Any) -> Attempt:  # noqa: ANN401 - flytekit's
        """Run a task to its end."""
        return self.until(self.create(self.attempt(task, **inputs)))

    def outputs(self, attempt: Attempt, types: dict[str, type] | None = None) -> dict[str, Any]:
        """What a task gave, as Python's values of the types that it says, or of others."""
        literals = attempt.seen[-1].outputs if attempt.seen else None
        if literals is None:
            message = LiteralMapMessage.FromString(self._read(f"{attempt.prefix}/outputs.pb"))
            literals = LiteralMap.from_flyte_idl(message)
        context = FlyteContextManager.current_context()
        values: dict[str, Any] = TypeEngine.literal_map_to_kwargs(
            context, literals, types or attempt.task.python_interface.outputs
        )
        return values

    def error(self, attempt: Attempt) -> Any:  # noqa: ANN401 - protobuf makes the class at run time
        """What the code said of its end."""
        return ErrorDocument.FromString(self._read(f"{attempt.prefix}/error.pb")).error

    def put(self, url: str, body: bytes) -> None:
        """Put an object."""
        self._s3.put_object(Bucket=BUCKET, Key=url.removeprefix(f"s3://{BUCKET}/"), Body=body)

    def _read(self, url: str) -> bytes:
        read: bytes = self._s3.get_object(Bucket=BUCKET, Key=url.removeprefix(f"s3://{BUCKET}/"))["Body"].read()
        return read
