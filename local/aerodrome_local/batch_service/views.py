"""Jobs as DescribeJobs, ListJobs and the state-change events show them."""

from collections import Counter

from aerodrome_local.batch_service.model import Job, JobStatus, Json
from aerodrome_local.batch_service.state import State


def described(state: State, job: Job) -> Json:
    """A job as DescribeJobs gives it (``JobDetail``)."""
    detail: Json = {
        "jobArn": job.arn,
        "jobId": job.id,
        "jobName": job.name,
        "jobQueue": job.queue_arn,
        "status": str(job.status),
        "attempts": list(job.attempts),
        "createdAt": job.created_at,
        "retryStrategy": job.retry,
        "dependsOn": list(job.depends_on),
        "jobDefinition": job.definition_arn,
        "parameters": job.parameters,
        "tags": dict(job.tags),
        "propagateTags": job.propagate_tags,
        "platformCapabilities": [job.platform],
        "eksAttempts": [],
        "isCancelled": job.cancelled,
        "isTerminated": job.terminated,
    }
    optional: Json = {
        "statusReason": job.status_reason,
        "startedAt": job.started_at,
        "stoppedAt": job.stopped_at,
        "shareIdentifier": job.share_identifier,
        "schedulingPriority": job.scheduling_priority,
        "timeout": {"attemptDurationSeconds": job.timeout_seconds} if job.timeout_seconds else None,
        "arrayProperties": _array(state, job),
        "nodeProperties": job.node_properties if job.is_multinode else None,
        "nodeDetails": {"nodeIndex": job.node_index, "isMainNode": job.is_main_node} if job.is_node else None,
    }
    detail.update({name: value for name, value in optional.items() if value is not None})
    if job.is_multinode:
        return detail
    network: list[Json] = []
    detail["container"] = {**job.container, **job.host, "networkInterfaces": network}
    return detail


def event_detail(state: State, job: Job) -> Json:
    """A job as its events tell of it: as DescribeJobs does, with its ARN among its tags.

    https://docs.aws.amazon.com/batch/latest/userguide/batch_job_events.html
    """
    detail = described(state, job)
    return {**detail, "tags": {**detail["tags"], "resourceArn": job.arn}}


def _array(state: State, job: Job) -> Json | None:
    if job.array_index is not None:
        return {"index": job.array_index, "statusSummary": {}}
    if not job.is_parent:
        return None
    counts = Counter(child.status for child in state.children[job.id])
    return {"size": job.array_size, "statusSummary": {str(status): counts[status] for status in JobStatus}}


def _nodes(job: Job) -> Json | None:
    if job.node_properties is None:
        return None
    count = {"numNodes": job.node_properties["numNodes"]}
    return {**count, "isMainNode": job.is_main_node, "nodeIndex": job.node_index} if job.is_node else count


def summarized(job: Job) -> Json:
    """A job as ListJobs gives it (``JobSummary``)."""
    summary: Json = {
        "jobArn": job.arn,
        "jobId": job.id,
        "jobName": job.name,
        "createdAt": job.created_at,
        "status": str(job.status),
        "jobDefinition": job.definition_arn,
    }
    outcome = {name: job.host[name] for name in ("exitCode", "reason") if name in job.host}
    array = {"size": job.array_size if job.is_parent else None, "index": job.array_index}
    optional: Json = {
        "statusReason": job.status_reason,
        "startedAt": job.started_at,
        "stoppedAt": job.stopped_at,
        "shareIdentifier": job.share_identifier,
        "container": outcome or None,
        "arrayProperties": {name: value for name, value in array.items() if value is not None} or None,
        "nodeProperties": _nodes(job),
        # Unlike DescribeJobs, "only present when the value is true".
        "isCancelled": job.cancelled or None,
        "isTerminated": job.terminated or None,
    }
    return {**summary, **{name: value for name, value in optional.items() if value is not None}}
