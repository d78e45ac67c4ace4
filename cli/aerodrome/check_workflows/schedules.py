"""Tells of schedules that let executions pile up."""

from collections.abc import Iterator

from aerodrome.check_workflows.facts import Package
from aerodrome.check_workflows.rules import Finding


def crowding(package: Package) -> Iterator[Finding]:
    """Find the launch plans with a schedule whose executions may run side by side.

    flyteadmin refuses an execution beyond the limit, and the scheduler takes that for done and leaves it out
    (``checkLaunchPlanConcurrency`` and ``scheduler/executor`` of flyteadmin v1.16.8).
    """
    for name in package.crowding:
        yield Finding(
            refused=False,
            place=None,
            subject=f"launch plan {name}",
            value="a schedule without concurrency",
            reason="an execution that takes longer than its interval has company, and after an outage of the scheduler "
            "all that were missed start together",
            way_out="write concurrency=ConcurrencyPolicy(max_concurrency=1), or as many as may run at once",
        )
