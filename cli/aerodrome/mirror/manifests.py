"""Manifests: what an image or a chart consists of, and what says so by its digest."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
_DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
_DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
_INDEXES: Final = frozenset({OCI_INDEX, _DOCKER_LIST})

KNOWN_TYPES: Final = (OCI_INDEX, _DOCKER_LIST, OCI_MANIFEST, _DOCKER_MANIFEST)
"""The kinds that are copied. Docker's first, without digests of its own, is none of them."""


class MirrorError(Exception):
    """What keeps something from being copied. The message says what, and how to mend it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A part of an image: a layer, or its configuration.

    Attributes:
        digest: What it is known by.
        size: Its size in bytes.
    """

    digest: str
    size: int


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A manifest, to the byte: one that is written anew has another digest.

    Attributes:
        media_type: What kind it is.
        body: What it says.
    """

    media_type: str
    body: bytes

    @cached_property
    def digest(self) -> str:
        """What it is known by."""
        return digest_of(self.body)

    @property
    def is_index(self) -> bool:
        """Whether it lists manifests, one a platform."""
        return self.media_type in _INDEXES

    @property
    def children(self) -> list[str]:
        """The digests of the manifests that an index lists: those of every platform, and of how each was made."""
        return [one["digest"] for one in self._document.get("manifests", [])]

    @property
    def blobs(self) -> list[Blob]:
        """The parts of an image that registries hand out."""
        return [Blob(digest=one["digest"], size=one["size"]) for one in self._parts()]

    @property
    def layer_digests(self) -> list[str]:
        """The digests of its layers."""
        return [one["digest"] for one in self._document.get("layers", [])]

    @cached_property
    def _document(self) -> Mapping[str, Any]:
        document: Mapping[str, Any] = json.loads(self.body)
        return document

    def _parts(self) -> Iterator[Mapping[str, Any]]:
        yield self._document["config"]
        # A layer with addresses of its own (of Windows) is not for registries to hand on.
        yield from (layer for layer in self._document["layers"] if not layer.get("urls"))


def digest_of(content: bytes) -> str:
    """What content is known by in a registry."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
