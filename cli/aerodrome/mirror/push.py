"""Copies what is listed, one after the other, and goes on where one fails."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from aerodrome.mirror.charts import fetch_chart
from aerodrome.mirror.copying import Copied, Place, copy, moved, published
from aerodrome.mirror.items import Item
from aerodrome.mirror.lock import Lock
from aerodrome.mirror.manifests import Manifest, MirrorError
from aerodrome.mirror.registry import Registry

Sources = Callable[[str], Registry]
"""Gives the registry of a name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one item.

    Attributes:
        item: The item.
        copied: What was copied. None: nothing.
        problem: What kept it from being copied. None: nothing.
    """

    item: Item
    copied: Copied | None = None
    problem: str | None = None


def push(items: Sequence[Item], target: Registry, lock: Lock, sources: Sources) -> Iterator[Outcome]:
    """Copy everything, and lock what is seen for the first time.

    Args:
        items: What to copy.
        target: Where to.
        lock: What each was when it was first copied.
        sources: The registries that they are published in.

    Yields:
        What became of each, as soon as it is known.
    """
    for item in items:
        place = Place(registry=target, repository=item.repository, tag=item.tag)
        try:
            expected = lock.digest_of(item)
            copied = _copy(item, place, expected, sources)
            if expected is None:
                lock.add(item, copied.digest)
            yield Outcome(item=item, copied=copied)
        except MirrorError as error:
            yield Outcome(item=item, problem=str(error))


def _copy(item: Item, target: Place, expected: str | None, sources: Sources) -> Copied:
    there = target.registry.manifest(target.repository, target.tag)
    if expected is not None and there is not None and expected in {there.digest, *there.layer_digests}:
        # Nobody else is asked: registries count requests, and some forget old versions.
        return Copied(digest=expected, present=True)
    if item.kind == "chart" and "://" in item.source:
        return _copy_classic_chart(item, target, expected)
    host, _, repository = item.source.partition("/")
    source = Place(registry=sources(host), repository=repository, tag=item.tag)
    if item.kind == "image":
        return copy(source, target, published(source, expected))
    manifest = published(source, None)
    digest = _archive_digest(source, manifest)
    if expected not in {None, digest}:
        raise moved(item.name, digest, str(expected))
    copied = copy(source, target, manifest)
    return Copied(digest=digest, present=copied.present, uploaded=copied.uploaded)


def _archive_digest(source: Place, manifest: Manifest) -> str:
    if manifest.is_index or not manifest.layer_digests:
        raise MirrorError(f"{source.name}: is no chart; see that its release.yaml names the right repository")
    return manifest.layer_digests[0]


def _copy_classic_chart(item: Item, target: Place, expected: str | None) -> Copied:
    chart = fetch_chart(item.source, item.name.partition(" ")[0], item.version)
    if expected not in {None, chart.digest}:
        raise moved(item.name, chart.digest, str(expected))
    there = target.registry.manifest(target.repository, target.tag)
    if there is not None:
        # Helm itself may have put it there: what it says beside the archive may differ, the archive not.
        if chart.digest not in there.layer_digests:
            raise MirrorError(
                f"{target.name}: has another archive than {item.source}, which has {chart.digest}: a tag that was "
                "copied does not move; find out which of the two is right, and delete the copy if it is not that one"
            )
        return Copied(digest=chart.digest, present=True)
    uploaded = 0
    for blob, content in chart.parts.items():
        if not target.registry.has_blob(target.repository, blob.digest):
            target.registry.put_blob(target.repository, blob, [content])
            uploaded += blob.size
    target.registry.put_manifest(target.repository, target.tag, chart.manifest)
    return Copied(digest=chart.digest, uploaded=uploaded)
