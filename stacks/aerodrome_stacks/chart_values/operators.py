"""The operators behind Flyte's plugins: which are installed, and how Prometheus finds them.

Each has a folder in ``charts/`` and takes nothing from other stacks. Their CRDs are what flytepropeller watches: a
plugin (:mod:`aerodrome_stacks.chart_values.flyte_plugins`) is enabled only where its operator is here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aerodrome_constructs.helm import Value
from aerodrome_stacks.chart_values.flyte_plugins import OPERATORS_NAMESPACE
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.flyte import Plugin


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """An operator.

    Attributes:
        construct_id: The release's ID in its stack.
        folder: Its folder in ``charts/``.
        pods: The labels of its pods that serve metrics.
        metrics_port: The name of their port.
    """

    construct_id: str
    folder: str
    pods: Mapping[str, str]
    metrics_port: str


OPERATORS: Mapping[Plugin, Operator] = {
    "spark": Operator(
        construct_id="SparkOperator",
        folder="spark-operator",
        pods={"app.kubernetes.io/name": "spark-operator"},
        metrics_port="metrics",
    ),
    "ray": Operator(
        construct_id="RayOperator",
        folder="kuberay-operator",
        pods={"app.kubernetes.io/name": "kuberay-operator"},
        metrics_port="http",
    ),
    "pytorch": Operator(
        construct_id="TrainingOperator",
        folder="aerodrome-training-operator",
        pods={"app.kubernetes.io/name": "training-operator"},
        metrics_port="metrics",
    ),
}
"""The operator of each plugin."""


def operators(environment: Environment) -> Sequence[Operator]:
    """The operators of the plugins that the environment has."""
    return [OPERATORS[plugin] for plugin in environment.flyte.plugins]


def pod_monitors(environment: Environment) -> list[Value]:
    """What Prometheus scrapes of them, as ``charts/kube-prometheus-stack`` takes it.

    It is not in their own charts: they are installed before the CRDs of Prometheus are there.
    """
    return [
        {
            "name": operator.folder,
            "namespaceSelector": {"matchNames": [OPERATORS_NAMESPACE]},
            "selector": {"matchLabels": dict(operator.pods)},
            # Theirs say which project's namespace a job is in.
            "podMetricsEndpoints": [{"port": operator.metrics_port, "honorLabels": True}],
        }
        for operator in operators(environment)
    ]
