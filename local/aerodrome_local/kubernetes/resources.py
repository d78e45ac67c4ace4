"""The custom resources of ``aws_eks_v2``, whose Lambda function runs helm and kubectl on AWS.

What they do with their properties is that function's code, ``custom-resource-handlers/dist/aws-eks-v2/kubectl-handler``
in aws-cdk-lib 2.275.0.
"""

import json
import re
from typing import Any

import yaml

from aerodrome_local.kubernetes.records import MANIFESTS, PATCHES, RELEASES, Record, Records
from aerodrome_local.kubernetes.releases import Releases
from aerodrome_local.ministack_private import eks_clusters
from aerodrome_local.resources.conversion import boolean, pick
from aerodrome_local.runtime import Created, Properties, Runtime

_PREFIX = "Custom::AWSCDK-EKS-"


def install(runtime: Runtime) -> None:
    """Register the types and the views ``releases`` and ``manifests``."""
    records = Records(runtime)
    kubernetes = _Kubernetes(records, Releases(runtime, records))
    runtime.resource(
        f"{_PREFIX}HelmChart",
        create=kubernetes.create_release,
        update=kubernetes.update_release,
        delete=kubernetes.delete_release,
    )
    runtime.resource(
        f"{_PREFIX}KubernetesResource",
        create=kubernetes.create_manifest,
        update=kubernetes.update_manifest,
        delete=kubernetes.delete_manifest,
    )
    runtime.resource(
        f"{_PREFIX}KubernetesPatch",
        create=kubernetes.create_patch,
        update=kubernetes.update_patch,
        delete=kubernetes.delete_patch,
    )
    runtime.resource(
        f"{_PREFIX}KubernetesObjectValue",
        create=kubernetes.read_value,
        update=kubernetes.read_value_again,
        delete=lambda _physical_id, _properties: None,
    )
    runtime.on_delete("AWS::EKS::Cluster", lambda name, _properties: records.forget_cluster(name))
    runtime.view("releases", lambda: records.of_kind(RELEASES))
    runtime.view("manifests", lambda: {"manifests": records.of_kind(MANIFESTS), "patches": records.of_kind(PATCHES)})


class _Kubernetes:
    def __init__(self, records: Records, releases: Releases) -> None:
        self._records = records
        self._releases = releases

    def create_release(self, _logical_id: str, properties: Properties, _stack_name: str) -> Created:
        return self._releases.upgrade(properties), {}

    def update_release(self, _physical_id: str, _old: Properties, new: Properties, _stack_name: str) -> Created:
        # With another name or namespace the physical ID is another, and CloudFormation has the old release deleted.
        return self._releases.upgrade(new), {}

    def delete_release(self, _physical_id: str, properties: Properties) -> None:
        self._releases.uninstall(properties)

    def create_manifest(self, logical_id: str, properties: Properties, stack_name: str) -> Created:
        physical_id = f"{stack_name}/{logical_id}"
        objects = _objects(properties)
        if not boolean(properties.get("Overwrite", False)):
            self._refuse_existing(properties["ClusterName"], physical_id, objects)
        self._record(physical_id, properties, objects)
        return physical_id, {}

    def update_manifest(self, physical_id: str, _old: Properties, new: Properties, _stack_name: str) -> Created:
        self._record(physical_id, new, _objects(new))
        return physical_id, {}

    def delete_manifest(self, physical_id: str, properties: Properties) -> None:
        self._records.change(MANIFESTS, properties["ClusterName"], physical_id, lambda _: None)

    def _record(self, physical_id: str, properties: Properties, objects: list[dict[str, Any]]) -> None:
        cluster = _known_cluster(properties)
        record: Record = {"id": physical_id, "objects": objects, **pick(properties, "PruneLabel")}
        self._records.change(MANIFESTS, cluster, physical_id, lambda _: record)

    def _refuse_existing(self, cluster: str, physical_id: str, objects: list[dict[str, Any]]) -> None:
        # `kubectl create` does; what the same resource made before a crash does not count.
        taken = {
            _object_identity(item)
            for record in self._records.of_cluster(MANIFESTS, cluster)
            if record["id"] != physical_id
            for item in record["objects"]
        }
        for item in objects:
            kind, name, namespace = _object_identity(item)
            if (kind, name, namespace) in taken:
                raise ValueError(f'Error from server (AlreadyExists): {kind} "{name}" already exists in {namespace!r}')

    def create_patch(self, logical_id: str, properties: Properties, stack_name: str) -> Created:
        return self.update_patch(f"{stack_name}/{logical_id}", {}, properties, stack_name)

    def update_patch(self, physical_id: str, _old: Properties, new: Properties, _stack_name: str) -> Created:
        record: Record = {
            "id": physical_id,
            "resource": new["ResourceName"],
            "namespace": new["ResourceNamespace"],
            "patch": json.loads(new["ApplyPatchJson"]),
            "restore": json.loads(new["RestorePatchJson"]),
            "type": new["PatchType"],
        }
        self._records.change(PATCHES, _known_cluster(new), physical_id, lambda _: record)
        return physical_id, {}

    def delete_patch(self, physical_id: str, properties: Properties) -> None:
        self._records.change(PATCHES, properties["ClusterName"], physical_id, lambda _: None)

    def read_value(self, logical_id: str, properties: Properties, stack_name: str) -> Created:
        return self.read_value_again(f"{stack_name}/{logical_id}", {}, properties, stack_name)

    def read_value_again(self, physical_id: str, _old: Properties, new: Properties, _stack_name: str) -> Created:
        cluster = _known_cluster(new)
        wanted = (new["ObjectType"].lower(), new["ObjectName"], new["ObjectNamespace"])
        for item in self._objects_of(cluster):
            kind, name, namespace = _object_identity(item)
            if (kind.lower(), name, namespace) == wanted or (f"{kind.lower()}s", name, namespace) == wanted:
                value = _json_path(item, new["JsonPath"])
                if value is not None:
                    return physical_id, {"Value": value if isinstance(value, str) else json.dumps(value)}
        raise ValueError(
            f"{new['JsonPath']} of {'/'.join(wanted)}: the embedded AWS runs no Kubernetes, so it knows only what "
            f"manifests and rendered releases of the cluster {cluster} say, and none says this"
        )

    def _objects_of(self, cluster: str) -> list[dict[str, Any]]:
        found = [item for record in self._records.of_cluster(MANIFESTS, cluster) for item in record["objects"]]
        for release in self._records.of_cluster(RELEASES, cluster):
            found += [item for item in yaml.safe_load_all(release["rendered"]["manifest"] or "") if item]
        return found


def _known_cluster(properties: Properties) -> str:
    cluster = str(properties["ClusterName"])
    if cluster not in eks_clusters:
        raise ValueError(f"there is no cluster {cluster!r}")
    return cluster


def _objects(properties: Properties) -> list[dict[str, Any]]:
    try:
        objects = json.loads(properties["Manifest"])
    except ValueError as error:
        raise ValueError(f"the manifest is not valid JSON: {error}") from error
    for item in objects:
        missing = [name for name in ("apiVersion", "kind", "metadata") if name not in item]
        if missing:
            raise ValueError(f"an object of the manifest has no {', '.join(missing)}: {json.dumps(item)[:200]}")
    return list(objects)


def _object_identity(item: dict[str, Any]) -> tuple[str, str, str]:
    metadata = item["metadata"]
    return item["kind"], metadata.get("name", ""), metadata.get("namespace", "default")


def _json_path(item: Any, path: str) -> Any:  # noqa: ANN401 - any JSON value
    for name, index in re.findall(r"([A-Za-z0-9_-]+)|\[(\d+)\]", path):
        try:
            item = item[int(index)] if index else item[name]
        except (KeyError, IndexError, TypeError):
            return None
    return item
