"""Helm releases: ``helm upgrade --install`` as far as it goes without a Kubernetes."""

import json
from typing import Any

import yaml

from aerodrome_local.kubernetes.charts import NoChartError, chart_of
from aerodrome_local.kubernetes.helm import render
from aerodrome_local.kubernetes.records import RELEASES, Record, Records
from aerodrome_local.ministack_private import eks_clusters
from aerodrome_local.resources.conversion import boolean
from aerodrome_local.runtime import Properties, Runtime


class Releases:
    """Installs, upgrades and uninstalls releases in the records."""

    def __init__(self, runtime: Runtime, records: Records) -> None:
        self._runtime = runtime
        self._records = records

    def upgrade(self, properties: Properties) -> str:
        """Install a release, or upgrade it to its next revision.

        Returns:
            The physical ID: ``cluster/namespace/release``.

        Raises:
            ValueError: The cluster is missing, or the values are not valid JSON.
            TypeError: The values are JSON but no object.
            HelmError: Helm refuses to render the chart; with its message.
        """
        cluster, namespace, name = _identity(properties)
        values = _values(properties)
        rendered = self._render(properties, values)

        def upgraded(before: Record | None) -> Record:
            return {
                "release": name,
                "namespace": namespace,
                "chart": properties.get("Chart") or "asset of the app",
                "version": properties.get("Version"),
                "repository": properties.get("Repository"),
                "chart_asset": properties.get("ChartAssetURL"),
                "create_namespace": boolean(properties.get("CreateNamespace", False)),
                "atomic": boolean(properties.get("Atomic", False)),
                "wait": boolean(properties.get("Wait", False)),
                "timeout": properties.get("Timeout"),
                "revision": 1 if before is None else before["revision"] + 1,
                "values": values,
                "rendered": rendered,
            }

        self._records.change(RELEASES, cluster, f"{namespace}/{name}", upgraded)
        return f"{cluster}/{namespace}/{name}"

    def uninstall(self, properties: Properties) -> None:
        """Remove a release. One that is not there is no error."""
        cluster, namespace, name = _identity(properties)
        self._records.change(RELEASES, cluster, f"{namespace}/{name}", lambda _: None)

    def _render(self, properties: Properties, values: dict[str, Any]) -> dict[str, Any]:
        cluster, namespace, name = _identity(properties)
        if cluster not in eks_clusters:
            raise ValueError(f"no cluster {cluster!r} to install the release {name} on")
        try:
            with chart_of(properties, self._runtime) as chart:
                manifest = render(
                    chart,
                    release=name,
                    namespace=namespace,
                    values=values,
                    kubernetes_version=str(eks_clusters[cluster]["version"]),
                    skip_crds=boolean(properties.get("SkipCrds", False)),
                )
        except NoChartError as reason:
            return {"done": False, "reason": str(reason), "objects": 0, "manifest": None}
        objects = [item for item in yaml.safe_load_all(manifest) if item]
        return {"done": True, "reason": None, "objects": len(objects), "manifest": manifest}


def _identity(properties: Properties) -> tuple[str, str, str]:
    return properties["ClusterName"], properties.get("Namespace", "default"), properties["Release"]


def _values(properties: Properties) -> dict[str, Any]:
    try:
        values = json.loads(properties.get("Values", "{}"))
    except ValueError as error:
        raise ValueError(f"the values of the release {properties['Release']} are not valid JSON: {error}") from error
    if not isinstance(values, dict):
        raise TypeError(f"the values of the release {properties['Release']} are no JSON object: {values!r}")
    return values
