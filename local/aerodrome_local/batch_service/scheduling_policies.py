"""Scheduling policies: create, describe, list, update, delete."""

from aerodrome_local.batch_service import tags
from aerodrome_local.batch_service.compute_environments import NAME
from aerodrome_local.batch_service.core import Core, Operation, page
from aerodrome_local.batch_service.errors import ClientException
from aerodrome_local.batch_service.model import Json, Scope

_LONGEST_DECAY_SECONDS = 604_800
_MOST_SHARES = 500
_WEIGHTS = (0.0001, 999.9999)


def create_scheduling_policy(core: Core, scope: Scope, request: Json) -> Json:
    """CreateSchedulingPolicy."""
    name = request["name"]
    if not NAME.fullmatch(name):
        raise ClientException(
            f"name {name!r}: up to 128 letters, digits, hyphens and underscores, the first a letter or a digit"
        )
    if core.state.scheduling_policies.find(scope, name):
        raise ClientException("Object already exists")
    if request.get("quotaSharePolicy"):
        raise ClientException("quotaSharePolicy: the embedded Batch has no quota shares")
    arn = scope.arn(f"scheduling-policy/{name}")
    policy = {
        "name": name,
        "arn": arn,
        "fairsharePolicy": _checked(request.get("fairsharePolicy") or {}),
        "tags": tags.checked(request.get("tags")),
    }
    core.state.scheduling_policies.put(arn, policy)
    return {"name": name, "arn": arn}


def _checked(policy: Json) -> Json:
    decay, reservation = policy.get("shareDecaySeconds", 0), policy.get("computeReservation", 0)
    if not 0 <= decay <= _LONGEST_DECAY_SECONDS:
        raise ClientException(
            f"fairsharePolicy.shareDecaySeconds={decay}: must be from 0 to {_LONGEST_DECAY_SECONDS} (one week)"
        )
    if not 0 <= reservation <= 99:  # noqa: PLR2004 - per cent
        raise ClientException(f"fairsharePolicy.computeReservation={reservation}: must be from 0 to 99")
    shares = policy.get("shareDistribution", [])
    if len(shares) > _MOST_SHARES:
        raise ClientException(f"fairsharePolicy.shareDistribution has {len(shares)} entries; at most {_MOST_SHARES}")
    lowest, highest = _WEIGHTS
    for share in shares:
        if not lowest <= share.get("weightFactor", 1.0) <= highest:
            raise ClientException(
                f"fairsharePolicy.shareDistribution: weightFactor={share['weightFactor']} of "
                f"{share['shareIdentifier']!r} must be from {lowest} to {highest}"
            )
    return policy


def update_scheduling_policy(core: Core, scope: Scope, request: Json) -> Json:
    """UpdateSchedulingPolicy."""
    policy = core.state.scheduling_policies.get(scope, request["arn"])
    if request.get("quotaSharePolicy"):
        raise ClientException("quotaSharePolicy: the embedded Batch has no quota shares")
    if request.get("fairsharePolicy") is not None:
        policy["fairsharePolicy"] = _checked(request["fairsharePolicy"])
    core.state.scheduling_policies.put(policy["arn"], policy)
    core.wake()
    return {}


def delete_scheduling_policy(core: Core, scope: Scope, request: Json) -> Json:
    """DeleteSchedulingPolicy. Deleting what does not exist is no error."""
    arn = core.state.scheduling_policies.arn(scope, request["arn"])
    users = [queue["jobQueueName"] for queue in core.state.job_queues if queue.get("schedulingPolicyArn") == arn]
    if users:
        raise ClientException(f"Cannot delete, scheduling policy is used by job queue {', '.join(users)}")
    core.state.scheduling_policies.delete(arn)
    return {}


def describe_scheduling_policies(core: Core, scope: Scope, request: Json) -> Json:
    """DescribeSchedulingPolicies. ARNs that do not exist are left out, as on AWS."""
    named = (core.state.scheduling_policies.find(scope, arn) for arn in request["arns"])
    return {"schedulingPolicies": [policy for policy in named if policy is not None]}


def list_scheduling_policies(core: Core, scope: Scope, request: Json) -> Json:
    """ListSchedulingPolicies."""
    policies = [{"arn": policy["arn"]} for policy in core.state.scheduling_policies.in_scope(scope)]
    return page(policies, request, "schedulingPolicies")


OPERATIONS: dict[str, Operation] = {
    "CreateSchedulingPolicy": create_scheduling_policy,
    "UpdateSchedulingPolicy": update_scheduling_policy,
    "DeleteSchedulingPolicy": delete_scheduling_policy,
    "DescribeSchedulingPolicies": describe_scheduling_policies,
    "ListSchedulingPolicies": list_scheduling_policies,
}
