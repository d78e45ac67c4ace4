"""Why a job failed, and what to do about it, in plain words."""

import signal
from collections.abc import Iterator
from typing import Final

from flytekit_aws_batch.core.job_state import Attempt, JobState
from flytekit_aws_batch.core.retries import FARGATE_TASK_GONE, HOST_GONE, ended_by

_HOST_GONE: Final = HOST_GONE.rstrip("*")
_TASK_GONE: Final = FARGATE_TASK_GONE.rstrip("*")
_TIMED_OUT: Final = "exceeded timeout"
_CANCELLED_FOR: Final = "Canceled by JobStateTimeLimit action due to reason: "

_NOT_FOUND = 127
_NOT_EXECUTABLE = 126

# The codes of https://docs.aws.amazon.com/batch/latest/userguide/job_stuck_in_runnable.html: of a job at the front of
# its queue that does not start.
_BLOCKED: Final = {
    "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY": (
        "EC2 has no instance left of the types that its queue may use; it starts as soon as there is one, or at once "
        "in another queue, such as that of on-demand instances"
    ),
    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE": (
        "it asks for more vCPUs than all of its queue may have; ask for less, name another queue, or have the queue's "
        "ceiling raised"
    ),
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT": (
        "no instance type of its queue has the vCPUs, the memory or the GPUs that it asks for; ask for less or name "
        "another queue"
    ),
    "MISCONFIGURATION:EC2_INSTANCE_CONFIGURATION_UNSUPPORTED": (
        "EC2 does not take how the instances of its queue are configured; whoever runs the platform has to mend the "
        "compute environment"
    ),
    "MISCONFIGURATION:SERVICE_ROLE_PERMISSIONS": (
        "AWS Batch lacks a permission of its service role; whoever runs the platform has to mend it"
    ),
    "ACTION_REQUIRED": "whoever runs the platform has to look after the queue's compute environment",
    # It needs "manual investigation", says AWS.
    "UNDETERMINED": (
        "AWS Batch cannot tell what keeps it from starting; try another queue or smaller sizes, and have whoever runs "
        "the platform see whether the instances of its queue start and join the cluster"
    ),
}

# What ECS calls what went wrong with a container, and the remedy. "{image}" is the job's.
_CONTAINER: Final = {
    "CannotPull": (
        "the image {image} cannot be pulled: see that this tag is there, was built for the queue's architecture, and "
        "may be read by the job's execution role or the instances' role"
    ),
    "CannotStartContainerError": "the container cannot be started: see that the command is in the image {image}",
    "CannotCreateContainerError": "the container cannot be made: see its mounts, volumes and devices",
    "DockerTimeoutError": "its host's Docker did not answer in time: trying again mends it, on another host",
    "CannotInspectContainerError": "its host's Docker did not answer: trying again mends it, on another host",
}
_RESOURCES: Final = {
    "secret": "see that the secret is there, has that field, and may be read by the job's execution role",
    "parameter": "see that the parameter is there and may be read by the job's execution role",
    "efs": "see that the file system and its access point are there and may be mounted by the job's role",
    "mount": "see that the file system and its access point are there and may be mounted by the job's role",
    "log": "see that the log group is there and may be written by the job's execution role",
    "pull": "see that the image is there, and that the job's subnet and execution role reach its registry",
}


def is_reclaim(status_reason: str) -> bool:
    """Whether an attempt's status reason says that its host went away, which is nobody's fault."""
    return status_reason.startswith((_HOST_GONE, _TASK_GONE))


def reclaims(job: JobState) -> int:
    """How often a job's host was taken back."""
    return sum(is_reclaim(attempt.status_reason) for attempt in job.attempts)


def taken_back(job: JobState) -> str:
    """How often a job's host was taken back, in words. Empty: never."""
    count = reclaims(job)
    if not count:
        return ""
    what = "Fargate spot task" if job.attempts[-1].status_reason.startswith(_TASK_GONE) else "spot instance"
    return f"its {what} was taken back ({count} of {max(job.most_attempts, count)} attempts)"


def lost_to_reclaim(job: JobState) -> bool:
    """Whether a job failed as its host was taken back, for the last time that Batch bears."""
    if job.status != "FAILED" or job.is_terminated or job.is_cancelled:
        return False
    last = job.attempts[-1].status_reason if job.attempts else ""
    return is_reclaim(last or job.status_reason)


def blocked(status_reason: str) -> str:
    """What keeps a RUNNABLE job from starting, with the remedy. Empty: Batch says nothing."""
    if not status_reason:
        return ""
    for code, words in _BLOCKED.items():
        if status_reason.startswith(code):
            detail = status_reason[len(code) :].strip(" -:")
            return f"{words} ({code}{f': {detail}' if detail else ''})"
    return status_reason


def cause(job: JobState) -> str:
    """Why a FAILED job failed, without its log."""
    return next(filter(None, _causes(job)), "AWS Batch gives no reason")


def _causes(job: JobState) -> Iterator[str]:
    """What may be said of it, what says most first."""
    last = job.attempts[-1] if job.attempts else Attempt()
    exit_code = last.exit_code if job.exit_code is None else job.exit_code
    reason = job.reason or last.reason
    status_reason = job.status_reason or last.status_reason
    if job.size:
        yield _array(job)
    if status_reason.startswith(_CANCELLED_FOR):
        yield f"it waited in vain and was cancelled: {blocked(status_reason.removeprefix(_CANCELLED_FOR))}"
    if _TIMED_OUT in status_reason:
        limit = f" of {job.timeout_seconds} s" if job.timeout_seconds else ""
        yield f"it took longer than its timeout{limit}: give the task a longer one, or less to do"
    if job.is_terminated or job.is_cancelled:
        yield f"{'terminated' if job.is_terminated else 'cancelled'}: {status_reason or 'no reason was given'}"
    if lost_to_reclaim(job):
        yield f"{taken_back(job) or 'its host was taken back'}, and Batch starts it anew no more"
    yield _known(job, reason or status_reason)
    if exit_code is not None:
        yield f"exit code {exit_code}{_meaning(job, exit_code)}{f'; {reason}' if reason else ''}"
    yield "; ".join(filter(None, (reason, status_reason)))


def _array(job: JobState) -> str:
    failed = job.summary.get("FAILED", 0)
    return f"{failed} of {job.size} elements failed" if failed else ""


def _known(job: JobState, reason: str) -> str:
    """What the reasons mean that ECS has a name for."""
    if reason.startswith("OutOfMemory"):
        had = f"the {job.memory_mib} MiB that it had" if job.memory_mib else "it had"
        return f"its container was killed as it needs more memory than {had}: ask for more, or use less ({reason})"
    if reason.startswith("ResourceInitializationError"):
        text = reason.lower()
        remedy = next((words for word, words in _RESOURCES.items() if word in text), "see the job's execution role")
        return f"what its container needs to start could not be had: {remedy} ({reason})"
    for name, words in _CONTAINER.items():
        if reason.startswith(name):
            return f"{words.format(image=job.image)} ({reason})"
    return ""


def _meaning(job: JobState, exit_code: int) -> str:
    number = ended_by(exit_code)
    if number == signal.SIGKILL:
        had = f", more than the {job.memory_mib} MiB that it had" if job.memory_mib else ""
        return f": killed (SIGKILL), which mostly means that the code took too much memory{had}"
    if exit_code == _NOT_FOUND:
        return f": the command is not in the image {job.image}"
    if exit_code == _NOT_EXECUTABLE:
        return f": the command cannot be executed in the image {job.image}"
    if number is not None:
        try:
            return f": ended by {signal.Signals(number).name}"
        except ValueError:
            return ""
    return ""
