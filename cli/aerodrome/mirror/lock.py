"""The lock: the digest that each image and chart had when it was first copied."""

import re
from pathlib import Path
from typing import Final

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from aerodrome.mirror.items import Item
from aerodrome.mirror.manifests import MirrorError

_SECTIONS: Final = {"image": "images", "chart": "charts"}
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_HEADER: Final = """\
# The digest that each image and chart had when it was first copied; of a chart, that of its archive. Written by
# `aerodrome mirror --push`, which copies nothing that has another one now. To be committed.
"""


class Lock:
    """The lock, in ``charts/images.lock.yaml``.

    Args:
        path: The file. One that is not there is an empty lock.

    Raises:
        MirrorError: It is no lock.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        content = _read(path)
        self._digests: dict[str, dict[str, str]] = {name: content.get(name, {}) for name in _SECTIONS.values()}

    def digest_of(self, item: Item) -> str | None:
        """The digest of something, as it is locked or else pinned. None: neither.

        Raises:
            MirrorError: It is pinned to another digest than it is locked to.
        """
        locked = self._digests[_SECTIONS[item.kind]].get(item.name)
        if locked and item.pinned and locked != item.pinned:
            raise MirrorError(
                f"{item.name}: is locked to {locked} in {self._path.name}, and pinned to {item.pinned}; find out which "
                "of the two is right, and take the other one out"
            )
        return locked or item.pinned

    def add(self, item: Item, digest: str) -> None:
        """Lock something, and write it down."""
        self._digests[_SECTIONS[item.kind]][item.name] = digest
        self._write()

    def keep_only(self, items: list[Item]) -> None:
        """Forget what is no longer copied."""
        names = {item.name for item in items}
        kept = {
            section: {name: digest for name, digest in digests.items() if name in names}
            for section, digests in self._digests.items()
        }
        if kept != self._digests:
            self._digests = kept
            self._write()

    def _write(self) -> None:
        lines = [_HEADER]
        for section, digests in self._digests.items():
            # An image's name has a colon in it, and a chart's name a space.
            lines.append(f"{section}:{'' if digests else ' {}'}\n")
            lines += [f'  "{name}": {digests[name]}\n' for name in sorted(digests)]
        self._path.write_text("".join(lines), encoding="utf-8")


def _read(path: Path) -> dict[str, dict[str, str]]:
    if not path.exists():
        return {}
    try:
        content = YAML(typ="safe").load(path)
    except YAMLError as error:
        raise MirrorError(f"{path.name}: not YAML: {' '.join(str(error).split())}") from None
    sections = content if isinstance(content, dict) else {}
    right = isinstance(content, dict) and all(
        name in _SECTIONS.values()
        and isinstance(digests, dict)
        and all(_DIGEST.fullmatch(str(digest)) for digest in digests.values())
        for name, digests in sections.items()
    )
    if not right:
        raise MirrorError(
            f"{path.name}: has maps `images` and `charts` from names to digests (sha256: and 64 hexadecimal digits), "
            "and nothing else; take it out of git again, or delete it: the next push writes it anew"
        )
    return sections
