"""The list of images, ``charts/images.yaml``, and where an environment takes each from.

An image is copied to, or cached in, a repository of the account's own registry whose name says where it is from:
``aerodrome/prod/quay.io/prometheus/prometheus`` in a mirror, ``aerodrome/prod/quay/prometheus/prometheus`` in a cache.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from ruamel.yaml import YAML

from aerodrome_stacks.environment import Environment

PULL_THROUGH: Final[Mapping[str, str]] = MappingProxyType(
    {"public.ecr.aws": "ecr", "quay.io": "quay", "registry.k8s.io": "k8s"}
)
"""Registries that ECR's pull-through cache takes without a password, and what each is called in a cache's prefix.

A prefix has at most 30 characters, and an environment's name up to 12 of them. Docker Hub, ghcr.io and nvcr.io want an
account, or are none that ECR knows (https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache.html).
"""

_CHARTS = Path(__file__).parents[2] / "charts"
_BESIDE = "beside"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image that the platform runs.

    Attributes:
        name: The registry and the path: ``quay.io/prometheus/prometheus``.
        tag: The tag.
        digest: Its digest, where a chart pins it.
        values: Values of the release that lead to another place, by their paths, with ``{registry}``, ``{repository}``
            and ``{image}`` in them. Empty for what no release asks for.
    """

    name: str
    tag: str
    digest: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def reference(self) -> str:
        """The image as a pod asks for it: ``quay.io/prometheus/prometheus:v3.14.0-distroless``."""
        return f"{self.name}:{self.tag}"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamChart:
    """A chart that others publish, as its ``release.yaml`` says. Read here, as the command does without the CDK.

    Attributes:
        name: Its name.
        version: Its version.
        repository: Where it is published, as of :class:`aerodrome_constructs.helm.ReleaseSpec`.
        digest: The SHA-256 of its archive, where it is known.
    """

    name: str
    version: str
    repository: str
    digest: str | None


@cache
def release_images() -> Mapping[str, tuple[Image, ...]]:
    """The images of each release, by its folder in ``charts/``."""
    return {folder: tuple(map(_image, entry["images"])) for folder, entry in _document().items() if folder != _BESIDE}


@cache
def other_images() -> tuple[Image, ...]:
    """The images that no release asks for."""
    return tuple(map(_image, _document()[_BESIDE]))


@cache
def all_images() -> tuple[Image, ...]:
    """Every image once, in the order of their names."""
    every = {image.reference: image for images in (*release_images().values(), other_images()) for image in images}
    return tuple(every[reference] for reference in sorted(every))


@cache
def upstream_charts() -> tuple[UpstreamChart, ...]:
    """The charts that others publish, in the order of their folders."""
    releases = (_yaml(file) for file in sorted(_CHARTS.glob("*/release.yaml")))
    return tuple(
        UpstreamChart(
            name=release["chart"],
            version=release["version"],
            repository=release["repository"],
            digest=release.get("digest"),
        )
        for release in releases
        if "repository" in release
    )


def registry(environment: Environment) -> str:
    """The account's own registry in the environment's region."""
    return f"{environment.account}.dkr.ecr.{environment.region}.amazonaws.com"


def repository_prefix(environment: Environment) -> str:
    """The first part of the name of every repository of the environment: ``aerodrome/prod/``."""
    return f"aerodrome/{environment.name}/"


def mirror_repository(environment: Environment, name: str) -> str:
    """The repository that an image is copied to."""
    return f"{repository_prefix(environment)}{name}"


def chart_repository(environment: Environment, chart: str) -> str:
    """The repository that a chart is copied to. Helm wants the chart's name for its last part."""
    return f"{repository_prefix(environment)}charts/{chart}"


def mirror_repositories(environment: Environment) -> list[str]:
    """Every repository of a mirror, for images and for charts."""
    images = {mirror_repository(environment, image.name) for image in all_images()}
    charts = {chart_repository(environment, chart.name) for chart in upstream_charts()}
    return sorted(images | charts)


def cache_prefix(environment: Environment, upstream: str) -> str:
    """The prefix of the repositories that cache a registry."""
    return f"{repository_prefix(environment)}{PULL_THROUGH[upstream]}"


def pulled_from(environment: Environment, name: str) -> str:
    """Where an environment pulls an image from: a name without a tag."""
    upstream, _, path = name.partition("/")
    if environment.images == "mirror":
        return f"{registry(environment)}/{mirror_repository(environment, name)}"
    if environment.images == "pull-through" and upstream in PULL_THROUGH:
        return f"{registry(environment)}/{cache_prefix(environment, upstream)}/{path}"
    return name


def _image(entry: Mapping[str, Any]) -> Image:
    name, _, tag = str(entry["image"]).rpartition(":")
    return Image(name=name, tag=tag, digest=entry.get("digest"), values=dict(entry.get("set", {})))


@cache
def _document() -> Mapping[str, Any]:
    return _yaml(_CHARTS / "images.yaml")


def _yaml(file: Path) -> Mapping[str, Any]:
    return dict(YAML(typ="safe").load(file))
