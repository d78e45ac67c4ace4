"""Batch's lists of jobs: by name, and of an array's children. They may be some seconds behind."""

import dataclasses
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flytekit_aws_batch.core.aws import Aws
from flytekit_aws_batch.core.job_state import JobState
from flytekit_aws_batch.core.plan import Plan, Wave

_MOST_FILTERED = 100
_MOST_LISTED = 1000


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Listed:
    """A job of a list; the older one comes first.

    Attributes:
        created_at: When it was submitted, in milliseconds since 1970; infinite where Batch does not say so, yet.
        id: Its ID.
        name: Its name.
    """

    created_at: float
    id: str
    name: str


async def find(aws: Aws, plan: Plan, wave: Wave) -> str | None:
    """The ID of a wave's job, by its name. None: the list has none."""
    queue = (plan.last_queue if wave.last else None) or plan.queue
    found = await named(aws, queue, plan.job_name(wave.number))
    # The oldest, should there ever be two: everybody is to take the same.
    return found[0].id if found else None


async def named(aws: Aws, queue: str, name: str) -> Sequence[Listed]:
    """A queue's jobs of a name, or with names that begin so where it ends in an asterisk. The oldest comes first."""
    found: list[Listed] = []
    filters = [{"name": "JOB_NAME", "values": [name]}]
    async for job in _listed(aws, jobQueue=queue, filters=filters, maxResults=_MOST_FILTERED):
        each = str(job["jobName"])
        # The filter does not regard case.
        if each == name or (name.endswith("*") and each.startswith(name[:-1])):
            found.append(Listed(created_at=job.get("createdAt", math.inf), id=job["jobId"], name=each))
    return sorted(found)


async def failed_children(aws: Aws, array: JobState) -> Mapping[int, JobState]:
    """The children of an array that failed, by their index in it; of them it is known how they ended."""
    found: dict[int, JobState] = {}
    async for job in _listed(aws, arrayJobId=array.id, jobStatus="FAILED", maxResults=_MOST_LISTED):
        container = job.get("container") or {}
        found[job["arrayProperties"]["index"]] = dataclasses.replace(
            array,
            id=job["jobId"],
            status="FAILED",
            status_reason=job.get("statusReason") or "",
            exit_code=container.get("exitCode"),
            reason=container.get("reason") or "",
            size=0,
            summary={},
            attempts=(),
            is_cancelled=bool(job.get("isCancelled")),
            is_terminated=bool(job.get("isTerminated")),
        )
    return found


async def succeeded_children(aws: Aws, array: JobState) -> frozenset[int]:
    """The children of an array that succeeded, by their index in it."""
    listed = _listed(aws, arrayJobId=array.id, jobStatus="SUCCEEDED", maxResults=_MOST_LISTED)
    return frozenset([job["arrayProperties"]["index"] async for job in listed])


async def _listed(aws: Aws, **request: Any) -> AsyncIterator[dict[str, Any]]:  # noqa: ANN401 - checked by botocore
    while True:
        answer = await aws.call("batch", "list_jobs", **request)
        for job in answer["jobSummaryList"]:
            yield job
        if not answer.get("nextToken"):
            return
        request["nextToken"] = answer["nextToken"]
