"""Holds what tasks ask for against the most that an environment has."""

from collections.abc import Iterator

from aerodrome.check_workflows.facts import Package, quantity
from aerodrome.check_workflows.rules import Finding
from aerodrome_stacks.environment import Environment


def beyond(package: Package, environment: Environment) -> Iterator[Finding]:
    """Find the tasks that ask for more than the environment can give: refused when registered, or waiting for ever."""
    # As flyteadmin is told.
    largest = environment.largest_quota()
    limits = {
        "CPU": ("vCPUs", str(largest.cpu)),
        "MEMORY": ("memory", f"{largest.memory_gib}Gi"),
        "GPU": ("GPUs", str(largest.gpu)),
    }
    # A spot queue falls back on the on-demand compute environment, so the larger of the two is what a job can have.
    most_vcpus = max(environment.batch.spot_vcpus, environment.batch.on_demand_vcpus)
    for task in package.tasks:
        for name, (noun, most) in limits.items():
            asked = task.resources.get(name)
            if asked is not None and quantity(asked) > quantity(most):
                yield Finding(
                    refused=True,
                    place=task.place,
                    subject=f"task {task.name}",
                    value=f"{noun}: {asked}",
                    reason=f"a task may have {most} at most in {environment.name}: the largest quota of a project",
                    way_out="ask for less, or raise the quota in projects[].domains of the environment's file",
                )
        if task.on_batch and task.ask.vcpus is not None and task.ask.vcpus > most_vcpus:
            yield Finding(
                refused=True,
                place=task.place,
                subject=f"task {task.name}",
                value=f"vCPUs: {task.ask.vcpus}",
                reason=f"AWS Batch has {most_vcpus} in {environment.name} at most, so the job would wait in RUNNABLE",
                way_out="ask for less, or raise spot_vcpus or on_demand_vcpus under batch of the environment's file",
            )
