"""The account that the proofs run in."""

from dataclasses import dataclass
from typing import Any

from aerodrome_local.testing import EmbeddedAws
from tests.connectors.account_template import resources

ACCOUNT = "161616161616"
BUCKET = "proofs-data"
SPOT, ON_DEMAND = "proofs-spot", "proofs-on-demand"
QUEUES = {"spot": SPOT, "on-demand": ON_DEMAND}
_STATES = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED")
LIVE = frozenset(_STATES[:-2])

RESOURCES = resources(spot=SPOT, on_demand=ON_DEMAND, bucket=BUCKET, vcpus=1000)


@dataclass(frozen=True, slots=True)
class ProofAccount:
    """The account.

    Attributes:
        aws: The embedded AWS.
    """

    aws: EmbeddedAws

    @property
    def variables(self) -> dict[str, str]:
        """What AWS's tools, and the connector, find it by."""
        return self.aws.variables(ACCOUNT)

    def prefix(self, test: str) -> str:
        """A folder of a test's own."""
        return f"s3://{BUCKET}/{test}"

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3 makes the class at run time
        return self.aws.client(service, ACCOUNT)

    def jobs(self, execution: str) -> list[dict[str, Any]]:
        """All jobs of an execution that the queues know of; of an array its parent."""
        pages = self.client("batch").get_paginator("list_jobs")
        filters = [{"name": "JOB_NAME", "values": [f"{execution}-*"]}]
        return [
            job
            for queue in QUEUES.values()
            for page in pages.paginate(jobQueue=queue, filters=filters)
            for job in page["jobSummaryList"]
        ]

    def traffic(self) -> dict[str, Any]:
        """What the embedded Batch counted of this account's calls, by operation."""
        counted: dict[str, Any] = self.aws.view("batch")[ACCOUNT]
        return counted

    def most_in_a_second(self, operation: str) -> int:
        return int(self.traffic()["operations"][operation]["mostInASecond"])


def doubled(jobs: list[dict[str, Any]]) -> dict[str, list[int]]:
    """Names that more than one job has, with when the second and later ones came, in ms after the first."""
    created: dict[str, list[int]] = {}
    for job in jobs:
        created.setdefault(job["jobName"], []).append(job["createdAt"])
    return {name: [each - min(times) for each in sorted(times)] for name, times in created.items() if len(times) > 1}
