"""Pull the upstream charts that the platform pins, and unpack them for the tests that render them: ``make charts``.

Run: ``python tools/pull_charts.py [folder]``; ``.charts`` when no folder is given. A chart that has not the digest that
``release.yaml`` names is refused.
"""

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from aerodrome_constructs.helm import ReleaseSpec
from kubectl_layer import kubectl_layer

ROOT = Path(__file__).parents[1]


class PullError(Exception):
    """A chart could not be pulled, or is not the one that is pinned."""


def upstream(charts: Path) -> list[ReleaseSpec]:
    """The releases of upstream charts."""
    specs = [ReleaseSpec.from_folder(folder) for folder in sorted(charts.iterdir()) if folder.is_dir()]
    return [spec for spec in specs if not spec.is_local]


def pull(spec: ReleaseSpec, into: Path, helm: Path) -> None:
    """Pull one chart and unpack it into ``into/<chart>``.

    Raises:
        PullError: Helm does not get it, or it is not the one that is pinned.
    """
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [helm, "pull", *_source(spec), "--version", spec.version, "--destination", folder],
            check=False,
            capture_output=True,
            text=True,
            timeout=300,
        )
        if done.returncode != 0:
            said = " ".join((done.stderr or done.stdout).split())
            raise PullError(f"{spec.chart} {spec.version} from {spec.repository}: {said}")
        (package,) = Path(folder).glob("*.tgz")
        digest = f"sha256:{hashlib.sha256(package.read_bytes()).hexdigest()}"
        if spec.digest not in {None, digest}:
            raise PullError(
                f"{spec.chart} {spec.version} from {spec.repository} is {digest}, and {spec.digest} is pinned in "
                f"{spec.folder.name}/release.yaml: somebody put another chart behind the version; do not install it"
            )
        unpacked = Path(folder) / "unpacked"
        with tarfile.open(package) as archive:
            archive.extractall(unpacked, filter="data")
        (chart,) = unpacked.iterdir()
        target = into / str(spec.chart)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(chart, target)


def pull_all(specs: Iterable[ReleaseSpec], into: Path, helm: Path) -> list[str]:
    """Pull every chart and return what went wrong."""
    into.mkdir(parents=True, exist_ok=True)
    problems = []
    for spec in specs:
        try:
            pull(spec, into, helm)
        except PullError as error:
            problems.append(str(error))
    return problems


def main(arguments: Sequence[str]) -> int:
    """Run the tool."""
    into = Path(arguments[0]) if arguments else ROOT / ".charts"
    specs = upstream(ROOT / "charts")
    problems = pull_all(specs, into, kubectl_layer().helm)
    for problem in problems:
        print(f"aerodrome: {problem}", file=sys.stderr)
    if problems:
        print(
            f"aerodrome: {len(problems)} of {len(specs)} charts are not there. This needs a network; without one, "
            "unpack them yourself and name the folder: AERODROME_CHARTS=folder make rendered",
            file=sys.stderr,
        )
        return 1
    print(f"{len(specs)} charts in {into}; make rendered renders them")
    return 0


def _source(spec: ReleaseSpec) -> list[str]:
    repository = str(spec.repository)
    return [repository] if repository.startswith("oci://") else [str(spec.chart), "--repo", repository]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
