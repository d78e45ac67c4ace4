"""Node properties of multi-node parallel jobs: what a definition may say, and what each node gets of it.

https://docs.aws.amazon.com/batch/latest/userguide/multi-node-parallel-jobs.html
"""

from collections.abc import Callable

from aerodrome_local.batch_service import containers
from aerodrome_local.batch_service.errors import ClientException
from aerodrome_local.batch_service.model import Json
from aerodrome_local.batch_service.node_ranges import bounds

_NOT_RUN_HERE = {
    "ecsProperties": "jobs of several containers",
    "eksProperties": "jobs on EKS",
    "consumableResourceProperties": "jobs with consumable resources",
    "ecsPropertiesOverride": "jobs of several containers",
    "eksPropertiesOverride": "jobs on EKS",
    "consumableResourcePropertiesOverride": "jobs with consumable resources",
}


def normalized(properties: Json) -> Json:
    """A definition's node properties as DescribeJobDefinitions gives them.

    Raises:
        ClientException: Properties that AWS refuses.
    """
    ranges = []
    for each in properties["nodeRangeProperties"]:
        _refuse_other_kinds(each)
        if each.get("container") is None:
            raise ClientException(f"nodeRangeProperties: the range {each['targetNodes']} needs a container")
        ranges.append({**each, "container": containers.normalized(each["container"], containers.EC2)})
    result = {**properties, "nodeRangeProperties": ranges}
    _check(result)
    return result


def overridden(properties: Json, overrides: Json) -> Json:
    """Node properties with a submission's overrides.

    Raises:
        ClientException: The result is one that AWS refuses.
    """
    ranges = {each["targetNodes"]: each for each in properties["nodeRangeProperties"]}
    changes = overrides.get("nodePropertyOverrides") or []
    unknown = [each["targetNodes"] for each in changes if each["targetNodes"] not in ranges]
    if unknown:
        raise ClientException(
            f"NodeOverride targets should match job definition. Non matching targets - {', '.join(unknown)}"
        )
    for each in changes:
        _refuse_other_kinds(each)
        old = ranges[each["targetNodes"]]
        container = containers.overridden(old["container"], each.get("containerOverrides") or {}, containers.EC2)
        ranges[each["targetNodes"]] = {**old, "container": container}
        if each.get("instanceTypes"):
            ranges[each["targetNodes"]]["instanceTypes"] = each["instanceTypes"]
    result = {**properties, "nodeRangeProperties": list(ranges.values())}
    if overrides.get("numNodes"):
        if not any(target.endswith(":") for target in ranges):
            raise ClientException("nodeOverrides.numNodes: a range of the job definition must have no upper boundary")
        result["numNodes"] = overrides["numNodes"]
    _check(result)
    return result


def with_commands(properties: Json, change: Callable[[list[str]], list[str]]) -> Json:
    """Node properties with each range's command changed."""
    ranges = [
        {**each, "container": {**each["container"], "command": change(each["container"]["command"])}}
        for each in properties["nodeRangeProperties"]
    ]
    return {**properties, "nodeRangeProperties": ranges}


def _check(properties: Json) -> None:
    nodes, main = properties["numNodes"], properties["mainNode"]
    if nodes < 1:
        raise ClientException(f"numNodes={nodes}: must be 1 or more")
    if not 0 <= main < nodes:
        raise ClientException(f"mainNode={main}: must be a node's index, from 0 to {nodes - 1}")
    covered: set[int] = set()
    for each in properties["nodeRangeProperties"]:
        first, last = bounds(each["targetNodes"], nodes)
        if not first <= last < nodes:
            raise ClientException(f"targetNodes {each['targetNodes']!r}: must be within the nodes, 0 to {nodes - 1}")
        covered.update(range(first, last + 1))
    missing = sorted(set(range(nodes)) - covered)
    if missing:
        raise ClientException(f"nodeRangeProperties: the ranges must account for all nodes; none has node {missing[0]}")


def _refuse_other_kinds(given: Json) -> None:
    for member, what in _NOT_RUN_HERE.items():
        if given.get(member):
            raise ClientException(f"{member}: the embedded Batch runs one container on each node, not {what}")
