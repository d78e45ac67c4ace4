"""Copies an image, or a chart, from one registry to another: to the byte, and nothing that is there already."""

from dataclasses import dataclass

from aerodrome.mirror.manifests import Manifest, MirrorError
from aerodrome.mirror.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something is, or is to be.

    Attributes:
        registry: The registry.
        repository: The path there.
        tag: The tag.
    """

    registry: Registry
    repository: str
    tag: str

    @property
    def name(self) -> str:
        """As a pod asks for it."""
        return f"{self.registry.host}/{self.repository}:{self.tag}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What was copied.

    Attributes:
        digest: What it is known by in both places.
        present: Whether it was there already.
        uploaded: How many bytes of layers and configurations were sent.
    """

    digest: str
    present: bool = False
    uploaded: int = 0


def published(source: Place, expected: str | None) -> Manifest:
    """What is published under a tag.

    Args:
        source: Where.
        expected: The digest that it has. None: it was never looked at before.

    Raises:
        MirrorError: There is nothing, or something else.
    """
    found = source.registry.manifest(source.repository, source.tag)
    if found is None:
        raise MirrorError(
            f"{source.name}: there is no such image; see that charts/images.yaml has its name and tag right"
        )
    if expected is not None and found.digest != expected:
        raise moved(source.name, found.digest, expected)
    return found


def moved(name: str, found: str, expected: str) -> MirrorError:
    """What is said when something is no longer what it was."""
    return MirrorError(
        f"{name}: is {found} now, and was {expected} when it was locked or pinned: somebody put another thing under "
        "the same name; find out what changed, and take its line out of charts/images.lock.yaml if it is to be copied"
    )


def copy(source: Place, target: Place, manifest: Manifest) -> Copied:
    """Copy what is published, for every platform.

    Args:
        source: Where it is published.
        target: Where it is to be. Its repository exists.
        manifest: What is published.

    Raises:
        MirrorError: A registry does not answer or refuses, what it gives is not what it promised, or there is something
            else under the target's tag, which never moves.
    """
    there = target.registry.manifest(target.repository, target.tag)
    if there is not None and there.digest != manifest.digest:
        raise MirrorError(
            f"{target.name}: has {there.digest}, and {source.name} is {manifest.digest}: a tag that was copied does "
            "not move; find out which of the two is right, and delete the copy if it is not that one"
        )
    if there is not None:
        return Copied(digest=manifest.digest, present=True)
    uploaded = _copy_parts(source, target, manifest)
    target.registry.put_manifest(target.repository, target.tag, manifest)
    return Copied(digest=manifest.digest, uploaded=uploaded)


def _copy_parts(source: Place, target: Place, manifest: Manifest) -> int:
    """Copy what a manifest names, so that it may follow; how many bytes that were."""
    if manifest.is_index:
        return sum(_copy_child(source, target, digest) for digest in manifest.children)
    uploaded = 0
    for blob in dict.fromkeys(manifest.blobs):
        if target.registry.has_blob(target.repository, blob.digest):
            continue
        with source.registry.blob(source.repository, blob) as pieces:
            target.registry.put_blob(target.repository, blob, pieces)
        uploaded += blob.size
    return uploaded


def _copy_child(source: Place, target: Place, digest: str) -> int:
    # What is there whole was put after its parts.
    if target.registry.manifest(target.repository, digest) is not None:
        return 0
    manifest = source.registry.manifest(source.repository, digest)
    if manifest is None:
        raise MirrorError(f"{source.name}: lists {digest}, which is not there; run the command again later")
    uploaded = _copy_parts(source, target, manifest)
    target.registry.put_manifest(target.repository, digest, manifest)
    return uploaded
