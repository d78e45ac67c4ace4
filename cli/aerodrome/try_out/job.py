"""A real job on the platform: a data set goes into S3, AWS Batch trains on it, model and metrics come out in S3."""

import io
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from aerodrome.embedded_aws import EmbeddedAws

_TIME_LIMIT = 300.0
_POLL = 0.25


class JobError(Exception):
    """The job did not succeed. The message says why, as AWS Batch puts it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the platform's stacks put what the job needs.

    Attributes:
        input_bucket: What jobs read.
        output_bucket: What jobs write.
        prefix: The project's own part of both buckets, ``<project>/<domain>``.
        queue: The queue that jobs wait in, each project's beside the others'.
        share: The project's share of that queue.
        job_definition: The kind of job that trains a classifier, with the project's role and log.
    """

    input_bucket: str
    output_bucket: str
    prefix: str
    queue: str
    share: str
    job_definition: str

    @property
    def input_key(self) -> str:
        """The key of the data set in the input bucket."""
        return f"{self.prefix}/tutorial/breast-cancer.csv"

    @property
    def output_prefix(self) -> str:
        """What the keys of the model and its metrics begin with in the output bucket, without a slash at the end."""
        return f"{self.prefix}/tutorial/breast-cancer"

    @property
    def tags(self) -> dict[str, str]:
        """The tags that say whose the job is."""
        project, domain = self.prefix.split("/")
        return {"aerodrome:project": project, "aerodrome:domain": domain}


def dataset() -> bytes:
    """The breast cancer data set that scikit-learn ships, as the CSV file that the job reads: 569 rows."""
    from sklearn.datasets import load_breast_cancer  # noqa: PLC0415 - takes a second that `aerodrome check` need not pay

    data = load_breast_cancer()
    text = io.StringIO()
    text.write(",".join([*(name.replace(" ", "_") for name in data.feature_names), "target"]) + "\n")
    for features, target in zip(data.data, data.target, strict=True):
        text.write(",".join([*(f"{value:g}" for value in features), str(target)]) + "\n")
    return text.getvalue().encode()


def put_input(aws: EmbeddedAws, places: Places) -> str:
    """Put the data set into the input bucket, unless it is there, and return the digest that names this input."""
    content = dataset()
    digest = sha256(content).hexdigest()[:16]
    listed = aws.s3.list_objects_v2(Bucket=places.input_bucket, Prefix=places.input_key)
    if not any(
        entry["Key"] == places.input_key and entry["Size"] == len(content) for entry in listed.get("Contents", [])
    ):
        aws.s3.put_object(Bucket=places.input_bucket, Key=places.input_key, Body=content)
    return digest


def train(aws: EmbeddedAws, places: Places, digest: str, on_state: Callable[[str], None]) -> bool:
    """Train on the input and wait for the result.

    Returns:
        False when an earlier run has trained on the same input with the same job definition, and its model is there.

    Raises:
        JobError: If the job failed, or did not end in five minutes.
    """
    definition = _newest(aws, places.job_definition)
    name = f"train-{digest}-{definition.rpartition(':')[2]}"
    filters = [{"name": "JOB_NAME", "values": [name]}]
    earlier = aws.batch.list_jobs(jobQueue=places.queue, filters=filters)["jobSummaryList"]  # type: ignore[arg-type]  # the stubs want their own dict type
    if any(job.get("status") == "SUCCEEDED" for job in earlier) and _has_output(aws, places):
        return False
    running = [job["jobId"] for job in earlier if job.get("status") not in {"FAILED", "SUCCEEDED"}]
    job_id = (
        running[0]
        if running
        else aws.batch.submit_job(
            jobName=name,
            jobQueue=places.queue,
            jobDefinition=definition,
            shareIdentifier=places.share,
            # A fair share asks for one: jobs of the same share with a higher number go first.
            schedulingPriorityOverride=0,
            parameters={
                "input": f"s3://{places.input_bucket}/{places.input_key}",
                "output": f"s3://{places.output_bucket}/{places.output_prefix}",
            },
            tags=places.tags,
        )["jobId"]
    )
    _wait(aws, job_id, on_state)
    return True


def _newest(aws: EmbeddedAws, name: str) -> str:
    answer = aws.batch.describe_job_definitions(jobDefinitionName=name, status="ACTIVE")["jobDefinitions"]
    if not answer:
        raise JobError(f"there is no job definition {name}: was the stack of its domain's jobs deployed?")
    return max(answer, key=lambda definition: definition["revision"])["jobDefinitionArn"]


def _has_output(aws: EmbeddedAws, places: Places) -> bool:
    listed = aws.s3.list_objects_v2(Bucket=places.output_bucket, Prefix=f"{places.output_prefix}/")
    return {"model.joblib", "metrics.json"} <= {
        entry["Key"].removeprefix(f"{places.output_prefix}/") for entry in listed.get("Contents", [])
    }


def metrics(aws: EmbeddedAws, places: Places) -> dict[str, float]:
    """What the job wrote about its model."""
    body = aws.s3.get_object(Bucket=places.output_bucket, Key=f"{places.output_prefix}/metrics.json")["Body"].read()
    loaded: dict[str, float] = json.loads(body)
    return loaded


def _wait(aws: EmbeddedAws, job_id: str, on_state: Callable[[str], None]) -> None:
    batch = aws.batch  # a client takes longer to make than a look at a job
    deadline = time.monotonic() + _TIME_LIMIT
    while True:
        job = batch.describe_jobs(jobs=[job_id])["jobs"][0]
        on_state(job["status"])
        if job["status"] == "SUCCEEDED":
            return
        if job["status"] == "FAILED":
            log = job.get("container", {}).get("logStreamName", "none")
            raise JobError(f"job {job_id} failed: {job.get('statusReason', 'no reason given')}; log stream: {log}")
        if time.monotonic() > deadline:
            raise JobError(f"job {job_id} is still {job['status']} after {_TIME_LIMIT:.0f} s")
        time.sleep(_POLL)
