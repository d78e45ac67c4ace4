"""The pods that a release asks for without naming their containers: an operator makes them, of an object of its own.

What the operators add stands here as in their source: prometheus-operator v0.93 (``makeStatefulSetSpec`` in
pkg/prometheus/server/statefulset.go and pkg/alertmanager/statefulset.go, ``CreateConfigReloader`` in
pkg/operator/config_reloader.go), and flytepropeller's manager v1.16.8 (``createPods`` in manager/manager.go).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import yaml

from tests.charts.helm import Manifest

MONITORS: Final = ("Alertmanager", "Prometheus")
"""The kinds of which prometheus-operator makes StatefulSets, among those that it makes pods of."""

# The operator would put these beside or into its own containers, in ways that are not followed here.
_NOT_FOLLOWED: Final = {"containers", "initContainers", "thanos", "podMetadata"}

# The operator gives its containers this, and nothing that is ours changes it.
_CONTAINER_CONTEXT: Final[Mapping[str, Any]] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}

# What goes from the custom resource into the pod as it stands.
_OF_POD: Final = (
    "affinity",
    "automountServiceAccountToken",
    "hostNetwork",
    "nodeSelector",
    "priorityClassName",
    "securityContext",
    "serviceAccountName",
    "tolerations",
    "topologySpreadConstraints",
    "volumes",
)

_RELOADER: Final = "--prometheus-config-reloader="


def operated(manifests: Sequence[Manifest]) -> Iterator[Manifest]:
    """The workloads that operators make of a release's objects, in the form of a StatefulSet.

    Raises:
        AssertionError: An object has what is not followed here, or what is needed to follow it is not in the release.
    """
    for manifest in manifests:
        if manifest["kind"] in MONITORS and manifest["apiVersion"] == "monitoring.coreos.com/v1":
            yield from _monitors(manifest, manifests)
        elif manifest["kind"] == "PodTemplate":
            yield _shards(manifest, manifests)


def _monitors(manifest: Manifest, manifests: Sequence[Manifest]) -> Iterator[Manifest]:
    kind, spec = manifest["kind"], manifest["spec"]
    name, program = manifest["metadata"]["name"], kind.lower()
    assert not _NOT_FOLLOWED & spec.keys(), f"{kind} {name}: {sorted(_NOT_FOLLOWED & spec.keys())} is not followed here"
    reloader = _reloader(manifests)
    main = {
        "name": program,
        "image": spec["image"],
        "resources": spec.get("resources", {}),
        "securityContext": _CONTAINER_CONTEXT,
        # Of the pod's own address. Alertmanager has none where it listens to its own pod only.
        **({} if kind == "Alertmanager" and spec.get("listenLocal") else _probes("http-web")),
    }
    beside = {**reloader, "name": "config-reloader"}
    before = {key: value for key, value in reloader.items() if not key.endswith("Probe")}
    labels = {
        "app.kubernetes.io/name": program,
        "app.kubernetes.io/managed-by": "prometheus-operator",
        "app.kubernetes.io/instance": name,
        program: name,
    }
    for shard in range(spec.get("shards", 1) if kind == "Prometheus" else 1):
        yield {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {
                "name": f"{program}-{name}" + (f"-shard-{shard}" if shard else ""),
                "namespace": manifest["metadata"]["namespace"],
            },
            "spec": {
                "replicas": spec.get("replicas", 1),
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        **{key: spec[key] for key in _OF_POD if key in spec},
                        "initContainers": [{**before, "name": "init-config-reloader"}],
                        "containers": [main, beside],
                    },
                },
                "volumeClaimTemplates": [
                    spec["storage"][key] for key in ("volumeClaimTemplate",) if key in spec.get("storage", {})
                ],
            },
        }


def _reloader(manifests: Sequence[Manifest]) -> Mapping[str, Any]:
    """The container beside each, as the operator's arguments say."""
    operators = [
        container["args"]
        for manifest in manifests
        if manifest["kind"] == "Deployment"
        for container in manifest["spec"]["template"]["spec"]["containers"]
        if any(argument.startswith(_RELOADER) for argument in container.get("args", []))
    ]
    assert len(operators) == 1, f"{len(operators)} operators in this release say which reloader they put into pods"
    said = dict(argument.split("=", 1) for argument in operators[0] if "=" in argument)
    resources: dict[str, dict[str, str]] = {"requests": {}, "limits": {}}
    for resource in ("cpu", "memory"):
        for kind, of_kind in resources.items():
            # 0 is for none.
            if (quantity := said.get(f"--config-reloader-{resource}-{kind.removesuffix('s')}", "0")) != "0":
                of_kind[resource] = quantity
    return {
        "image": said[_RELOADER.removesuffix("=")],
        "resources": resources,
        "securityContext": _CONTAINER_CONTEXT,
        **(_probes("reloader-web") if said.get("--enable-config-reloader-probes") == "true" else {}),
    }


def _probes(port: str) -> Mapping[str, Any]:
    return {probe: {"httpGet": {"port": port}} for probe in ("livenessProbe", "readinessProbe")}


def _shards(manifest: Manifest, manifests: Sequence[Manifest]) -> Manifest:
    """The pods that flytepropeller's manager makes, one for each shard, of the template that it is told of."""
    name = manifest["metadata"]["name"]
    managers = [
        core["manager"]
        for one in manifests
        if one["kind"] == "ConfigMap" and "core.yaml" in one["data"]
        for core in [yaml.safe_load(one["data"]["core.yaml"])]
        if core.get("manager", {}).get("pod-template-name") == name
    ]
    assert managers, f"PodTemplate {name}: no manager that makes pods of it is known here"
    return {**manifest, "spec": {"replicas": managers[0]["shard"]["shard-count"], "template": manifest["template"]}}
