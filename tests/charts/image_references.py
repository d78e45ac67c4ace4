"""Finds images in what helm renders, and in values."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aerodrome_stacks.environment import Environment

# A registry, a path, a tag and perhaps a digest, as they stand in a field, in an argument or in a file of a ConfigMap.
_REFERENCE = re.compile(
    r"(?<![\w./-])(?P<name>(?:[a-z0-9-]+\.)+[a-z]{2,}(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)+):(?P<tag>\w[\w.-]*)"
    r"(?:@sha256:[0-9a-f]{64})?(?![\w./:-])"
)
# Where a registry can be left out: Docker Hub's are meant then.
_SHORT = re.compile(r"(?P<name>[a-z0-9]+(?:[._-][a-z0-9]+)*(?:/[a-z0-9]+(?:[._-][a-z0-9]+)*)?):(?P<tag>\w[\w.-]*)")


def images_in(value: Any, key: str = "") -> set[str]:  # noqa: ANN401 - any JSON value
    """Every image that is named anywhere in a value, each with its registry and its tag."""
    return {f"{name}:{tag}" for name, tag in _found(value, key)}


def own_images(environment: Environment) -> set[str]:
    """The images of an environment's connectors: in a registry of its own already, so neither listed nor mirrored."""
    return images_in([{"image": image} for image in environment.flyte.connector_images.values()])


def _found(value: Any, key: str) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - any JSON value
    if isinstance(value, Mapping):
        for name, child in value.items():
            yield from _found(child, name)
    elif isinstance(value, str):
        yield from _in_text(value, is_image=key == "image")
    elif isinstance(value, Sequence):
        for child in value:
            yield from _found(child, key)


def _in_text(text: str, *, is_image: bool) -> Iterator[tuple[str, str]]:
    short = _SHORT.fullmatch(text) if is_image else None
    if short:
        name = short["name"]
        yield f"docker.io/{name if '/' in name else f'library/{name}'}", short["tag"]
        return
    for match in _REFERENCE.finditer(text):
        # The DNS name of a Service with a path and a port is written like this, and is no image.
        if not match["tag"].isdigit() or is_image:
            yield match["name"], match["tag"]
