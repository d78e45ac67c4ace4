"""Which job runs next, and on which compute environment. Decisions only: nothing is changed here.

A queue hands out its jobs one by one from the head. A head that does not fit keeps all behind it waiting, as on AWS.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aerodrome_local.batch_service.instance_types import Demand, can_hold
from aerodrome_local.batch_service.job_queues import platform_of
from aerodrome_local.batch_service.model import Job, Json, requirement
from aerodrome_local.batch_service.state import Usage

# The status reasons of AWS: https://docs.aws.amazon.com/batch/latest/userguide/job_stuck_in_runnable.html
TOO_MANY_VCPUS = (
    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - CE(s) associated with the job queue cannot meet the CPU "
    "requirement of the job."
)
NO_INSTANCE_TYPE = (
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - The job resource requirement (vCPU/memory/GPU) is higher than that "
    "can be met by the CE(s) attached to the job queue."
)
NO_COMPUTE_ENVIRONMENT = (
    "ACTION_REQUIRED - CE(s) associated with the job queue are INVALID or DISABLED, so no job can be placed."
)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a job may run now.

    Attributes:
        compute_environment: The first with room, or None.
        blocked: Why the job can never run on what the queue has now, or None.
    """

    compute_environment: Json | None = None
    blocked: str | None = None


def place(job: Job, environments: Iterable[Json], in_use: Mapping[str, float], kept_free: float = 0.0) -> Placement:
    """Find the first compute environment, in the queue's order, that has room for a job.

    Args:
        job: A RUNNABLE job.
        environments: The queue's compute environments, in order.
        in_use: How many vCPUs are taken, by the compute environment's ARN.
        kept_free: The part of each ceiling, from 0 to 1, that this job may not use: see :func:`reserved`.
    """
    usable = [each for each in environments if each["state"] == "ENABLED" and each["status"] in {"VALID", "UPDATING"}]
    if not usable:
        return Placement(blocked=NO_COMPUTE_ENVIRONMENT)
    if job.is_multinode:
        # They aren't supported on Spot Instances, Fargate and UNMANAGED compute environments, and wait where there is
        # nothing else: https://docs.aws.amazon.com/batch/latest/userguide/mnp-ce.html
        usable = [each for each in usable if each.get("computeResources", {}).get("type") == "EC2"]
        if not usable:
            return Placement(blocked=NO_INSTANCE_TYPE)
    large_enough = [each for each in usable if job.vcpus <= ceiling(each)]
    if not large_enough:
        return Placement(blocked=TOO_MANY_VCPUS)
    fitting = [each for each in large_enough if _has_instance_type(each, job)]
    if not fitting:
        return Placement(blocked=NO_INSTANCE_TYPE)
    for environment in fitting:
        if in_use.get(environment["computeEnvironmentArn"], 0) + job.vcpus <= ceiling(environment) * (1 - kept_free):
            return Placement(compute_environment=environment)
    return Placement()


def ceiling(environment: Json) -> float:
    """How many vCPUs a compute environment may have."""
    if environment["type"] == "UNMANAGED":
        return float(environment.get("unmanagedvCpus") or 0)
    return float(environment["computeResources"]["maxvCpus"])


def _has_instance_type(environment: Json, job: Job) -> bool:
    """Whether each of the job's containers has an instance type that is large enough, so far as its name tells."""
    types = environment.get("computeResources", {}).get("instanceTypes")
    if not types or platform_of(environment) == "FARGATE":
        return True
    return all(any(can_hold(name, demand) for name in types) for demand in map(_demand, job.containers))


def _demand(container: Json) -> Demand:
    vcpus, memory, gpus = (float(requirement(container, kind) or 0) for kind in ("VCPU", "MEMORY", "GPU"))
    return Demand(vcpus or 1, memory, int(gpus))


def next_share(
    heads: Mapping[str, Job],
    policy: Json | None,
    running: Mapping[str, float],
    past: Iterable[Usage],
    *,
    now: int,
    time_scale: float,
) -> str:
    """The share whose head may run next.

    A share's claim is its use times its weight factor: the smaller the factor, the more it may use. Its use is the
    vCPUs that its jobs take now, plus the average of those that they took within the policy's ``shareDecaySeconds``.

    Args:
        heads: The next job of each share; at least one.
        policy: The queue's fair-share policy. None for first in, first out.
        running: vCPUs taken now, by share.
        past: Use by jobs that have ended.
        now: Milliseconds since 1970.
        time_scale: Seconds here for a second of the policy.
    """
    if policy is None:
        return min(heads, key=lambda share: heads[share].order)
    window = policy.get("shareDecaySeconds", 0) * time_scale * 1000
    use = {share: running.get(share, 0.0) for share in heads}
    for each in past:
        if each.share in use and window:
            overlap = each.stopped - max(each.started, now - window)
            use[each.share] += each.vcpus * max(overlap, 0) / window
    return min(heads, key=lambda share: (use[share] * _weight(policy, share), heads[share].order))


def _weight(policy: Json, share: str) -> float:
    for entry in policy.get("shareDistribution", []):
        identifier = entry["shareIdentifier"]
        if share == identifier or (identifier.endswith("*") and share.startswith(identifier[:-1])):
            return float(entry.get("weightFactor", 1.0))
    return 1.0


def reserved(policy: Json | None, active_shares: int) -> float:
    """The part of the vCPUs, from 0 to 1, that is kept free for shares that have no job yet.

    ``(computeReservation / 100) ** active shares``
    (https://docs.aws.amazon.com/batch/latest/APIReference/API_FairsharePolicy.html).
    """
    reservation = (policy or {}).get("computeReservation", 0)
    return float((reservation / 100) ** active_shares) if reservation else 0.0
