"""Holds what tasks ask for against the most that an environment has."""

from collections.abc import Iterator

from aerodrome.check_workflows.facts import Package, Task, quantity
from aerodrome.check_workflows.rules import Finding
from aerodrome_stacks.batch_queues import Kind
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.job_limits import job_limits
from aerodrome_stacks.task_limits import TaskLimits, pod_limits, quota_limits

_NOUNS = {"CPU": "vCPUs", "MEMORY": "memory", "GPU": "GPUs"}


def beyond(package: Package, environment: Environment) -> Iterator[Finding]:
    """Find the tasks that ask for more than the environment can give: refused when registered, or waiting for ever.

    Args:
        package: What would be registered.
        environment: The environment. Of its projects, those that count: the largest quota of one of them is the limit.
    """
    quota = quota_limits(environment.largest_quota())
    pod, job = pod_limits(environment), job_limits(environment, Kind.SPOT)
    for task in package.tasks:
        most = _written(quota if task.on_batch or task.by_connector else pod)
        if task.by_connector:
            # The quota is one of pods: where they have none, AWS Batch may. How many is said of each queue.
            del most["GPU"]
        for name, noun in _NOUNS.items():
            asked = task.resources.get(name)
            if name in most and asked is not None and quantity(asked) > quantity(most[name]):
                of_quota = most[name] == _written(quota)[name]
                yield _finding(task, f"{noun}: {asked}", *_told(environment, most[name], of_quota=of_quota))
        if task.on_batch and task.ask.vcpus is not None and task.ask.vcpus > job.vcpus:
            yield _finding(
                task,
                f"vCPUs: {task.ask.vcpus}",
                f"AWS Batch has {job.vcpus} in {environment.name} at most, so the job would wait in RUNNABLE",
                "ask for less, or raise spot_vcpus or on_demand_vcpus under batch of the environment's file",
            )


def _written(limits: TaskLimits) -> dict[str, str]:
    return {"CPU": str(limits.cpu), "MEMORY": f"{limits.memory_gib}Gi", "GPU": str(limits.gpu)}


def _told(environment: Environment, most: str, *, of_quota: bool) -> tuple[str, str]:
    """Why a task may have no more, and the way out."""
    if of_quota:
        return (
            f"a task may have {most} at most in {environment.name}: the largest quota of a project",
            "ask for less, or raise the quota in projects[].domains of the environment's file",
        )
    return (
        f"a pod may have {most} at most in {environment.name}: what the largest node has for it",
        "ask for less, or name larger instance types in cluster.spot_nodes of the environment's file",
    )


def _finding(task: Task, value: str, reason: str, way_out: str) -> Finding:
    return Finding(
        refused=True, place=task.place, subject=f"task {task.name}", value=value, reason=reason, way_out=way_out
    )
