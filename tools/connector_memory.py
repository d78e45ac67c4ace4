"""Measures a connector that holds 10,000 live jobs.

It is a program, as memory is measured in a process that did nothing else. AWS is simulated, and keeps nothing but what
is on its way: what the process gains is the connector's.
"""

import argparse
import asyncio
import dataclasses
import gc
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from botocore.exceptions import ClientError

from flytekit_aws_batch.core.plan import Handle, JobRequest
from flytekit_aws_batch.core.progress import Phase
from flytekit_aws_batch.core.runner import BatchRunner
from flytekit_aws_batch.core.settings import Queue, Settings
from flytekit_aws_batch.core.spec import ArraySpec, JobSpec, Resources
from simulated_aws import Answers, SimulatedClock, simulated_aws

_T = TypeVar("_T")

LIVE: Final = 10_000
ROUNDS: Final = 5
KINDS: Final = ("jobs", "array")
"""10,000 tasks of one job each, or one task with a list of 10,000 elements."""

# As flytepropeller asks: stacks/aerodrome_stacks/chart_values/flyte_batch_connector.py.
_WORKERS = 100
_KIB = 1024

_IMAGE = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/teams/trainer:1.4"
_QUEUE = "arn:aws:batch:eu-west-1:111122223333:job-queue/aerodrome-prod-production-spot"
# Older than what is known of a job may ever be, so that each is asked for; and younger than it must be.
_LONG_SECONDS, _SHORT_SECONDS = 61.0, 0.1


def _request(number: int, size: int | None) -> JobRequest:
    execution = f"f{number:019x}"
    return JobRequest(
        project="fraud-detection",
        domain="production",
        execution=execution,
        node="n0",
        task="aerodrome_workflows.fraud_detection.training.train",
        attempt=0,
        image=_IMAGE,
        command=("pyflyte-execute", "--inputs", f"s3://metadata/production/{execution}/n0/data/inputs.pb"),
        environment={"FLYTE_INTERNAL_IMAGE": "teams/trainer:1.4"},
        resources=Resources(vcpus=2, memory_mib=4096),
        spec=JobSpec(),
        retries=1,
        timeout_seconds=3600,
        interruptible=True,
        job_role=None,
        output_prefix=f"s3://metadata/production/{execution}/n0/data/0",
        array=None if size is None else ArraySpec(size=size),
    )


def _answers(clock: SimulatedClock, size: int) -> Answers:
    """An AWS that takes everything, and runs every job at once.

    What it answers is made anew each time, as are answers that come over the network.

    Args:
        clock: Its time.
        size: How many elements each job has. 0: it is no array.
    """
    plans: dict[str, bytes] = {}

    def put_object(*, Key: str, Body: bytes, **_: object) -> dict[str, Any]:  # noqa: N803 - S3's names
        if Key.endswith("/plan.json"):
            plans[Key] = Body
        return {"ETag": '"0"'}

    def list_objects_v2(*, Prefix: str, **_: object) -> dict[str, Any]:  # noqa: N803 - S3's names
        return {"Contents": [{"Key": key} for key in plans if key.startswith(Prefix)]}

    def get_object(*, Key: str, **_: object) -> dict[str, Any]:  # noqa: N803 - S3's names
        now = datetime.fromtimestamp(clock.date(), UTC)
        headers = {"HTTPHeaders": {"date": format_datetime(now)}}
        # Nobody reads it twice.
        return {"Body": plans.pop(Key), "ETag": '"0"', "LastModified": now, "ResponseMetadata": headers}

    def head_object(**_: object) -> dict[str, Any]:
        raise _not_there()

    def submit_job(*, jobName: str, **_: object) -> dict[str, Any]:  # noqa: N803 - Batch's name
        # The ID says the name, of which nothing is kept here: that would be measured, too.
        execution, _node, key = jobName.split("-")[:3]
        return {"jobId": f"{execution[-8:]}-0000-4000-8000-{key}"}

    def describe_jobs(*, jobs: Sequence[str]) -> dict[str, Any]:
        children = {"arrayProperties": {"size": size, "statusSummary": {"RUNNING": size}}} if size else {}
        return {"jobs": [dict(json.loads(json.dumps(_job(job_id) | children))) for job_id in jobs]}

    definition = {"jobDefinitionArn": "arn:aws:batch:eu-west-1:111122223333:job-definition/train:1", "revision": 1}
    queue = {"jobQueueName": "spot", "jobQueueArn": _QUEUE, "state": "ENABLED", "status": "VALID"}
    return {
        "describe_job_queues": lambda **_: {"jobQueues": [queue]},
        "describe_images": lambda **_: {"imageDetails": [{"imageTags": ["1.4"]}]},
        "describe_job_definitions": lambda **_: {"jobDefinitions": [{**definition, "status": "ACTIVE"}]},
        "submit_job": submit_job,
        "describe_jobs": describe_jobs,
        "put_object": put_object,
        "list_objects_v2": list_objects_v2,
        "get_object": get_object,
        "head_object": head_object,
    }


def _not_there() -> ClientError:
    return ClientError({"Error": {"Code": "404"}, "ResponseMetadata": {"HTTPStatusCode": 404}}, "HeadObject")  # type: ignore[typeddict-item]  # the rest of the metadata is never read


def _job(job_id: str) -> dict[str, Any]:
    return {
        "jobId": job_id,
        "jobName": f"f{job_id[:8]:0>19}-n0-{job_id[-12:]}-0-0",
        "jobQueue": _QUEUE,
        "status": "RUNNING",
        "createdAt": 1_000,
        "startedAt": 2_000,
        "attempts": [],
        "retryStrategy": {"attempts": 5},
        "container": {
            "image": _IMAGE,
            "environment": [{"name": "FLYTE_AWS_BATCH_PREFIX", "value": f"s3://metadata/{job_id}/n0/data/0"}],
            "resourceRequirements": [{"type": "VCPU", "value": "2"}, {"type": "MEMORY", "value": "4096"}],
            "logStreamName": f"trainer/default/{job_id}",
        },
    }


def memory() -> int:
    """This process's proportional set size in bytes. Linux only."""
    gc.collect()
    rollup = Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in rollup if line.startswith("Pss:")) * _KIB


def _cpu(action: Callable[[], object]) -> float:
    start = time.process_time()
    action()
    return time.process_time() - start


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What it takes to hold 10,000 live jobs.

    Attributes:
        before: The memory of the process with nothing to do, in bytes.
        started: The memory with all of them submitted.
        polled: The memory when each was asked for several times.
        start_cpu: CPU seconds of the submissions.
        asked_cpu: CPU seconds of 10,000 questions, in each round in which DescribeJobs was called for all jobs.
        memory_cpu: The same, in each round that was answered from memory.
    """

    before: int
    started: int
    polled: int
    start_cpu: float
    asked_cpu: Sequence[float]
    memory_cpu: Sequence[float]


def measure(kind: str, live: int = LIVE) -> Held:
    """Submit jobs, and ask for each of them in rounds.

    Args:
        kind: One of :data:`KINDS`.
        live: How many jobs.
    """
    clock = SimulatedClock()
    settings = Settings(
        region="eu-west-1",
        queues={"*": (Queue(arn=_QUEUE, kind="spot"),)},
    )
    size = live if kind == "array" else None
    aws = simulated_aws(settings, clock, _answers(clock, size or 0))
    runner = BatchRunner(settings, aws=aws)
    tasks = 1 if size else live
    # flytepropeller keeps these, not the connector. The first run is for what is loaded or made once.
    first, *handles = (_handle(_request(number, size)) for number in range(tasks + 1))
    clock.run(_started(runner, [_request(0, size)]))
    clock.run(_polled(runner, [first]))
    before = memory()
    start_cpu = _cpu(lambda: clock.run(_started(runner, [_request(number, size) for number in range(1, tasks + 1)])))
    started = memory()

    def round_after(seconds: float) -> float:
        clock.time += seconds
        return _cpu(lambda: clock.run(_polled(runner, handles * (live // tasks))))

    asked = [round_after(_LONG_SECONDS) for _ in range(ROUNDS)]
    known = [round_after(_SHORT_SECONDS) for _ in range(ROUNDS)]
    return Held(
        before=before,
        started=started,
        polled=memory(),
        start_cpu=start_cpu,
        asked_cpu=asked,
        memory_cpu=known,
    )


def _handle(request: JobRequest) -> str:
    handle = Handle(output_prefix=request.output_prefix, name=request.name, attempt=0)
    return handle.model_dump_json(exclude_defaults=True)


async def _started(runner: BatchRunner, requests: list[JobRequest]) -> None:
    async def start(request: JobRequest) -> None:
        handle = await runner.start(request)
        if handle.refused is not None:
            raise RuntimeError(f"the connector refuses what is measured here: {handle.refused}")

    await _by_workers(requests, start)


async def _polled(runner: BatchRunner, handles: list[str]) -> None:
    async def poll(handle: str) -> None:
        progress = await runner.poll(Handle.model_validate_json(handle))
        if progress.phase is not Phase.RUNNING:
            raise RuntimeError(f"a job that runs is answered as {progress.phase.name}: {progress.message}")

    await _by_workers(handles, poll)


async def _by_workers(items: list[_T], work: Callable[[_T], Awaitable[None]]) -> None:
    left = iter(items)

    async def worker() -> None:
        for item in left:
            await work(item)

    await asyncio.gather(*(worker() for _ in range(_WORKERS)))


def main() -> None:
    """Measure one kind of work, and print it as JSON."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("kind", choices=KINDS)
    print(json.dumps(dataclasses.asdict(measure(parser.parse_args().kind))))


if __name__ == "__main__":
    main()
