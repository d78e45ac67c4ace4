"""Values about connectors, which start tasks elsewhere: how flytepropeller finds them, and the pods that they are.

Read in Flyte v1.16.8, ``flyteplugins/go/tasks/plugins/webapi/connector``. Every ten seconds the plugin asks each
connector for the types that it starts, with their versions and whether it answers at once (``ListAgents``), and hands
a task to the one that names its type. ``connectorForTaskTypes``, which says the same beforehand, is not set: it would
take precedence, and have every connector called as one that does not answer at once.
"""

from typing import Final

from aerodrome_constructs.helm import Value
from aerodrome_stacks.chart_values.flyte_resource_limits import CONNECTORS
from aerodrome_stacks.environment import Environment

PORT: Final = 8000
"""Where a connector answers, in gRPC (``charts/aerodrome-flyte``)."""

_IN_TURN = '{"loadBalancingConfig": [{"round_robin":{}}]}'
# Connectors that answer at once call somebody else meanwhile. By operation it cannot be said: of the operations' names,
# Flyte's configuration would lose the capitals.
_TIMEOUT = "30s"


def service(name: str) -> str:
    """The Service of a connector, and its Deployment."""
    return f"connector-{name}"


def plugin(environment: Environment) -> dict[str, Value]:
    """Where flytepropeller finds the connectors. Without any, the plugin keeps what it has by default, which is none.

    The types stand in ``supportedTaskTypes``, too. With that flytepropeller knows them as it starts: it would otherwise
    run a task as a plain container while no pod of its connector answers. So it is an error, and tried again.
    """
    connectors = environment.flyte.connectors
    if not connectors:
        return {}
    types = sorted(kind for connector in connectors.values() for kind in connector.task_types)
    deployments: dict[str, Value] = {name: _deployment(name) for name in connectors}
    return {
        "configmap": {"k8s": {"plugins": {CONNECTORS: {"connectors": deployments, "supportedTaskTypes": [*types]}}}}
    }


def deployments(environment: Environment) -> dict[str, Value]:
    """What ``charts/aerodrome-flyte`` makes of each. The images are the environment's own, and never mirrored."""
    return {
        name: {"image": connector.image, "replicas": connector.replicas}
        for name, connector in environment.flyte.connectors.items()
    }


def _deployment(name: str) -> dict[str, Value]:
    return {
        "endpoint": f"dns:///{service(name)}.flyte.svc.cluster.local:{PORT}",
        # Within the cluster, where a network policy lets nobody else to it.
        "insecure": True,
        "defaultServiceConfig": _IN_TURN,
        "defaultTimeout": _TIMEOUT,
    }
