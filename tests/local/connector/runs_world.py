"""An account with queues, and runners that work in it, for tests of whole runs."""

import asyncio
import dataclasses
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from aerodrome_local.testing import EmbeddedAws, Stack
from flytekit_aws_batch.core.aws import Aws
from flytekit_aws_batch.core.metrics import Metrics
from flytekit_aws_batch.core.plan import Handle, JobRequest, Wave
from flytekit_aws_batch.core.progress import Phase, Progress
from flytekit_aws_batch.core.runner import BatchRunner, Failures
from flytekit_aws_batch.core.settings import Limits, Queue, Settings
from flytekit_aws_batch.core.spec import ArraySpec, JobSpec, Resources
from tests.local.job_templates import Template, job_queue

ACCOUNT = "141414141414"
ENDED = (Phase.SUCCEEDED, Phase.FAILED, Phase.FAILED_RETRYABLE)
WAIT_SECONDS = 120.0


def resources(vcpus: int = 16) -> Template:
    """A bucket, and two queues: ``Queue`` for spot instances, ``LastQueue`` for what they did not finish."""
    queue = job_queue(vcpus)
    last = {
        "Type": "AWS::Batch::JobQueue",
        "Properties": queue["Queue"]["Properties"],
    }
    return {**queue, "LastQueue": last, "Bucket": {"Type": "AWS::S3::Bucket"}}


class Code:
    """What the code in the containers says of its failures: here the test says it."""

    def __init__(self) -> None:
        self.final_indices: dict[int, str] = {}

    async def final(self, output_prefix: str, indices: Sequence[int] | None) -> dict[int, str]:
        assert output_prefix.startswith("s3://")
        asked = (0,) if indices is None else indices
        return {index: self.final_indices[index] for index in asked if index in self.final_indices}


class RunsWorld:
    """The account, and the connectors that work in it.

    Attributes:
        notes: A folder in which jobs leave a file each time that they run.
        runner: The connector that is asked; :meth:`restart` makes another one.
    """

    def __init__(self, embedded: EmbeddedAws, stack: Stack, notes: Path) -> None:
        self.embedded = embedded
        self.notes = notes
        stack.deploy(resources())
        self.bucket = stack.physical_id("Bucket")
        spot, last = stack.physical_id("Queue"), stack.physical_id("LastQueue")
        self.settings = Settings(
            region=embedded.region,
            queues={
                "*": (
                    Queue(arn=spot, kind="spot", architecture="x86_64"),
                    Queue(arn=last, kind="on-demand", architecture="x86_64"),
                )
            },
            freshest_seconds=0.05,
            oldest_seconds=1,
            patience_seconds=10,
            lease_seconds=5,
            limits=Limits(submits=40, describes=40, others=40),
            check_images=False,
        )
        self.spot, self.last = spot, last
        self.code = Code()
        self._made: list[BatchRunner] = []
        self.runner = self.restart()

    def restart(self, failures: Failures | None = None) -> BatchRunner:
        """Another connector, which knows nothing of what the one before did."""
        self.registry = CollectorRegistry()
        aws = Aws(self.settings, metrics=Metrics(self.registry))
        self.runner = BatchRunner(self.settings, aws=aws, failures=failures or self.code)
        self._made.append(self.runner)
        return self.runner

    def close(self) -> None:
        for runner in self._made:
            runner.close()

    def request(self, command: str, *, execution: str = "f1", **more: Any) -> JobRequest:  # noqa: ANN401 - any field
        """A task that runs a shell command, with a folder of its own for each execution and attempt."""
        attempt = more.get("attempt", 0)
        asked = JobRequest(
            project="fraud",
            domain="development",
            execution=execution,
            node="n0",
            task="train",
            attempt=0,
            image="busybox",
            command=("sh", "-c", command),
            environment={"NOTES": str(self.notes)},
            resources=Resources(vcpus=1, memory_mib=128),
            spec=JobSpec(),
            retries=0,
            timeout_seconds=None,
            interruptible=True,
            job_role=None,
            output_prefix=f"s3://{self.bucket}/metadata/{execution}/n0/data/{attempt}",
        )
        return dataclasses.replace(asked, **more)

    def list_of(self, size: int, command: str, **more: Any) -> JobRequest:  # noqa: ANN401 - any field
        """A list of jobs, each of which leaves a file with its wave and its place in that."""
        noted = 'WHO="$FLYTE_AWS_BATCH_WAVE-${AWS_BATCH_JOB_ARRAY_INDEX:-$FLYTE_AWS_BATCH_INDEX}"; : > "$NOTES/$WHO"; '
        options = {name: more.pop(name) for name in ("concurrency", "min_success_ratio") if name in more}
        return self.request(noted + command, array=ArraySpec(size=size, **options), **more)

    def start(self, request: JobRequest) -> Handle:
        handle = asyncio.run(self.runner.start(request))
        assert handle.refused is None
        return handle

    def poll(self, handle: Handle) -> Progress:
        return asyncio.run(self.runner.poll(handle))

    def until(self, handle: Handle, condition: Callable[[Progress], object], what: str) -> Progress:
        """Ask for a run until it is as wanted."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not condition(progress := self.poll(handle)):
            assert time.monotonic() < deadline, f"not within {WAIT_SECONDS:g} s: {what}; {progress}"
            time.sleep(0.05)
        return progress

    def ended(self, handle: Handle) -> Progress:
        return self.until(handle, lambda progress: progress.phase in ENDED, "it ends")

    def waves(self, handle: Handle) -> list[Wave]:
        """The run's submissions, as they are in S3."""
        s3 = self.embedded.client("s3", ACCOUNT)
        prefix = f"{handle.output_prefix.removeprefix(f's3://{self.bucket}/')}/aws-batch/wave-"
        listed = s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix).get("Contents", [])
        bodies = (s3.get_object(Bucket=self.bucket, Key=each["Key"])["Body"].read() for each in listed)
        return sorted((Wave.model_validate_json(body) for body in bodies), key=lambda wave: wave.number)

    def runs_of_elements(self, handle: Handle) -> Counter[int]:
        """How often each element of a list ran, by the files that its jobs left."""
        waves = self.waves(handle)
        found: Counter[int] = Counter()
        for file in self.notes.iterdir():
            wave, index = map(int, file.name.split("-"))
            found[waves[wave].indices[index]] += 1
        return found

    def jobs(self, queue: str | None = None) -> list[dict[str, Any]]:
        """All jobs of a queue, whatever became of them, without children. Default: of both."""
        batch = self.embedded.client("batch", ACCOUNT)
        pages = batch.get_paginator("list_jobs")
        filters = [{"name": "JOB_NAME", "values": ["*"]}]
        return [
            job
            for each in ([queue] if queue else [self.spot, self.last])
            for page in pages.paginate(jobQueue=each, filters=filters)
            for job in page["jobSummaryList"]
        ]

    def living(self) -> list[str]:
        """The IDs of jobs that have not ended, children of arrays too."""
        batch = self.embedded.client("batch", ACCOUNT)
        found = []
        for job in self.jobs():
            array = "arrayProperties" in job
            children = (
                [
                    child
                    for status in ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING")
                    for child in batch.list_jobs(arrayJobId=job["jobId"], jobStatus=status)["jobSummaryList"]
                ]
                if array
                else []
            )
            found += [each["jobId"] for each in (job, *children) if each["status"] not in ("SUCCEEDED", "FAILED")]
        return found

    def has_attempts(self, job_id: str, count: int) -> bool:
        """Whether so many attempts of a job have ended."""
        (job,) = self.embedded.client("batch", ACCOUNT).describe_jobs(jobs=[job_id])["jobs"]
        return len(job["attempts"]) >= count

    def reclaim(self, job_id: str) -> None:
        """Take a running job's host away, as EC2 does with a spot instance."""
        url = f"{self.embedded.endpoint}/v1/embedded/reclaimhost/{job_id}"
        scope = "20260101/us-east-1/batch/aws4_request"
        headers = {"Authorization": f"AWS4-HMAC-SHA256 Credential={ACCOUNT}/{scope}"}
        asked = urllib.request.Request(url, data=b"{}", method="POST", headers=headers)  # noqa: S310 - http, on loopback
        urllib.request.urlopen(asked, timeout=30).close()  # noqa: S310 - http, on loopback

    def sample(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(f"flyte_aws_batch_{name}", labels) or 0.0
