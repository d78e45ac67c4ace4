"""An account with queues, and runners that work in it, for tests of whole runs."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from aerodrome_local.job_templates import job_queue, queue_resources
from aerodrome_local.testing import EmbeddedAws, Stack, Template
from flytekit_aws_batch.core.aws import Aws
from flytekit_aws_batch.core.metrics import Metrics
from flytekit_aws_batch.core.plan import Handle, JobRequest, Wave
from flytekit_aws_batch.core.runner import BatchRunner, Failures
from flytekit_aws_batch.core.settings import Limits, Queue, Settings
from flytekit_aws_batch.core.spec import ArraySpec
from tests.local.connector.world import World

ACCOUNT = "141414141414"


def resources() -> Template:
    """A bucket, and two queues: ``Queue`` for spot instances, ``LastQueue`` for what they did not finish."""
    return {**queue_resources(), "LastQueue": job_queue("Environment"), "Bucket": {"Type": "AWS::S3::Bucket"}}


class Code:
    """What the code in the containers says of its failures: here the test says it."""

    def __init__(self) -> None:
        self.final_indices: dict[int, str] = {}

    async def final(self, output_prefix: str, indices: Sequence[int] | None) -> dict[int, str]:
        assert output_prefix.startswith("s3://")
        asked = (0,) if indices is None else indices
        return {index: self.final_indices[index] for index in asked if index in self.final_indices}


class RunsWorld(World):
    """The account, and the connectors that work in it; :meth:`restart` makes another one.

    Attributes:
        settings: What the connectors know of the account.
        spot: The ARN of the queue for spot instances.
        last: The ARN of the queue for what those did not finish.
        code: What the code in the containers says of its failures.
        registry: What the connector that is asked counts.
    """

    def __init__(self, embedded: EmbeddedAws, stack: Stack, notes: Path) -> None:
        stack.deploy(resources())
        super().__init__(embedded, ACCOUNT, stack.physical_id("Bucket"), notes)
        self.spot, self.last = stack.physical_id("Queue"), stack.physical_id("LastQueue")
        self.settings = Settings(
            region=embedded.region,
            queues={
                "*": (
                    Queue(arn=self.spot, kind="spot", architecture="x86_64"),
                    Queue(arn=self.last, kind="on-demand", architecture="x86_64"),
                )
            },
            freshest_seconds=0.05,
            oldest_seconds=1,
            patience_seconds=10,
            lease_seconds=5,
            limits=Limits(submits=40, describes=40, others=40),
            check_images=False,
        )
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
        """Let go of the connectors, and empty what a stack can only delete empty."""
        for runner in self._made:
            runner.close()
        self.empty_bucket()

    def request(self, command: str, execution: str = "f1", **more: Any) -> JobRequest:  # noqa: ANN401 - any field
        """A task that runs a shell command. ``$NOTES`` is the folder for what it has to say."""
        return super().request(command, execution, **{"environment": {"NOTES": str(self.notes)}, **more})

    def list_of(self, size: int, command: str, **more: Any) -> JobRequest:  # noqa: ANN401 - any field
        """A list of jobs, each of which leaves a file with its wave and its place in that."""
        noted = 'WHO="$FLYTE_AWS_BATCH_WAVE-${AWS_BATCH_JOB_ARRAY_INDEX:-$FLYTE_AWS_BATCH_INDEX}"; : > "$NOTES/$WHO"; '
        options = {name: more.pop(name) for name in ("concurrency", "min_success_ratio") if name in more}
        return self.request(noted + command, array=ArraySpec(size=size, **options), **more)

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
        pages = self.batch.get_paginator("list_jobs")
        filters = [{"name": "JOB_NAME", "values": ["*"]}]
        return [
            job
            for each in ([queue] if queue else [self.spot, self.last])
            for page in pages.paginate(jobQueue=each, filters=filters)
            for job in page["jobSummaryList"]
        ]

    def living(self) -> list[str]:
        """The IDs of jobs that have not ended, children of arrays too."""
        found = []
        for job in self.jobs():
            array = "arrayProperties" in job
            children = (
                [
                    child
                    for status in ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING")
                    for child in self.batch.list_jobs(arrayJobId=job["jobId"], jobStatus=status)["jobSummaryList"]
                ]
                if array
                else []
            )
            found += [each["jobId"] for each in (job, *children) if each["status"] not in ("SUCCEEDED", "FAILED")]
        return found

    def sample(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(f"flyte_aws_batch_{name}", labels) or 0.0
