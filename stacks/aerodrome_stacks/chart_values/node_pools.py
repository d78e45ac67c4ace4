"""Values of ``charts/aerodrome-node-pools``: the nodes that Karpenter may add to those that always run.

Managed node groups keep ``min_size`` nodes running; a pool holds what lies between that and ``max_size``. So the two
together never have more than the environment says, whoever of them starts a node.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from aerodrome_constructs.cluster.scheduling import (
    GPU_LABEL,
    GPU_TAINT,
    INTERRUPTIBLE_LABEL,
    INTERRUPTIBLE_TAINT,
    ON_DEMAND_LABEL,
    SYSTEM_LABEL,
    TASK_TAINT,
    NodeTaint,
)
from aerodrome_constructs.helm import Value
from aerodrome_stacks.base import ENVIRONMENT_TAG
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.aws import instance_shape
from aerodrome_stacks.environment.maintenance import outside_window
from aerodrome_stacks.environment.nodes import MaintenanceWindow, SpotNodes, SystemNodes

# A pod that may be interrupted gets a spot node, and an on-demand one where spot has nothing to give or is used up.
_SPOT, _FALLBACK, _SYSTEM = 20, 10, 1
# A node of tasks is empty and gone long before, most of the time. Its age ends no task: those are waited for.
_TWO_WEEKS = "336h"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeClassInputs:
    """What a node takes from other stacks.

    Attributes:
        image_alias: The images, as Karpenter names them, such as ``al2023@v20260923``.
        instance_profile: The name of the nodes' instance profile.
        subnet_ids: Where nodes are.
        security_group_id: What they carry.
    """

    image_alias: str
    instance_profile: str
    subnet_ids: Sequence[str]
    security_group_id: str


def node_pools(environment: Environment, inputs: NodeClassInputs) -> dict[str, Value]:
    """Values that depend on other stacks and on the environment."""
    cluster = environment.cluster
    pools = {f"spot-{group.name}": _spot(group) for group in cluster.spot_nodes if group.max_size > group.min_size}
    if cluster.system_nodes.max_size > cluster.system_nodes.min_size:
        # Karpenter empties a node whose time is over at once, in no window: with one, nodes of the platform's own pods
        # have no such time, and become new when the pinned image does.
        pools["system"] = _system(cluster.system_nodes, "Never" if cluster.maintenance_window else _TWO_WEEKS)
    return {
        "nodeClass": {
            "imageAlias": inputs.image_alias,
            "instanceProfile": inputs.instance_profile,
            "subnets": list(inputs.subnet_ids),
            "securityGroups": [inputs.security_group_id],
            # As the managed groups' nodes have them, so that what nodes cost is found in one place.
            "tags": {ENVIRONMENT_TAG: environment.name, "aerodrome:stack": "Cluster"},
        },
        "closed": _closed(cluster.maintenance_window),
        "pools": {**pools, **_on_demand(cluster.spot_nodes, cluster.on_demand_vcpus)},
    }


def has_gpus(group: SpotNodes) -> bool:
    """Whether the nodes of a group have NVIDIA GPUs."""
    # None stands for a type of a GPU family whose number of GPUs is not known.
    return instance_shape(group.instance_types[0]).gpus != 0


def _closed(window: MaintenanceWindow | None) -> list[Value]:
    if window is None:
        return []
    return [
        {"schedule": closed.schedule, "duration": closed.duration}
        for closed in outside_window(window.starts, window.lasts)
    ]


def _spot(group: SpotNodes) -> Value:
    gpus = has_gpus(group)
    return {
        "weight": _SPOT,
        "labels": {**INTERRUPTIBLE_LABEL.selector, **(GPU_LABEL.selector if gpus else {})},
        "taints": _manifests([INTERRUPTIBLE_TAINT, GPU_TAINT] if gpus else [INTERRUPTIBLE_TAINT]),
        "requirements": _requirements("spot", group.instance_types),
        "limits": _limits(group),
        # Tasks are not moved (do-not-disrupt), so there is nothing else to gain.
        "consolidation": "WhenEmpty",
        "expireAfter": _TWO_WEEKS,
    }


def _system(group: SystemNodes, expire_after: str) -> Value:
    return {
        "weight": _SYSTEM,
        "labels": dict(SYSTEM_LABEL.selector),
        "taints": [],
        "requirements": _requirements("on-demand", group.instance_types),
        "limits": _limits(group),
        "consolidation": "WhenEmptyOrUnderutilized",
        "expireAfter": expire_after,
    }


def _on_demand(groups: Sequence[SpotNodes], vcpus: int) -> dict[str, Value]:
    plain = [group for group in groups if not has_gpus(group)]
    with_gpus = [group for group in groups if has_gpus(group)]
    # One ceiling for both kinds, which Karpenter knows for one pool only: each kind has its share of it.
    share = vcpus * sum(group.max_vcpus for group in plain) // sum(group.max_vcpus for group in groups)
    pools: dict[str, Value] = {}
    if plain:
        pools["on-demand"] = _tasks_on_demand(plain, share, labels={}, taint=TASK_TAINT)
    if with_gpus:
        pools["on-demand-gpu"] = _tasks_on_demand(with_gpus, vcpus - share, labels=GPU_LABEL.selector, taint=GPU_TAINT)
    return pools


def _tasks_on_demand(groups: Sequence[SpotNodes], vcpus: int, *, labels: Mapping[str, str], taint: NodeTaint) -> Value:
    return {
        "weight": _FALLBACK,
        "labels": dict(labels),
        "taints": _manifests([taint]),
        "requirements": [
            *_requirements("on-demand", _types_of(groups)),
            # A node gets the value that its first pod selects. Not the interruptible taint, so that tasks that cannot
            # bear an interruption, each task's last attempt among them, have a place of every size.
            _requirement(INTERRUPTIBLE_LABEL.key, INTERRUPTIBLE_LABEL.value, ON_DEMAND_LABEL.value),
        ],
        "limits": {"cpu": str(vcpus)},
        "consolidation": "WhenEmpty",
        "expireAfter": _TWO_WEEKS,
    }


def _types_of(groups: Iterable[SpotNodes]) -> list[str]:
    return sorted({instance_type for group in groups for instance_type in group.instance_types})


def _requirements(capacity_type: str, instance_types: Sequence[str]) -> list[Value]:
    return [
        _requirement("karpenter.sh/capacity-type", capacity_type),
        _requirement("kubernetes.io/os", "linux"),
        # Without it, Karpenter takes amd64.
        _requirement("kubernetes.io/arch", *sorted({instance_shape(each).architecture for each in instance_types})),
        _requirement("node.kubernetes.io/instance-type", *instance_types),
    ]


def _requirement(key: str, *values: str) -> Value:
    return {"key": key, "operator": "In", "values": list(values)}


def _manifests(taints: Iterable[NodeTaint]) -> list[Value]:
    return [dict(taint.manifest) for taint in taints]


def _limits(group: SpotNodes | SystemNodes) -> dict[str, Value]:
    added = group.max_size - group.min_size
    limits = {"cpu": group.max_vcpus, "memory": group.max_memory_gib, GPU_TAINT.key: group.max_gpus}
    each = {resource: most // group.max_size for resource, most in limits.items() if most}
    return {
        resource: f"{added * amount}Gi" if resource == "memory" else str(added * amount)
        for resource, amount in each.items()
    }
