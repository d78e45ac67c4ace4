"""What is to be copied for an environment: every image and chart, where from and where to."""

from dataclasses import dataclass
from typing import Literal

from aerodrome.mirror.charts import tag_of
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.image_list import (
    Image,
    UpstreamChart,
    all_images,
    chart_repository,
    mirror_repository,
    registry,
    upstream_charts,
)

_OCI = "oci://"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An image or a chart.

    Attributes:
        kind: Which of the two.
        name: What the lock calls it: an image's name and tag, a chart's name and version.
        source: Where it is published: a registry and a path in it, or the URL of a classic repository of charts.
        version: An image's tag, or a chart's version.
        repository: The repository that it is copied to.
        tag: The tag that it has there.
        pinned: The digest that the list or ``release.yaml`` gives, of a chart that of its archive. None: none.
    """

    kind: Literal["image", "chart"]
    name: str
    source: str
    version: str
    repository: str
    tag: str
    pinned: str | None

    @property
    def published_at(self) -> str:
        """Where it is published, with its version, for people."""
        classic = self.source.startswith("https://")
        return f"{self.source}, {self.name}" if classic else f"{self.source}:{self.version}"

    def copied_to(self, host: str) -> str:
        """Where it is copied to, as a pod asks for it."""
        return f"{host}/{self.repository}:{self.tag}"


def items(environment: Environment) -> list[Item]:
    """Everything that is to be copied for an environment: images first, each kind by name."""
    images = [_image(environment, image) for image in all_images()]
    return [*images, *(_chart(environment, chart) for chart in upstream_charts())]


def target_registry(environment: Environment) -> str:
    """The registry that it is copied to."""
    return registry(environment)


def _image(environment: Environment, image: Image) -> Item:
    return Item(
        kind="image",
        name=image.reference,
        source=image.name,
        version=image.tag,
        repository=mirror_repository(environment, image.name),
        tag=image.tag,
        pinned=image.digest,
    )


def _chart(environment: Environment, chart: UpstreamChart) -> Item:
    return Item(
        kind="chart",
        name=f"{chart.name} {chart.version}",
        source=chart.repository.removeprefix(_OCI),
        version=chart.version,
        repository=chart_repository(environment, chart.name),
        tag=tag_of(chart.version),
        pinned=chart.digest,
    )
