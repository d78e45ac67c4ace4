"""Works out what a load asks of AWS Batch, and writes the tables of docs/explanation/batch-scale.md."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "explanation" / "batch-scale.md"
BEGIN, END = "<!-- written by tools/batch_scale.py -->\n", "<!-- to here -->\n"

# https://docs.aws.amazon.com/batch/latest/userguide/service_limits.html: for an account in a region, not to be raised.
SUBMITS_PER_SECOND = 50
LARGEST_ARRAY = 10_000
COMPUTE_ENVIRONMENTS_OF_A_QUEUE = 3
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/operating-at-scale-service-quotas.html. A compute
# environment is one ECS cluster.
INSTANCES_OF_A_CLUSTER = 5_000
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html: us-east-1, and what most regions have.
INVOCATIONS_PER_SECOND = (18_750, 1_100)
# flyteplugins/go/tasks/aws/config.go at v1.16.8: getRateLimiter 15 a second, batchChunkSize 100, resyncPeriod 30 s.
PLUGIN_LOOKS_PER_SECOND, PLUGIN_CHUNK, PLUGIN_RESYNC_SECONDS = 15, 100, 30

SECONDS_OF_A_MONTH = 30 * 24 * 3600
# RUNNABLE, STARTING, RUNNING and how it ended; PENDING only with a dependency, and nothing tells of the submission
# (https://docs.aws.amazon.com/batch/latest/userguide/batch_job_events.html).
EVENTS_OF_A_CONTAINER = 4
INSTANCE_VCPUS = 16  # a 4xlarge
BUSY = 0.8  # of what runs, where a queue is always full


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A month of work, as a team would describe it.

    Attributes:
        containers: Containers in a month.
        seconds: How long one runs.
        vcpus: What one has.
        peak: The busiest minutes, as a multiple of the month's average.
    """

    containers: int
    seconds: int = 600
    vcpus: int = 2
    peak: int = 10

    @property
    def average(self) -> float:
        """Containers that end in a second, over the month."""
        return self.containers / SECONDS_OF_A_MONTH

    @property
    def busiest(self) -> float:
        """Containers that are submitted in a second at the peak."""
        return self.average * self.peak

    def submits(self, array: int) -> float:
        """SubmitJob calls in a second at the peak, with so many containers a call."""
        return self.busiest / array

    @property
    def smallest_array(self) -> int:
        """Containers a call that leave half of what SubmitJob takes to others."""
        return max(1, math.ceil(self.busiest / (SUBMITS_PER_SECOND / 2)))

    @property
    def running(self) -> float:
        """Containers at once when each starts as it comes, at the peak: rate times duration (Little's law)."""
        return self.busiest * self.seconds

    @property
    def steady_vcpus(self) -> float:
        """What vCPUs do the month's work when the queue smooths the peaks."""
        return self.average * self.seconds * self.vcpus / BUSY

    @property
    def peak_vcpus(self) -> float:
        """How many vCPUs run when nobody waits at the peak."""
        return self.running * self.vcpus

    @property
    def peak_clusters(self) -> int:
        """Compute environments that hold the instances of that."""
        return math.ceil(self.peak_vcpus / INSTANCE_VCPUS / INSTANCES_OF_A_CLUSTER)

    @property
    def events(self) -> float:
        """Job state changes in a second at the peak."""
        return self.busiest * EVENTS_OF_A_CONTAINER

    @property
    def plugin_looks(self) -> float:
        """DescribeJobs calls in a second by Flyte's plugin, were every container a task of it."""
        return self.running / PLUGIN_CHUNK / PLUGIN_RESYNC_SECONDS


LOADS = (Load(containers=1_000_000), Load(containers=40_000_000))
# One job a container; what 40 million containers in 1 million executions are on average; a large array; the largest.
ARRAYS = (1, 40, 1_000, LARGEST_ARRAY)


def tables() -> str:
    """The two tables, as they stand in the page."""
    heads = [f"{load.containers // 1_000_000} million a month" for load in LOADS]
    rows = [
        ("containers a second, on average", [_number(load.average) for load in LOADS]),
        (f"containers a second at the peak ({LOADS[0].peak}x)", [_number(load.busiest) for load in LOADS]),
        (
            f"state changes a second at the peak ({EVENTS_OF_A_CONTAINER} a container)",
            [_number(load.events) for load in LOADS],
        ),
        (
            "share of EventBridge's invocations: {:,} a second in us-east-1, {:,} in most regions".format(
                *INVOCATIONS_PER_SECOND
            ),
            [", ".join(_percent(load.events / each) for each in INVOCATIONS_PER_SECOND) for load in LOADS],
        ),
        ("vCPUs when the queue smooths the peaks", [_number(load.steady_vcpus) for load in LOADS]),
        ("containers at once when nobody waits at the peak", [_number(load.running) for load in LOADS]),
        ("vCPUs of that", [_number(load.peak_vcpus) for load in LOADS]),
        (
            f"instances of {INSTANCE_VCPUS} vCPUs, and compute environments at {INSTANCES_OF_A_CLUSTER:,} each",
            [f"{_number(load.peak_vcpus / INSTANCE_VCPUS)}, {load.peak_clusters}" for load in LOADS],
        ),
        ("smallest array that leaves half of SubmitJob to others", [f"{load.smallest_array:,}" for load in LOADS]),
        (
            f"Flyte's plugin, were each a task of it: DescribeJobs a second ({PLUGIN_LOOKS_PER_SECOND} allowed)",
            [_number(load.plugin_looks) for load in LOADS],
        ),
    ]
    submits = [
        (
            f"{array:,}" if array > 1 else "1: no arrays",
            [
                f"{_number(load.submits(array))} ({_percent(load.submits(array) / SUBMITS_PER_SECOND)})"
                for load in LOADS
            ],
        )
        for array in ARRAYS
    ]
    return (
        _table("at the load", heads, rows)
        + f"\nSubmitJob calls a second at the peak, and their share of the {SUBMITS_PER_SECOND} of an account:\n\n"
        + _table("containers a call", heads, submits)
    )


def page(text: str) -> str:
    """The page with its tables written anew."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{tables()}\n{END}{after}"


def _table(first: str, heads: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    lines = [f"| {' | '.join([first, *heads])} |", f"|---|{'---:|' * len(heads)}"]
    lines += [f"| {' | '.join([name, *values])} |" for name, values in rows]
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    """Two digits that count below a hundred, whole above it."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"  # noqa: PLR2004 - as the docstring says


def _submits(calls: float) -> str:
    return f"{_number(calls)} ({_percent(calls / SUBMITS_PER_SECOND)})"


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else "below 1%"  # noqa: PLR2004 - one percent is one percent


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
