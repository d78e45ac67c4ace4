"""The connector's gRPC service, as its deployment starts it: found by entry point, asked by flyteidl's own stubs."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import grpc
import pytest
from flyteidl.admin import agent_pb2 as messages
from flyteidl.core.execution_pb2 import TaskExecution
from flyteidl.service.agent_pb2_grpc import AgentMetadataServiceStub, AsyncAgentServiceStub

from tests.connectors.flytekit import batch_tasks
from tests.connectors.flytekit.laptop import Account
from tests.connectors.flytekit.propeller import ENDED, Attempt, Propeller

PYFLYTE = Path(sys.executable).with_name("pyflyte")
TASK_TYPE = "aws-batch-job"
_SECONDS = 120.0


@dataclass(frozen=True)
class Service:
    channel: Any
    metrics: str

    @property
    def tasks(self) -> Any:  # noqa: ANN401 - grpc makes the class at run time
        return AsyncAgentServiceStub(self.channel)

    def create(self, attempt: Attempt) -> bytes:
        request = messages.CreateTaskRequest(
            template=attempt.template.to_flyte_idl(),
            inputs=attempt.inputs.to_flyte_idl(),
            output_prefix=attempt.prefix,
            task_execution_metadata=attempt.metadata.to_flyte_idl(),
        )
        meta: bytes = self.tasks.CreateTask(request).resource_meta
        return meta

    def get(self, meta: bytes) -> Any:  # noqa: ANN401 - protobuf makes the class at run time
        category = messages.TaskCategory(name=TASK_TYPE)
        return self.tasks.GetTask(messages.GetTaskRequest(task_category=category, resource_meta=meta)).resource

    def until(self, meta: bytes, *phases: int) -> Any:  # noqa: ANN401 - protobuf makes the class at run time
        deadline = time.monotonic() + _SECONDS
        while (resource := self.get(meta)).phase not in (phases or ENDED):
            assert time.monotonic() < deadline, resource
            time.sleep(0.1)
        return resource


def free_port() -> int:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as server:
        port: int = server.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def service(account: Account) -> Iterator[Service]:
    """`pyflyte serve connector`, until the module's last test."""
    environment = {**os.environ, **account.variables}
    port, metrics = free_port(), free_port()
    command: list[str | Path] = [PYFLYTE, "serve", "connector", "--port", str(port), "--prometheus_port", str(metrics)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                grpc.channel_ready_future(channel).result(_SECONDS)
                yield Service(channel, f"http://127.0.0.1:{metrics}/metrics")
        finally:
            process.terminate()


def test_flytekit_finds_the_connector_by_entry_point() -> None:
    (found,) = [each for each in entry_points(group="flytekit.plugins") if each.name == "aws-batch"]
    assert found.value == "flytekit_aws_batch.plugin"


def test_settings_that_cannot_be_used_stop_it_with_the_reason(tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text("queue: {}\nlease_seconds: 4\n")
    environment = {**os.environ, "FLYTEKIT_AWS_BATCH_CONFIG": str(settings)}
    stopped = subprocess.run(
        [PYFLYTE, "serve", "connector"], env=environment, check=False, capture_output=True, text=True
    )

    assert stopped.returncode == 1
    assert stopped.stderr.splitlines() == [
        f"flytekit-aws-batch: {settings}: lease_seconds: Input should be greater than or equal to 5 (got 4)",
        f"{settings}: queue: there is no such option; did you mean queues? (got {{}})",
    ]


def test_without_a_region_it_does_not_start(tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text("lease_seconds: 60\n")
    unset = ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE")
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    environment |= {"FLYTEKIT_AWS_BATCH_CONFIG": str(settings), "AWS_CONFIG_FILE": str(tmp_path / "none")}
    stopped = subprocess.run(
        [PYFLYTE, "serve", "connector"], env=environment, check=False, capture_output=True, text=True, timeout=_SECONDS
    )

    assert stopped.returncode == 1
    assert stopped.stderr.splitlines() == [
        (
            "flytekit-aws-batch: region is missing, and AWS's own settings have none; set region in the file that "
            "FLYTEKIT_AWS_BATCH_CONFIG names, or AWS_DEFAULT_REGION"
        )
    ]


def test_propeller_is_told_what_it_does(service: Service) -> None:
    agents = AgentMetadataServiceStub(service.channel).ListAgents(messages.ListAgentsRequest()).agents
    (ours,) = [agent for agent in agents if agent.name == "AWS Batch Connector"]
    assert [(each.name, each.version) for each in ours.supported_task_categories] == [(TASK_TYPE, 0), (TASK_TYPE, 1)]
    assert not ours.is_sync


def test_a_task_goes_all_the_way_through_the_service(account: Account, service: Service, propeller: Propeller) -> None:
    attempt = propeller.attempt(batch_tasks.greet, name="you")
    resource = service.until(service.create(attempt))

    assert resource.phase == TaskExecution.SUCCEEDED, resource.message
    assert resource.log_links
    (job_id,) = resource.custom_info["jobs"]
    assert propeller.outputs(attempt) == {"o0": f"hello you from {job_id}"}
    assert account.jobs()[job_id]["status"] == "SUCCEEDED"


def test_a_container_s_outputs_come_with_the_answer(service: Service, propeller: Propeller) -> None:
    attempt = propeller.attempt(batch_tasks.count, number=3, text="hello", without="")
    resource = service.until(service.create(attempt))

    assert resource.phase == TaskExecution.SUCCEEDED, resource.message
    assert resource.outputs.literals["words"].scalar.primitive.integer == 3


def test_a_refusal_is_no_error_of_the_call(service: Service, propeller: Propeller) -> None:
    resource = service.get(service.create(propeller.attempt(batch_tasks.notes, number=[1, 2], folder=["a"])))
    assert resource.phase == TaskExecution.FAILED
    assert "make them equal" in resource.message


def test_a_task_is_deleted_as_often_as_is_asked(service: Service, propeller: Propeller) -> None:
    meta = service.create(propeller.attempt(batch_tasks.wait_for, seconds=300))
    service.until(meta, TaskExecution.RUNNING)
    category = messages.TaskCategory(name=TASK_TYPE)
    for _ in range(2):
        service.tasks.DeleteTask(messages.DeleteTaskRequest(task_category=category, resource_meta=meta))
    resource = service.until(meta)

    assert resource.phase == TaskExecution.FAILED
    assert "Flyte aborted the task" in resource.message


def test_it_counts_what_it_does(service: Service) -> None:
    with urllib.request.urlopen(service.metrics, timeout=30) as answer:  # noqa: S310 - http, on loopback
        text = answer.read().decode()
    assert "flyte_aws_batch_" in text
    assert 'flyte_connector_requests_success_total{operation="create",task_type="aws-batch-job"}' in text
