"""flytepropeller as a connector meets it: it creates, asks and deletes, and takes any error for a failure.

Read in Flyte v1.16.8, ``flyteplugins/go/tasks/plugins/webapi/connector/plugin.go`` and
``pluginmachinery/internal/webapi/{launcher,cache}.go``.
"""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any, Self

import grpc
from flyteidl.admin import agent_pb2
from flyteidl.core import execution_pb2, identifier_pb2, literals_pb2, tasks_pb2
from flyteidl.service.agent_pb2_grpc import AsyncAgentServiceStub

from flytekit_aws_batch.common import TASK_TYPE

TaskExecution = execution_pb2.TaskExecution
TERMINAL = {
    TaskExecution.SUCCEEDED,
    TaskExecution.FAILED,
    TaskExecution.RETRYABLE_FAILED,
    TaskExecution.ABORTED,
}

# What the platform's flytepropeller has (stacks/aerodrome_stacks/chart_values): a connector that is being replaced
# costs no attempt as long as another one answers within these tries.
_SERVICE_CONFIG = {
    "methodConfig": [
        {
            "name": [{"service": "flyteidl.service.AsyncAgentService"}],
            "retryPolicy": {
                "maxAttempts": 5,
                "initialBackoff": "0.2s",
                "maxBackoff": "2s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}


@dataclass(slots=True, kw_only=True)
class Node:
    """A node of an execution, through all its attempts.

    Attributes:
        name: Its ID.
        attempts: How many attempts it took.
        seen: The phases of its last attempt, in order.
        resource: The last answer.
        unanswered: Questions that ended in an error.
    """

    name: str
    attempts: int = 0
    seen: list[int] = field(default_factory=list)
    resource: agent_pb2.Resource = field(default_factory=agent_pb2.Resource)
    unanswered: int = 0

    @property
    def message(self) -> str:
        return str(self.resource.message)


class Propeller:
    """One execution's nodes.

    Args:
        address: Where the connector answers.
        prefix: The execution's folder in S3.
        execution: Its name.
        pause: Seconds between two questions after a task.
    """

    def __init__(self, address: str, prefix: str, execution: str, pause: float = 1.0) -> None:
        self._channel = grpc.aio.insecure_channel(
            address, options=[("grpc.enable_retries", 1), ("grpc.service_config", json.dumps(_SERVICE_CONFIG))]
        )
        self._stub = AsyncAgentServiceStub(self._channel)
        self._prefix = prefix
        self._execution = execution
        self._pause = pause
        self._meta: dict[str, bytes] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()

    def output_prefix(self, node: str, attempt: int) -> str:
        """Where an attempt's outputs go, as propeller lays them out."""
        return f"{self._prefix}/{self._execution}/{node}/data/{attempt}"

    async def create(
        self,
        template: tasks_pb2.TaskTemplate,
        node: Node,
        inputs: literals_pb2.LiteralMap | None = None,
        *,
        most_attempts: int = 1,
        interruptible: bool = True,
    ) -> None:
        """Create a task; after an error as another attempt, with another number and another folder."""
        while True:
            attempt = node.attempts
            node.attempts += 1
            request = self._request(template, node.name, attempt, inputs, interruptible=interruptible)
            try:
                answer = await self._stub.CreateTask(request, timeout=30)
            except grpc.aio.AioRpcError:
                if node.attempts >= most_attempts:
                    raise
            else:
                self._meta[node.name] = answer.resource_meta
                return

    async def get(self, node: Node) -> agent_pb2.Resource:
        """Ask how a task is."""
        request = agent_pb2.GetTaskRequest(
            task_category=agent_pb2.TaskCategory(name=TASK_TYPE), resource_meta=self._meta[node.name]
        )
        resource = (await self._stub.GetTask(request, timeout=30)).resource
        if not node.seen or node.seen[-1] != resource.phase:
            node.seen.append(resource.phase)
        node.resource = resource
        return resource

    async def follow(self, node: Node) -> agent_pb2.Resource:
        """Ask until a task has ended. An error is counted, and asked again after."""
        while True:
            try:
                if (await self.get(node)).phase in TERMINAL:
                    return node.resource
            except grpc.aio.AioRpcError:
                node.unanswered += 1
            await asyncio.sleep(self._pause)

    async def run(self, template: tasks_pb2.TaskTemplate, node: Node, **options: Any) -> agent_pb2.Resource:  # noqa: ANN401 - those of create
        """Create a task and follow it to its end."""
        await self.create(template, node, **options)
        return await self.follow(node)

    async def delete(self, node: Node) -> None:
        """Abort a task."""
        request = agent_pb2.DeleteTaskRequest(
            task_category=agent_pb2.TaskCategory(name=TASK_TYPE), resource_meta=self._meta[node.name]
        )
        await self._stub.DeleteTask(request, timeout=30)

    def _request(
        self,
        template: tasks_pb2.TaskTemplate,
        node: str,
        attempt: int,
        inputs: literals_pb2.LiteralMap | None,
        *,
        interruptible: bool,
    ) -> agent_pb2.CreateTaskRequest:
        prefix = self.output_prefix(node, attempt)
        rendered = tasks_pb2.TaskTemplate()
        rendered.CopyFrom(template)
        values = {"{{.input}}": f"{self._prefix}/{self._execution}/{node}/data/inputs.pb", "{{.outputPrefix}}": prefix}
        values["{{.rawOutputDataPrefix}}"] = f"{prefix}/raw"
        for index, argument in enumerate(template.container.args):
            for name, value in values.items():
                argument = argument.replace(name, value)  # noqa: PLW2901 - one template after the other
            rendered.container.args[index] = argument
        execution = identifier_pb2.WorkflowExecutionIdentifier(
            project="proofs", domain="development", name=self._execution
        )
        identity = identifier_pb2.TaskExecutionIdentifier(
            task_id=template.id,
            node_execution_id=identifier_pb2.NodeExecutionIdentifier(node_id=node, execution_id=execution),
            retry_attempt=attempt,
        )
        return agent_pb2.CreateTaskRequest(
            template=rendered,
            inputs=inputs,
            output_prefix=prefix,
            task_execution_metadata=agent_pb2.TaskExecutionMetadata(
                task_execution_id=identity,
                namespace="proofs-development",
                labels={"interruptible": str(interruptible).lower()},
            ),
        )
