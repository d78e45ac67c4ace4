"""Values about connectors, which start tasks elsewhere: how flytepropeller finds them, and the pods that they are.

Read in Flyte v1.16.8, ``flyteplugins/go/tasks/plugins/webapi/connector``. Every ten seconds the plugin asks each
connector for the types that it starts, with their versions and whether it answers at once (``ListAgents``), and hands
a task to the one that names its type. ``connectorForTaskTypes``, which says the same beforehand, is not set for an
environment's own: it would take precedence, and have every connector called as one that does not answer at once, which
that of AWS Batch is (:mod:`aerodrome_stacks.chart_values.flyte_batch_connector`).
"""

from typing import Final

from aerodrome_constructs.helm import Value
from aerodrome_stacks.chart_values import flyte_batch_connector
from aerodrome_stacks.chart_values.flyte_resource_limits import CONNECTORS
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.flyte import BATCH_CONNECTOR

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
    types = environment.flyte.connector_task_types
    if not types:
        return {}
    found: dict[str, Value] = {name: _deployment(name) for name in environment.flyte.connectors}
    settings: dict[str, Value] = {"supportedTaskTypes": sorted(types)}
    if environment.flyte.batch_connector:
        found[BATCH_CONNECTOR] = flyte_batch_connector.endpoint(_endpoint(BATCH_CONNECTOR))
        settings |= flyte_batch_connector.plugin(_endpoint(BATCH_CONNECTOR))
    settings["connectors"] = found
    return {"configmap": {"k8s": {"plugins": {CONNECTORS: settings}}}}


def deployments(environment: Environment) -> dict[str, Value]:
    """What ``charts/aerodrome-flyte`` makes of each but that of AWS Batch.

    The images are the environment's own, and never mirrored.
    """
    return {
        name: {"image": connector.image, "replicas": connector.replicas}
        for name, connector in environment.flyte.connectors.items()
    }


def _endpoint(name: str) -> str:
    return f"dns:///{service(name)}.flyte.svc.cluster.local:{PORT}"


def _deployment(name: str) -> dict[str, Value]:
    return {
        "endpoint": _endpoint(name),
        # Within the cluster, where a network policy lets nobody else to it.
        "insecure": True,
        "defaultServiceConfig": _IN_TURN,
        "defaultTimeout": _TIMEOUT,
    }
