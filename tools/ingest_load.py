"""Drives the way from S3 through AWS Batch to S3, and measures it: of the embedded AWS, by a test and by `make bench`.

What it calls are the APIs of AWS alone, so it could drive an environment in AWS as well.
"""

import itertools
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

Client = Callable[[str], Any]
"""Makes a boto3 client of a service."""

_T = TypeVar("_T")

_POLL_SECONDS = 0.2
_ENDED = frozenset({"SUCCEEDED", "FAILED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingest:
    """The ingest of one project in one domain.

    Attributes:
        client: Makes the clients.
        input: The bucket that objects arrive in.
        output: The bucket that outputs are left in.
        place: The project's own place in both, ``<project>/<domain>``.
        queue: The job queue.
        dead_letters: The name of the dead-letter queue.
    """

    client: Client
    input: str
    output: str
    place: str
    queue: str
    dead_letters: str

    def put(self, bodies: Mapping[str, bytes]) -> dict[str, str]:
        """Put objects, a few at a time, and return their versions.

        Args:
            bodies: The objects by their keys below the project's place, such as ``inbox/a.csv``.
        """
        s3 = self.client("s3")

        def put(name: str) -> str:
            version: str = s3.put_object(Bucket=self.input, Key=f"{self.place}/{name}", Body=bodies[name])["VersionId"]
            return version

        with ThreadPoolExecutor(max_workers=4) as pool:
            return dict(zip(bodies, pool.map(put, bodies), strict=True))

    def outputs(self, folder: str) -> list[str]:
        """The keys of the outputs below a folder of the project's place: one that was written twice stands there twice.

        Args:
            folder: The folder, such as ``profiles/inbox``.
        """
        pages = self.client("s3").get_paginator("list_object_versions")
        found = pages.paginate(Bucket=self.output, Prefix=f"{self.place}/{folder}/")
        return [one["Key"] for page in found for one in page.get("Versions", [])]

    def jobs(self, name: str) -> list[dict[str, Any]]:
        """The jobs whose names begin so, whatever has become of them; of an array its parent."""
        pages = self.client("batch").get_paginator("list_jobs")
        filters = [{"name": "JOB_NAME", "values": [f"{name}*"]}]
        return [job for page in pages.paginate(jobQueue=self.queue, filters=filters) for job in page["jobSummaryList"]]

    def described(self, jobs: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Jobs in all detail, by their IDs."""
        batch = self.client("batch")
        for start in range(0, len(jobs), 100):
            yield from batch.describe_jobs(jobs=jobs[start : start + 100])["jobs"]

    def letters(self) -> list[dict[str, Any]]:
        """Take what is in the dead-letter queue: each message's attributes by name, and its body as ``body``."""
        sqs = self.client("sqs")
        url = sqs.get_queue_url(QueueName=self.dead_letters)["QueueUrl"]
        found = []
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]).get(
            "Messages"
        ):
            for message in messages:
                attributes = message.get("MessageAttributes", {})
                found.append(
                    {name: value["StringValue"] for name, value in attributes.items()}
                    | {"body": json.loads(message["Body"])}
                )
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """How a number of inputs came through.

    Attributes:
        seconds: From the first put to the last output.
        jobs: How many jobs ran, children of arrays included.
        submissions: How many calls of SubmitJob started them.
        outputs: How many outputs there are.
    """

    seconds: float
    jobs: int
    submissions: int
    outputs: int

    @property
    def jobs_per_second(self) -> float:
        """What the path carries."""
        return self.jobs / self.seconds

    @property
    def submissions_per_job(self) -> float:
        """What of AWS Batch's 50 submissions a second a job costs."""
        return self.submissions / self.jobs


def table(number: int) -> bytes:
    """A small CSV file, which no other number gives."""
    return f"id,amount,country\n{number},12.5,DE\n{number + 1},,FR\n".encode()


def measure_objects(ingest: Ingest, label: str, count: int, within_seconds: float) -> Measured:
    """Put so many objects into the inbox, and wait for the output of each.

    Args:
        ingest: The ingest.
        label: A folder that no run before had.
        count: How many.
        within_seconds: After that it fails.

    Raises:
        TimeoutError: Outputs are missing.
    """
    began = time.monotonic()
    ingest.put({f"inbox/{label}/{number:05}.csv": table(number) for number in range(count)})
    outputs = until(
        lambda: ingest.outputs(f"profiles/inbox/{label}"), lambda found: len(found) >= count, within_seconds
    )
    seconds = time.monotonic() - began
    own = f"{ingest.place}/inbox/{label}/"
    ids = [job["jobId"] for job in ingest.jobs("ingest-object-")]
    submitted = [job for job in ingest.described(ids) if job["parameters"]["key"].startswith(own)]
    return _measured(seconds, submitted, outputs)


def measure_manifest(ingest: Ingest, label: str, count: int, within_seconds: float) -> Measured:
    """Put so many objects where none becomes a job, and a manifest that names them; wait for the output of each.

    The objects are there before the clock starts.

    Args:
        ingest: The ingest.
        label: A folder that no run before had.
        count: How many.
        within_seconds: After that it fails.

    Raises:
        TimeoutError: Outputs are missing.
    """
    versions = ingest.put({f"stock/{label}/{number:05}.csv": table(number) for number in range(count)})
    lines = [json.dumps({"key": f"{ingest.place}/{name}", "version": one}) for name, one in versions.items()]
    before = {job["jobId"] for job in ingest.jobs("manifest-")}
    began = time.monotonic()
    ingest.put({f"manifests/{label}.jsonl": "\n".join(lines).encode()})
    outputs = until(
        lambda: ingest.outputs(f"profiles/stock/{label}"), lambda found: len(found) >= count, within_seconds
    )
    seconds = time.monotonic() - began
    ids = [job["jobId"] for job in ingest.jobs("manifest-") if job["jobId"] not in before]
    return _measured(seconds, list(ingest.described(ids)), outputs)


def _measured(seconds: float, submitted: Sequence[Mapping[str, Any]], outputs: Sequence[str]) -> Measured:
    # A call of SubmitJob makes one job that is listed: the one that runs, or the parent of an array, which does not.
    jobs = sum(job.get("arrayProperties", {}).get("size", 1) for job in submitted)
    return Measured(seconds=seconds, jobs=jobs, submissions=len(submitted), outputs=len(outputs))


def until(look: Callable[[], _T], done: Callable[[_T], bool], within_seconds: float) -> _T:
    """Look again and again until what is found will do, and return that.

    Raises:
        TimeoutError: It did not in time; with what was found last.
    """
    deadline = time.monotonic() + within_seconds
    for _ in itertools.count():
        found = look()
        if done(found):
            return found
        if time.monotonic() > deadline:
            break
        time.sleep(_POLL_SECONDS)
    raise TimeoutError(f"not within {within_seconds:g} s; the last look found {str(found)[:2000]}")
