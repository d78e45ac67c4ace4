"""SubmitJob: from a request to a job, or to an array's parent and children."""

import dataclasses
import itertools
import json
import re
import uuid
from collections.abc import Iterable, Iterator

from aerodrome_local.batch_service import containers, job_definitions, job_environment, nodes, shapes, tags
from aerodrome_local.batch_service.core import Core
from aerodrome_local.batch_service.errors import ClientException
from aerodrome_local.batch_service.job_queues import platform_of
from aerodrome_local.batch_service.model import Job, Json, Scope
from aerodrome_local.batch_service.node_ranges import container_of
from aerodrome_local.batch_service.state import now_ms

_JOB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_SHARE = re.compile(r"[A-Za-z0-9]{1,255}")
_ARRAY_SIZES = (2, 10_000)
_MOST_DEPENDENCIES = 20
_NOT_RUN_HERE = {
    "eksPropertiesOverride": "jobs on EKS",
    "ecsPropertiesOverride": "jobs of several containers (ecsProperties)",
    "consumableResourcePropertiesOverride": "jobs with consumable resources",
}
_HIGHEST_PRIORITY = 9999
# https://docs.aws.amazon.com/batch/latest/userguide/service_limits.html
_MOST_KIB = 30
_LONGEST_OVERRIDES = 8192
TOO_LONG_OVERRIDES = f"Container Overrides length must be at most {_LONGEST_OVERRIDES}"


def submit_job(core: Core, scope: Scope, request: Json) -> Json:
    """SubmitJob."""
    if not _JOB_NAME.fullmatch(request["jobName"]):
        raise ClientException("Error executing request, Exception : Job name should match valid pattern")
    shapes.check_size("Job", request, _MOST_KIB)
    for member, what in _NOT_RUN_HERE.items():
        if request.get(member):
            raise ClientException(f"{member}: the embedded Batch runs jobs of one container, not {what}")
    queue = core.state.job_queues.get(scope, request["jobQueue"])
    if queue["state"] != "ENABLED":
        raise ClientException(f"{queue['jobQueueArn']} is DISABLED; a job queue must be ENABLED to take jobs")
    definition = job_definitions.find_active(core, scope, request["jobDefinition"])
    _check_platform(core, scope, queue, definition)
    _check_kind(request, definition)
    job = _job(core, scope, request, queue=queue, definition=definition)
    children = list(_children(core, job)) if job.is_parent else []
    _resolve_dependencies(core, job, children)
    core.lifecycle.submit(job, children, list(_nodes(core, job)) if job.is_multinode else [])
    core.wake()
    return {"jobArn": job.arn, "jobName": job.name, "jobId": job.id}


def _check_platform(core: Core, scope: Scope, queue: Json, definition: Json) -> None:
    wanted: str = definition["platformCapabilities"][0]
    for entry in queue["computeEnvironmentOrder"]:
        environment = core.state.compute_environments.find(scope, entry["computeEnvironment"])
        if environment is not None and platform_of(environment) != wanted:
            raise ClientException(
                f"Job Queue is attached to Compute Environment that can not run Jobs with capability {wanted}"
            )


def _check_kind(request: Json, definition: Json) -> None:
    multinode = definition["type"] == "multinode"
    for member in ("containerOverrides", "arrayProperties") if multinode else ("nodeOverrides",):
        if request.get(member):
            raise ClientException(f"{member} must not be provided for a job definition of type {definition['type']}")


def _job(core: Core, scope: Scope, request: Json, *, queue: Json, definition: Json) -> Job:
    platform: str = definition["platformCapabilities"][0]
    parameters = {**definition["parameters"], **(request.get("parameters") or {})}
    node_properties = None
    if definition["type"] == "multinode":
        node_properties = nodes.overridden(definition["nodeProperties"], request.get("nodeOverrides") or {})
        node_properties = nodes.with_commands(node_properties, lambda words: containers.substituted(words, parameters))
        container = container_of(node_properties, node_properties["mainNode"])
        ranges = (definition["nodeProperties"]["nodeRangeProperties"], node_properties["nodeRangeProperties"])
        pairs = [(defined["container"], changed["container"]) for defined, changed in zip(*ranges, strict=True)]
    else:
        overrides = request.get("containerOverrides") or {}
        container = containers.overridden(definition["containerProperties"], overrides, platform)
        container["command"] = containers.substituted(container["command"], parameters)
        pairs = [(definition["containerProperties"], container)]
    retry = job_definitions.checked_retry(request.get("retryStrategy") or definition.get("retryStrategy") or {})
    timeout = job_definitions.checked_timeout(request.get("timeout") or definition.get("timeout") or {})
    share, priority = _share(request, queue, definition)
    propagate = request.get("propagateTags")
    job_id = str(uuid.uuid4())
    job = Job(
        id=job_id,
        name=request["jobName"],
        arn=scope.arn(f"job/{job_id}"),
        order=core.state.next_order(),
        queue_arn=queue["jobQueueArn"],
        definition_arn=definition["jobDefinitionArn"],
        created_at=now_ms(),
        container=container,
        platform=platform,
        retry=retry,
        timeout_seconds=timeout.get("attemptDurationSeconds"),
        parameters=parameters,
        depends_on=request.get("dependsOn") or [],
        tags=tags.checked(request.get("tags")),
        propagate_tags=definition["propagateTags"] if propagate is None else propagate,
        share_identifier=share,
        scheduling_priority=priority,
        array_size=_array_size(request.get("arrayProperties")),
        node_properties=node_properties,
    )
    job.start_problem = _start_problem(_batchs_own(job, queue), pairs)
    return job


def _batchs_own(job: Job, queue: Json) -> list[Json]:
    """The variables that Batch adds to a job, or to the last child or node of one, wherever its queue places it."""
    environments = [entry["computeEnvironment"] for entry in queue["computeEnvironmentOrder"]]
    longest = max(environments, key=lambda arn: len(arn.rpartition("/")[2]))
    last = dataclasses.replace(job, compute_environment=longest)
    if job.array_size is not None:
        index = job.array_size - 1
        last = dataclasses.replace(last, id=f"{job.id}:{index}", array_index=index)
    elif job.node_properties is not None:
        index = job.node_properties["numNodes"] - 1
        last = dataclasses.replace(last, id=f"{job.id}#{index}", node_index=index)
    own = job_environment.of_batch(last, queue["jobQueueName"])
    return [{"name": name, "value": value} for name, value in own.items()]


def _start_problem(own: list[Json], pairs: Iterable[tuple[Json, Json]]) -> str | None:
    """Why ECS will refuse to run the job: what goes into its task beside what the job definition says is too long.

    Batch takes the job all the same, and it fails when it is to be started
    (https://github.com/ASFHyP3/hyp3/issues/3041). A command of the definition counts as a whole once a parameter is put
    into it: ECS, which knows no parameters, can have it as an override only.

    Args:
        own: The variables that Batch adds, which count, too.
        pairs: Each container as it is defined, and as it is to run.
    """
    for defined, container in pairs:
        environment = [each for each in container["environment"] if each not in defined["environment"]]
        changed: Json = {"name": "default", "environment": environment + own}
        if container["command"] != defined["command"]:
            changed["command"] = container["command"]
        if len(json.dumps({"containerOverrides": [changed]}, separators=(",", ":"))) > _LONGEST_OVERRIDES:
            return TOO_LONG_OVERRIDES
    return None


def _share(request: Json, queue: Json, definition: Json) -> tuple[str | None, int | None]:
    share, override = request.get("shareIdentifier"), request.get("schedulingPriorityOverride")
    if "schedulingPolicyArn" not in queue:
        if share is not None or override is not None:
            raise ClientException(
                "Job with shareIdentifier or schedulingPriority can only be submitted to job queue with fair share "
                "scheduling policy."
            )
        return None, None
    if share is None:
        raise ClientException("Job must have a shareIdentifier: its job queue has a fair share scheduling policy.")
    if not _SHARE.fullmatch(share):
        raise ClientException(f"shareIdentifier {share!r}: up to 255 letters and digits")
    if override is not None and not 0 <= override <= _HIGHEST_PRIORITY:
        raise ClientException(f"schedulingPriorityOverride={override}: must be from 0 to {_HIGHEST_PRIORITY}")
    priority: int | None = definition.get("schedulingPriority") if override is None else override
    if priority is None:
        raise ClientException("Either schedulingPriority in job definition or schedulingPriorityOverride is required.")
    return share, priority


def _array_size(properties: Json | None) -> int | None:
    size: int | None = (properties or {}).get("size")
    smallest, largest = _ARRAY_SIZES
    if size is not None and not smallest <= size <= largest:
        raise ClientException(f"arrayProperties.size={size}: must be from {smallest} to {largest}")
    return size


def _children(core: Core, parent: Job) -> Iterator[Job]:
    assert parent.array_size is not None  # noqa: S101 - only an array's parent has children
    for index in range(parent.array_size):
        yield dataclasses.replace(
            parent,
            id=f"{parent.id}:{index}",
            arn=f"{parent.arn}:{index}",
            order=core.state.next_order(),
            array_index=index,
            parent_id=parent.id,
            attempts=[],
            waits_for=[],
            host={},
        )


def _nodes(core: Core, job: Job) -> Iterator[Job]:
    assert job.node_properties is not None  # noqa: S101 - only a multi-node job has nodes
    for index in range(job.node_properties["numNodes"]):
        yield dataclasses.replace(
            job,
            id=f"{job.id}#{index}",
            arn=f"{job.arn}#{index}",
            order=core.state.next_order(),
            container=container_of(job.node_properties, index),
            node_index=index,
            parent_id=job.id,
            # "The timeout value ... applies to the whole job and not to the nodes", and the main node's end is its end:
            # https://docs.aws.amazon.com/batch/latest/userguide/mnp-job-lifecycle.html
            timeout_seconds=job.timeout_seconds if index == job.node_properties["mainNode"] else None,
            attempts=[],
            waits_for=[],
            host={},
        )


def _resolve_dependencies(core: Core, job: Job, children: list[Job]) -> None:
    """Say which jobs each job waits for.

    A plain dependency holds for the job, or for every child of an array. ``SEQUENTIAL`` makes each child wait for the
    one before it, ``N_TO_N`` for the child of its own index in the other array.
    """
    if len(job.depends_on) > _MOST_DEPENDENCIES:
        raise ClientException(f"dependsOn has {len(job.depends_on)} entries; a job has at most {_MOST_DEPENDENCIES}")
    for dependency in job.depends_on:
        kind, other_id = dependency.get("type"), dependency.get("jobId")
        if kind == "SEQUENTIAL":
            _sequential(children, other_id)
            continue
        other = core.state.jobs.get(other_id or "")
        if other is None:
            raise ClientException(f"dependsOn: job {other_id} does not exist")
        if kind == "N_TO_N":
            if not (job.is_parent and other.is_parent) or other.array_size != job.array_size:
                raise ClientException(
                    "dependsOn: N_TO_N needs two array jobs of the same size, not "
                    f"{job.array_size or 'a single job'} and {other.array_size or 'a single job'}"
                )
            for child in children:
                child.waits_for.append(f"{other.id}:{child.array_index}")
        else:
            for each in children or [job]:
                each.waits_for.append(other.id)


def _sequential(children: list[Job], other_id: str | None) -> None:
    if not children or other_id is not None:
        raise ClientException("dependsOn: SEQUENTIAL is for an array job and takes no jobId")
    for before, child in itertools.pairwise(children):
        child.waits_for.append(before.id)
