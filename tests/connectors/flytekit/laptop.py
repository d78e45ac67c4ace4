"""What the tests know of the account that their jobs run in."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aerodrome_local.testing import EmbeddedAws
from tests.connectors.account_template import resources

ROOT = Path(__file__).parents[3]
ACCOUNT = "151515151515"
BUCKET = "flytekit-data"
SPOT, ON_DEMAND = "flytekit-spot", "flytekit-on-demand"
QUEUES = {"spot": SPOT, "on-demand": ON_DEMAND}

COMMANDS = f"{ROOT / '.venv/bin'}:{ROOT / '.venv-workflows/bin'}"
"""What jobs find first: a Python with boto3, then flytekit's commands."""

RESOURCES = resources(spot=SPOT, on_demand=ON_DEMAND, bucket=BUCKET, vcpus=16)


@dataclass(frozen=True, slots=True)
class Account:
    """The account.

    Attributes:
        aws: The embedded AWS.
        variables: What AWS's tools, and the connector, find it by.
    """

    aws: EmbeddedAws
    variables: dict[str, str]

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3 makes the class at run time
        """A boto3 client."""
        return self.aws.client(service, ACCOUNT)

    def jobs(self) -> dict[str, dict[str, Any]]:
        """All jobs that the queues know of, by ID."""
        batch = self.client("batch")
        pages = batch.get_paginator("list_jobs")
        ids = [
            job["jobId"]
            for queue in QUEUES.values()
            for status in ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED")
            for page in pages.paginate(jobQueue=queue, jobStatus=status)
            for job in page["jobSummaryList"]
        ]
        return {
            job["jobId"]: job
            for start in range(0, len(ids), 100)
            for job in batch.describe_jobs(jobs=ids[start : start + 100])["jobs"]
        }
