"""What is held against every workload, whoever wrote its chart."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tests.charts.helm import Manifest
from tests.charts.rendered.operated import operated

KINDS: Final = {"Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"}
"""The kinds that Kubernetes itself makes pods of."""

# Those that say how many pods they have.
_COUNTED: Final = {"Deployment", "StatefulSet", "PodTemplate"}
# An image's tag, or its digest, which says more.
_PINNED = re.compile(
    r"^[^@]*(:(?!latest($|@))[A-Za-z0-9_][A-Za-z0-9_.-]*)(@sha256:[0-9a-f]{64})?$|@sha256:[0-9a-f]{64}$"
)


@dataclass(frozen=True)
class Workload:
    """A workload in a render, with what else there tells about it.

    Attributes:
        release: The release that it is part of.
        manifest: The workload.
        pod: The template of its pods.
        replicas: How many pods it has, at least.
        namespace: Where they are.
    """

    release: str
    manifest: Manifest
    pod: Mapping[str, Any]
    replicas: int
    namespace: str

    @property
    def name(self) -> str:
        """Kind and name."""
        return f"{self.manifest['kind']}/{self.manifest['metadata']['name']}"

    @property
    def spec(self) -> Mapping[str, Any]:
        """The specification of its pods."""
        return dict(self.pod["spec"])

    @property
    def containers(self) -> list[Mapping[str, Any]]:
        """Containers, those that run first among them."""
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    @property
    def serves(self) -> bool:
        """Whether it runs for good."""
        return self.manifest["kind"] not in {"Job", "CronJob"}


@dataclass(frozen=True)
class Cluster:
    """Everything that the releases of an environment put into its cluster.

    Attributes:
        manifests: The objects, by release, each with its namespace.
    """

    manifests: Mapping[str, Sequence[Manifest]]
    _bound: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Find who has rights in the Kubernetes API."""
        for manifest in self.of_kinds("RoleBinding", "ClusterRoleBinding"):
            for subject in manifest.get("subjects") or []:
                if subject["kind"] == "ServiceAccount":
                    namespace = subject.get("namespace") or manifest["metadata"]["namespace"]
                    self._bound.add((namespace, subject["name"]))

    def of_kinds(self, *kinds: str) -> Iterator[Manifest]:
        """All objects of some kinds."""
        for manifests in self.manifests.values():
            yield from (manifest for manifest in manifests if manifest["kind"] in kinds)

    def workloads(self) -> list[Workload]:
        """All workloads, those that operators make of objects of their own among them."""
        minimum = {
            (one["metadata"]["namespace"], one["spec"]["scaleTargetRef"]["name"]): one["spec"].get("minReplicas", 1)
            for one in self.of_kinds("HorizontalPodAutoscaler")
        }
        return [
            _workload(release, manifest, minimum)
            for release, manifests in self.manifests.items()
            for manifest in (*(one for one in manifests if one["kind"] in KINDS), *operated(manifests))
        ]

    def defaults(self, namespace: str) -> set[str]:
        """What a LimitRange gives to the containers of a namespace that do not ask for it themselves."""
        kinds = {"defaultRequest": "requests", "default": "limits"}
        return {
            f"{kinds[key]}.{resource}"
            for one in self.of_kinds("LimitRange")
            if one["metadata"]["namespace"] == namespace
            for limit in one["spec"]["limits"]
            if limit["type"] == "Container"
            for key in kinds.keys() & limit.keys()
            for resource in limit[key]
        }

    def uses_the_api(self, workload: Workload) -> bool:
        """Whether the workload's service account has rights in the Kubernetes API."""
        return (workload.namespace, workload.spec.get("serviceAccountName", "default")) in self._bound

    def mounts_token(self, workload: Workload) -> bool:
        """Whether the pods get a token of the service account for the Kubernetes API."""
        own = workload.spec.get("automountServiceAccountToken")
        if own is not None:
            return bool(own)
        name = workload.spec.get("serviceAccountName", "default")
        accounts = [
            one
            for one in self.of_kinds("ServiceAccount")
            if (one["metadata"]["namespace"], one["metadata"]["name"]) == (workload.namespace, name)
        ]
        return all(one.get("automountServiceAccountToken", True) for one in accounts)

    def is_guarded(self, workload: Workload) -> bool:
        """Whether a PodDisruptionBudget holds for the pods."""
        labels = workload.pod["metadata"].get("labels", {})
        return any(
            one["metadata"]["namespace"] == workload.namespace
            and one["spec"]["selector"].get("matchLabels", {}).items() <= labels.items()
            for one in self.of_kinds("PodDisruptionBudget")
        )


def _workload(release: str, manifest: Manifest, minimum: Mapping[tuple[str, str], int]) -> Workload:
    spec = manifest["spec"]
    pod = spec["jobTemplate"]["spec"]["template"] if manifest["kind"] == "CronJob" else spec["template"]
    namespace = manifest["metadata"]["namespace"]
    least = minimum.get((namespace, manifest["metadata"]["name"]), spec.get("replicas", 1))
    return Workload(release, manifest, pod, least if manifest["kind"] in _COUNTED else 1, namespace)


def _image(workload: Workload, _: Cluster) -> Iterator[str]:
    for container in workload.containers:
        if not _PINNED.search(container["image"]):
            yield f"{container['name']}: {container['image']}"


def _resources(workload: Workload, cluster: Cluster) -> Iterator[str]:
    defaults = cluster.defaults(workload.namespace)
    for container in workload.containers:
        given = container.get("resources") or {}
        has = defaults | {f"{kind}.{key}" for kind in ("requests", "limits") for key in given.get(kind) or {}}
        if missing := {"requests.cpu", "requests.memory", "limits.memory"} - has:
            yield f"{container['name']}: no {', '.join(sorted(missing))}"


def _probes(workload: Workload, _: Cluster) -> Iterator[str]:
    if workload.serves:
        for container in workload.spec["containers"]:
            if missing := {"livenessProbe", "readinessProbe"} - container.keys():
                yield f"{container['name']}: no {', '.join(sorted(missing))}"


def _budget(workload: Workload, cluster: Cluster) -> Iterator[str]:
    if workload.replicas > 1 and not cluster.is_guarded(workload):
        yield f"{workload.replicas} replicas"


def _effective(workload: Workload, key: str) -> Iterator[tuple[str, Any]]:
    of_pod = (workload.spec.get("securityContext") or {}).get(key)
    for container in workload.containers:
        own = (container.get("securityContext") or {}).get(key)
        yield container["name"], of_pod if own is None else own


def _non_root(workload: Workload, _: Cluster) -> Iterator[str]:
    yield from (name for name, value in _effective(workload, "runAsNonRoot") if value is not True)


def _seccomp(workload: Workload, _: Cluster) -> Iterator[str]:
    profiles = _effective(workload, "seccompProfile")
    yield from (name for name, value in profiles if (value or {}).get("type") not in {"RuntimeDefault", "Localhost"})


def _escalation(workload: Workload, _: Cluster) -> Iterator[str]:
    for container in workload.containers:
        context = container.get("securityContext") or {}
        if context.get("allowPrivilegeEscalation") is not False:
            yield container["name"]


def _capabilities(workload: Workload, _: Cluster) -> Iterator[str]:
    for container in workload.containers:
        capabilities = (container.get("securityContext") or {}).get("capabilities") or {}
        if "ALL" not in capabilities.get("drop", []) or capabilities.get("add"):
            yield container["name"]


def _host(workload: Workload, _: Cluster) -> Iterator[str]:
    yield from (key for key in ("hostNetwork", "hostPID", "hostIPC") if workload.spec.get(key))
    yield from (f"volume {one['name']}" for one in workload.spec.get("volumes", []) if "hostPath" in one)
    for container in workload.containers:
        context = container.get("securityContext") or {}
        if context.get("privileged"):
            yield f"{container['name']}: privileged"
        options = context.get("seLinuxOptions") or (workload.spec.get("securityContext") or {}).get("seLinuxOptions")
        if (options or {}).get("type") == "spc_t":
            yield f"{container['name']}: spc_t"
        yield from (f"{container['name']}: hostPort" for port in container.get("ports") or [] if port.get("hostPort"))


def _read_only_root(workload: Workload, _: Cluster) -> Iterator[str]:
    for container in workload.containers:
        if (container.get("securityContext") or {}).get("readOnlyRootFilesystem") is not True:
            yield container["name"]


def _spread(workload: Workload, _: Cluster) -> Iterator[str]:
    apart = (workload.spec.get("affinity") or {}).get("podAntiAffinity")
    if workload.replicas > 1 and not apart and not workload.spec.get("topologySpreadConstraints"):
        yield f"{workload.replicas} replicas"


def _storage(workload: Workload, cluster: Cluster) -> Iterator[str]:
    if workload.manifest["kind"] == "StatefulSet":
        claims = workload.manifest["spec"].get("volumeClaimTemplates") or []
        classes = {one["metadata"]["name"] for one in cluster.of_kinds("StorageClass")}
        if not claims:
            yield "no volume"
        # Without a class a claim gets the cluster's default, whatever that is by then.
        yield from (
            str(name) for name in (one["spec"].get("storageClassName") for one in claims) if name not in classes
        )


def _token(workload: Workload, cluster: Cluster) -> Iterator[str]:
    if cluster.mounts_token(workload) and not cluster.uses_the_api(workload):
        yield str(workload.spec.get("serviceAccountName", "default"))


RULES: Final[Mapping[str, Callable[[Workload, Cluster], Iterator[str]]]] = {
    "pinned-image": _image,
    "resources": _resources,
    "probes": _probes,
    "disruption-budget": _budget,
    "non-root": _non_root,
    "seccomp": _seccomp,
    "no-escalation": _escalation,
    "no-capabilities": _capabilities,
    "no-host-access": _host,
    "read-only-root": _read_only_root,
    "spread": _spread,
    "storage": _storage,
    "no-idle-token": _token,
}
"""What is held against every workload. A rule yields what breaks it."""
