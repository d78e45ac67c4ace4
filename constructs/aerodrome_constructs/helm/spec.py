"""A Helm release as its folder describes it: which chart, which version, where it goes, and our values."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from aerodrome_constructs.helm.values import Value, Values

_REQUIRED = frozenset({"release", "namespace", "version", "read"})
_OPTIONAL = frozenset({"repository", "chart", "digest"})


class ReleaseSpecError(ValueError):
    """The folder of a release does not describe one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseSpec:
    """What ``charts/<release>/release.yaml`` and the ``values.yaml`` beside it say.

    Attributes:
        folder: The release's folder.
        release: The release's name. It never changes: charts put it into selectors, which Kubernetes does not let go.
        namespace: The namespace that the release is installed in.
        version: The chart's version.
        read: Where the pinned version was read, for whoever moves the pin.
        chart: The chart's name in the repository; ``None`` when the chart is the folder itself.
        repository: The URL of the repository, ``https://`` for a classic one, ``oci://`` up to and including the
            chart's name for a registry; ``None`` when the chart is the folder itself.
        digest: The SHA-256 of the packaged chart, ``sha256:`` and 64 hexadecimal digits, where it is known. It is a
            record to verify a mirror against. Neither Helm nor the CDK's resource checks it on the way: Helm resolves
            name and version in a classic repository and takes what it gets.
        values: Our values for an upstream chart. For a chart of our own, whose ``values.yaml`` Helm reads, those that
            :meth:`with_source` added to it.
    """

    folder: Path
    release: str
    namespace: str
    version: str
    read: str
    chart: str | None
    repository: str | None
    digest: str | None
    values: Values

    def installed_as(self, release: str, namespace: str) -> "ReleaseSpec":
        """The same chart under another name and in another namespace."""
        return replace(self, release=release, namespace=namespace)

    def with_source(self, *, repository: str | None, values: Values) -> "ReleaseSpec":
        """The same release with its chart, and what it pulls, from another place."""
        return replace(self, repository=repository, values=values)

    @property
    def is_local(self) -> bool:
        """Whether the chart is the folder itself."""
        return self.repository is None

    @classmethod
    def from_folder(cls, folder: Path) -> "ReleaseSpec":
        """Read a release's folder.

        Raises:
            ReleaseSpecError: A file is missing or no YAML map, a key is missing or unknown, or a value malformed.
        """
        text = _text_map(folder / "release.yaml")
        keys = text.keys()
        if problem := _REQUIRED - keys or keys - _REQUIRED - _OPTIONAL:
            raise ReleaseSpecError(
                f"{folder / 'release.yaml'}: missing or unknown: {', '.join(sorted(problem))}; "
                f"a release has {', '.join(sorted(_REQUIRED))} and may have {', '.join(sorted(_OPTIONAL))}"
            )
        repository, chart, digest = text.get("repository"), text.get("chart"), text.get("digest")
        _check_source(folder, repository=repository, chart=chart)
        if digest is not None and not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
            raise ReleaseSpecError(
                f"{folder / 'release.yaml'}: digest is {digest!r}; it is 'sha256:' and 64 lower-case hexadecimal digits"
            )
        return cls(
            folder=folder,
            release=text["release"],
            namespace=text["namespace"],
            version=text["version"],
            read=text["read"],
            chart=chart,
            repository=repository,
            digest=digest,
            values={} if repository is None else read_values(folder / "values.yaml"),
        )


def read_values(path: Path) -> dict[str, Value]:
    """Read a file of Helm values.

    Raises:
        ReleaseSpecError: The file is missing, or is not a YAML map with text keys.
    """
    try:
        # A loader is made for every file: ruamel's keeps state between loads.
        content = YAML(typ="safe").load(path)
    except FileNotFoundError:
        raise ReleaseSpecError(f"{path}: no such file; every release has one") from None
    except YAMLError as error:
        raise ReleaseSpecError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, Mapping) or not all(isinstance(key, str) for key in content):
        raise ReleaseSpecError(f"{path}: must be a map with text keys at the top level")
    return dict(content)


def _text_map(path: Path) -> dict[str, str]:
    content = read_values(path)
    text = {key: value for key, value in content.items() if isinstance(value, str)}
    if wrong := content.keys() - text.keys():
        raise ReleaseSpecError(f"{path}: not text: {', '.join(sorted(wrong))}; put the value in quotation marks")
    return text


def _check_source(folder: Path, *, repository: str | None, chart: str | None) -> None:
    if repository is None:
        if chart is not None or not (folder / "Chart.yaml").is_file():
            raise ReleaseSpecError(
                f"{folder / 'release.yaml'}: no repository, so the folder is the chart: "
                "it needs a Chart.yaml, and release.yaml no `chart`"
            )
    elif chart is None or (folder / "Chart.yaml").exists():
        raise ReleaseSpecError(
            f"{folder / 'release.yaml'}: has a repository, so `chart` must name the chart in it, "
            "and the folder must not have a Chart.yaml of its own"
        )
    elif not repository.startswith(("https://", "oci://")):
        raise ReleaseSpecError(
            f"{folder / 'release.yaml'}: repository is {repository!r}; it begins with https:// or oci://"
        )
