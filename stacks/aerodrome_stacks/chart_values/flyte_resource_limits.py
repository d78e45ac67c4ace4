"""Values of ``charts/flyte-core`` about what there is little of: flytepropeller's resource manager.

Read in Flyte v1.16.8: a plugin registers pools, each with the most tasks that may hold it at once, and asks for a place
before it starts one (``flyteplugins/go/tasks/pluginmachinery/core/resource_manager.go``). Of the plugins that are
enabled here two do, each with one pool: whatever a connector starts, and the pods of map tasks of the old kind. Plain
containers, array nodes and jobs of AWS Batch never ask. Who holds what is a set in Redis
(``flytepropeller/pkg/controller/nodes/task/resourcemanager``).
"""

from collections.abc import Mapping
from typing import Final

from aerodrome_constructs.helm import Value
from aerodrome_stacks.environment.flyte import LimitedPlugin

CONNECTORS: Final = "connector-service"
"""Tasks that connectors start elsewhere, such as queries of a warehouse: of every connector together."""

MAP_TASKS: Final = "k8s-array"
"""Pods of map tasks of the old kind, ``flytekit.core.legacy_map_task``. ``map_task`` of today is another kind."""

RESOURCE_STORE: Final = "resource-store"
"""The Service of the store (``charts/aerodrome-flyte``)."""

_PORT = 6379

# Where Flyte's own limits are lifted: the most that an environment may name (``environment/flyte.py``).
_NO_LIMIT = 100_000


def resource_limits(limits: Mapping[LimitedPlugin, int]) -> dict[str, Value]:
    """What flytepropeller limits.

    Args:
        limits: Most tasks at once, of all projects together, by the plugin that starts them. Empty: nothing is limited.
    """
    if not limits:
        return {}
    return {
        "configmap": {
            "resource_manager": {
                "propeller": {
                    "resourcemanager": {
                        "type": "redis",
                        # A pool with more is an error at the start, and the connectors' has 1,000 by default.
                        "resourceMaxQuota": _NO_LIMIT,
                        "redis": {"hostPaths": [f"{RESOURCE_STORE}.flyte.svc.cluster.local:{_PORT}"], "maxRetries": 3},
                    }
                }
            },
            "k8s": {"plugins": {CONNECTORS: _connectors(limits.get(CONNECTORS, _NO_LIMIT)), **_map_tasks(limits)}},
        }
    }


def _connectors(most: int) -> dict[str, Value]:
    # Beside the pool, Flyte would let no project have more than 100, and none more than 50 in a domain.
    return {
        "webApi": {"resourceQuotas": {"default": most}},
        "resourceConstraints": {
            "projectScopeResourceConstraint": {"value": most},
            "namespaceScopeResourceConstraint": {"value": most},
        },
    }


def _map_tasks(limits: Mapping[LimitedPlugin, int]) -> dict[str, Value]:
    if MAP_TASKS not in limits:
        return {}
    return {MAP_TASKS: {"resourceConfig": {"primaryLabel": "pods", "limit": limits[MAP_TASKS]}}}
