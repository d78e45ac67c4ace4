"""Runs helm on charts of our own, and holds what comes out against the schemas of the API server."""

import json
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import yaml

KUBERNETES_VERSIONS = ("1.35", "1.36")

Manifest = Mapping[str, Any]

_CUSTOM_RESOURCES = Path(__file__).parent / "crds"

# What a cluster tells helm, which offline takes its own version for the cluster's, and renders objects in versions that
# are gone (flyte-core's CRD as v1beta1).
_CLUSTER = (
    *("--kube-version", "1.36.0"),
    *("--api-versions", "apiextensions.k8s.io/v1/CustomResourceDefinition"),
    *("--api-versions", "apiregistration.k8s.io/v1/APIService"),
    # Some charts ask for the group, some for the kind.
    *("--api-versions", "monitoring.coreos.com/v1"),
    *("--api-versions", "monitoring.coreos.com/v1/ServiceMonitor"),
    *("--api-versions", "policy/v1/PodDisruptionBudget"),
)


@dataclass(frozen=True)
class Helm:
    """A helm program.

    Attributes:
        program: Where it is.
    """

    program: Path

    def lint(self, chart: Path, values: Mapping[str, Any]) -> str:
        """Lint a chart strictly; a finding is an error that says what helm says."""
        return self._run("lint", str(chart), "--strict", values=values)

    def template(self, chart: Path, *, release: str, namespace: str, values: Mapping[str, Any]) -> list[Manifest]:
        """The manifests of a release, as helm would send them to the API server."""
        rendered = self._run("template", release, str(chart), "--namespace", namespace, *_CLUSTER, values=values)
        # In C: the loader in Python takes longer than helm.
        return [manifest for manifest in yaml.load_all(rendered, yaml.CSafeLoader) if manifest]

    def _run(self, *arguments: str, values: Mapping[str, Any]) -> str:
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(values, file)
            file.flush()
            done = subprocess.run(
                [self.program, *arguments, "--values", file.name],
                check=False,
                capture_output=True,
                text=True,
                timeout=60,
            )
        assert done.returncode == 0, f"helm {arguments[0]} {arguments[1]}:\n{done.stdout}{done.stderr}"
        return done.stdout


def problems(manifest: Manifest, kubernetes_version: str) -> list[str]:
    """What the API server would refuse in a manifest, unknown keys included."""
    custom = _custom_resources().get((manifest["apiVersion"], manifest["kind"]))
    if custom is not None:
        return [
            f"{error.json_path}: {error.message}"
            for error in custom.iter_errors(manifest)
            # What is known on deployment only stands there as ${Name}, and has no form yet.
            if not (error.validator == "pattern" and "${" in str(error.instance))
        ]
    # Alike in most environments, and each look costs 40 ms: the library reads all of Kubernetes' definitions for it.
    return list(_refusals(json.dumps(manifest, sort_keys=True), kubernetes_version))


@cache
def _refusals(manifest: str, kubernetes_version: str) -> tuple[str, ...]:
    try:
        kubernetes_validate.validate(json.loads(manifest), kubernetes_version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return (f"{list(error.path)}: {error.message}",)
    return ()


@cache
def _custom_resources() -> Mapping[tuple[str, str], jsonschema.Draft7Validator]:
    """The validators of custom resources, by API version and kind."""
    schemas = [json.loads(path.read_text(encoding="utf-8")) for path in _CUSTOM_RESOURCES.glob("*.json")]
    return {
        (of["apiVersion"]["const"], of["kind"]["const"]): jsonschema.Draft7Validator(schema)
        for schema in schemas
        for of in [schema["properties"]]
    }
