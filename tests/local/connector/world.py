"""An account of the embedded AWS and a connector that works in it: what all tests of whole runs have in common."""

import asyncio
import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from aerodrome_local.testing import EmbeddedAws
from flytekit_aws_batch.core.plan import Handle, JobRequest
from flytekit_aws_batch.core.progress import Phase, Progress
from flytekit_aws_batch.core.runner import BatchRunner
from flytekit_aws_batch.core.spec import JobSpec, Resources
from tests.local.waiting import eventually

PROJECT: Final = "fraud"
DOMAIN: Final = "development"
_ENDED: Final = (Phase.SUCCEEDED, Phase.FAILED, Phase.FAILED_RETRYABLE)
_WAIT_SECONDS: Final = 120.0


class World:
    """The account, and the connector.

    Attributes:
        embedded: The embedded AWS.
        account: The account's ID.
        bucket: The name of the bucket that outputs go to.
        notes: A folder in which jobs leave what they have to say.
        runner: The connector that is asked.
    """

    runner: BatchRunner

    def __init__(self, embedded: EmbeddedAws, account: str, bucket: str, notes: Path) -> None:
        self.embedded = embedded
        self.account = account
        self.bucket = bucket
        self.notes = notes
        self.batch: Any = embedded.client("batch", account)

    def request(self, command: str, execution: str = "f1", **more: Any) -> JobRequest:  # noqa: ANN401 - any field
        """A task that runs a shell command, with a folder of its own for each execution and attempt."""
        attempt = more.get("attempt", 0)
        asked = JobRequest(
            project=PROJECT,
            domain=DOMAIN,
            execution=execution,
            node="n0",
            task="train",
            attempt=0,
            image="busybox",
            command=("sh", "-c", command),
            environment={},
            resources=Resources(vcpus=1, memory_mib=128),
            spec=JobSpec(),
            retries=0,
            timeout_seconds=None,
            interruptible=True,
            job_role=None,
            output_prefix=f"s3://{self.bucket}/metadata/{execution}/n0/data/{attempt}",
        )
        return dataclasses.replace(asked, **more)

    def start(self, request: JobRequest) -> Handle:
        handle = asyncio.run(self.runner.start(request))
        assert handle.refused is None
        return handle

    def poll(self, handle: Handle) -> Progress:
        return asyncio.run(self.runner.poll(handle))

    def until(self, handle: Handle, condition: Callable[[Progress], object], what: str) -> Progress:
        """Ask for a run until it is as wanted."""
        deadline = time.monotonic() + _WAIT_SECONDS
        while not condition(progress := self.poll(handle)):
            assert time.monotonic() < deadline, f"not within {_WAIT_SECONDS:g} s: {what}; {progress}"
            time.sleep(0.05)
        return progress

    def ended(self, handle: Handle) -> Progress:
        return self.until(handle, lambda progress: progress.phase in _ENDED, "it ends")

    def described(self, job_id: str) -> dict[str, Any]:
        """A job as DescribeJobs has it."""
        (job,) = self.batch.describe_jobs(jobs=[job_id])["jobs"]
        found: dict[str, Any] = job
        return found

    def reclaim(self, job_id: str) -> None:
        """Take a running job's host away, as EC2 does with a spot instance, and see that Batch has noticed."""
        before = len(self.described(job_id)["attempts"])
        self.embedded.reclaim_host(job_id, self.account)
        eventually(lambda: len(self.described(job_id)["attempts"]) > before, "Batch notices")

    def empty_bucket(self) -> None:
        """Delete every object: a stack can only delete a bucket that has none."""
        s3 = self.embedded.client("s3", self.account)
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        for each in [key for page in pages for key in page.get("Contents", [])]:
            s3.delete_object(Bucket=self.bucket, Key=each["Key"])
