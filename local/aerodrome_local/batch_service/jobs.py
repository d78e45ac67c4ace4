"""Jobs: submit, describe, list, cancel, terminate."""

from collections.abc import Callable, Iterable

from aerodrome_local.batch_service.core import Core, Operation, page
from aerodrome_local.batch_service.errors import ClientException
from aerodrome_local.batch_service.executor import StopCause
from aerodrome_local.batch_service.model import Job, JobStatus, Json, Scope
from aerodrome_local.batch_service.submission import submit_job
from aerodrome_local.batch_service.views import described, summarized

_MOST_DESCRIBED = 100
# https://docs.aws.amazon.com/batch/latest/APIReference/API_ListJobs.html, under maxResults
_MOST_LISTED = 1000
_MOST_FILTERED = 100


def _find(core: Core, scope: Scope, id_or_arn: str) -> Job | None:
    prefix = scope.arn("job/")
    job = core.state.jobs.get(id_or_arn.removeprefix(prefix))
    return job if job is not None and job.arn.startswith(prefix) else None


def _get(core: Core, scope: Scope, id_or_arn: str) -> Job:
    job = _find(core, scope, id_or_arn)
    if job is None:
        raise ClientException(f"Job {id_or_arn} does not exist")
    return job


def describe_jobs(core: Core, scope: Scope, request: Json) -> Json:
    """DescribeJobs. Jobs that do not exist are left out, as on AWS."""
    if len(request["jobs"]) > _MOST_DESCRIBED:
        raise ClientException(f"jobs has {len(request['jobs'])} entries; at most {_MOST_DESCRIBED}")
    found = (_find(core, scope, given) for given in request["jobs"])
    return {"jobs": [described(core.state, job) for job in found if job is not None]}


def list_jobs(core: Core, scope: Scope, request: Json) -> Json:
    """ListJobs: of a queue, without children and nodes, or those of one array or multi-node job."""
    given = [name for name in ("jobQueue", "arrayJobId", "multiNodeJobId") if request.get(name)]
    if len(given) != 1:
        raise ClientException("exactly one of jobQueue, arrayJobId and multiNodeJobId must be given")
    if given != ["jobQueue"]:
        jobs: Iterable[Job] = core.state.children.get(_get(core, scope, request[given[0]]).id, [])
    else:
        arn = core.state.job_queues.get(scope, request["jobQueue"])["jobQueueArn"]
        jobs = [job for job in core.state.jobs.values() if job.queue_arn == arn and job.parent_id is None]
    filters = request.get("filters") or []
    if filters:
        if len(filters) > 1 or given != ["jobQueue"]:
            raise ClientException("filters: one filter at a time, and only together with jobQueue")
        jobs = filter(_filter(filters[0]), jobs)
    # A filter other than by share looks at jobs of every status.
    if not filters or filters[0].get("name") == "SHARE_IDENTIFIER":
        status = JobStatus(request.get("jobStatus") or "RUNNING")
        jobs = (job for job in jobs if job.status is status)
    listed = sorted(jobs, key=lambda job: job.order, reverse=bool(filters))
    answer = page(listed, request, "jobSummaryList", _MOST_FILTERED if filters else _MOST_LISTED)
    answer["jobSummaryList"] = [summarized(job) for job in answer["jobSummaryList"]]
    return answer


def _filter(given: Json) -> Callable[[Job], bool]:
    name, values = given.get("name"), given.get("values") or []
    if not values:
        raise ClientException(f"filters: {name} needs at least one value")
    if name == "JOB_NAME":
        return lambda job: any(_like(job.name, value) for value in values)
    if name == "JOB_DEFINITION":
        return lambda job: any(_is_definition(job.definition_arn, value) for value in values)
    if name == "SHARE_IDENTIFIER":
        return lambda job: any(_like(job.share_identifier or "", value) for value in values)
    if name in {"BEFORE_CREATED_AT", "AFTER_CREATED_AT"}:
        if not values[0].isdecimal():
            raise ClientException(f"filters: {name} {values[0]!r}: give milliseconds since 1970")
        limit = int(values[0])
        return (
            (lambda job: job.created_at < limit) if name == "BEFORE_CREATED_AT" else lambda job: job.created_at > limit
        )
    raise ClientException(
        f"filters: name {name!r} must be JOB_NAME, JOB_DEFINITION, SHARE_IDENTIFIER, BEFORE_CREATED_AT or "
        "AFTER_CREATED_AT"
    )


def _like(text: str, pattern: str) -> bool:
    """Whether a text is the pattern, letter case aside; a pattern that ends with an asterisk is a beginning."""
    text, pattern = text.lower(), pattern.lower()
    return text.startswith(pattern[:-1]) if pattern.endswith("*") else text == pattern


def _is_definition(arn: str, value: str) -> bool:
    """Whether a job definition has the ARN, or the name; a name that ends with an asterisk is a beginning."""
    name = arn.rpartition("/")[2].partition(":")[0]
    return arn == value or (name.startswith(value[:-1]) if value.endswith("*") else name == value)


def cancel_job(core: Core, scope: Scope, request: Json) -> Json:
    """CancelJob. A job that has started goes on, and the request succeeds all the same, as on AWS."""
    core.lifecycle.cancel(_get(core, scope, request["jobId"]), request["reason"])
    core.wake()
    return {}


def terminate_job(core: Core, scope: Scope, request: Json) -> Json:
    """TerminateJob."""
    for job in core.lifecycle.terminate(_get(core, scope, request["jobId"]), request["reason"]):
        core.stop_attempt(job, StopCause.TERMINATED)
    core.wake()
    return {}


OPERATIONS: dict[str, Operation] = {
    "SubmitJob": submit_job,
    "DescribeJobs": describe_jobs,
    "ListJobs": list_jobs,
    "CancelJob": cancel_job,
    "TerminateJob": terminate_job,
}
