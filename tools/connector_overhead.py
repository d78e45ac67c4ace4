"""Measures on an embedded AWS what the connector adds between a request and the job's start: time, and calls of AWS."""

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import botocore.session
from botocore.client import BaseClient
from prometheus_client import CollectorRegistry

from aerodrome_local.job_templates import job_definition, queue_resources
from aerodrome_local.testing import EmbeddedAws, Stack
from flytekit_aws_batch.core.aws import Aws
from flytekit_aws_batch.core.metrics import Metrics
from flytekit_aws_batch.core.plan import JobRequest
from flytekit_aws_batch.core.progress import Phase
from flytekit_aws_batch.core.runner import BatchRunner
from flytekit_aws_batch.core.settings import Queue, Settings
from flytekit_aws_batch.core.spec import JobSpec, Resources

RUNS: Final = 20

_PATIENCE_SECONDS = 60.0
_LOOK_SECONDS = 0.02
_COMMAND = ("true",)
_RESOURCES = {
    **queue_resources(),
    "Definition": job_definition(*_COMMAND),
    "Bucket": {"Type": "AWS::S3::Bucket"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Began:
    """One job that was asked for and ran.

    Attributes:
        answered: Seconds from the request to its answer.
        started: Seconds from the request to the start of the container, by Batch's own ``startedAt``.
        calls: The calls of AWS that it took to submit it, by operation.
        end_calls: The calls that it took to be told that it had ended.
    """

    answered: float
    started: float
    calls: Counter[str]
    end_calls: Counter[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overhead:
    """What was measured.

    Attributes:
        plain: Jobs submitted by SubmitJob alone.
        first: The connector's first job, whose shape nobody knows yet.
        further: The connector's further ones.
    """

    plain: Sequence[Began]
    first: Began
    further: Sequence[Began]

    @property
    def added(self) -> float:
        """Seconds that the connector adds before the container starts: the median of the pairs' differences."""
        pairs = zip(self.plain, self.further, strict=True)
        return statistics.median(connector.started - plain.started for plain, connector in pairs)


class _Session(botocore.session.Session):
    """botocore's, in one account of an embedded AWS, whatever the process's environment says."""

    def __init__(self, embedded: EmbeddedAws) -> None:
        super().__init__()
        self._endpoint = embedded.endpoint
        self.set_credentials(embedded.account, "embedded")

    def create_client(self, service_name: str, *args: Any, **kwargs: Any) -> BaseClient:  # noqa: ANN401 - botocore's own signature, whose overloads name every service
        return super().create_client(service_name, *args, **{**kwargs, "endpoint_url": self._endpoint})


class _Jobs:
    """An account with a queue, and the two ways of submitting a job to it."""

    def __init__(self, embedded: EmbeddedAws, stack: Stack) -> None:
        stack.deploy(_RESOURCES)
        self._batch = embedded.client("batch")
        self._queue = stack.physical_id("Queue")
        self._definition = stack.physical_id("Definition")
        self._bucket = stack.physical_id("Bucket")
        settings = Settings(
            region=embedded.region,
            queues={"*": (Queue(arn=self._queue, kind="spot"),)},
            freshest_seconds=_LOOK_SECONDS,
        )
        self._registry = CollectorRegistry()
        aws = Aws(settings, session=_Session(embedded), metrics=Metrics(self._registry))
        self.runner = BatchRunner(settings, aws=aws)

    def plain(self, number: int) -> Began:
        """A job by SubmitJob alone."""
        asked, clock = time.time(), time.perf_counter()
        job: str = self._batch.submit_job(
            jobName=f"plain-{number}",
            jobQueue=self._queue,
            jobDefinition=self._definition,
            containerOverrides={"command": list(_COMMAND)},
        )["jobId"]
        answered = time.perf_counter() - clock
        started = self._ended(job) - asked
        return Began(
            answered=answered,
            started=started,
            calls=Counter(SubmitJob=1),
            end_calls=Counter(DescribeJobs=1),
        )

    def connector(self, number: int) -> Began:
        """The same by the connector."""
        request = self._request(number)
        before = self._calls()
        asked, clock = time.time(), time.perf_counter()
        handle = asyncio.run(self.runner.start(request))
        answered = time.perf_counter() - clock
        calls = self._calls() - before
        if handle.refused is not None:
            raise RuntimeError(f"the connector refuses what is measured here: {handle.refused}")
        listed = self._batch.list_jobs(
            jobQueue=self._queue, filters=[{"name": "JOB_NAME", "values": [f"{handle.name}*"]}]
        )
        (job,) = listed["jobSummaryList"]
        started = self._ended(job["jobId"]) - asked
        before = self._calls()
        progress = asyncio.run(self.runner.poll(handle))
        if progress.phase is not Phase.SUCCEEDED:
            raise RuntimeError(f"a job that succeeded is answered as {progress.phase.name}: {progress.message}")
        return Began(answered=answered, started=started, calls=calls, end_calls=self._calls() - before)

    def _ended(self, job_id: str) -> float:
        """Wait for a job's end, and say when its container started, in seconds since 1970."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            (job,) = self._batch.describe_jobs(jobs=[job_id])["jobs"]
            if job["status"] == "SUCCEEDED":
                started: float = job["startedAt"] / 1000
                return started
            if job["status"] == "FAILED" or time.monotonic() > deadline:
                raise RuntimeError(f"{job_id} is {job['status']} ({job.get('statusReason', 'no reason')})")
            time.sleep(_LOOK_SECONDS)

    def _calls(self) -> Counter[str]:
        samples = (sample for metric in self._registry.collect() for sample in metric.samples)
        return Counter(
            {
                sample.labels["operation"]: int(sample.value)
                for sample in samples
                if sample.name == "flyte_aws_batch_api_calls_total"
            }
        )

    def _request(self, number: int) -> JobRequest:
        return JobRequest(
            project="bench",
            domain="development",
            execution=f"f{number}",
            node="n0",
            task="true",
            attempt=0,
            image="busybox",
            command=_COMMAND,
            environment={},
            resources=Resources(vcpus=1, memory_mib=512),
            spec=JobSpec(),
            retries=0,
            timeout_seconds=None,
            interruptible=True,
            job_role=None,
            output_prefix=f"s3://{self._bucket}/metadata/f{number}/n0/data/0",
        )


def measure(embedded: EmbeddedAws, runs: int = RUNS) -> Overhead:
    """Run the same tiny job in both ways, one after the other, so that a slow spell of the machine meets both alike.

    Args:
        embedded: An embedded AWS, in which a stack is made.
        runs: How many of each.
    """
    stack = embedded.stack("bench-connector")
    jobs = _Jobs(embedded, stack)
    try:
        jobs.plain(0)  # connections, and caches of the file system
        first = jobs.connector(0)
        pairs = [(jobs.plain(number), jobs.connector(number)) for number in range(1, runs + 1)]
    finally:
        jobs.runner.close()
        stack.delete()
    return Overhead(plain=[plain for plain, _ in pairs], first=first, further=[further for _, further in pairs])
