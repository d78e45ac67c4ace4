"""Compute environments: create, describe, update, delete."""

import re
import uuid

from aerodrome_local.batch_service import tags
from aerodrome_local.batch_service.core import Core, Operation, page
from aerodrome_local.batch_service.errors import ClientException
from aerodrome_local.batch_service.executor import StopCause
from aerodrome_local.batch_service.model import Json, Scope

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")

_FARGATE = ("FARGATE", "FARGATE_SPOT")
# https://docs.aws.amazon.com/batch/latest/APIReference/API_ComputeResource.html: "isn't applicable to jobs that are
# running on Fargate resources. Don't specify it."
_NOT_ON_FARGATE = (
    "allocationStrategy",
    "minvCpus",
    "desiredvCpus",
    "instanceTypes",
    "imageId",
    "ec2KeyPair",
    "instanceRole",
    "tags",
    "placementGroup",
    "bidPercentage",
    "spotIamFleetRole",
    "launchTemplate",
    "ec2Configuration",
    "scalingPolicy",
)
# A g behind the generation, as in m7g and c6gn; and the first, which had no other. GPU families begin with theirs.
_GRAVITON = re.compile(r"[a-z]+\d+g[a-z]*|a1")
_SPOT_STRATEGIES = (
    "SPOT_CAPACITY_OPTIMIZED",
    "SPOT_PRICE_CAPACITY_OPTIMIZED",
    "SPOT_CAPACITY_OPTIMIZED_PRIORITIZED",
)


def create_compute_environment(core: Core, scope: Scope, request: Json) -> Json:
    """CreateComputeEnvironment."""
    name = request["computeEnvironmentName"]
    if not NAME.fullmatch(name):
        raise ClientException(
            f"computeEnvironmentName {name!r}: up to 128 letters, digits, hyphens and underscores, the first a letter "
            "or a digit"
        )
    if core.state.compute_environments.find(scope, name):
        raise ClientException("Object already exists")
    if request.get("eksConfiguration"):
        raise ClientException("eksConfiguration: the embedded Batch runs container jobs only, not jobs on EKS")
    arn = scope.arn(f"compute-environment/{name}")
    environment = {
        "computeEnvironmentName": name,
        "computeEnvironmentArn": arn,
        "ecsClusterArn": f"arn:aws:ecs:{scope.region}:{scope.account}:cluster/AWSBatch-{name}-{uuid.uuid4()}",
        "type": request["type"],
        "state": request.get("state", "ENABLED"),
        "serviceRole": request.get("serviceRole")
        or f"arn:aws:iam::{scope.account}:role/aws-service-role/batch.amazonaws.com/AWSServiceRoleForBatch",
        "tags": tags.checked(request.get("tags")),
        "containerOrchestrationType": "ECS",
        "uuid": str(uuid.uuid4()),
    }
    for member in ("unmanagedvCpus", "computeResources", "context", "ecsSettings"):
        if request.get(member) is not None:
            environment[member] = request[member]
    _check(environment)
    _store(core, environment, "CREATING")
    return {"computeEnvironmentName": name, "computeEnvironmentArn": arn}


def architectures(environment: Json) -> set[str]:
    """The architectures of a compute environment's instance types. Empty: it has none, or they are Batch's choice."""
    types = environment.get("computeResources", {}).get("instanceTypes") or []
    families = {name.partition(".")[0] for name in types} - {"optimal"}
    return {"ARM64" if _GRAVITON.fullmatch(family) else "X86_64" for family in families}


def _check(environment: Json) -> None:
    resources = environment.get("computeResources")
    if environment["type"] == "UNMANAGED":
        if resources:
            raise ClientException("computeResources must not be provided for an UNMANAGED compute environment")
        return
    if not resources:
        raise ClientException("computeResources must be provided for a MANAGED compute environment")
    if environment.get("unmanagedvCpus"):
        raise ClientException("unmanagedvCpus must not be provided for a MANAGED compute environment")
    kind = resources["type"]
    if kind == "ECS_MANAGED_INSTANCES":
        raise ClientException("computeResources.type ECS_MANAGED_INSTANCES is not supported by the embedded Batch")
    if not resources.get("subnets"):
        raise ClientException("computeResources.subnets must not be empty")
    if resources["maxvCpus"] < 0:
        raise ClientException(f"computeResources.maxvCpus={resources['maxvCpus']}: must be 0 or more")
    if kind in _FARGATE:
        _check_fargate(resources)
    else:
        _check_ec2(resources)
        if len(architectures(environment)) > 1:
            raise ClientException("computeResources.instanceTypes: ARM64 and X86_64 instances can't be mixed")


def _check_fargate(resources: Json) -> None:
    given = [member for member in _NOT_ON_FARGATE if resources.get(member) is not None]
    if given:
        raise ClientException(f"{', '.join(given)} not applicable for Fargate.")
    if not resources.get("securityGroupIds"):
        raise ClientException("computeResources.securityGroupIds must not be empty for Fargate.")


def _check_ec2(resources: Json) -> None:
    if not resources.get("instanceRole"):
        raise ClientException("computeResources.instanceRole must be provided for EC2 and SPOT")
    smallest, largest = resources.setdefault("minvCpus", 0), resources["maxvCpus"]
    if not 0 <= smallest <= largest:
        raise ClientException(f"computeResources: minvCpus={smallest} must be from 0 to maxvCpus={largest}")
    if not smallest <= resources.get("desiredvCpus", smallest) <= largest:
        raise ClientException(
            f"computeResources: desiredvCpus={resources['desiredvCpus']} must be from minvCpus={smallest} to "
            f"maxvCpus={largest}"
        )
    strategy = resources.setdefault("allocationStrategy", "BEST_FIT")
    if resources["type"] == "EC2":
        if strategy in _SPOT_STRATEGIES:
            raise ClientException(f"computeResources.allocationStrategy {strategy} is for type SPOT only")
        if resources.get("bidPercentage") is not None:
            raise ClientException("computeResources.bidPercentage is for type SPOT only")
    elif strategy == "BEST_FIT" and not resources.get("spotIamFleetRole"):
        raise ClientException("computeResources.spotIamFleetRole must be provided for SPOT with BEST_FIT")
    elif not 1 <= resources.get("bidPercentage", 100) <= 100:  # noqa: PLR2004 - per cent
        raise ClientException(f"computeResources.bidPercentage={resources['bidPercentage']}: must be from 1 to 100")
    template = resources.get("launchTemplate")
    if template and bool(template.get("launchTemplateId")) == bool(template.get("launchTemplateName")):
        raise ClientException("computeResources.launchTemplate: exactly one of launchTemplateId and launchTemplateName")


def update_compute_environment(core: Core, scope: Scope, request: Json) -> Json:
    """UpdateComputeEnvironment."""
    environment = core.state.compute_environments.get(scope, request["computeEnvironment"])
    changed = {**environment}
    for member in ("state", "serviceRole", "unmanagedvCpus", "updatePolicy", "context", "ecsSettings"):
        if request.get(member) is not None:
            changed[member] = request[member]
    if request.get("eksConfiguration"):
        raise ClientException("eksConfiguration: the embedded Batch runs container jobs only, not jobs on EKS")
    if request.get("computeResources"):
        # updateToLatestImageVersion is an instruction, not a property.
        update = {
            key: value for key, value in request["computeResources"].items() if key != "updateToLatestImageVersion"
        }
        changed["computeResources"] = {**environment.get("computeResources", {}), **update}
    _check(changed)
    environment.update(changed)
    _store(core, environment, "UPDATING")
    return {
        "computeEnvironmentName": environment["computeEnvironmentName"],
        "computeEnvironmentArn": environment["computeEnvironmentArn"],
    }


def _store(core: Core, environment: Json, status: str) -> None:
    arn = environment["computeEnvironmentArn"]
    environment["status"] = status
    core.state.compute_environments.put(arn, environment)
    core.verify(arn)
    core.wake()


def delete_compute_environment(core: Core, scope: Scope, request: Json) -> Json:
    """DeleteComputeEnvironment. Deleting what does not exist is no error, as on AWS.

    With its instances go the jobs that run on them, as after a spot reclaim. With jobs on Fargate it becomes INVALID.
    """
    environment = core.state.compute_environments.find(scope, request["computeEnvironment"])
    if environment is None:
        return {}
    arn = environment["computeEnvironmentArn"]
    if any(
        entry["computeEnvironment"] == arn
        for queue in core.state.job_queues
        for entry in queue["computeEnvironmentOrder"]
    ):
        raise ClientException("Cannot delete, found existing JobQueue relationship")
    if environment["state"] != "DISABLED":
        raise ClientException("Cannot delete, state must be DISABLED: first update the compute environment")
    on_it = [job for job in core.state.on_host.values() if job.compute_environment == arn]
    if on_it and environment.get("computeResources", {}).get("type") in _FARGATE:
        environment["status"] = "INVALID"
        environment["statusReason"] = "CLIENT_ERROR - terminate the jobs on the compute environment before deleting it"
        core.state.compute_environments.put(arn, environment)
        return {}
    for job in on_it:
        core.stop_attempt(job, StopCause.HOST_LOST)
    core.state.compute_environments.delete(arn)
    return {}


def describe_compute_environments(core: Core, scope: Scope, request: Json) -> Json:
    """DescribeComputeEnvironments. Names that do not exist are left out, as on AWS."""
    environments = core.state.compute_environments
    if request.get("computeEnvironments"):
        named = (environments.find(scope, name) for name in request["computeEnvironments"])
        found = [environment for environment in named if environment is not None]
    else:
        found = environments.in_scope(scope)
    return page([_described(core, each) for each in found], request, "computeEnvironments")


def _described(core: Core, environment: Json) -> Json:
    resources = environment.get("computeResources")
    if resources is None or "minvCpus" not in resources:
        return environment
    # What AWS would have scaled to: enough for the jobs on it, within the bounds.
    needed = core.state.vcpus_in_use(environment["computeEnvironmentArn"])
    desired = min(max(resources["minvCpus"], int(-(-needed // 1))), resources["maxvCpus"])
    return {**environment, "computeResources": {**resources, "desiredvCpus": desired}}


OPERATIONS: dict[str, Operation] = {
    "CreateComputeEnvironment": create_compute_environment,
    "UpdateComputeEnvironment": update_compute_environment,
    "DeleteComputeEnvironment": delete_compute_environment,
    "DescribeComputeEnvironments": describe_compute_environments,
}
