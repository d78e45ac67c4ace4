"""Job queues: create, describe, update, delete, and what stands at their front."""

from aerodrome_local.batch_service import tags
from aerodrome_local.batch_service.compute_environments import NAME, architectures
from aerodrome_local.batch_service.containers import EC2, FARGATE
from aerodrome_local.batch_service.core import Core, Operation, page
from aerodrome_local.batch_service.errors import ClientException
from aerodrome_local.batch_service.executor import StopCause
from aerodrome_local.batch_service.model import Json, Scope
from aerodrome_local.batch_service.state import now_ms

_MOST_COMPUTE_ENVIRONMENTS = 3
_TIME_LIMIT_SECONDS = (600, 86_400)
_FRONT_OF_QUEUE = 100


def platform_of(environment: Json) -> str:
    """``FARGATE`` or ``EC2``: what a job definition must be capable of to run on a compute environment."""
    kind = environment.get("computeResources", {}).get("type", EC2)
    return FARGATE if kind.startswith(FARGATE) else EC2


def create_job_queue(core: Core, scope: Scope, request: Json) -> Json:
    """CreateJobQueue."""
    name = request["jobQueueName"]
    if not NAME.fullmatch(name):
        raise ClientException(
            f"jobQueueName {name!r}: up to 128 letters, digits, hyphens and underscores, the first a letter or a digit"
        )
    if core.state.job_queues.find(scope, name):
        raise ClientException("Object already exists")
    if request.get("serviceEnvironmentOrder"):
        raise ClientException("serviceEnvironmentOrder: the embedded Batch runs container jobs only, not service jobs")
    arn = scope.arn(f"job-queue/{name}")
    queue = {
        "jobQueueName": name,
        "jobQueueArn": arn,
        "state": request.get("state", "ENABLED"),
        "status": "VALID",
        "statusReason": "JobQueue Healthy",
        "priority": request["priority"],
        "computeEnvironmentOrder": _order(core, scope, request.get("computeEnvironmentOrder") or []),
        "tags": tags.checked(request.get("tags")),
        "jobStateTimeLimitActions": _time_limits(request.get("jobStateTimeLimitActions") or []),
    }
    environment = core.state.compute_environments.get(scope, queue["computeEnvironmentOrder"][0]["computeEnvironment"])
    queue["jobQueueType"] = "ECS_FARGATE" if platform_of(environment) == FARGATE else "ECS"
    if request.get("jobQueueType") not in {None, queue["jobQueueType"]}:
        raise ClientException(
            f"jobQueueType {request['jobQueueType']}: the queue's compute environments make it {queue['jobQueueType']}"
        )
    if request.get("schedulingPolicyArn"):
        core.state.scheduling_policies.get(scope, request["schedulingPolicyArn"])
        queue["schedulingPolicyArn"] = request["schedulingPolicyArn"]
    core.state.job_queues.put(arn, queue)
    return {"jobQueueName": name, "jobQueueArn": arn}


def _order(core: Core, scope: Scope, given: list[Json]) -> list[Json]:
    if not 1 <= len(given) <= _MOST_COMPUTE_ENVIRONMENTS:
        raise ClientException(
            f"computeEnvironmentOrder has {len(given)} entries; a queue has 1 to {_MOST_COMPUTE_ENVIRONMENTS}"
        )
    if len({entry["order"] for entry in given}) < len(given):
        raise ClientException("computeEnvironmentOrder: each entry needs an order of its own")
    entries = []
    platforms = set()
    of_all: set[str] = set()
    for entry in sorted(given, key=lambda each: int(each["order"])):
        environment = core.state.compute_environments.get(scope, entry["computeEnvironment"])
        if environment["status"] not in {"VALID", "UPDATING"}:
            raise ClientException(
                f"{environment['computeEnvironmentArn']} is {environment['status']}; a compute environment must be "
                "created and valid before attaching it to a job queue"
            )
        platforms.add(platform_of(environment))
        of_all |= architectures(environment)
        entries.append({"order": entry["order"], "computeEnvironment": environment["computeEnvironmentArn"]})
    if len(platforms) > 1:
        raise ClientException("computeEnvironmentOrder: EC2 and Fargate compute environments can't be mixed in a queue")
    if len(of_all) > 1:
        raise ClientException("computeEnvironmentOrder: a queue's compute environments must share one architecture")
    return entries


def _time_limits(actions: list[Json]) -> list[Json]:
    shortest, longest = _TIME_LIMIT_SECONDS
    for action in actions:
        if not shortest <= action["maxTimeSeconds"] <= longest:
            raise ClientException(
                f"jobStateTimeLimitActions: maxTimeSeconds={action['maxTimeSeconds']} must be from {shortest} to "
                f"{longest}"
            )
        if action["action"] != "CANCEL":
            raise ClientException(
                f"jobStateTimeLimitActions: action {action['action']} is for service jobs; a queue of container jobs "
                "takes CANCEL"
            )
    return actions


def update_job_queue(core: Core, scope: Scope, request: Json) -> Json:
    """UpdateJobQueue."""
    queue = core.state.job_queues.get(scope, request["jobQueue"])
    changed: Json = {}
    for member in ("state", "priority"):
        if request.get(member) is not None:
            changed[member] = request[member]
    if request.get("computeEnvironmentOrder"):
        changed["computeEnvironmentOrder"] = _order(core, scope, request["computeEnvironmentOrder"])
    if request.get("serviceEnvironmentOrder"):
        raise ClientException("serviceEnvironmentOrder: the embedded Batch runs container jobs only, not service jobs")
    if request.get("jobStateTimeLimitActions") is not None:
        changed["jobStateTimeLimitActions"] = _time_limits(request["jobStateTimeLimitActions"])
    if request.get("schedulingPolicyArn"):
        if "schedulingPolicyArn" not in queue:
            raise ClientException("schedulingPolicyArn: a queue that was created without one stays first in, first out")
        core.state.scheduling_policies.get(scope, request["schedulingPolicyArn"])
        changed["schedulingPolicyArn"] = request["schedulingPolicyArn"]
    queue.update(changed)
    core.state.job_queues.put(queue["jobQueueArn"], queue)
    core.wake()
    return {"jobQueueName": queue["jobQueueName"], "jobQueueArn": queue["jobQueueArn"]}


def delete_job_queue(core: Core, scope: Scope, request: Json) -> Json:
    """DeleteJobQueue. Its jobs end; deleting what does not exist is no error, as on AWS."""
    queue = core.state.job_queues.find(scope, request["jobQueue"])
    if queue is None:
        return {}
    if queue["state"] != "DISABLED":
        raise ClientException("Cannot delete, state must be DISABLED: first update the job queue")
    for job in list(core.state.jobs.values()):
        if job.queue_arn == queue["jobQueueArn"] and not job.ended:
            for running in core.lifecycle.terminate(job, "JobQueue deleted"):
                core.stop_attempt(running, StopCause.TERMINATED)
    core.state.job_queues.delete(queue["jobQueueArn"])
    return {}


def describe_job_queues(core: Core, scope: Scope, request: Json) -> Json:
    """DescribeJobQueues. Names that do not exist are left out, as on AWS."""
    if request.get("jobQueues"):
        named = (core.state.job_queues.find(scope, name) for name in request["jobQueues"])
        found = [queue for queue in named if queue is not None]
    else:
        found = core.state.job_queues.in_scope(scope)
    return page(found, request, "jobQueues")


def get_job_queue_snapshot(core: Core, scope: Scope, request: Json) -> Json:
    """GetJobQueueSnapshot: the RUNNABLE jobs at the front of a queue."""
    queue = core.state.job_queues.get(scope, request["jobQueue"])
    jobs = core.state.runnable(queue["jobQueueArn"])[:_FRONT_OF_QUEUE]
    return {
        "frontOfQueue": {
            "jobs": [{"jobArn": job.arn, "earliestTimeAtPosition": job.runnable_since} for job in jobs],
            "lastUpdatedAt": now_ms(),
        }
    }


OPERATIONS: dict[str, Operation] = {
    "CreateJobQueue": create_job_queue,
    "UpdateJobQueue": update_job_queue,
    "DeleteJobQueue": delete_job_queue,
    "DescribeJobQueues": describe_job_queues,
    "GetJobQueueSnapshot": get_job_queue_snapshot,
}
