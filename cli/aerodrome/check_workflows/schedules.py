"""Finds schedules that let executions pile up."""

from collections.abc import Iterator

from aerodrome.check_workflows.facts import Package
from aerodrome.check_workflows.rules import Finding
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.domain_types import Domain
from aerodrome_stacks.environment.wording import listing

_MAY_PILE_UP: Domain = "development"
"""Where a schedule is tried out, and nobody else waits for what it takes."""


def crowding(package: Package, environment: Environment | None) -> Iterator[Finding]:
    """Find the launch plans with a schedule whose executions may run side by side.

    Such a one is refused where it would be registered in staging or production. flyteadmin refuses an execution beyond
    the limit, and the scheduler takes that for done and leaves it out (``checkLaunchPlanConcurrency`` and
    ``scheduler/executor`` of flyteadmin v1.16.8).

    Args:
        package: What would be registered.
        environment: Where, with the projects that it may be for. None: not known.
    """
    domains = sorted({domain for project in environment.projects for domain in project.domains} if environment else ())
    strict = [domain for domain in domains if domain != _MAY_PILE_UP]
    forbidden = f", which {environment.name} does not allow in {listing(strict)}" if environment and strict else ""
    for name in package.crowding:
        yield Finding(
            refused=bool(strict),
            place=None,
            subject=f"launch plan {name}",
            value="a schedule without concurrency",
            reason="an execution that takes longer than its interval has company, and after an outage of the scheduler "
            f"all that were missed start together{forbidden}",
            way_out="write concurrency=ConcurrencyPolicy(max_concurrency=1), or as many as may run at once",
        )
