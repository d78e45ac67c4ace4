"""A connector's service of Flyte 2 is asked as Flyte's backend asks it: over gRPC, with what the backend sends."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

import grpc
import pytest
from flyte._internal.runtime.task_serde import get_proto_task  # what `flyte deploy` makes of a task
from flyte.connectors._server import AsyncConnectorService  # what `c0` serves, but on all interfaces
from flyte.models import SerializationContext
from flyteidl2.connector import connector_pb2, service_pb2_grpc
from flyteidl2.core.execution_pb2 import TaskExecution
from flyteidl2.core.literals_pb2 import Literal, Primitive, Scalar
from flyteidl2.core.tasks_pb2 import TaskTemplate
from flyteidl2.task import common_pb2
from google.protobuf.json_format import ParseDict

from flytekit_aws_batch.flyte2 import AWSBatchConnector
from tests.connectors.flyte2.example import batch_tasks
from tests.connectors.flyte2.laptop import BUCKET, EXAMPLE, QUEUE, Account

WAIT_SECONDS = 60.0
TERMINAL = {TaskExecution.SUCCEEDED, TaskExecution.FAILED, TaskExecution.RETRYABLE_FAILED, TaskExecution.ABORTED}
CATEGORY = connector_pb2.TaskCategory(name="aws-batch-job", version=0)


@pytest.fixture(scope="module", autouse=True)
def _way_to_aws(account: Account) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in account.variables.items():
            patch.setenv(name, value)
        yield


def literal(value: int | str) -> Literal:
    primitive = Primitive(integer=value) if isinstance(value, int) else Primitive(string_value=value)
    return Literal(scalar=Scalar(primitive=primitive))


@dataclass(frozen=True)
class Action:
    """One attempt of an action, as the backend has it.

    Attributes:
        task: One of the example's tasks.
        inputs: Its inputs.
        name: The action's name, which no other test has.
        attempt: From 0.
        queue: Where it is to wait.
    """

    account: Account
    task: Any
    inputs: dict[str, int | str]
    name: str
    attempt: int = 0
    queue: str = QUEUE

    @property
    def prefix(self) -> str:
        return f"run/{self.name}/{self.attempt + 1}"

    def request(self) -> connector_pb2.CreateTaskRequest:
        """What the backend sends to have it created, after it has written the inputs."""
        given = [common_pb2.NamedLiteral(name=name, value=literal(value)) for name, value in self.inputs.items()]
        inputs = common_pb2.Inputs(literals=given)
        body = inputs.SerializeToString()
        self.account.client("s3").put_object(Bucket=BUCKET, Key=f"run/{self.name}/inputs.pb", Body=body)
        identity = {
            "nodeExecutionId": {
                "nodeId": self.name,
                "executionId": {"project": "risk", "domain": "production", "name": "run-7"},
            },
            "retryAttempt": self.attempt,
        }
        # https://github.com/flyteorg/flyte, executor/pkg/plugin/task_exec_metadata.go
        variables = {
            "ACTION_NAME": self.name,
            "RUN_NAME": "run-7",
            "_U_RUN_BASE": f"s3://{BUCKET}/run",
            "_U_ORG_NAME": "local",
        }
        return connector_pb2.CreateTaskRequest(
            template=self.template(),
            inputs=inputs,
            output_prefix=f"s3://{BUCKET}/{self.prefix}",
            task_execution_metadata=ParseDict(
                {"taskExecutionId": identity, "environmentVariables": variables}, connector_pb2.TaskExecutionMetadata()
            ),
        )

    def template(self) -> TaskTemplate:
        """The task's template as the backend renders it, with the code where jobs find it."""
        context = SerializationContext(version="1", project="risk", domain="production", root_dir=EXAMPLE.parent)
        template = get_proto_task(self.task, context)
        rendered = {
            "{{.input}}": f"s3://{BUCKET}/run/{self.name}/inputs.pb",
            "{{.outputPrefix}}": f"s3://{BUCKET}/{self.prefix}",
            "{{.rawOutputDataPrefix}}": f"s3://{BUCKET}/{self.prefix}/raw",
            "{{.checkpointOutputPrefix}}": f"s3://{BUCKET}/{self.prefix}/checkpoint",
            "{{.prevCheckpointPrefix}}": '""',
        }
        template.container.args[:] = [rendered.get(each, each) for each in template.container.args]
        template.container.env.add(key="PYTHONPATH", value=str(EXAMPLE.parent))
        template.custom["awsBatch"]["queue"] = self.queue
        return template

    def outputs(self) -> dict[str, Any]:
        """What the task wrote."""
        found = self.account.client("s3").get_object(Bucket=BUCKET, Key=f"{self.prefix}/outputs.pb")["Body"].read()
        return {each.name: each.value.scalar.primitive for each in common_pb2.Outputs.FromString(found).literals}

    def jobs(self) -> list[dict[str, Any]]:
        """Its jobs in AWS Batch, of all attempts."""
        return [job for job in self.account.jobs() if f"-{self.name}-" in job["jobName"]]


class Backend:
    """Flyte's side of the interface."""

    def __init__(self, stub: service_pb2_grpc.AsyncConnectorServiceStub) -> None:
        self._stub = stub

    async def create(self, action: Action) -> bytes:
        return bytes((await self._stub.CreateTask(action.request())).resource_meta)

    async def get(self, meta: bytes) -> connector_pb2.Resource:
        asked = connector_pb2.GetTaskRequest(resource_meta=meta, task_category=CATEGORY)
        return (await self._stub.GetTask(asked)).resource

    async def delete(self, meta: bytes) -> None:
        await self._stub.DeleteTask(connector_pb2.DeleteTaskRequest(resource_meta=meta, task_category=CATEGORY))

    async def log(self, meta: bytes) -> list[str]:
        asked = connector_pb2.GetTaskLogsRequest(resource_meta=meta, task_category=CATEGORY)
        return [line.message async for answer in self._stub.GetTaskLogs(asked) for line in answer.body.lines]

    async def until(self, meta: bytes, wanted: Callable[[connector_pb2.Resource], bool]) -> connector_pb2.Resource:
        """Ask until the answer is what is waited for."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not wanted(found := await self.get(meta)):  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.1)
        return found

    async def end(self, meta: bytes) -> connector_pb2.Resource:
        return await self.until(meta, lambda resource: resource.phase in TERMINAL)


@asynccontextmanager
async def backend() -> AsyncIterator[Backend]:
    """A service, and somebody who asks it."""
    server = grpc.aio.server()
    service_pb2_grpc.add_AsyncConnectorServiceServicer_to_server(AsyncConnectorService(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Backend(service_pb2_grpc.AsyncConnectorServiceStub(channel))
    finally:
        await server.stop(None)


def ask(conversation: Callable[[Backend], Awaitable[None]]) -> None:
    """Have a conversation with a service."""

    async def talk() -> None:
        async with backend() as asked:
            await conversation(asked)

    asyncio.run(talk())


def test_a_service_finds_the_connector_by_its_entry_point() -> None:
    (found,) = [each for each in entry_points(group="flyte.connectors") if each.name == "aws-batch"]

    assert found.load() is AWSBatchConnector


def test_a_task_runs_as_a_job_and_writes_where_flyte_reads(account: Account) -> None:
    action = Action(account, batch_tasks.double, {"number": 21}, "succeeds")

    async def conversation(flyte: Backend) -> None:
        meta = await flyte.create(action)
        resource = await flyte.end(meta)

        assert resource.phase == TaskExecution.SUCCEEDED, resource.message
        assert {name: value.integer for name, value in action.outputs().items()} == {"o0": 42}
        (job,) = action.jobs()
        assert list(resource.custom_info["jobs"]) == [job["jobId"]]
        assert any(job["container"]["logStreamName"].rpartition("/")[2] in link.uri for link in resource.log_links)
        assert "doubling 21" in await flyte.log(meta)

    ask(conversation)


def test_what_is_asked_for_twice_is_submitted_once(account: Account) -> None:
    action = Action(account, batch_tasks.double, {"number": 1}, "twice")

    async def conversation(flyte: Backend) -> None:
        first, second = await asyncio.gather(flyte.create(action), flyte.create(action))
        for meta in (first, second, await flyte.create(action)):
            assert (await flyte.end(meta)).phase == TaskExecution.SUCCEEDED
        assert len(action.jobs()) == 1

    ask(conversation)


@pytest.mark.parametrize(
    ("task", "phase", "message"),
    [
        ("reject", TaskExecution.RETRYABLE_FAILED, "ValueError: no such customer"),
        ("reject_for_good", TaskExecution.FAILED, "NonRecoverableError: no such customer"),
    ],
)
def test_the_error_that_the_entrypoint_leaves_is_the_tasks(
    account: Account, task: str, phase: TaskExecution.Phase, message: str
) -> None:
    action = Action(account, getattr(batch_tasks, task), {"reason": "no such customer"}, task.replace("_", "-"))

    async def conversation(flyte: Backend) -> None:
        resource = await flyte.end(await flyte.create(action))

        assert resource.phase == phase
        assert resource.message.startswith(message + "\n")
        assert [job["status"] for job in action.jobs()] == ["FAILED"]

    ask(conversation)


def test_another_attempt_after_an_error_is_another_job(account: Account) -> None:
    first, second = (Action(account, batch_tasks.reject, {"reason": "no"}, "attempts", attempt) for attempt in range(2))

    async def conversation(flyte: Backend) -> None:
        for attempt in (first, second):
            assert (await flyte.end(await flyte.create(attempt))).phase == TaskExecution.RETRYABLE_FAILED
        assert len(first.jobs()) == 2

    ask(conversation)


def test_a_container_that_dies_says_with_what(account: Account) -> None:
    action = Action(account, batch_tasks.leave, {"code": 3}, "dies")

    async def conversation(flyte: Backend) -> None:
        resource = await flyte.end(await flyte.create(action))

        assert resource.phase == TaskExecution.RETRYABLE_FAILED
        assert "exit code 3" in resource.message

    ask(conversation)


def test_what_is_aborted_leaves_no_job(account: Account) -> None:
    action = Action(account, batch_tasks.wait, {}, "aborted")

    async def conversation(flyte: Backend) -> None:
        meta = await flyte.create(action)
        await flyte.until(meta, lambda resource: resource.phase == TaskExecution.RUNNING)
        await flyte.delete(meta)
        ended = await flyte.end(meta)
        await flyte.delete(meta)

        assert ended.phase in {TaskExecution.FAILED, TaskExecution.RETRYABLE_FAILED}
        async with asyncio.timeout(WAIT_SECONDS):
            # It is given time to clean up.
            while [job["status"] for job in action.jobs()] != ["FAILED"]:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.1)

    ask(conversation)


def test_what_batch_does_not_have_fails_with_the_reason(account: Account) -> None:
    action = Action(account, batch_tasks.double, {"number": 1}, "refused", queue="nowhere")

    async def conversation(flyte: Backend) -> None:
        resource = await flyte.end(await flyte.create(action))

        assert resource.phase == TaskExecution.FAILED
        assert "nowhere" in resource.message
        assert action.jobs() == []

    ask(conversation)
