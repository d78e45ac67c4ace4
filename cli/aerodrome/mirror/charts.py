"""Charts: out of a classic repository, and into a registry as Helm itself would put them there.

The form is Helm's own (https://helm.sh/docs/topics/registries/): a configuration that is the chart's ``Chart.yaml`` as
JSON, and one layer that is the archive.
"""

import io
import json
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urljoin

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from aerodrome.mirror.download import download
from aerodrome.mirror.manifests import OCI_MANIFEST, Blob, Manifest, MirrorError, digest_of

_CONFIGURATION: Final = "application/vnd.cncf.helm.config.v1+json"
_ARCHIVE: Final = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A packaged chart, as a registry keeps it.

    Attributes:
        manifest: What names its two parts.
        parts: What they are: its configuration and its archive.
        digest: That of the archive, which repositories publish, too.
    """

    manifest: Manifest
    parts: Mapping[Blob, bytes]
    digest: str


def fetch_chart(repository: str, chart: str, version: str) -> Chart:
    """Get a chart out of a classic repository.

    Args:
        repository: The repository's URL.
        chart: The chart's name in it.
        version: Its version, as the repository writes it.

    Raises:
        MirrorError: The repository does not answer or does not have it, or the archive is not what its index promises.
    """
    base = f"{repository.rstrip('/')}/"
    entry = _entry(download(f"{base}index.yaml").decode(), chart, version)
    if entry is None or not entry.get("urls"):
        raise MirrorError(f"{repository}: has no chart {chart} in version {version}; see charts/{chart}/release.yaml")
    url = urljoin(base, entry["urls"][0])
    archive = download(url)
    digest, promised = digest_of(archive), str(entry.get("digest") or "").removeprefix("sha256:")
    if promised and digest != f"sha256:{promised}":
        raise MirrorError(
            f"{url}: is {digest}, and the repository's index promises sha256:{promised}: what came is not what was "
            "published; it was not copied"
        )
    return package(archive, chart)


def package(archive: bytes, chart: str) -> Chart:
    """Write what a registry keeps of a packaged chart: the same for the same archive, whenever it is written.

    Args:
        archive: The archive.
        chart: The chart's name, which is the name of the folder in it.

    Raises:
        MirrorError: It is none.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as files:
            member = files.extractfile(f"{chart}/Chart.yaml")
            about = dict(YAML(typ="safe").load(member.read() if member else b""))
    except (tarfile.TarError, KeyError, TypeError, YAMLError, EOFError, OSError) as error:
        raise MirrorError(f"chart {chart}: what came is no packaged chart ({type(error).__name__})") from None
    configuration = json.dumps(about, sort_keys=True, separators=(",", ":"), default=str).encode()
    parts = {Blob(digest=digest_of(content), size=len(content)): content for content in (configuration, archive)}
    of_configuration, of_archive = parts
    body = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": _descriptor(_CONFIGURATION, of_configuration),
        "layers": [_descriptor(_ARCHIVE, of_archive)],
        "annotations": {
            "org.opencontainers.image.title": str(about.get("name", chart)),
            "org.opencontainers.image.version": str(about.get("version", "")),
        },
    }
    manifest = Manifest(media_type=OCI_MANIFEST, body=json.dumps(body, separators=(",", ":")).encode())
    return Chart(manifest=manifest, parts=parts, digest=of_archive.digest)


def tag_of(version: str) -> str:
    """The tag of a chart's version. A tag has no plus sign, and Helm writes an underscore for it."""
    return version.replace("+", "_")


def _descriptor(media_type: str, blob: Blob) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": blob.digest, "size": blob.size}


def _entry(index: str, chart: str, version: str) -> Mapping[str, Any] | None:
    # An index holds every version of every chart, ten megabytes and more, which the YAML library reads in minutes. Helm
    # writes it one line a value: the chart's part is found by its indentation, and the version's in that.
    of_chart = re.search(
        rf"^(?P<indent> +){re.escape(chart)}:\n(?P<body>(?:(?P=indent)[ -].*\n|\n)+)", index, re.MULTILINE
    )
    if of_chart is None:
        return None
    body = of_chart["body"]
    indent = " " * (len(body) - len(body.lstrip(" ")))
    for text in re.split(rf"^(?={indent}- )", body, flags=re.MULTILINE):
        # A chart's dependencies have versions, too.
        if re.search(rf"^ +(?:- )?version: [\"']?{re.escape(version)}[\"']?$", text, re.MULTILINE):
            entry: Mapping[str, Any]
            (entry,) = YAML(typ="safe").load(text)
            if str(entry.get("version")) == version:
                return entry
    return None
