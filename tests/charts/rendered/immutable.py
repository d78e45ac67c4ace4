"""What Kubernetes and Helm never let go of an object once it is there: a change of it needs the object made anew."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tests.charts.deployed import mebibytes
from tests.charts.helm import Manifest

_CLAIM: Final = ("spec", "storage", "volumeClaimTemplate", "spec")

# Fields by kind, as the API server refuses to change them ("field is immutable").
_FIELDS: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "Deployment": (("spec", "selector"),),
    "DaemonSet": (("spec", "selector"),),
    "Service": (("spec", "clusterIP"),),
    "Job": (("spec", "selector"), ("spec", "template")),
    "StatefulSet": (
        ("spec", "selector"),
        ("spec", "serviceName"),
        ("spec", "podManagementPolicy"),
        ("spec", "volumeClaimTemplates"),
    ),
    "StorageClass": (("provisioner",), ("parameters",), ("reclaimPolicy",), ("volumeBindingMode",)),
    "PersistentVolumeClaim": (("spec", "storageClassName"), ("spec", "accessModes"), ("spec", "volumeName")),
    "RoleBinding": (("roleRef",),),
    "ClusterRoleBinding": (("roleRef",),),
    "PriorityClass": (("value",),),
    "CustomResourceDefinition": (("spec", "group"), ("spec", "scope"), ("spec", "names", "kind")),
    "Prometheus": ((*_CLAIM, "storageClassName"),),
    "Alertmanager": ((*_CLAIM, "storageClassName"),),
}

# Volumes grow, and never shrink.
_VOLUMES: Final[Mapping[str, tuple[str, ...]]] = {
    "PersistentVolumeClaim": ("spec", "resources", "requests", "storage"),
    "Prometheus": (*_CLAIM, "resources", "requests", "storage"),
    "Alertmanager": (*_CLAIM, "resources", "requests", "storage"),
}

_KEEP: Final = "Keep it, or write the steps of a migration into docs/how-to and record it with make record-release"


def immutable_fields(manifest: Manifest) -> dict[str, Any]:
    """The fields of an object that cannot change, or only grow, by path; what is not given is left out.

    An object that is a hook has none: Helm deletes it before it makes it again.
    """
    kind, metadata = manifest["kind"], manifest["metadata"]
    if "helm.sh/hook" in (metadata.get("annotations") or {}):
        return {}
    paths = [*_FIELDS.get(kind, ()), *([_VOLUMES[kind]] if kind in _VOLUMES else [])]
    if manifest.get("immutable") is True:  # a ConfigMap or a Secret that says so of itself
        paths += [("data",), ("binaryData",), ("stringData",), ("immutable",)]
    found = {".".join(path): _at(manifest, path) for path in paths}
    return {path: value for path, value in found.items() if value is not None}


def refusals(last: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """What an upgrade from the last release would be refused for, or would do beside it.

    Args:
        last: What was released: ``releases`` by name, each with chart and namespace, and ``objects``, each with the
            fields that cannot change.
        now: The same of what is rendered now. Objects that it does not have are none of its concern: Helm deletes
            them, or they were not rendered.
    """
    for name, was in last["releases"].items():
        release = now["releases"].get(name)
        if release is None:
            yield f"the release {name} is gone, or has another name: Helm would install it a second time. {_KEEP}"
            continue
        yield from (
            f"the release {name} was of the {key} {was[key]} and is of {release[key]}. {_KEEP}"
            for key in ("chart", "namespace")
            if release[key] != was[key]
        )
    for name, fields in last["objects"].items():
        found = now["objects"].get(name)
        for path in sorted(fields.keys() | found.keys()) if found is not None else ():
            before, after = fields.get(path), found.get(path)
            if before != after and not _grows(path, before, after):
                yield f"{name}: {path} was {before!r} and is {after!r}, which Kubernetes refuses to change. {_KEEP}"


def _grows(path: str, before: object, after: object) -> bool:
    volume = path in {".".join(one) for one in _VOLUMES.values()}
    return volume and isinstance(before, str) and isinstance(after, str) and mebibytes(after) > mebibytes(before)


def _at(value: Any, path: tuple[str, ...]) -> Any:  # noqa: ANN401 - any JSON value
    for key in path:
        if not isinstance(value, Mapping) or key not in value:
            return None
        value = value[key]
    return value
