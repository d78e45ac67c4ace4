"""Batch's jobs as tasks of Step Functions: ``arn:aws:states:::batch:submitJob``, alone or with ``.sync``."""

import json
import time
from collections.abc import Callable

from aerodrome_local.batch_service import pascal_case
from aerodrome_local.batch_service.errors import ClientException, ServerException
from aerodrome_local.batch_service.model import Json, Scope
from aerodrome_local.batch_service.service import BatchService

RESOURCE = "arn:aws:states:::batch:submitJob"

TASK_FAILED = "States.TaskFailed"

_POLL_SECONDS = 0.05
_GIVEN_UP = "The task of Step Functions that waited for this job has been given up."


class TaskError(Exception):
    """A task failed.

    Args:
        error: The error's name, which Retry and Catch match.
        cause: What happened, in text or as JSON.
    """

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause


def run_task(
    service: BatchService, resource: str, parameters: Json, scope: Scope, given_up: Callable[[], bool]
) -> Json:
    """Submit a job, and wait for its end if the resource says ``.sync``. Blocks.

    A job that is waited for is terminated once ``given_up()``: AWS does that when the task times out or its execution
    is stopped.

    Returns:
        What Step Functions gives as the task's result: the submission's answer, or the job that has succeeded.

    Raises:
        TaskError: Batch refused the job (``Batch.ClientException``), or it failed (``States.TaskFailed``, whose cause
            is the job).
    """
    try:
        submitted = service.call("SubmitJob", pascal_case.request_of("SubmitJob", parameters), scope)
        if not resource.endswith(".sync"):
            return {name[:1].upper() + name[1:]: value for name, value in submitted.items()}
        job = _ended(service, submitted["jobId"], scope, given_up)
    except (ClientException, ServerException) as error:
        raise TaskError(f"Batch.{type(error).__name__}", str(error)) from error
    result = pascal_case.job_detail(job)
    if job["status"] == "FAILED":
        raise TaskError(TASK_FAILED, json.dumps(result))
    return result


def _ended(service: BatchService, job_id: str, scope: Scope, given_up: Callable[[], bool]) -> Json:
    while True:
        if given_up():
            service.call("TerminateJob", {"jobId": job_id, "reason": _GIVEN_UP}, scope)
            given_up = bool  # once is enough
        (job,) = service.call("DescribeJobs", {"jobs": [job_id]}, scope)["jobs"]
        if job["status"] in {"SUCCEEDED", "FAILED"}:
            found: Json = job
            return found
        time.sleep(_POLL_SECONDS)
