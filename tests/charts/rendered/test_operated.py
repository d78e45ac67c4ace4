"""What operators make of objects of their own is held against the rules as well, and nothing makes pods unseen."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest

from tests.charts.rendered.operated import MONITORS, operated
from tests.charts.rendered.workloads import KINDS, RULES, Cluster

# Kinds of prometheus-operator of which it makes no pods.
NO_PODS = {"AlertmanagerConfig", "PodMonitor", "Probe", "PrometheusRule", "ScrapeConfig", "ServiceMonitor"}

OPERATOR: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "operator", "namespace": "monitoring"},
    "spec": {
        "template": {
            "metadata": {},
            "spec": {
                "containers": [
                    {
                        "name": "operator",
                        "image": "example.com/operator:1",
                        "args": [
                            "--prometheus-config-reloader=example.com/reloader:1",
                            "--config-reloader-cpu-request=10m",
                            "--config-reloader-cpu-limit=0",
                            "--config-reloader-memory-request=32Mi",
                            "--config-reloader-memory-limit=64Mi",
                            "--enable-config-reloader-probes=true",
                        ],
                    }
                ]
            },
        }
    },
}
PROMETHEUS: dict[str, Any] = {
    "apiVersion": "monitoring.coreos.com/v1",
    "kind": "Prometheus",
    "metadata": {"name": "all", "namespace": "monitoring"},
    "spec": {
        "image": "example.com/prometheus:1",
        "replicas": 2,
        "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}},
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "automountServiceAccountToken": False,
        "topologySpreadConstraints": [{"maxSkew": 1}],
        "storage": {"volumeClaimTemplate": {"spec": {"storageClassName": "gp3"}}},
    },
}
AROUND: list[dict[str, Any]] = [
    {"kind": "StorageClass", "metadata": {"name": "gp3"}},
    {
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "all", "namespace": "monitoring"},
        "spec": {"selector": {"matchLabels": {"prometheus": "all", "app.kubernetes.io/name": "prometheus"}}},
    },
]


def broken_rules(operator: dict[str, Any], prometheus: dict[str, Any]) -> set[str]:
    """The rules that the pods of a Prometheus break."""
    cluster = Cluster({"monitoring": [operator, prometheus, *AROUND]})
    (workload,) = [one for one in cluster.workloads() if one.name == "StatefulSet/prometheus-all"]
    return {rule for rule, check in RULES.items() if list(check(workload, cluster))}


def arguments(operator: dict[str, Any]) -> list[str]:
    """What the operator is told."""
    found: list[str] = operator["spec"]["template"]["spec"]["containers"][0]["args"]
    return found


def test_a_prometheus_without_fault_breaks_no_rule() -> None:
    assert broken_rules(OPERATOR, PROMETHEUS) == set()


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ("pinned-image", lambda _, spec: spec.update(image="example.com/prometheus")),
        ("pinned-image", lambda operator, _: arguments(operator).__setitem__(0, "--prometheus-config-reloader=box")),
        ("resources", lambda _, spec: spec.pop("resources")),
        ("resources", lambda operator, _: arguments(operator).remove("--config-reloader-memory-limit=64Mi")),
        ("resources", lambda operator, _: arguments(operator).__setitem__(1, "--config-reloader-cpu-request=0")),
        ("probes", lambda operator, _: arguments(operator).remove("--enable-config-reloader-probes=true")),
        ("non-root", lambda _, spec: spec["securityContext"].pop("runAsNonRoot")),
        ("seccomp", lambda _, spec: spec["securityContext"].pop("seccompProfile")),
        ("no-host-access", lambda _, spec: spec.update(hostNetwork=True)),
        ("no-host-access", lambda _, spec: spec.update(volumes=[{"name": "root", "hostPath": {"path": "/"}}])),
        ("spread", lambda _, spec: spec.pop("topologySpreadConstraints")),
        ("no-idle-token", lambda _, spec: spec.pop("automountServiceAccountToken")),
        ("storage", lambda _, spec: spec.pop("storage")),
        ("storage", lambda _, spec: spec["storage"]["volumeClaimTemplate"]["spec"].pop("storageClassName")),
    ],
)
def test_a_fault_of_a_prometheus_breaks_its_rule(
    rule: str, fault: Callable[[dict[str, Any], dict[str, Any]], Any]
) -> None:
    operator, prometheus = deepcopy(OPERATOR), deepcopy(PROMETHEUS)
    fault(operator, prometheus["spec"])

    assert broken_rules(operator, prometheus) == {rule}


def test_a_budget_for_another_prometheus_guards_it_not() -> None:
    other = {**PROMETHEUS, "metadata": {"name": "other", "namespace": "monitoring"}}
    cluster = Cluster({"monitoring": [OPERATOR, other, *AROUND]})
    (workload,) = [one for one in cluster.workloads() if one.name == "StatefulSet/prometheus-other"]

    assert list(RULES["disruption-budget"](workload, cluster))


@pytest.mark.parametrize("key", ["containers", "initContainers", "thanos", "podMetadata"])
def test_what_is_not_followed_is_refused(key: str) -> None:
    with pytest.raises(AssertionError, match=f"Prometheus all: .*{key}.* is not followed here"):
        list(operated([OPERATOR, {**PROMETHEUS, "spec": {**PROMETHEUS["spec"], key: []}}]))


def test_a_template_of_pods_has_as_many_as_its_manager_makes() -> None:
    core = "manager: { pod-template-name: propeller, shard: { type: Hash, shard-count: 3 } }"
    template = {
        "kind": "PodTemplate",
        "metadata": {"name": "propeller", "namespace": "flyte"},
        "template": {"spec": {}},
    }
    config = {"kind": "ConfigMap", "metadata": {"name": "config", "namespace": "flyte"}, "data": {"core.yaml": core}}
    (workload,) = Cluster({"flyte": [template, config]}).workloads()

    assert (workload.name, workload.replicas) == ("PodTemplate/propeller", 3)
    with pytest.raises(AssertionError, match="PodTemplate propeller: no manager"):
        list(operated([template]))


def test_every_pod_is_looked_at(rendered_case: Cluster) -> None:
    looked_at = {(one.namespace, one.manifest["metadata"]["name"]) for one in rendered_case.workloads()}
    unseen = [
        f"{release}: {manifest['kind']} {manifest['metadata']['name']}"
        for release, manifests in rendered_case.manifests.items()
        for manifest in manifests
        if manifest["kind"] != "CustomResourceDefinition" and any(containers(manifest))
        if manifest["kind"] not in KINDS
        and (manifest["metadata"].get("namespace"), manifest["metadata"]["name"]) not in looked_at
    ]

    assert looked_at
    assert unseen == []


def test_what_prometheus_operator_makes_pods_of_is_known(rendered_case: Cluster) -> None:
    kinds = {
        manifest["kind"]
        for manifests in rendered_case.manifests.values()
        for manifest in manifests
        if manifest["apiVersion"].startswith("monitoring.coreos.com/")
    }

    assert kinds
    assert kinds <= NO_PODS | set(MONITORS)


def containers(value: Any) -> Iterator[Any]:  # noqa: ANN401 - any JSON value
    """The lists of containers that are anywhere in an object."""
    if isinstance(value, dict):
        if isinstance(value.get("containers"), list):
            yield value["containers"]
        value = list(value.values())
    if isinstance(value, list):
        for child in value:
            yield from containers(child)
