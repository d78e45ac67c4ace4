"""Where a release's chart comes from: an asset of the CDK, or a folder of charts on this machine."""

import os
import re
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aerodrome_local.kubernetes.helm import HelmError
from aerodrome_local.runtime import Properties, Runtime

FOLDER_VARIABLE = "AERODROME_CHARTS"
"""Names a folder with the charts of repositories: each unpacked in a folder of its name, as ``make charts`` does it, or
as an archive (``NAME-VERSION.tgz``), as ``helm pull`` saves it."""


class NoChartError(Exception):
    """The chart is not on this machine; says where it would be found."""


@contextmanager
def chart_of(properties: Properties, runtime: Runtime) -> Iterator[Path]:
    """The chart of a release, as a folder or an archive.

    Raises:
        NoChartError: The chart is in a repository and not on this machine.
        HelmError: The asset is not what it should be.
    """
    asset = properties.get("ChartAssetURL")
    if asset is None:
        yield _of_a_repository(properties)
        return
    if not asset.startswith("s3://"):
        raise HelmError(f"ChartAssetURL must point to an s3 location but is {asset}")
    with tempfile.TemporaryDirectory() as scratch:
        bucket, _, key = asset.removeprefix("s3://").partition("/")
        archive = Path(scratch, "chart.zip")
        runtime.client("s3").download_file(bucket, key, str(archive))
        with zipfile.ZipFile(archive) as zipped:
            zipped.extractall(Path(scratch, "chart"))
        yield Path(scratch, "chart")


def _of_a_repository(properties: Properties) -> Path:
    # With an OCI repository the CDK gives no Chart: the repository's last part is its name.
    name = properties.get("Chart") or str(properties.get("Repository", "")).rstrip("/").rpartition("/")[2]
    version = str(properties.get("Version", ""))
    folder = os.environ.get(FOLDER_VARIABLE)
    if not folder:
        raise NoChartError(
            f"not rendered: the chart {name} is in a repository; to render it, set {FOLDER_VARIABLE} to a folder with "
            f"{name}, unpacked, or {name}-{version}.tgz before `aerodrome local up`"
        )
    unpacked, archive = Path(folder, name), Path(folder, f"{name}-{version}.tgz")
    if _version_of(unpacked) == version:
        return unpacked
    if not archive.is_file():
        raise NoChartError(f"not rendered: neither {name} {version} nor {archive.name} in {folder} ({FOLDER_VARIABLE})")
    return archive


def _version_of(chart: Path) -> str | None:
    description = chart / "Chart.yaml"
    if not description.is_file():
        return None
    found = re.search(r"^version:[ \t]*[\"']?([^\s\"']+)", description.read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else None
