"""An embedded Batch in this process, with other services that only remember what they were told."""

import itertools
import os
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from aerodrome_local.batch_service.backend import BackendError
from aerodrome_local.batch_service.model import Json, Scope
from aerodrome_local.batch_service.service import BatchService
from aerodrome_local.batch_service.settings import Settings

SCOPE = Scope("111122223333", "us-east-1")
WAIT_SECONDS = 10.0


def eventually(condition: Callable[[], Any], what: str = "the condition") -> Any:  # noqa: ANN401 - whatever the condition gives
    """Wait until a condition gives something true, and return that."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {WAIT_SECONDS:g} s: {what}"
        time.sleep(0.01)
    return found


def alive(pid: int) -> bool:
    """Whether a process exists and has not merely been left unreaped."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = subprocess.run(["/bin/ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return not state.stdout.startswith("Z") and bool(state.stdout)


@dataclass
class Backend:
    """The other services."""

    secrets: dict[str, str] = field(default_factory=dict)
    access_points: dict[tuple[str, str], str] = field(default_factory=dict)
    groups: set[str] = field(default_factory=set)
    streams: dict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    events: list[tuple[str, Json, list[str]]] = field(default_factory=list)
    network_problem: str | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def secret(self, _scope: Scope, value_from: str) -> str:
        if value_from not in self.secrets:
            raise BackendError(f"unable to retrieve secret {value_from}: it does not exist")
        return self.secrets[value_from]

    def create_log_stream(self, _scope: Scope, group: str, stream: str, *, create_group: bool) -> None:
        if create_group:
            self.groups.add(group)
        if group not in self.groups:
            raise BackendError(f"ResourceInitializationError: log group {group} does not exist")
        self.streams[group, stream] = []

    def put_log_events(self, _scope: Scope, group: str, stream: str, lines: Sequence[tuple[int, str]]) -> None:
        self.streams[group, stream].extend(line for _, line in lines)

    def access_point_path(self, _scope: Scope, file_system_id: str, access_point_id: str) -> str:
        if (file_system_id, access_point_id) not in self.access_points:
            raise BackendError(f"ResourceInitializationError: no access point {access_point_id}")
        return self.access_points[file_system_id, access_point_id]

    def emit(self, _scope: Scope, detail_type: str, detail: Json, resources: Sequence[str]) -> None:
        with self.lock:
            self.events.append((detail_type, detail, list(resources)))

    def compute_problem(self, _scope: Scope, _compute_resources: Json) -> str | None:
        return self.network_problem

    def statuses(self, job_id: str) -> list[str]:
        """The statuses that a job's events told of, in order."""
        with self.lock:
            return [
                detail["status"]
                for detail_type, detail, _ in self.events
                if detail["jobId"] == job_id and detail_type == "Batch Job State Change"
            ]


class Batch:
    """A Batch service, and short ways to use it."""

    eventually = staticmethod(eventually)
    scope = Scope
    alive = staticmethod(alive)

    def __init__(self, directory: Path, **settings: Any) -> None:  # noqa: ANN401 - Settings' own types
        self.backend = Backend()
        self.settings = Settings(
            **{
                "work_dir": directory / "work",
                "database": directory / "batch.sqlite",
                "endpoint": "http://127.0.0.1:1",
                "job_path": str(Path(sys.executable).parent),
                "time_scale": 0.001,
                "stop_grace": 0.3,
                **settings,
            }
        )
        self.service = BatchService(self.settings, self.backend)
        self.service.start()

    def call(self, operation: str, **request: Any) -> Json:  # noqa: ANN401 - the operation's own types
        return self.service.call(operation, request, SCOPE)

    def environment(self, name: str, vcpus: int, kind: str = "EC2", **resources: Any) -> str:  # noqa: ANN401 - as AWS
        given = {"type": kind, "maxvCpus": vcpus, "subnets": ["subnet-1"], "securityGroupIds": ["sg-1"], **resources}
        if not kind.startswith("FARGATE"):
            given = {"instanceRole": "ecsInstanceRole", "allocationStrategy": "BEST_FIT_PROGRESSIVE", **given}
        arn: str = self.call(
            "CreateComputeEnvironment", computeEnvironmentName=name, type="MANAGED", computeResources=given
        )["computeEnvironmentArn"]
        eventually(lambda: self.environment_detail(name)["status"] == "VALID", f"{name} is VALID")
        return arn

    def environment_detail(self, name: str) -> Json:
        found: Json = self.call("DescribeComputeEnvironments", computeEnvironments=[name])["computeEnvironments"][0]
        return found

    def queue(self, name: str, *environments: str, priority: int = 1, **request: Any) -> str:  # noqa: ANN401 - as AWS
        order = [{"order": order, "computeEnvironment": each} for order, each in enumerate(environments)]
        arn: str = self.call(
            "CreateJobQueue", jobQueueName=name, priority=priority, computeEnvironmentOrder=order, **request
        )["jobQueueArn"]
        return arn

    def simple_queue(self, vcpus: int = 8) -> str:
        """A queue on one compute environment."""
        return self.queue("queue", self.environment("environment", vcpus))

    def definition(self, name: str, *command: str, vcpus: str = "1", **request: Any) -> str:  # noqa: ANN401 - as AWS
        container = {
            "image": "busybox",
            "command": list(command),
            "resourceRequirements": [{"type": "VCPU", "value": vcpus}, {"type": "MEMORY", "value": "2048"}],
            **request.pop("container", {}),
        }
        arn: str = self.call(
            "RegisterJobDefinition", jobDefinitionName=name, type="container", containerProperties=container, **request
        )["jobDefinitionArn"]
        return arn

    def multinode(self, ranges: dict[str, Json], nodes: int = 3, main: int = 0, **request: Any) -> str:  # noqa: ANN401 - as AWS
        """A definition ``multi`` of a multi-node job, of container properties by range."""
        given = [{"targetNodes": target, "container": each} for target, each in ranges.items()]
        properties = {"numNodes": nodes, "mainNode": main, "nodeRangeProperties": given}
        arn: str = self.call(
            "RegisterJobDefinition", jobDefinitionName="multi", type="multinode", nodeProperties=properties, **request
        )["jobDefinitionArn"]
        return arn

    def nodes(self, job_id: str, count: int = 3) -> list[Json]:
        """The nodes of a multi-node job."""
        found: list[Json] = self.call("DescribeJobs", jobs=[f"{job_id}#{index}" for index in range(count)])["jobs"]
        assert len(found) == count
        return found

    def submit(self, definition: str, queue: str = "queue", name: str = "job", **request: Any) -> str:  # noqa: ANN401 - as AWS
        job_id: str = self.call("SubmitJob", jobName=name, jobQueue=queue, jobDefinition=definition, **request)["jobId"]
        return job_id

    def run(self, *command: str, **request: Any) -> Json:  # noqa: ANN401 - as AWS
        """Run a command to its end on a queue of its own."""
        self.simple_queue()
        return self.ended(self.submit(self.definition("definition", *command), **request))

    def job(self, job_id: str) -> Json:
        found: Json = self.call("DescribeJobs", jobs=[job_id])["jobs"][0]
        return found

    def status(self, job_id: str) -> str:
        return str(self.job(job_id)["status"])

    def until(self, job_id: str, *statuses: str) -> Json:
        """Wait until a job has one of these statuses."""
        eventually(lambda: self.status(job_id) in statuses, f"{job_id} is {statuses}; it is {self.job(job_id)}")
        return self.job(job_id)

    def reason(self, job_id: str) -> str:
        """Wait until a job has a status reason."""
        found: str = eventually(lambda: self.job(job_id).get("statusReason"), f"{job_id} has a status reason")
        return found

    def most_at_once(self, job_ids: list[str]) -> int:
        """How many of these jobs, once all have ended, ran at the same time."""
        changes: list[tuple[int, int]] = []
        for job in [self.ended(job_id) for job_id in job_ids]:
            for attempt in job["attempts"]:
                changes += [(attempt["startedAt"], 1), (attempt["stoppedAt"], -1)]
        # At the same millisecond an end comes before a start.
        return max(itertools.accumulate(change for _, change in sorted(changes)))

    def ended(self, job_id: str) -> Json:
        return self.until(job_id, "SUCCEEDED", "FAILED")

    def log(self, job: Json) -> list[str]:
        """What a job's last attempt wrote."""
        group = (job["container"].get("logConfiguration") or {}).get("options", {}).get("awslogs-group")
        return self.backend.streams[group or "/aws/batch/job", job["container"]["logStreamName"]]


MakeBatch = Callable[..., Batch]


@pytest.fixture
def make_batch(tmp_path: Path) -> Iterator[MakeBatch]:
    """Starts services on one directory, so that a later one finds what an earlier one left. Stops them at the end."""
    made: list[Batch] = []

    def make(**settings: Any) -> Batch:  # noqa: ANN401 - Settings' own types
        made.append(Batch(tmp_path, **settings))
        return made[-1]

    yield make
    for batch in made:
        batch.service.stop()


@pytest.fixture
def batch(make_batch: MakeBatch) -> Batch:
    """A service that has just been started for the first time."""
    return make_batch()
