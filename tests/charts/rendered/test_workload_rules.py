"""Every workload keeps the rules of ``workloads.py``, or stands in ``exceptions.yaml`` with the reason."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from pytest_cdk.settings import Settings
from tests.charts.rendered.everything import EVERYTHING
from tests.charts.rendered.exceptions import Breach, exceptions
from tests.charts.rendered.workloads import RULES, Cluster

GOOD: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "box", "namespace": "boxes"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "box"}},
        "template": {
            "metadata": {"labels": {"app": "box", "more": "yes"}},
            "spec": {
                "serviceAccountName": "box",
                "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
                "topologySpreadConstraints": [{"maxSkew": 1}],
                "containers": [
                    {
                        "name": "box",
                        "image": "example.com/box:1.2.3",
                        "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}},
                        "livenessProbe": {},
                        "readinessProbe": {},
                        "securityContext": {
                            "allowPrivilegeEscalation": False,
                            "capabilities": {"drop": ["ALL"]},
                            "readOnlyRootFilesystem": True,
                        },
                    }
                ],
            },
        },
    },
}
AROUND: list[dict[str, Any]] = [
    {
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "box", "namespace": "boxes"},
        "spec": {"selector": {"matchLabels": {"app": "box"}}},
    },
    {
        "kind": "ServiceAccount",
        "metadata": {"name": "box", "namespace": "boxes"},
        "automountServiceAccountToken": False,
    },
]


def breaches(cluster: Cluster) -> dict[Breach, list[str]]:
    """Every rule that a workload breaks, with what breaks it."""
    return {
        Breach(workload.release, workload.name, rule): found
        for workload in cluster.workloads()
        for rule, check in RULES.items()
        if (found := list(check(workload, cluster)))
    }


def test_every_workload_keeps_the_rules(rendered_case: Cluster) -> None:
    assert rendered_case.workloads()
    unknown = {breach: found for breach, found in breaches(rendered_case).items() if breach not in exceptions()}

    assert unknown == {}


def test_no_exception_is_idle(clusters: Callable[[str], Cluster], cdk_settings: Settings) -> None:
    each = [clusters(name) for name in (*cdk_settings.variants, EVERYTHING)]
    rendered = {release for cluster in each for release in cluster.manifests}
    found = {breach for cluster in each for breach in breaches(cluster)}

    assert {breach for breach in exceptions() if breach.release in rendered} <= found


def test_every_exception_has_a_reason_and_a_rule() -> None:
    assert exceptions()
    for breach, reason in exceptions().items():
        assert breach.rule in RULES
        assert len(reason.split()) > 3, breach


@pytest.mark.parametrize("rule", RULES)
def test_a_workload_without_fault_breaks_no_rule(rule: str) -> None:
    cluster = Cluster({"boxes": [GOOD, *AROUND]})
    (workload,) = cluster.workloads()

    assert list(RULES[rule](workload, cluster)) == []


def container(manifest: dict[str, Any]) -> dict[str, Any]:
    """The container of the good workload."""
    found: dict[str, Any] = manifest["spec"]["template"]["spec"]["containers"][0]
    return found


def claim(storage_class: str | None = None) -> dict[str, Any]:
    """A claim on a volume, of the cluster's default class without one."""
    return {"spec": {} if storage_class is None else {"storageClassName": storage_class}}


FAULTS: dict[str, list[Callable[[dict[str, Any]], Any]]] = {
    "pinned-image": [
        lambda box: container(box).update(image="example.com/box"),
        lambda box: container(box).update(image="example.com/box:latest"),
        lambda box: container(box).update(image="example.com:5000/box"),
    ],
    "resources": [
        lambda box: container(box).pop("resources"),
        lambda box: container(box)["resources"]["limits"].pop("memory"),
        lambda box: container(box)["resources"]["requests"].pop("cpu"),
    ],
    "probes": [
        lambda box: container(box).pop("livenessProbe"),
        lambda box: container(box).pop("readinessProbe"),
    ],
    "disruption-budget": [lambda box: box["spec"]["template"]["metadata"].update(labels={"app": "other"})],
    "non-root": [
        lambda box: box["spec"]["template"]["spec"].pop("securityContext"),
        lambda box: container(box)["securityContext"].update(runAsNonRoot=False),
    ],
    "seccomp": [lambda box: box["spec"]["template"]["spec"]["securityContext"].pop("seccompProfile")],
    "no-escalation": [lambda box: container(box)["securityContext"].pop("allowPrivilegeEscalation")],
    "no-capabilities": [
        lambda box: container(box)["securityContext"].pop("capabilities"),
        lambda box: container(box)["securityContext"]["capabilities"].update(add=["SYS_ADMIN"]),
    ],
    "no-host-access": [
        lambda box: box["spec"]["template"]["spec"].update(hostNetwork=True),
        lambda box: box["spec"]["template"]["spec"].update(volumes=[{"name": "root", "hostPath": {"path": "/"}}]),
        lambda box: container(box)["securityContext"].update(privileged=True),
        lambda box: container(box)["securityContext"].update(seLinuxOptions={"type": "spc_t"}),
        lambda box: container(box).update(ports=[{"containerPort": 80, "hostPort": 80}]),
    ],
    "read-only-root": [lambda box: container(box)["securityContext"].pop("readOnlyRootFilesystem")],
    "spread": [lambda box: box["spec"]["template"]["spec"].pop("topologySpreadConstraints")],
    "storage": [
        lambda box: box.update(kind="StatefulSet"),
        lambda box: (box.update(kind="StatefulSet"), box["spec"].update(volumeClaimTemplates=[claim()])),
        lambda box: (box.update(kind="StatefulSet"), box["spec"].update(volumeClaimTemplates=[claim("gp2")])),
    ],
    "no-idle-token": [
        lambda box: box["spec"]["template"]["spec"].update(automountServiceAccountToken=True),
        lambda box: box["spec"]["template"]["spec"].update(serviceAccountName="default"),
    ],
}


def test_every_rule_is_tried_on_a_fault() -> None:
    assert FAULTS.keys() == RULES.keys()


@pytest.mark.parametrize(
    ("rule", "number"), [(rule, number) for rule, faults in FAULTS.items() for number in range(len(faults))]
)
def test_a_fault_breaks_its_rule(rule: str, number: int) -> None:
    broken = deepcopy(GOOD)
    FAULTS[rule][number](broken)
    cluster = Cluster({"boxes": [broken, *AROUND]})
    (workload,) = cluster.workloads()

    assert list(RULES[rule](workload, cluster))


def test_a_limit_range_gives_containers_what_they_do_not_ask_for() -> None:
    bare = deepcopy(GOOD)
    del container(bare)["resources"]["requests"]
    limits: dict[str, Any] = {
        "kind": "LimitRange",
        "metadata": {"name": "defaults", "namespace": "boxes"},
        "spec": {"limits": [{"type": "Container", "defaultRequest": {"cpu": "1", "memory": "1Mi"}}]},
    }
    cluster = Cluster({"boxes": [bare, limits]})
    (workload,) = cluster.workloads()

    assert list(RULES["resources"](workload, cluster)) == []


def test_a_claim_on_a_volume_of_a_class_that_is_there_breaks_no_rule() -> None:
    kept = {**GOOD, "kind": "StatefulSet", "spec": {**GOOD["spec"], "volumeClaimTemplates": [claim("gp3")]}}
    cluster = Cluster({"boxes": [kept, {"kind": "StorageClass", "metadata": {"name": "gp3"}}]})
    (workload,) = cluster.workloads()

    assert list(RULES["storage"](workload, cluster)) == []


def test_an_autoscaler_says_how_many_pods_there_are() -> None:
    scaled: dict[str, Any] = {
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "box", "namespace": "boxes"},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "box"}, "minReplicas": 3},
    }
    (workload,) = Cluster({"boxes": [GOOD, scaled]}).workloads()

    assert workload.replicas == 3
