"""Job definitions: register, describe, deregister."""

import re
from collections.abc import Sequence

from aerodrome_local.batch_service import containers, nodes, shapes, tags
from aerodrome_local.batch_service.compute_environments import NAME
from aerodrome_local.batch_service.core import Core, Operation, page
from aerodrome_local.batch_service.errors import ClientException
from aerodrome_local.batch_service.model import Json, Scope

_REVISION = re.compile(r":(\d+)$")
_MOST_ATTEMPTS = 10
_MOST_EXIT_RULES = 5
_SHORTEST_TIMEOUT_SECONDS = 60
_HIGHEST_PRIORITY = 9999
# https://docs.aws.amazon.com/batch/latest/userguide/service_limits.html
_MOST_KIB = 24
_EXIT_CONDITIONS = ("onExitCode", "onReason", "onStatusReason")
# What each condition of evaluateOnExit may hold; an asterisk is allowed at the end only.
# https://docs.aws.amazon.com/batch/latest/APIReference/API_EvaluateOnExit.html
_CONDITION_PATTERNS = {
    "onExitCode": re.compile(r"\d{0,512}\*?"),
    "onReason": re.compile(r"[A-Za-z0-9.:\s]{0,512}\*?"),
    "onStatusReason": re.compile(r"[A-Za-z0-9.:\s]{0,512}\*?"),
}
_NOT_RUN_HERE = {
    "eksProperties": "jobs on EKS",
    "ecsProperties": "jobs of several containers (ecsProperties)",
    "consumableResourceProperties": "jobs with consumable resources",
}


def register_job_definition(core: Core, scope: Scope, request: Json) -> Json:
    """RegisterJobDefinition."""
    name = request["jobDefinitionName"]
    if not NAME.fullmatch(name):
        raise ClientException("Error executing request, Exception : Job Definition name should match valid pattern")
    shapes.check_size("Job definition", request, _MOST_KIB)
    _refuse_other_kinds(request)
    platforms = request.get("platformCapabilities") or [containers.EC2]
    if len(platforms) != 1:
        raise ClientException("Error executing request, Exception : platformCapabilities must be [EC2] or [FARGATE]")
    runs = _what_runs(request, platforms[0])
    priority = request.get("schedulingPriority")
    if priority is not None and not 0 <= priority <= _HIGHEST_PRIORITY:
        raise ClientException(f"schedulingPriority={priority}: must be from 0 to {_HIGHEST_PRIORITY}")
    revision = 1 + max((definition["revision"] for definition in _revisions(core, scope, name)), default=0)
    arn = scope.arn(f"job-definition/{name}:{revision}")
    definition = {
        "jobDefinitionName": name,
        "jobDefinitionArn": arn,
        "revision": revision,
        "status": "ACTIVE",
        "type": request["type"],
        "parameters": request.get("parameters") or {},
        **runs,
        "platformCapabilities": platforms,
        "tags": tags.checked(request.get("tags")),
        "propagateTags": bool(request.get("propagateTags")),
        "containerOrchestrationType": "ECS",
    }
    if priority is not None:
        definition["schedulingPriority"] = priority
    if request.get("retryStrategy"):
        definition["retryStrategy"] = checked_retry(request["retryStrategy"])
    if request.get("timeout"):
        definition["timeout"] = checked_timeout(request["timeout"])
    core.state.job_definitions.put(arn, definition)
    return {"jobDefinitionName": name, "jobDefinitionArn": arn, "revision": revision}


def _refuse_other_kinds(request: Json) -> None:
    for member, what in _NOT_RUN_HERE.items():
        if request.get(member):
            raise ClientException(f"{member}: the embedded Batch runs jobs of one container, not {what}")


def _what_runs(request: Json, platform: str) -> Json:
    """The container of a job, or the nodes of a multi-node job."""
    wanted, other = "containerProperties", "nodeProperties"
    if request["type"] == "multinode":
        wanted, other = other, wanted
        if platform != containers.EC2:
            raise ClientException("Error executing request, Exception : nodeProperties not applicable for Fargate.")
    if request.get(wanted) is None:
        raise ClientException(f"Error executing request, Exception : {wanted} must not be empty")
    if request.get(other) is not None:
        raise ClientException(
            f"Error executing request, Exception : {other} must not be provided for type {request['type']}"
        )
    if request["type"] == "multinode":
        return {wanted: nodes.normalized(request[wanted])}
    return {wanted: containers.normalized(request[wanted], platform)}


def checked_retry(strategy: Json) -> Json:
    """A retry strategy with its defaults.

    Raises:
        ClientException: It is one that AWS refuses.
    """
    attempts = strategy.get("attempts", 1)
    if not 1 <= attempts <= _MOST_ATTEMPTS:
        raise ClientException(f"retryStrategy.attempts={attempts}: must be from 1 to {_MOST_ATTEMPTS}")
    rules = strategy.get("evaluateOnExit") or []
    if len(rules) > _MOST_EXIT_RULES:
        raise ClientException(f"retryStrategy.evaluateOnExit has {len(rules)} entries; at most {_MOST_EXIT_RULES}")
    if rules and "attempts" not in strategy:
        raise ClientException("retryStrategy: evaluateOnExit needs attempts, too")
    for rule in rules:
        if not any(rule.get(condition) is not None for condition in _EXIT_CONDITIONS):
            raise ClientException(
                f"retryStrategy.evaluateOnExit: an entry needs at least one of {', '.join(_EXIT_CONDITIONS)}"
            )
        for condition, pattern in _CONDITION_PATTERNS.items():
            if rule.get(condition) is not None and not pattern.fullmatch(rule[condition]):
                raise ClientException(
                    f"retryStrategy.evaluateOnExit: {condition}={rule[condition]!r} has a character that is not "
                    "allowed (an asterisk may stand at the end only)"
                )
    return {"attempts": attempts, "evaluateOnExit": rules}


def checked_timeout(timeout: Json) -> Json:
    """A timeout.

    Raises:
        ClientException: It is shorter than AWS allows.
    """
    seconds = timeout.get("attemptDurationSeconds")
    if seconds is not None and seconds < _SHORTEST_TIMEOUT_SECONDS:
        raise ClientException(f"timeout.attemptDurationSeconds={seconds}: must be at least {_SHORTEST_TIMEOUT_SECONDS}")
    return timeout


def find_active(core: Core, scope: Scope, given: str) -> Json:
    """The definition that a submission names: ``name`` (its latest active revision), ``name:revision`` or an ARN.

    Raises:
        ClientException: There is none, or it is inactive.
    """
    arn = core.state.job_definitions.arn(scope, given)
    if _REVISION.search(arn):
        definition = core.state.job_definitions.get(scope, arn)
        if definition["status"] != "ACTIVE":
            raise ClientException(f"{arn} is {definition['status']}; a job needs an ACTIVE job definition")
        return definition
    name = arn.rpartition("/")[2]
    active = [each for each in _revisions(core, scope, name) if each["status"] == "ACTIVE"]
    if not active:
        raise ClientException(f"{arn} does not exist or has no ACTIVE revision")
    return max(active, key=lambda each: int(each["revision"]))


def _revisions(core: Core, scope: Scope, name: str) -> Sequence[Json]:
    return [each for each in core.state.job_definitions.in_scope(scope) if each["jobDefinitionName"] == name]


def deregister_job_definition(core: Core, scope: Scope, request: Json) -> Json:
    """DeregisterJobDefinition."""
    given = request["jobDefinition"]
    arn = core.state.job_definitions.arn(scope, given)
    if not _REVISION.search(arn):
        raise ClientException(f"jobDefinition {given!r}: give name:revision or an ARN with a revision")
    definition = core.state.job_definitions.get(scope, arn)
    definition["status"] = "INACTIVE"
    core.state.job_definitions.put(arn, definition)
    return {}


def describe_job_definitions(core: Core, scope: Scope, request: Json) -> Json:
    """DescribeJobDefinitions."""
    found = core.state.job_definitions.in_scope(scope)
    if request.get("jobDefinitions"):
        arns = [core.state.job_definitions.arn(scope, given) for given in request["jobDefinitions"]]
        found = [
            each
            for each in found
            if any(arn in {each["jobDefinitionArn"], _REVISION.sub("", each["jobDefinitionArn"])} for arn in arns)
        ]
    if request.get("jobDefinitionName"):
        found = [each for each in found if each["jobDefinitionName"] == request["jobDefinitionName"]]
    if request.get("status"):
        found = [each for each in found if each["status"] == request["status"]]
    # Newest revision first, as on AWS.
    found.sort(key=lambda each: (each["jobDefinitionName"], -each["revision"]))
    return page(found, request, "jobDefinitions")


OPERATIONS: dict[str, Operation] = {
    "RegisterJobDefinition": register_job_definition,
    "DeregisterJobDefinition": deregister_job_definition,
    "DescribeJobDefinitions": describe_job_definitions,
}
