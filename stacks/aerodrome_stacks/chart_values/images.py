"""Where a release takes its images and its chart from, in an environment that does not take them from their publishers.

What leads a chart to another registry is in ``charts/images.yaml``, beside each image.
"""

from collections.abc import Mapping

from aerodrome_constructs.helm import ReleaseSpec, Value
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.image_list import Image, chart_repository, pulled_from, registry, release_images


def image_values(environment: Environment, folder: str) -> dict[str, Value]:
    """Values that lead a release to where the environment pulls its images from.

    Args:
        environment: What the team decided. One that takes images from their publishers needs no values.
        folder: The release's folder in ``charts/``.
    """
    values: dict[str, Value] = {}
    for image in release_images().get(folder, ()):
        place = pulled_from(environment, image.name)
        if place != image.name:
            for path, template in image.values.items():
                _set(values, path.split("."), _filled(template, place, image))
    return values


def taken_from(environment: Environment, folder: str, spec: ReleaseSpec) -> ReleaseSpec:
    """A release as an environment installs it: with its images, or them and its chart, from the account's registry."""
    values = _over(spec.values, image_values(environment, folder))
    if environment.images != "mirror" or spec.chart is None:
        return spec.with_source(repository=spec.repository, values=values)
    place = f"oci://{registry(environment)}/{chart_repository(environment, spec.chart)}"
    return spec.with_source(repository=place, values=values)


def _filled(template: str, place: str, image: Image) -> str:
    # The path is as long as before: what stands in front of it is the registry.
    path = image.name.partition("/")[2]
    return template.format(registry=place.removesuffix(f"/{path}"), repository=place, image=f"{place}:{image.tag}")


def _set(values: dict[str, Value], keys: list[str], value: str) -> None:
    *parents, last = keys
    for key in parents:
        below = values.setdefault(key, {})
        if not isinstance(below, dict):
            raise TypeError(f"charts/images.yaml sets {'.'.join(keys)}, and something above it, too")
        values = below
    values[last] = value


def _over(values: Mapping[str, Value], ours: Mapping[str, Value]) -> dict[str, Value]:
    """Values with others laid over them."""
    merged = dict(values)
    for key, value in ours.items():
        below = merged.get(key)
        merged[key] = _over(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged
