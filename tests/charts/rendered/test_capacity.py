"""The nodes of the platform's own components have room for them."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from aerodrome_constructs.cluster.scheduling import SYSTEM_LABEL
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.aws import instance_shape
from tests.charts.rendered.workloads import Cluster, Workload

# What a node leaves to pods of ours: the rest is the kubelet's, and that of what EKS puts on each (kube-proxy, the VPC
# CNI, the EBS driver) and we do (the node exporter, Fluent Bit).
SHARE = 0.8
UNITS = {"m": 1e-3, "": 1.0, "Mi": 2.0**20, "Gi": 2.0**30}


def amount(quantity: str | float) -> float:
    """A quantity of Kubernetes as a number."""
    text = str(quantity)
    unit = text.lstrip("0123456789.")
    return float(text.removesuffix(unit)) * UNITS[unit]


def asked(workload: Workload, resource: str) -> float:
    """What one pod asks for: its containers together, or one of those that run before, where that asks for more."""

    def of(containers: list[Mapping[str, Any]]) -> list[float]:
        return [amount(((one.get("resources") or {}).get("requests") or {}).get(resource, 0)) for one in containers]

    return max([sum(of(workload.spec["containers"])), *of(workload.spec.get("initContainers", []))])


def on_system_nodes(cluster: Cluster) -> Iterator[Workload]:
    """The workloads that are always there, on the nodes of the platform."""
    for workload in cluster.workloads():
        if workload.serves and workload.spec.get("nodeSelector", {}).get(SYSTEM_LABEL.key) == SYSTEM_LABEL.value:
            yield workload


@pytest.mark.parametrize("resource", ["cpu", "memory"])
def test_the_nodes_have_room(rendered_case: Cluster, environment_of_case: Environment, resource: str) -> None:
    nodes = environment_of_case.cluster.system_nodes
    shapes = [instance_shape(name) for name in nodes.instance_types]
    of_node = {
        "cpu": float(min(shape.vcpus for shape in shapes)),
        "memory": min(shape.memory_gib or 0 for shape in shapes) * 2.0**30,
    }[resource]
    workloads = list(on_system_nodes(rendered_case))
    assert workloads

    pods = {workload.name: asked(workload, resource) for workload in workloads}
    together = sum(workload.replicas * pods[workload.name] for workload in workloads)

    assert {name: pod for name, pod in pods.items() if pod > SHARE * of_node} == {}
    # At most so many; the autoscaler of nodes adds to the fewest.
    assert together <= SHARE * nodes.max_size * of_node


def test_quantities_are_read() -> None:
    assert [amount(one) for one in ("250m", "2", 2, "1Gi", "64Mi")] == [0.25, 2, 2, 2**30, 64 * 2**20]
